"""Counts of points within intervals of one or two coordinates, from ranks instead of a tree.

A ball of the maximum norm is an interval in each coordinate, and an interval is a range of ranks.
How many points fall into two ranges at once is read from a wavelet matrix: one bit of the rank at a
time, for all questions together, so that the cost does not depend on how full the balls are.
"""

from __future__ import annotations

import numpy as np

__all__ = ["count_by_ranks"]


def count_by_ranks(
    space: np.ndarray, radius: np.ndarray, *, queries: np.ndarray, closed: bool
) -> np.ndarray:
    """Count the other samples nearer than ``radius`` (or as near, if ``closed`` or it is 0).

    Parameters
    ----------
    space
        Samples (sample, unit) of one or two units, float64.
    radius
        Radius of each query (query,).
    queries
        Indices of the samples to do it for.
    closed
        Whether samples exactly at the radius count.

    Examples
    --------
    >>> corners = np.array([[0.0, 0.0], [0.0, 1.0], [2.0, 0.0]])
    >>> count_by_ranks(corners, np.full(3, 1.5), queries=np.arange(3), closed=False).tolist()
    [1, 1, 0]
    """
    first = space[:, 0]
    order = np.argsort(first, kind="stable")
    low, high = _range(first[order], first[queries], radius, closed)
    if space.shape[1] == 1:
        others: np.ndarray = high - low - 1
        return others
    second = space[order, 1]
    by_second = np.argsort(second, kind="stable")
    bottom, top = _range(second[by_second], space[queries, 1], radius, closed)
    ranks = np.empty(len(order), np.int64)
    ranks[by_second] = np.arange(len(order))
    below = _count_below(
        ranks, np.tile(low, 2), np.tile(high, 2), np.concatenate([bottom, top])
    ).reshape(2, -1)
    others = below[1] - below[0] - 1
    return others


def _range(
    ordered: np.ndarray, centre: np.ndarray, radius: np.ndarray, closed: bool
) -> tuple[np.ndarray, np.ndarray]:
    """First and one past the last position in ``ordered`` within the radius of each centre.

    ``centre - radius`` is rounded, the distance of a pair in the joint space is another rounding:
    the ends are moved until they agree with the distances themselves, which grow with position.
    """
    values, starts = np.unique(ordered, return_index=True)
    starts = np.append(starts, len(ordered))
    last = len(values) - 1

    def within(position: np.ndarray) -> np.ndarray:
        apart = np.abs(values[np.clip(position, 0, last)] - centre)
        near = (apart < radius) | ((apart == radius) & (closed | (radius == 0)))
        inside: np.ndarray = near & (position >= 0) & (position <= last)
        return inside

    centre_position = np.searchsorted(values, centre)
    left = np.minimum(np.searchsorted(values, centre - radius), centre_position)
    right = np.maximum(np.searchsorted(values, centre + radius, side="right") - 1, centre_position)
    for end, step, inner in ((left, 1, centre_position), (right, -1, centre_position)):
        while True:  # inwards past those outside, then outwards to those within
            outside = ~within(end) & (end != inner)
            if not outside.any():
                break
            end += step * outside
        while True:
            more = within(end - step)
            if not more.any():
                break
            end -= step * more
    return starts[left], starts[right + 1]


def _count_below(
    ranks: np.ndarray, low: np.ndarray, high: np.ndarray, limit: np.ndarray
) -> np.ndarray:
    """How many of ``ranks[low:high]`` are below ``limit``, for every question at once."""
    size = len(ranks)
    total = np.where(limit >= size, high - low, 0)
    limit = np.minimum(limit, size - 1)
    partial = np.zeros_like(total)
    is_whole_range = total > 0
    for bit in range(max(1, (size - 1).bit_length()) - 1, -1, -1):
        ones = (ranks >> bit) & 1
        zeros = np.concatenate([[0], np.cumsum(1 - ones)])  # before each position
        low_zeros, high_zeros = zeros[low], zeros[high]
        up = ((limit >> bit) & 1).astype(bool)
        partial += np.where(up, high_zeros - low_zeros, 0)
        low = np.where(up, zeros[-1] + low - low_zeros, low_zeros)
        high = np.where(up, zeros[-1] + high - high_zeros, high_zeros)
        ranks = np.concatenate([ranks[ones == 0], ranks[ones == 1]])
    return np.where(is_whole_range, total, partial)
