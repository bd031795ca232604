"""Binned information of a layer's activations, over each network's own range or given cells."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr

from infotheo.estimators.binned.information import binned_information

__all__ = ["binned"]

# 30 edges, hence 29 cells, and one more for values of exactly 1.
INFORMATION_PLANE_EDGES = (*np.linspace(-1, 1, 30), np.inf)


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
    variables: dict[str, xr.DataArray] = {}
    for target, labels in truth.items():
        # the range of the bins is none of another network's business
        parts = [
            binned_information(networks, labels, **cells, **ends, correction=correction)
            for networks, ends in _with_ends(activations, range, spanning="bins" in cells)
        ]
        joined = xr.concat(parts, "seed", join="exact", data_vars="minimal", coords="minimal")
        joined = joined.reindex(seed=activations["seed"].values)
        variables[f"binned_{target}"] = joined["value"]
        variables[f"binned_{target}_ceiling"] = joined["ceiling"]
    variables["binned_outside"] = joined["outside"]
    if "bins" in cells and range is None:
        for variable in variables.values():
            settings = json.loads(variable.attrs["settings"])
            settings["range"] = "each network's own"  # not the first one's
            variable.attrs["settings"] = json.dumps(settings)
    return xr.Dataset(variables)


def _with_ends(
    activations: xr.DataArray, ends: Sequence[float] | None, spanning: bool
) -> Iterator[tuple[xr.DataArray, dict[str, Any]]]:
    """Pairs of networks and the range that they are binned over; nothing: their cells say it."""
    if not spanning or ends is not None:
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
