"""Chunks of seeds, and the layers and measures of each, as one dataset."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import xarray as xr

__all__ = ["join_chunks"]


def join_chunks(chunks: Iterable[tuple[Sequence[int], Sequence[xr.Dataset]]]) -> xr.Dataset:
    """Join what belongs to one label's networks along their seeds.

    Parameters
    ----------
    chunks
        Pairs of the seeds to take of a chunk and the datasets that it consists of: different
        variables, of which some have a dimension ``layer``. What has no seeds is taken as it is.

    Returns
    -------
    xarray.Dataset
        All variables over the seeds in their order. Layers are in the order of the first dataset
        that has all of them, and else in that of their appearance; NaN where one was not measured.
    """
    return xr.concat(
        [
            xr.merge(
                _with_same_layers([_select_seeds(part, seeds) for part in parts]),
                join="outer",
                compat="equals",
                combine_attrs="drop_conflicts",
            )
            for seeds, parts in chunks
        ],
        "seed",
        join="exact",
        data_vars="minimal",
        coords="minimal",
        compat="equals",
    )


def _select_seeds(part: xr.Dataset, seeds: Sequence[int]) -> xr.Dataset:
    return part.sel(seed=seeds) if "seed" in part.dims else part


def _with_same_layers(parts: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """Give all parts the same layers in the same order: an outer join would sort them by name."""
    names = [part["layer"].values.tolist() for part in parts if "layer" in part.dims]
    complete: list[str] = next((part for part in names if set(part) == set(chain(*names))), [])
    layers = list(dict.fromkeys(chain(complete, *names)))
    return [part.reindex(layer=layers) if "layer" in part.dims else part for part in parts]
