"""Characteristics of a layer's activations, and the layer's scale."""

from __future__ import annotations

import numpy as np
import xarray as xr

from infotheo.representation.characteristics import (
    characteristics as representation_characteristics,
)

__all__ = ["characteristics"]


def characteristics(activations: xr.DataArray, *, positive_only: bool = True) -> xr.Dataset:
    """Amplitude, covariance, correlation, variance, sparsity, dead units, rank, and scale.

    ``log_variance`` is the logarithm of the units' mean variance over all samples: the layer's
    scale, in nats as noise sees it; NaN for a network whose units are all constant.
    """
    labels = activations["class"].values
    measured: xr.Dataset = representation_characteristics(
        activations, labels, positive_only=positive_only
    )
    variance = activations.astype("float64").var("sample").mean("unit")
    return measured.assign(log_variance=np.log(variance.where(variance > 0)))
