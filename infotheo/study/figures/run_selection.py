"""The rows and columns of ``runs.csv`` that a figure or table is about."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas

from infotheo.registry import nearest
from infotheo.study.columns import parse

__all__ = [
    "check_layer", "divergence_remark", "layer_words", "measure_key", "require_columns",
    "require_networks", "seed_count", "select_condition", "summarize_seeds",
]  # fmt: skip

RUN_COLUMNS = (
    "study", "condition", "regularizer", "weight", "seed", "train_error", "test_error",
    "generalization_gap",
)  # fmt: skip
MEASURES = ("pairwise", "binned", "prediction")


def measure_key(column: str) -> str:
    """Name the entry of the config key ``measures`` that makes a column.

    Examples
    --------
    >>> measure_key("pairwise_input_lower@noise_variance=0.1"), measure_key("sparsity")
    ('pairwise', 'characteristics')
    """
    first = parse(column).measure.partition("_")[0]
    return first if first in MEASURES else "characteristics"


def require_columns(runs: pandas.DataFrame, columns: list[str], figure: str) -> None:
    """Raise a ValueError that says how to get the first of the columns that is missing."""
    for column in columns:
        if column in runs.columns:
            continue
        if column in RUN_COLUMNS:
            raise ValueError(f"{figure}: runs has no column {column!r}, which every study writes")
        raise ValueError(
            f"{figure}: runs has no column {column!r}; the config key 'measures:"
            f" {measure_key(column)}' makes it"
        )


def require_networks(runs: pandas.DataFrame, figure: str) -> None:
    """Raise a ValueError that says so if all networks diverged: nothing was measured of them."""
    if "diverged" in runs.columns and len(runs) and runs["diverged"].all():
        raise ValueError(
            f"{figure}: found {len(runs)} networks that all diverged, expected one at least with"
            " measures to show; a lower 'training: learning_rate' may help"
        )


def check_layer(names: Iterable[str], layer: str | None, figure: str) -> None:
    """Raise a ValueError if no column has this layer; None is the study's first, which all have.

    Parameters
    ----------
    names
        Of the columns.
    layer
        The layer that is asked for.
    figure
        Who asks, for the message.
    """
    layers = [name for name in dict.fromkeys(parse(name).layer for name in names) if name]
    if layer is not None and layer not in layers:
        raise ValueError(
            f"{figure}: layer {layer!r} has no columns{nearest(layer, layers)}"
            f" known: {', '.join(layers) or 'none'}; the study's first layer is drawn without one"
        )


def layer_words(layer: str | None) -> str:
    """Say of which layer a figure is; empty for the study's first.

    Examples
    --------
    >>> layer_words("hidden2"), layer_words(None)
    (' of hidden2', '')
    """
    return "" if layer is None else f" of {layer}"


def select_condition(
    runs: pandas.DataFrame, condition: str | None, figure: str
) -> pandas.DataFrame:
    """Rows of one condition; None means the first one."""
    require_columns(runs, ["regularizer"], figure)
    if not len(runs):
        raise ValueError(f"{figure}: runs has no rows")
    if "condition" not in runs.columns:
        return runs
    names = runs["condition"].astype(str)
    chosen = names.iloc[0] if condition is None else condition
    if chosen not in set(names):
        known = list(dict.fromkeys(names))
        raise ValueError(
            f"{figure}: condition {chosen!r} is not in runs{nearest(chosen, known)}"
            f" known: {', '.join(known)}"
        )
    return runs[names == chosen]


def summarize_seeds(runs: pandas.DataFrame, column: str) -> pandas.DataFrame:
    """Mean, lowest and highest finite value per regularizer, in the order of the rows.

    Examples
    --------
    >>> runs = pandas.DataFrame({"regularizer": ["b", "b", "a"], "gap": [1.0, 3.0, np.nan]})
    >>> summarize_seeds(runs, "gap").loc["b"].tolist()
    [2.0, 1.0, 3.0]
    """
    values = runs[column].astype(float).replace([np.inf, -np.inf], np.nan)
    grouped = values.groupby(runs["regularizer"], sort=False)
    return grouped.agg(["mean", "min", "max"]).rename(columns={"min": "low", "max": "high"})


def seed_count(runs: pandas.DataFrame) -> str:
    """Say in words how many seeds each regularizer has.

    Examples
    --------
    >>> seed_count(pandas.DataFrame({"regularizer": ["a", "a", "b"]}))
    '1 to 2 seeds'
    """
    sizes = runs.groupby("regularizer", sort=False).size()
    low, high = int(sizes.min()), int(sizes.max())
    if low != high:
        return f"{low} to {high} seeds"
    return "one seed" if low == 1 else f"{low} seeds"


def divergence_remark(runs: pandas.DataFrame, column: str) -> str:
    """Say which runs have no finite value and are left out; empty if none.

    Examples
    --------
    >>> runs = pandas.DataFrame({"regularizer": ["a", "a"], "gap": [1.0, np.nan]})
    >>> divergence_remark(runs, "gap")
    'Left out, because diverged: 1 of 2 a.'
    """
    finite = np.isfinite(runs[column].astype(float))
    counts = finite.groupby(runs["regularizer"], sort=False).agg(["size", "sum"])
    lost = [
        f"{size - count} of {size} {name}"
        for name, size, count in counts.itertuples()
        if count < size
    ]
    return f"Left out, because diverged: {', '.join(lost)}." if lost else ""
