"""One row for each trained network: errors and every measure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

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


def run_rows(
    history: xr.Dataset, estimates: Iterable[tuple[str, xr.Dataset]], seeds: Sequence[int]
) -> list[dict[str, Any]]:
    """Return a row for each seed.

    Parameters
    ----------
    history
        With ``train_error``, ``test_error``, ``diverged`` (seed), ``validation_error``
        (seed, epoch) and, where there is one, coordinate ``loss_weight``.
    estimates
        Pairs of a suffix for the columns (empty, or ``@<layer>``) and variables over seed and at
        most one sweep. A variable ``name@sweep`` becomes a column ``name@sweep=value`` for each
        value, and ``name`` itself for the first one of ``noise_variance``.
    seeds
        Which rows.
    """
    estimates = list(estimates)
    rows = []
    for seed in seeds:
        own = history.sel(seed=seed)
        train_error, test_error = _number(own["train_error"]), _number(own["test_error"])
        row: dict[str, Any] = {
            "weight": _number(own["loss_weight"]) if "loss_weight" in own.coords else np.nan,
            "seed": seed,
            "train_error": train_error,
            "validation_error": _number(own["validation_error"].isel(epoch=-1)),
            "test_error": test_error,
            # both are decimals of at most nine digits; so is their difference
            "generalization_gap": round(test_error - train_error, 9),
            "diverged": bool(own["diverged"]),
        }
        for suffix, estimate in estimates:
            row |= _columns(estimate, seed, suffix)
        rows.append(row)
    return rows


def _number(value: xr.DataArray) -> float:
    """Return the shortest decimal that stands for the value: 0.038, not float32's 0.0379999988."""
    return float(str(value.values[()]))


def _columns(estimate: xr.Dataset, seed: int, suffix: str) -> dict[str, float]:
    columns = {}
    for name, variable in estimate.data_vars.items():
        own = variable.sel(seed=seed) if "seed" in variable.dims else variable
        base, _, sweep = str(name).partition("@")
        if not own.ndim:
            columns[f"{base}{suffix}"] = float(own)
            continue
        (dim,) = own.dims
        values = own.values.astype(float)
        if sweep == "noise_variance":
            columns[f"{base}{suffix}"] = float(values[0])
        for setting, value in zip(own[dim].values, values, strict=True):
            shown = setting if isinstance(setting, str) else f"{setting:.15g}"
            columns[f"{base}{suffix}@{dim}={shown}"] = float(value)
    return columns


def runs_table(study: str, rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Return the rows as a table: the fixed columns first, sweeps after the other measures."""
    table = pd.DataFrame([{"study": study, **row} for row in rows])
    others = [column for column in table.columns if column not in FIXED]
    plain = [column for column in others if "=" not in column]
    return table[[*FIXED, *plain, *(column for column in others if "=" in column)]]


def measure_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns that hold measures: not what names a run, its errors or diagnostics."""
    return [
        column
        for column in table.columns
        if column not in FIXED and not _is_diagnostic(column.partition("@")[0])
    ]


def _is_diagnostic(measure: str) -> bool:
    """Whether a column says how far another can be trusted rather than measuring anything."""
    return measure.endswith(("_ceiling", "_outside")) or measure.startswith(
        ("left_out_", "rank_tolerance")
    )
