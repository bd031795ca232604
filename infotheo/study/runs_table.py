"""One row for each trained network: errors and every measure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from infotheo.study.columns import Column, parse, split_variable

__all__ = ["FIXED", "Estimates", "MeasuredChunk", "measure_columns", "run_rows", "runs_table"]

FIXED = [
    "study",
    "condition",
    "regularizer",
    "weight",
    "seed",
    "train_error",
    "validation_error",
    "test_error",
    "generalization_gap",
    "diverged",
]

# Pairs of a layer and what was measured of it; None for predictions and whole networks.
Estimates = Iterable[tuple[str | None, xr.Dataset]]


class MeasuredChunk(NamedTuple):
    """Networks that were trained together, and what was measured of them.

    ``history`` and ``estimates`` are as for :func:`run_rows`, ``seeds`` those that a study asks
    for.
    """

    condition: str
    regularizer: str
    history: xr.Dataset
    estimates: Estimates
    seeds: Sequence[int]


def runs_table(study: str, chunks: Iterable[MeasuredChunk], first_layer: str) -> pd.DataFrame:
    """Return a row for each network: the fixed columns first, sweeps after the other measures.

    Parameters
    ----------
    study
        Its name.
    chunks
        In the order of the rows.
    first_layer
        The layer that has its columns without a layer's name.
    """
    rows = []
    for chunk in chunks:
        estimates = [
            (None if layer == first_layer else layer, variables)
            for layer, variables in chunk.estimates
        ]
        names = {"study": study, "condition": chunk.condition, "regularizer": chunk.regularizer}
        rows += [names | row for row in run_rows(chunk.history, estimates, chunk.seeds)]
    table = pd.DataFrame(rows)
    measures = [name for name in table.columns if name not in FIXED]
    swept = {name for name in measures if parse(name).setting is not None}
    plain = [name for name in measures if name not in swept]
    return table[[*FIXED, *plain, *(name for name in measures if name in swept)]]


def run_rows(
    history: xr.Dataset, estimates: Estimates, seeds: Sequence[int]
) -> list[dict[str, Any]]:
    """Return a row for each seed.

    Parameters
    ----------
    history
        With ``train_error``, ``test_error``, ``diverged`` (seed), ``validation_error``
        (seed, epoch) and, where there is one, coordinate ``loss_weight``.
    estimates
        Pairs of a layer (``None``: its columns have no layer's name) and variables over seed and at
        most one other dimension. One over such a dimension becomes a column for each of its places;
        ``measure@noise_variance`` also ``measure`` itself, for the first of them.
    seeds
        Which rows.
    """
    estimates = list(estimates)
    rows = []
    for seed in seeds:
        network = history.sel(seed=seed)
        train_error, test_error = _number(network["train_error"]), _number(network["test_error"])
        weighted = "loss_weight" in network.coords
        row: dict[str, Any] = {
            "weight": _number(network["loss_weight"]) if weighted else np.nan,
            "seed": seed,
            "train_error": train_error,
            "validation_error": _number(network["validation_error"].isel(epoch=-1)),
            "test_error": test_error,
            # both are decimals of at most nine digits; so is their difference
            "generalization_gap": round(test_error - train_error, 9),
            "diverged": bool(network["diverged"]),
        }
        for layer, variables in estimates:
            row |= _columns(variables, seed, layer)
        rows.append(row)
    return rows


def _number(value: xr.DataArray) -> float:
    """Return the shortest decimal that stands for the value: 0.038, not float32's 0.0379999988."""
    return float(str(value.values[()]))


def _columns(estimates: xr.Dataset, seed: int, layer: str | None) -> dict[str, float]:
    columns = {}
    for name, variable in estimates.data_vars.items():
        measure, setting = split_variable(str(name))
        array = variable.sel(seed=seed) if "seed" in variable.dims else variable
        if not array.ndim:
            columns[str(Column(measure, layer))] = float(array)
            continue
        (dim,) = map(str, array.dims)
        numbers = array.values.astype(float)
        if setting == "noise_variance":
            columns[str(Column(measure, layer))] = float(numbers[0])
        for value, number in zip(array[dim].values, numbers, strict=True):
            columns[str(Column(measure, layer, dim, value))] = float(number)
    return columns


def measure_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns that hold measures: not what names a run, its errors or diagnostics.

    Raises
    ------
    ValueError
        If there is none, as where all networks diverged.
    """
    names = [
        name
        for name in table.columns
        if name not in FIXED and not _is_diagnostic(parse(name).measure)
    ]
    if names:
        return names
    if "diverged" in table.columns and len(table) and table["diverged"].all():
        raise ValueError(
            f"runs: found {len(table)} networks that all diverged, expected one at least with"
            " measures to correlate; a lower 'training: learning_rate' may help"
        )
    raise ValueError(
        "runs: found no column of a measure, expected one at least to correlate with the errors;"
        " the config key 'measures' makes them"
    )


def _is_diagnostic(measure: str) -> bool:
    """Whether a column says how far another can be trusted rather than measuring anything."""
    return measure.endswith(("_ceiling", "_outside")) or measure.startswith(
        ("left_out_", "rank_tolerance")
    )
