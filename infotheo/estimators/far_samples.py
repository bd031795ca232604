"""Samples so far from all others that each alone would decide the standard deviation of a unit."""

from __future__ import annotations

import numpy as np

__all__ = ["far_samples"]

SHARE = 0.99  # of a unit's variance: without the sample its deviation is a tenth
MOST = 0.01  # of the samples can be far


def far_samples(values: np.ndarray) -> np.ndarray:
    """Mark values (sample, unit) without which the variance of a unit is less than 1 % of it.

    Where the other samples of the unit are all the same, none is far: it is what varies.

    Examples
    --------
    >>> far_samples(np.array([[0.0], [1.0], [3.0], [1e9]])).ravel().tolist()
    [False, False, False, True]
    >>> far_samples(np.array([[0.0], [0.0], [1e9]])).any()
    np.False_
    """
    size, units = values.shape
    far = np.zeros(values.shape, dtype=bool)
    if size < 3:
        return far
    undecided = np.arange(units)
    for _ in range(max(1, int(MOST * size))):
        kept = ~far[:, undecided]
        x = np.where(kept, values[:, undecided], 0.0)
        scale = np.abs(x).max(axis=0)  # squares neither overflow nor underflow
        x = x / np.where(scale > 0, scale, 1.0)
        count = kept.sum(axis=0)
        squares = (x - x.sum(axis=0) / count) ** 2 * kept
        farthest, total = squares.argmax(axis=0), squares.sum(axis=0)
        without = total - squares.max(axis=0) * count / (count - 1)  # about the others' own mean
        candidate = without < (1 - SHARE) * total
        others = kept.copy()
        others[farthest, np.arange(len(undecided))] = False
        low = np.where(others, x, np.inf).min(axis=0)
        high = np.where(others, x, -np.inf).max(axis=0)
        undecided, farthest = (a[candidate & (low < high)] for a in (undecided, farthest))
        if not len(undecided):
            break
        far[farthest, undecided] = True
    return far
