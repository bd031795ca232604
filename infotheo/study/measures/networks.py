"""Measures of whole networks by name: functions of (network, inputs, labels, *, settings)."""

from collections.abc import Callable

import xarray as xr

from infotheo.study.measures.components import components
from infotheo.study.measures.invertibility import invertibility
from infotheo.study.measures.margins import margins
from infotheo.study.measures.residual import residual

network_measures: dict[str, Callable[..., xr.Dataset]] = {
    "residual": residual,
    "invertibility": invertibility,
    "margins": margins,
    "components": components,
}

__all__ = ["network_measures"]
