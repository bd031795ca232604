"""Measures of a layer's activations (seed, sample, unit) with coordinate ``class``."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr

from infotheo.estimators.binned.information import binned_information
from infotheo.estimators.noise.variance import relative_noise_variance as variance_at_fraction
from infotheo.estimators.pairwise.bounds import SaturationWarning, input_and_label_information
from infotheo.representation.characteristics import (
    characteristics as representation_characteristics,
)

# 30 edges, hence 29 cells, and one more for values of exactly 1.
INFORMATION_PLANE_EDGES = (*np.linspace(-1, 1, 30), np.inf)


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
    found: dict[str, xr.DataArray] = {}
    for sweep, variances in noises.items():
        absolute = sweep == "noise_variance"
        networks = activations if absolute or all_collapsed else varying
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
                    swept = list(noise_variance) if absolute else fractions
                    plain = values.reset_coords(drop=True).assign_coords(
                        {"seed": networks["seed"], sweep: swept}
                    )
                    if all_collapsed and not absolute:
                        plain = plain.where(False)
                    found[f"{name}@{sweep}"] = plain.reindex(seed=activations["seed"].values)
    return xr.Dataset(found)


def binned(
    activations: xr.DataArray,
    *,
    bins: int = 30,
    range: Sequence[float] | None = None,
    bin_width: float | None = None,
    edges: Literal["information-plane"] | None = None,
    correction: Literal["miller-madow"] | None = None,
) -> xr.Dataset:
    """Binned information about input and label, nats.

    ``bins`` equal cells span ``range``, or each network's own one: over all of training where
    that is known, from coordinates ``smallest`` and ``largest`` of ``activations``. Instead of
    them, cells of ``bin_width``, or the ``edges`` of the information-plane papers' code: 29 cells
    over [-1, 1] and one for +1 itself.
    """
    cells: dict[str, Any] = {"bins": bins}
    if edges is not None:
        cells = {"edges": INFORMATION_PLANE_EDGES}
    elif bin_width is not None:
        cells = {"bin_width": bin_width}
    truth = {"input": None, "label": activations["class"].values}
    found: dict[str, xr.DataArray] = {}
    for target, labels in truth.items():
        # the range of the bins is none of another network's business
        networks = [
            binned_information(own, labels, **cells, **ends, correction=correction)
            for own, ends in _with_ends(activations, range, own="bins" in cells)
        ]
        whole = xr.concat(networks, "seed", join="exact", data_vars="minimal", coords="minimal")
        whole = whole.reindex(seed=activations["seed"].values)
        found |= {f"binned_{target}": whole["value"], f"binned_{target}_ceiling": whole["ceiling"]}
    found["binned_outside"] = whole["outside"]
    if "bins" in cells and range is None:
        for variable in found.values():
            settings = json.loads(variable.attrs["settings"])
            settings["range"] = "each network's own"  # not the first one's
            variable.attrs["settings"] = json.dumps(settings)
    return xr.Dataset(found)


def _with_ends(
    activations: xr.DataArray, ends: Sequence[float] | None, own: bool
) -> Iterator[tuple[xr.DataArray, dict[str, Any]]]:
    """Pairs of networks and the range that they are binned over; nothing: their cells say it."""
    if not own or ends is not None:
        yield activations, {} if ends is None else {"range": tuple(ends)}
    elif "smallest" in activations.coords:
        pairs = np.stack([activations["smallest"].values, activations["largest"].values])
        for low, high in np.unique(pairs, axis=1).T:
            chosen = (pairs[0] == low) & (pairs[1] == high)
            # a layer that is constant all the time has no range: one cell
            yield activations[chosen], {"range": (low, high)} if low < high else {}
    else:
        for _, network in activations.groupby("seed", squeeze=False):
            yield network, {}


def characteristics(activations: xr.DataArray, *, positive_only: bool = True) -> xr.Dataset:
    """Amplitude, covariance, correlation, variance, sparsity, dead units, rank, and scale.

    ``log_variance`` is the logarithm of the units' mean variance over all samples: the layer's
    scale, in nats as noise sees it; NaN for a network whose units are all constant.
    """
    labels = activations["class"].values
    found = representation_characteristics(activations, labels, positive_only=positive_only)
    variance = activations.astype("float64").var("sample").mean("unit")
    return found.assign(log_variance=np.log(variance.where(variance > 0)))
