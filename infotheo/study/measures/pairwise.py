"""Pairwise-distance bounds of a layer's information, at absolute and relative noise variances."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import xarray as xr

from infotheo.estimators.noise.variance import relative_noise_variance as variance_at_fraction
from infotheo.estimators.pairwise.bounds import SaturationWarning, input_and_label_information
from infotheo.study.columns import swept_variable

__all__ = ["pairwise"]


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
    noises: dict[str, Any] = {}
    if len(noise_variance):
        noises["noise_variance"] = list(noise_variance)
    all_collapsed = not varying.sizes["seed"]
    if fractions:
        noises["relative_noise_variance"] = (
            # any noise will do for values that are NaN, under the names that they have otherwise
            xr.ones_like(activations["seed"], float).expand_dims(
                relative_noise_variance=fractions, axis=1
            )
            if all_collapsed
            else variance_at_fraction(varying, fractions)
        )
    variables: dict[str, xr.DataArray] = {}
    for sweep, variances in noises.items():
        absolute = sweep == "noise_variance"
        networks = activations if absolute or all_collapsed else varying
        with warnings.catch_warnings():
            # saturation is a finding of the study: the ceilings stand beside the values
            warnings.simplefilter("ignore", SaturationWarning)
            input_and_label = input_and_label_information(
                networks, labels, noise_variance=variances, alpha=alpha
            )
        for target, bounds in zip(("input", "label"), input_and_label, strict=True):
            for field, values in bounds.data_vars.items():
                name = f"pairwise_{target}_{field}"
                if field == "ceiling":
                    variables[name] = values.reset_coords(drop=True)
                elif target == "label" or field in ("lower", "upper"):
                    swept = list(noise_variance) if absolute else fractions
                    plain = values.reset_coords(drop=True).assign_coords(
                        {"seed": networks["seed"], sweep: swept}
                    )
                    if all_collapsed and not absolute:
                        plain = plain.where(False)
                    variables[swept_variable(name, sweep)] = plain.reindex(
                        seed=activations["seed"].values
                    )
    return xr.Dataset(variables)
