"""Mean over seeds with its bootstrap interval, one row of a table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from infotheo.study.correlation.grouping import draws

__all__ = ["seed_interval"]


def seed_interval(
    values: NDArray[np.float64], *, resamples: int, confidence: float, seed: int
) -> tuple[float, float, float]:
    """Mean of the finite values and its percentile bootstrap interval.

    The interval is NaN for fewer than three values, all three numbers are for none.

    Examples
    --------
    >>> seed_interval(np.array([1.0, np.nan, 3.0]), resamples=10, confidence=0.95, seed=0)
    (2.0, nan, nan)
    """
    values = values[np.isfinite(values)]
    if not len(values):
        return np.nan, np.nan, np.nan
    first = float(values[0])  # relative to it, so that equal values have an interval of no width
    mean = first + float((values - first).mean())
    if len(values) < 3:
        return mean, np.nan, np.nan
    counts = draws(np.ones(len(values), dtype=np.intp), resamples, seed)
    means = first + np.einsum("rs,s->r", counts, values - first) / len(values)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return mean, float(low), float(high)
