"""Averages, bootstrap draws and exchanges of groups of points that belong together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from infotheo.arrays.random_streams import numpy_generator

__all__ = ["draws", "exchanges", "group_means"]


def group_means(x: NDArray[np.float64], sizes: NDArray[np.intp]) -> NDArray[np.float64]:
    """Average consecutive rows group by group; exactly the value where a group is constant.

    Parameters
    ----------
    x
        Points, shape (point, measure).
    sizes
        How many consecutive points make up each group, shape (group,).

    Returns
    -------
    Array of shape (group, measure).

    Examples
    --------
    >>> group_means(np.array([[0.1], [0.1], [0.1], [5.0]]), np.array([3, 1]))
    array([[0.1],
           [5. ]])
    """
    if not len(sizes):
        return x[:0]
    starts = np.cumsum(sizes) - sizes
    rows = np.ascontiguousarray(x.T)  # a measure's sums must not depend on its neighbours
    first = rows[:, starts]
    # Relative to the group's first value, so that equal values have an equal mean.
    offsets = np.add.reduceat(rows - np.repeat(first, sizes, axis=1), starts, axis=1)
    return (first + offsets / sizes).T


def draws(sizes: NDArray[np.intp], resamples: int, seed: int) -> NDArray[np.float64]:
    """Count how often each point occurs in bootstrap resamples that draw whole groups.

    Parameters
    ----------
    sizes
        How many consecutive points make up each group, shape (group,); ones draw single points.
    resamples
        Number of resamples.
    seed
        Seed of the draws.

    Returns
    -------
    Array of shape (resample, point).

    Examples
    --------
    >>> draws(np.array([2, 2]), 3, seed=0)[:, ::2].sum(axis=1)
    array([2., 2., 2.])
    """
    groups = len(sizes)
    drawn = numpy_generator(seed, "resamples of groups").integers(groups, size=(resamples, groups))
    drawn += groups * np.arange(resamples)[:, None]
    times = np.bincount(drawn.ravel(), minlength=groups * resamples).reshape(resamples, groups)
    return np.repeat(times, sizes, axis=1).astype(np.float64)


def exchanges(sizes: NDArray[np.intp], permutations: int, seed: int) -> NDArray[np.intp] | None:
    """Rearrange points by exchanging whole groups of equal size, order within a group kept.

    Parameters
    ----------
    sizes
        How many consecutive points make up each group, shape (group,); ones exchange points.
    permutations
        Number of random rearrangements.
    seed
        Seed of the rearrangements.

    Returns
    -------
    Indices of shape (rearrangement, point), or None where no two groups are of equal size.

    Examples
    --------
    >>> exchanges(np.array([2, 3, 2]), 3, seed=0)[:, 2:5]  # the only group of three stays
    array([[2, 3, 4],
           [2, 3, 4],
           [2, 3, 4]])
    >>> exchanges(np.array([1, 2, 3]), 3, seed=0) is None
    True
    """
    generator = numpy_generator(seed, "exchanges of groups")
    starts = np.cumsum(sizes) - sizes
    orders = np.tile(np.arange(sizes.sum()), (permutations, 1))
    exchangeable = False
    for size in np.unique(sizes):
        blocks = starts[sizes == size][:, None] + np.arange(size)  # (block, point of the block)
        if len(blocks) < 2:
            continue
        exchangeable = True
        shuffled = generator.permuted(np.tile(np.arange(len(blocks)), (permutations, 1)), axis=1)
        orders[:, blocks.ravel()] = blocks[shuffled].reshape(permutations, -1)
    return orders if exchangeable else None
