"""Measures of whole networks by name: functions of (network, inputs, labels, *, settings)."""

from collections.abc import Callable

import xarray as xr

from infotheo.registry import Registry
from infotheo.study.measures.components import components
from infotheo.study.measures.invertibility import invertibility
from infotheo.study.measures.margins import margins
from infotheo.study.measures.residual import residual

network_measures: Registry[Callable[..., xr.Dataset]] = Registry(
    {
        "residual": residual,
        "invertibility": invertibility,
        "margins": margins,
        "components": components,
    },
    kind="measure",
    positional=("network", "inputs", "labels"),
)

__all__ = ["network_measures"]
