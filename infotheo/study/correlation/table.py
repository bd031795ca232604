"""Correlation of measures with the test error and the generalization gap (paper 1 §5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas
from numpy.typing import NDArray

from infotheo.registry import nearest
from infotheo.study.correlation.association import (
    METHODS,
    Array,
    bootstrap_coefficients,
    coefficients,
    permutation_coefficients,
    round_to_bits,
)
from infotheo.study.correlation.grouping import draws, exchanges, group_means

__all__ = ["correlation_table"]

LEVELS = ("runs", "regularizers")
COLUMNS = [
    "measure", "target", "level", "method", "coefficient", "ci_low", "ci_high", "p_value", "n",
    "groups",
]  # fmt: skip
# Below, the percentile bootstrap promises too much: in simulations of normal pairs with
# r = 0, 0.5, 0.8 and 0.95, intervals of 95 % from 3 groups hold the truth in 25 to 71 % of all
# cases, from 5 in 62 to 98 %, from 7 in 83 to 97 %, from 8 (and from 20) in 90 to 98 %.
LEAST_GROUPS = 8

_Row = tuple[float, float, float, float, int, int]  # from the coefficient on


class _Settings(NamedTuple):
    methods: tuple[str, ...]
    resamples: int
    permutations: int
    confidence: float
    seed: int


def correlation_table(
    runs: pandas.DataFrame,
    measures: Sequence[str],
    *,
    targets: Sequence[str] = ("test_error", "generalization_gap"),
    group: Sequence[str] = ("condition", "regularizer"),
    methods: Sequence[str] = METHODS,
    resamples: int = 2000,
    permutations: int = 4999,
    confidence: float = 0.95,
    seed: int = 0,
) -> pandas.DataFrame:
    """Correlate every measure with every target, over regularizers and over all runs.

    At level ``"regularizers"`` the seeds of one group are averaged and the groups are independent
    points: bootstrap and permutation act on points. At level ``"runs"`` every run is a point, but
    the runs of a group are not independent: the bootstrap draws whole groups (cluster bootstrap)
    and the permutation exchanges whole groups' measures among groups of equal size, seeds in order.

    Parameters
    ----------
    runs
        One row per trained network. The order of the rows does not matter.
    measures
        Columns to correlate with the targets.
    targets
        Columns to correlate the measures with.
    group
        Columns that together name a group of runs that differ in their seed only.
    methods
        Among ``"pearson"``, ``"spearman"`` (average ranks) and ``"kendall"`` (tau-b).
    resamples
        Bootstrap resamples of the percentile interval, which needs eight groups; those in which a
        measure or target is constant are left out of that interval.
    permutations
        Random rearrangements of the two-sided permutation test, p = (b + 1)/(permutations + 1).
    confidence
        Coverage of the interval, between 0 and 1.
    seed
        Seed of resamples and rearrangements; they are shared by all measures and targets.

    Returns
    -------
    Data frame with columns measure, target, level, method, coefficient, ci_low, ci_high, p_value,
    n, groups. A run in which measure or target is not finite (it diverged) is left out of that
    pair; ``n`` counts the points used, ``groups`` the groups that they belong to. The coefficient
    is NaN for fewer than three points or a constant column; the p-value is NaN also for fewer than
    three groups and where no two groups are of equal size, the interval for fewer than eight
    groups. Values that agree to 40 bits count as equal.

    Raises
    ------
    ValueError
        If a column is missing or not numeric, or a setting is out of range.

    Notes
    -----
    Paper 1, section 5 and figure 4: twelve regularizers are twelve points, so intervals are wide.
    Of fewer than eight points, percentile intervals would be far too narrow: from three, those of
    95 % hold the true coefficient in 25 to 71 % of all cases, from eight on in about 90 % or more.

    Examples
    --------
    >>> runs = pandas.DataFrame({
    ...     "condition": "default", "regularizer": list("abcdef"), "seed": 0,
    ...     "information": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    ...     "test_error": [0.1, 0.2, 0.4, 0.3, 0.5, 0.6]})
    >>> table = correlation_table(
    ...     runs, ["information"], targets=["test_error"], methods=["kendall"])
    >>> table[["level", "coefficient", "n"]].round(3)
              level  coefficient  n
    0          runs        0.867  6
    1  regularizers        0.867  6
    """
    measures = _check_columns(runs, measures, "measures")
    targets = _check_columns(runs, targets, "targets")
    settings = _Settings(
        _check_methods(methods),
        _check_count(resamples, "resamples"),
        _check_count(permutations, "permutations"),
        _check_confidence(confidence),
        _check_seed(seed),
    )
    keys = _sorting_keys(runs, group)
    values = runs[list(dict.fromkeys([*measures, *targets]))].astype(np.float64)
    ordered = np.lexsort([*values.to_numpy().T[::-1], *keys[::-1]])
    values = values.iloc[ordered]
    names = list(zip(*(key[ordered] for key in keys[: len(group)]), strict=True))
    first_seen = {name: index for index, name in enumerate(dict.fromkeys(names))}
    members = np.array([first_seen[name] for name in names], dtype=np.intp)

    results: dict[tuple[str, str, str, str], _Row] = {}
    for target in targets:
        y = values[target].to_numpy()
        by_pattern: dict[bytes, list[str]] = {}
        for measure in measures:
            usable = np.isfinite(y) & np.isfinite(values[measure].to_numpy())
            by_pattern.setdefault(usable.tobytes(), []).append(measure)
        for pattern, columns in by_pattern.items():
            usable = np.frombuffer(pattern, dtype=bool)
            x_used, y_used = values[columns].to_numpy()[usable], y[usable]
            sizes = np.unique(members[usable], return_counts=True)[1]
            for level in LEVELS:
                block_sizes = sizes
                points_x, points_y = x_used, y_used
                if level == "regularizers":
                    points_x = group_means(x_used, sizes)
                    points_y = group_means(y_used[:, None], sizes)[:, 0]
                    block_sizes = np.ones_like(sizes)
                rows = _level_rows(
                    round_to_bits(points_x), round_to_bits(points_y), block_sizes, settings
                )
                for (method, index), row in rows.items():
                    results[columns[index], target, level, method] = row
    return pandas.DataFrame(
        [
            (measure, target, level, method, *results[measure, target, level, method])
            for measure in measures
            for target in targets
            for level in LEVELS
            for method in settings.methods
        ],
        columns=COLUMNS,
    )


def _level_rows(
    x: Array, y: Array, sizes: NDArray[np.intp], settings: _Settings
) -> dict[tuple[str, int], _Row]:
    """Coefficient, interval, p-value, n and number of groups for each (method, measure index).

    ``sizes`` are the numbers of consecutive points that are drawn and exchanged together.
    """
    n, count = x.shape
    groups = len(sizes)
    if n < 3:
        nothing = (np.nan, np.nan, np.nan, np.nan, n, groups)
        return {(method, index): nothing for method in settings.methods for index in range(count)}
    counts, orders = None, None
    if groups >= LEAST_GROUPS:
        counts = draws(sizes, settings.resamples, settings.seed)
    if groups >= 3:
        orders = exchanges(sizes, settings.permutations, settings.seed)
    tail = (1 - settings.confidence) / 2
    rows: dict[tuple[str, int], _Row] = {}
    for method in settings.methods:
        observed = coefficients(x, y, method)
        low = np.full(count, np.nan)
        high = np.full(count, np.nan)
        p_value = np.full(count, np.nan)
        known = np.isfinite(observed)
        if counts is not None and known.any():
            drawn = bootstrap_coefficients(x[:, known], y, counts, method)
            for column, index in enumerate(np.flatnonzero(known)):
                finite = drawn[np.isfinite(drawn[:, column]), column]
                if finite.size:
                    low[index], high[index] = np.quantile(finite, [tail, 1 - tail])
        if orders is not None and known.any():
            null = np.abs(permutation_coefficients(x[:, known], y, orders, method))
            # A rearrangement that repeats the observed one must count in spite of rounding.
            extreme = (null >= np.abs(observed[known]) - 1e-12).sum(axis=0)
            p_value[known] = (extreme + 1) / (settings.permutations + 1)
        numbers = np.stack([observed, low, high, p_value], axis=1).tolist()
        rows.update({(method, index): (*row, n, groups) for index, row in enumerate(numbers)})
    return rows


def _sorting_keys(runs: pandas.DataFrame, group: Sequence[str]) -> list[NDArray[Any]]:
    """Sorting keys of the rows: the group, then the seed where there is one."""
    if isinstance(group, str) or not len(group):
        raise ValueError(f"group: expected a list of column names, found {group!r}")
    for name in group:
        if name not in runs.columns:
            raise ValueError(f"group: runs has no column {name!r}{nearest(name, runs.columns)}")
    keys = [runs[name].astype(str).to_numpy(dtype=str) for name in group]
    if "seed" in runs.columns:
        keys.append(runs["seed"].to_numpy())
    return keys


def _check_columns(runs: pandas.DataFrame, names: Sequence[str], argument: str) -> list[str]:
    """Check that ``names`` are numeric columns of ``runs``, at least one, each once."""
    if isinstance(names, str) or not len(names):
        raise ValueError(f"{argument}: expected a list of column names, found {names!r}")
    for name in names:
        if name not in runs.columns:
            close = nearest(name, runs.columns)
            raise ValueError(f"{argument}: runs has no column {name!r}{close}")
        if not pandas.api.types.is_numeric_dtype(runs[name]):
            raise ValueError(f"{argument}: column {name!r} is not numeric ({runs[name].dtype})")
    if len(set(names)) < len(names):
        raise ValueError(f"{argument}: expected each name once, found {list(names)}")
    return list(names)


def _check_methods(methods: Sequence[str]) -> tuple[str, ...]:
    if isinstance(methods, str) or not len(methods):
        raise ValueError(f"methods: expected a list among {', '.join(METHODS)}, found {methods!r}")
    for method in methods:
        if method not in METHODS:
            raise ValueError(
                f"methods: unknown {method!r}{nearest(str(method), METHODS)}"
                f" known: {', '.join(METHODS)}"
            )
    return tuple(dict.fromkeys(methods))


def _check_count(value: int, argument: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{argument}: expected an integer of at least 1, found {value!r}")
    return int(value)


def _check_seed(value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise ValueError(f"seed: expected an integer of at least 0, found {value!r}")
    return int(value)


def _check_confidence(value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise ValueError(f"confidence: expected a number between 0 and 1, found {value!r}")
    return float(value)
