"""Measures of whole networks by name: functions of (network, inputs, labels, *, settings)."""

from collections.abc import Callable

import xarray as xr

from infotheo.measures.components import components
from infotheo.measures.invertibility import invertibility
from infotheo.measures.margins import margins
from infotheo.measures.residual import residual

network_measures: dict[str, Callable[..., xr.Dataset]] = {
    "residual": residual,
    "invertibility": invertibility,
    "margins": margins,
    "components": components,
}

__all__ = ["network_measures"]
