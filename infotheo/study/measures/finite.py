"""Calls of a measure with the networks that are finite, whatever dimensions they stand along."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr

_ROWS = ("sample", "unit")


def measure_finite(
    measure: Callable[..., xr.Dataset], values: xr.DataArray, settings: Mapping[str, Any]
) -> xr.Dataset:
    """Measure the replicas that are finite; those that diverged get NaN in every variable.

    Parameters
    ----------
    measure
        A function of (seed, sample, unit).
    values
        (seed, sample, unit), or with further leading dimensions, which are given to the measure
        along ``seed`` and come back as they were.
    settings
        Keyword arguments of the measure.
    """
    leading = [str(dim) for dim in values.dims if dim not in _ROWS]
    rows = values.transpose(*leading, *_ROWS)
    if leading != ["seed"]:
        rows = rows.stack(network=leading, create_index=False).transpose("network", *_ROWS)
        along = {
            str(name): ("seed", array.values)
            for name, array in rows.coords.items()
            if array.dims == ("network",) and name not in leading
        }
        rows = rows.drop_vars(
            [name for name, array in rows.coords.items() if "network" in array.dims]
        )
        rows = rows.rename(network="seed").assign_coords(
            {"seed": np.arange(rows.sizes["network"]), **along}
        )
    finite = xr.apply_ufunc(np.isfinite, rows).all(_ROWS)
    if not bool(finite.any()):
        return xr.Dataset(coords={dim: values[dim] for dim in leading})
    # all of them at once where none diverged: no copy
    finite_rows = rows if bool(finite.all()) else rows.sel(seed=rows["seed"][finite.values])
    measured = measure(finite_rows, **settings)
    if "seed" in measured.dims:
        measured = measured.reindex(seed=rows["seed"].values)
    return measured if leading == ["seed"] else _unstack(measured, values, leading)


def _unstack(measured: xr.Dataset, values: xr.DataArray, leading: list[str]) -> xr.Dataset:
    """Put the dimensions that ``values`` has in place of the one given to the measure."""
    shape = [values.sizes[dim] for dim in leading]
    variables = {}
    for name, variable in measured.data_vars.items():
        rest = [dim for dim in variable.dims if dim != "seed"]
        if "seed" in variable.dims:
            numbers = variable.transpose("seed", *rest).values
            numbers = numbers.reshape(*shape, *numbers.shape[1:])
            variables[name] = ([*leading, *rest], numbers, variable.attrs)
        else:
            variables[name] = (rest, variable.values, variable.attrs)
    added = {name: array for name, array in measured.coords.items() if "seed" not in array.dims}
    places = {
        name: array for name, array in values.coords.items() if set(array.dims) <= set(leading)
    }
    return xr.Dataset(variables, added | places)
