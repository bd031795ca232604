"""Fitting and compression in numbers: when I(T;Y) has risen, and how far I(X;T) falls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas
import xarray
from numpy.typing import NDArray

from infotheo.arrays.numbers import check_count
from infotheo.study.figures import information_paths
from infotheo.study.figures.compression import expected_fall, fall_after_maximum, jitter, rise_times
from infotheo.study.figures.information_paths import Noise
from infotheo.study.tables.seed_interval import seed_interval

__all__ = ["phase_table"]

KEYS = ["label", "layer", "estimator", "setting", "value", "seeds", "time"]
QUANTITIES = [
    "rise_time", "kept_time", "maximum_time", "maximum", "fall", "fall_fraction", "final",
]  # fmt: skip
SIDES = ("pairwise lower", "pairwise upper")


class _Settings(NamedTuple):
    threshold: float
    fraction: float
    resamples: int
    confidence: float
    seed: int


class _Curves(NamedTuple):
    """What one row is about: I(X;T) and I(T;Y) over (seed, time), nats.

    ``maximum`` and ``final`` are the curves whose maximum and whose end the fall lies between;
    ``possible`` those of the greatest fall that the data allow.
    """

    keys: list[Any]
    time: NDArray[np.float64]
    label: NDArray[np.float64] | None
    maximum: NDArray[np.float64]
    final: NDArray[np.float64]
    possible: tuple[NDArray[np.float64], NDArray[np.float64]]


def phase_table(
    trajectories: dict[str, xarray.Dataset],
    *,
    threshold: float = 0.05,
    fraction: float = 0.95,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> pandas.DataFrame:
    """When I(T;Y) has risen and how far I(X;T) falls after its maximum, per layer and estimator.

    Parameters
    ----------
    trajectories
        Measures over training per label: the variables of ``measures: binned``, of ``pairwise`` or
        of both over (layer, seed, epoch or step), in nats.
    threshold
        Least fall, as a fraction of the maximum, that may be called compression.
    fraction
        Of its final value, to which I(T;Y) must have risen.
    resamples
        Bootstrap resamples of the seeds.
    confidence
        Coverage of the intervals.
    seed
        Of the resamples.

    Returns
    -------
    Data frame with one row per label, layer, estimator and noise variance; none for a layer that
    the estimator was not followed in. Columns label, layer,
    estimator, setting and value (the noise variance's name and size), seeds (with finite values
    throughout), time (``"epoch"`` or ``"step"``); then, each a mean over seeds with its bootstrap
    interval in ``…_low`` and ``…_high`` (NaN for fewer than three seeds):

    * ``rise_time``: when I(T;Y) first reaches ``fraction`` of its final value, and ``kept_time``:
      from when on it keeps it; 0 for a layer that has it from the start. A seed that ends at
      I(T;Y) = 0 is left out and counted in ``never_rises``.
    * ``maximum_time``, ``maximum``: of I(X;T), nats. At time 0 it is the untrained network's.
    * ``fall``: from the maximum to the last time, nats; ``fall_fraction``: over the maximum (0
      where that is 0); ``final``: the last value, nats.

    and ``allowance``: the mean fall that is not yet compression, nats; ``seeds_above``: how many
    seeds fall further than their own; ``compression``: ``"yes"`` if the whole interval of mean
    (fall − allowance) is above 0, ``"no"`` if none of it is, ``"undecided"`` otherwise, for fewer
    than three seeds, and for fewer than five times.

    Estimators: ``binned``; ``pairwise lower`` and ``pairwise upper``, each bound of I(X;T) taken
    for itself, with the estimate of I(T;Y) from the same divergence (Chernoff;
    Kullback-Leibler); and ``pairwise proven``, where ``fall`` is what both bounds together prove,
    the maximum of the lower bound less the last upper bound (negative: nothing), and compression
    is denied only if the maximum of the upper bound less the last lower bound denies it.

    Raises
    ------
    ValueError
        If neither measure is there, a variable or dimension is missing, or a setting is out of
        range.

    Notes
    -----
    The last of T values that only jitter lies below their maximum, by their deviation times the
    expected maximum of T standard normal numbers (2.5 for T = 100): a fall of that size is no
    compression. The allowance of a seed is that product, the deviation taken from the curve's own
    second differences, or ``threshold`` times its maximum if that is more. After Shwartz-Ziv &
    Tishby 2017 and Saxe et al. 2018; paper 5, section 1.2 and claim 2.1.

    Examples
    --------
    >>> epoch = np.arange(9.0)
    >>> known = np.array([1.0, 2.0, 3.0, 4.0, 3.0, 2.0, 2.0, 2.0, 2.0])
    >>> dims, ones = ("layer", "seed", "epoch"), np.ones((1, 3, 1))
    >>> dataset = xarray.Dataset(
    ...     {"binned_input": (dims, known * ones), "binned_label": (dims, known.cumsum() * ones)},
    ...     coords={"layer": ["fc1"], "epoch": epoch})
    >>> table = phase_table({"tanh": dataset})
    >>> table[["layer", "rise_time", "maximum_time", "fall", "fall_fraction", "compression"]]
      layer  rise_time  maximum_time  fall  fall_fraction compression
    0   fc1        8.0           3.0   2.0            0.5         yes
    """
    settings = _Settings(
        _check_between(threshold, "threshold", 0, 1, ends=True),
        _check_between(fraction, "fraction", 0, 1),
        check_count(resamples, "resamples"),
        _check_between(confidence, "confidence", 0, 1),
        check_count(seed, "seed", least=0),
    )
    rows = [_table_row(curves, settings) for curves in _all_curves(trajectories)]
    numbers = [f"{quantity}{end}" for quantity in QUANTITIES for end in ("", "_low", "_high")]
    rest = ["never_rises", "allowance", "seeds_above", "compression"]
    table = pandas.DataFrame(rows, columns=[*KEYS, *numbers, *rest])
    order = {label: place for place, label in enumerate(trajectories)}
    return table.sort_values("label", key=lambda labels: labels.map(order), kind="stable",
                             ignore_index=True)  # fmt: skip


def _all_curves(trajectories: dict[str, xarray.Dataset]) -> Iterator[_Curves]:
    """Curves of every row: estimator by estimator, so that ones that are missing are found."""
    name = "phase_table"
    measured = {
        subject: any(
            str(variable).startswith(f"{subject}_input")
            for dataset in trajectories.values()
            for variable in dataset.data_vars
        )
        for subject in ("binned", "pairwise")
    }
    if measured["binned"] or not measured["pairwise"]:
        for label, paths in information_paths.read_paths(trajectories, "binned", name).items():
            for place, layer in enumerate(paths.layers):
                x, y = paths.input[0, place], paths.label[0, place]
                keys = [label, layer, "binned", "", np.nan, 0, paths.time_name]
                yield _Curves(keys, paths.time, y, x, x, (x, x))
    if measured["pairwise"]:
        for noise in information_paths.noises(trajectories, name):
            yield from _pairwise(trajectories, noise)


def _pairwise(trajectories: dict[str, xarray.Dataset], noise: Noise) -> Iterator[_Curves]:
    paths_by_label = information_paths.read_paths(
        trajectories, "pairwise", "phase_table", noise=noise
    )
    for label, paths in paths_by_label.items():
        for place, layer in enumerate(paths.layers):
            lower, upper = paths.input[:, place]
            for side, estimator in enumerate(SIDES):
                x, y = paths.input[side, place], paths.label[side, place]
                keys = [label, layer, estimator, *noise, 0, paths.time_name]
                yield _Curves(keys, paths.time, y, x, x, (x, x))
            keys = [label, layer, "pairwise proven", *noise, 0, paths.time_name]
            yield _Curves(keys, paths.time, None, lower, upper, (upper, lower))


def _table_row(curves: _Curves, settings: _Settings) -> list[Any]:
    parts = [curves.maximum, curves.final] + ([] if curves.label is None else [curves.label])
    finite = np.isfinite(np.stack(parts)).all(axis=(0, 2))  # seeds that did not diverge
    highest, low_end = curves.maximum[finite], curves.final[finite]
    time = curves.time
    unknown = np.full(int(finite.sum()), np.nan)
    rise, stable, never = unknown, unknown, 0
    if curves.label is not None:
        rise, stable = rise_times(curves.label[finite], time, fraction=settings.fraction)
        never = int(np.isnan(rise).sum())
    maximum, _, maximum_time = fall_after_maximum(highest, time)
    fall = maximum - low_end[:, -1]
    possible = curves.possible[0][finite].max(axis=-1) - curves.possible[1][finite][:, -1]
    share = np.divide(fall, maximum, out=np.zeros_like(fall), where=maximum > 0)
    noise = np.maximum(jitter(highest), jitter(low_end)) * expected_fall(len(time))
    allowance = np.maximum(noise, settings.threshold * maximum)
    keys = [*curves.keys]
    keys[KEYS.index("seeds")] = int(finite.sum())
    values = (rise, stable, maximum_time, maximum, fall, share, low_end[:, -1])
    return [
        *keys,
        *(number for quantity in values for number in _seed_interval(quantity, settings)),
        never,
        _seed_interval(allowance, settings)[0],
        int((fall > allowance).sum()),
        _verdict(_seed_interval(fall - allowance, settings)[1],
                 _seed_interval(possible - allowance, settings)[2]),
    ]  # fmt: skip


def _seed_interval(values: NDArray[np.float64], settings: _Settings) -> tuple[float, float, float]:
    """Mean of the finite values and its percentile bootstrap interval."""
    return seed_interval(
        values,
        resamples=settings.resamples,
        confidence=settings.confidence,
        seed=settings.seed,
    )


def _verdict(least: float, greatest: float) -> str:
    """Say whether there is compression, from the ends of the interval beyond the allowance."""
    if least > 0:
        return "yes"
    return "no" if greatest <= 0 else "undecided"


def _check_between(
    value: float, name: str, low: float, high: float, *, ends: bool = False
) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not (low < value < high or (ends and low <= value < high)):
        raise ValueError(
            f"phase_table: {name}: expected a number between {low:g} and {high:g}, found {value!r}"
        )
    return float(value)
