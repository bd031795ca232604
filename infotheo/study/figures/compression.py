"""Rise and fall of curves over training, and how much of a fall noise explains."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

__all__ = ["expected_fall", "fall_after_maximum", "jitter", "rise_times"]

Curves = NDArray[np.float64]

NOTHING = 1e-9  # nats: below this an information is 0 but for rounding


def rise_times(
    values: Curves, time: NDArray[np.float64], *, fraction: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """When curves first reach a fraction of their final value, and from when on they keep it.

    Parameters
    ----------
    values
        Curves, shape (..., time).
    time
        Increasing times, shape (time,).
    fraction
        Of the value at the last time.

    Returns
    -------
    The two times, each of shape (...), among those given: no interpolation. The second is later
    where a curve rises, falls back and rises again. A curve that has its final value from the
    start, or that only falls, has time 0 in both; one that ends at 0 (less than 1e-9 nats) has
    nothing to rise to and gives NaN.

    Examples
    --------
    >>> rise_times(np.array([0.1, 1.0, 0.5, 0.98, 1.0]), np.array([0.0, 1.0, 2.0, 4.0, 8.0]))
    (array(1.), array(4.))
    """
    final = values[..., -1:]
    reached = values >= fraction * final
    first = time[reached.argmax(axis=-1)]
    after_last_miss = np.where(reached.all(axis=-1), 0, _last(~reached) + 1)
    stable = time[np.minimum(after_last_miss, len(time) - 1)]
    ends = final[..., 0] > NOTHING
    return np.where(ends, first, np.nan), np.where(ends, stable, np.nan)


def fall_after_maximum(
    values: Curves, time: NDArray[np.float64]
) -> tuple[Curves, Curves, NDArray[np.float64]]:
    """Maximum over time, how far the last value lies below it, and the (first) maximum's time.

    Examples
    --------
    >>> numbers = fall_after_maximum(np.array([1.0, 3.0, 2.5]), np.array([0.0, 1.0, 2.0]))
    >>> [float(number) for number in numbers]
    [3.0, 0.5, 1.0]
    """
    largest = values.max(axis=-1)
    return largest, largest - values[..., -1], time[values.argmax(axis=-1)]


def jitter(values: Curves) -> Curves:
    """Estimate how a curve jitters from one time to the next beside its trend: the deviation.

    Parameters
    ----------
    values
        Curves, shape (..., time).

    Returns
    -------
    Shape (...): the median of |x[t−1] − 2 x[t] + x[t+1]|, which a straight trend leaves at 0, over
    the factor sqrt(6) · 0.6745 that it has for independent normal noise of unit deviation. NaN for
    fewer than five times.

    Notes
    -----
    A bend of the curve adds to it, and so makes what is built on it the more cautious; a median
    ignores a few large steps.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=2000)
    >>> round(float(jitter(0.1 * np.arange(2000) + noise)), 1)
    1.0
    """
    if values.shape[-1] < 5:
        return np.full(values.shape[:-1], np.nan)
    bends = np.abs(np.diff(values, 2, axis=-1))
    return np.median(bends, axis=-1) / (math.sqrt(6) * NormalDist().inv_cdf(0.75))


def expected_fall(times: int) -> float:
    """How far, on average, the last of so many values of unit noise lies below their maximum.

    That is the expected maximum of ``times`` independent standard normal numbers, by Blom's
    approximation (within 2 % of exact).

    Examples
    --------
    >>> round(expected_fall(100), 2)  # 2.51 by integration
    2.5
    """
    if times < 2:
        return 0.0
    return NormalDist().inv_cdf((times - 0.375) / (times + 0.25))


def _last(flags: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Position of the last True along the last axis."""
    places: NDArray[np.intp] = flags.shape[-1] - 1 - flags[..., ::-1].argmax(axis=-1)
    return places
