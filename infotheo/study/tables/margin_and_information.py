"""Margins, information of the predictions and time in numbers, as paper 5 relates them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas
import xarray
from numpy.typing import NDArray

from infotheo.arrays.labels import check_open_unit
from infotheo.arrays.numbers import check_count
from infotheo.study.correlation.association import coefficients, round_to_bits
from infotheo.study.figures import over_time
from infotheo.study.figures.compression import rise_times
from infotheo.study.tables.seed_interval import seed_interval

__all__ = ["margin_and_information"]

INFORMATION = ("prediction_input", "prediction_label", "prediction_irrelevant", "error")
MARGINS = ("margin_relative_mean", "margin_relative_q05", "margin_normalized_mean", "margin_angle")
LEAST = 5  # moments of a seed for a coefficient
COLUMNS = ["label", "quantity", "margin", "information", "window", "mean", "low", "high", "seeds",
           "moments"]  # fmt: skip


class _Label(NamedTuple):
    """The curves of one label, (seed, time), and when each seed's I(Y;prediction) has risen.

    ``rise_times`` are those at which it first reaches, ``stable_times`` those from which on it
    keeps a fraction of its final value.
    """

    values: dict[str, NDArray[np.float64]]
    times: NDArray[np.float64]
    rise_times: NDArray[np.float64]
    stable_times: NDArray[np.float64]


def margin_and_information(
    trajectories: dict[str, xarray.Dataset],
    *,
    fraction: float = 0.95,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> pandas.DataFrame:
    """How margins go with the information of the predictions, and how fast I(Y;prediction) rises.

    Parameters
    ----------
    trajectories
        Measures over training per label: the variables of ``measures: margins``, ``prediction`` and
        ``error`` over (seed, epoch or step).
    fraction
        Of its final value, to which I(Y;prediction) rises in the fast phase.
    resamples
        Bootstrap resamples of the seeds.
    confidence
        Coverage of the intervals.
    seed
        Of the resamples.

    Returns
    -------
    Data frame with columns label, quantity, margin, information, window; ``mean`` over seeds with
    its bootstrap interval from ``low`` to ``high`` (NaN for fewer than three seeds); ``seeds`` that
    have a value, and ``moments``, the fewest that one of them is taken from. Quantities:

    * ``spearman``: rank correlation over the moments of one seed's training of a margin with an
      information (or the error); in the window ``training`` of all moments, and in ``slow phase``
      of those from when on I(Y;prediction) keeps ``fraction`` of its final value. Neighbouring
      moments are alike: the interval tells of the seeds, not of the moments. NaN for fewer than
      five moments, and where one of the two is constant. ``margin_angle`` only has the moments at
      which the features are separable.
    * ``rise_time``, ``kept_time``: epoch or step at which I(Y;prediction) first reaches, and from
      which on it keeps, ``fraction`` of its final value; ``rise_share``: the first over the whole
      time of training.
    * ``slow_gain``: of ``prediction_label``, of ``prediction_input`` and of the margins, the change
      from ``kept_time`` to the end, in their own units; NaN where that is the last moment.

    Raises
    ------
    ValueError
        If a variable or dimension is missing, or a setting is out of range.

    Notes
    -----
    Paper 5, claims 2.1 (fast, then slow) and 2.2 (minimising I(X;prediction) - a I(Y;prediction)
    widens the margin: a negative ``spearman`` with ``prediction_input`` in the slow phase).

    Examples
    --------
    >>> done = np.linspace(0, 1, 9)
    >>> rising = {name: ("epoch", done) for name in (*INFORMATION, *MARGINS)}
    >>> dataset = xarray.Dataset(rising, {"epoch": 10 * done}).expand_dims(seed=3)
    >>> table = margin_and_information({"tanh": dataset})
    >>> table[["quantity", "margin", "information", "window", "mean"]].head(1)
       quantity                margin       information    window  mean
    0  spearman  margin_relative_mean  prediction_input  training   1.0
    """
    check_open_unit(fraction, "fraction")
    resamples = check_count(resamples, "resamples")
    confidence = check_open_unit(confidence, "confidence")
    seed = check_count(seed, "seed", least=0)
    over_time.require_variables(trajectories, (*INFORMATION, *MARGINS), "margin_and_information")
    rows = []
    for name, dataset in trajectories.items():
        label = _read(dataset, fraction)
        for keys, values, moments in (*_correlations(label), *_rise_and_gain(label)):
            finite = np.isfinite(values)
            fewest = int(moments[finite].min()) if finite.any() else 0
            interval = seed_interval(values, resamples=resamples, confidence=confidence, seed=seed)
            rows.append((name, *keys, *interval, int(finite.sum()), fewest))
    return pandas.DataFrame(rows, columns=COLUMNS)


Row = tuple[tuple[str, str, str, str], NDArray[np.float64], NDArray[np.intp]]


def _read(dataset: xarray.Dataset, fraction: float) -> _Label:
    times = over_time.times(over_time.series(dataset, "prediction_label"))
    values = {name: over_time.series(dataset, name).to_numpy() for name in (*INFORMATION, *MARGINS)}
    finite = np.isfinite(values["prediction_label"]).all(axis=1)  # seeds that did not diverge
    for name in values:
        values[name] = np.where(finite[:, None], values[name], np.nan)
    information = np.where(finite[:, None], values["prediction_label"], 0.0)  # which never rises
    return _Label(values, times, *rise_times(information, times, fraction=fraction))


def _correlations(label: _Label) -> Iterator[Row]:
    shape = (len(label.stable_times), len(label.times))
    windows = {
        "training": np.ones(shape, dtype=bool),
        "slow phase": label.times >= label.stable_times[:, None],  # none where it never rises
    }
    for margin in MARGINS:
        for information in INFORMATION:
            for window, within in windows.items():
                x, y = label.values[margin], label.values[information]
                pairs = [_spearman(*curves) for curves in zip(x, y, within, strict=True)]
                keys = ("spearman", margin, information, window)
                values, moments = (np.array(column) for column in zip(*pairs, strict=True))
                yield keys, values, moments


def _spearman(
    x: NDArray[np.float64], y: NDArray[np.float64], within: NDArray[np.bool_]
) -> tuple[float, int]:
    both = round_to_bits(np.stack([x, y], axis=1)[within])
    both = both[np.isfinite(both).all(axis=1)]
    if len(both) < LEAST:
        return np.nan, len(both)
    return float(coefficients(both[:, :1], both[:, 1], "spearman")[0]), len(both)


def _rise_and_gain(label: _Label) -> Iterator[Row]:
    times, stable_times = label.times, label.stable_times
    moments = np.full(len(stable_times), len(times))
    duration = times[-1] - times[0] or np.nan  # of one moment there is no share
    for quantity, values in (
        ("rise_time", label.rise_times),
        ("kept_time", stable_times),
        ("rise_share", (label.rise_times - times[0]) / duration),
    ):
        yield (quantity, "", "prediction_label", "training"), values, moments
    rises = stable_times < times[-1]
    place = np.searchsorted(times, np.where(rises, stable_times, times[-1]))
    for name in ("prediction_label", "prediction_input", *MARGINS):
        values = label.values[name]
        before = values[np.arange(len(stable_times)), place]
        gain = np.where(rises, values[:, -1] - before, np.nan)
        margin, information = (name, "") if name in MARGINS else ("", name)
        yield ("slow_gain", margin, information, "slow phase"), gain, moments
