"""Measures of a study by name: functions of labelled activations, or of logits.

The first parameter says what a measure looks at: ``activations`` (seed, sample, unit) of a layer
or ``logits`` (seed, sample, unit) of the test samples, both with coordinate ``class``; the others
are settings. The result has one variable for each quantity, over seed and at most one sweep.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr

from infotheo.information.binned.information import binned_information
from infotheo.information.noise.variance import relative_noise_variance as variance_at_fraction
from infotheo.information.pairwise.bounds import SaturationWarning, input_and_label_information
from infotheo.information.prediction import irrelevant_information, prediction_information
from infotheo.representation.characteristics import (
    characteristics as representation_characteristics,
)


def pairwise(
    activations: xr.DataArray,
    *,
    noise_variance: Sequence[float] = (1.0,),
    relative_noise_variance: Sequence[float] = (),
    alpha: float = 0.5,
) -> xr.Dataset:
    """Pairwise-distance bounds of I(Z;X) and I(Z;Y) at each noise variance, nats."""
    labels = activations["class"].values
    fractions = list(relative_noise_variance)
    # a collapsed network has no scale for the noise to go with: its relative values are NaN
    varying = activations.sel(seed=activations["seed"][activations.var("sample").max("unit") > 0])
    noises = {"noise_variance": list(noise_variance)} if len(noise_variance) else {}
    if fractions and varying.sizes["seed"]:
        noises["relative_noise_variance"] = variance_at_fraction(varying, fractions)
    found: dict[str, xr.DataArray] = {}
    for sweep, variances in noises.items():
        networks = activations if sweep == "noise_variance" else varying
        with warnings.catch_warnings():
            # saturation is a finding of the study: the ceilings stand beside the values
            warnings.simplefilter("ignore", SaturationWarning)
            both = input_and_label_information(
                networks, labels, noise_variance=variances, alpha=alpha
            )
        for target, bounds in zip(("input", "label"), both, strict=True):
            for field, values in bounds.data_vars.items():
                name = f"pairwise_{target}_{field}"
                if field == "ceiling":
                    found[name] = values.reset_coords(drop=True)
                elif target == "label" or field in ("lower", "upper"):
                    swept = list(noise_variance) if sweep == "noise_variance" else fractions
                    plain = values.reset_coords(drop=True).assign_coords(
                        {"seed": networks["seed"], sweep: swept}
                    )
                    found[f"{name}@{sweep}"] = plain.reindex(seed=activations["seed"].values)
    return xr.Dataset(found)


def binned(
    activations: xr.DataArray,
    *,
    bins: int = 30,
    bin_width: float | None = None,
    correction: Literal["miller-madow"] | None = None,
) -> xr.Dataset:
    """Binned information about input and label, nats; bins span each network's own range."""
    truth = {"input": None, "label": activations["class"].values}
    cells: dict[str, Any] = {"bins": bins} if bin_width is None else {"bin_width": bin_width}
    found: dict[str, xr.DataArray] = {}
    for target, labels in truth.items():
        # one network at a time: the range of the bins is none of its neighbours' business
        networks = [
            binned_information(network, labels, **cells, correction=correction)
            for _, network in activations.groupby("seed", squeeze=False)
        ]
        whole = xr.concat(networks, "seed", join="exact", data_vars="minimal")
        found |= {f"binned_{target}": whole["value"], f"binned_{target}_ceiling": whole["ceiling"]}
    return xr.Dataset(found)


def characteristics(activations: xr.DataArray, *, positive_only: bool = True) -> xr.Dataset:
    """Amplitude, covariance, correlation, variance, sparsity, dead units, rank, and scale.

    ``log_variance`` is the logarithm of the units' mean variance over all samples: the layer's
    scale, in nats as noise sees it; NaN for a network whose units are all constant.
    """
    labels = activations["class"].values
    found = representation_characteristics(activations, labels, positive_only=positive_only)
    variance = activations.astype("float64").var("sample").mean("unit")
    return found.assign(log_variance=np.log(variance.where(variance > 0)))


def prediction(logits: xr.DataArray) -> xr.Dataset:
    """Information of the prediction about input and label, and what is irrelevant, nats."""
    labels = logits["class"].values
    return xr.Dataset(
        {
            "prediction_input": prediction_information(logits, logits=True)["value"],
            "prediction_label": prediction_information(logits, labels, logits=True)["value"],
            "prediction_irrelevant": irrelevant_information(logits, labels, logits=True)["value"],
        }
    )


measures: dict[str, Callable[..., xr.Dataset]] = {
    "pairwise": pairwise,
    "binned": binned,
    "characteristics": characteristics,
    "prediction": prediction,
}


def measure_finite(
    measure: Callable[..., xr.Dataset], values: xr.DataArray, settings: Mapping[str, Any]
) -> xr.Dataset:
    """Measure the replicas that are finite; those that diverged get NaN in every variable."""
    diverged = (~xr.apply_ufunc(np.isfinite, values)).any(["sample", "unit"])
    if bool(diverged.all()):
        return xr.Dataset(coords={"seed": values["seed"]})
    found = measure(values.sel(seed=values["seed"][~diverged]), **settings)
    return found.reindex(seed=values["seed"].values) if "seed" in found.dims else found
