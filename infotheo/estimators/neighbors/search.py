"""The k-th neighbour of each sample in a product of spaces, and counts as near in each space.

What all nearest-neighbour estimates are made of. Distances are of the maximum norm, compared as
float64 computes them, whichever way they are found: a tree in few dimensions, rows of distances in
many, ranks for the counts in one or two.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from infotheo.arrays.threads import worker_count
from infotheo.estimators.neighbors.ranks import count_by_ranks
from infotheo.estimators.neighbors.tiles import (
    Nearest,
    count_by_tiles,
    exact_distances,
    nearest_by_tiles,
    select_nearest,
)

__all__ = ["Nearest", "count_near", "find_nearest"]

RANKED = 2  # units up to which counts come from ranks
LOW = 5  # units up to which a tree finds neighbours faster than rows of distances do
# For a large sample trees win in a few more units, in the product and for counts:
LARGE, LARGE_LOW, LARGE_COUNTED = 20_000, 8, 4
CHUNK = 256  # samples whose ties are listed at once


def find_nearest(
    spaces: Sequence[np.ndarray],
    k: int,
    *,
    queries: np.ndarray | None = None,
    rectangle: bool = False,
    count: bool = True,
) -> Nearest:
    """Find the k-th neighbour in the product of spaces, and count others within its extent.

    Parameters
    ----------
    spaces
        Arrays (sample, unit), float64; the distance is the largest over the spaces.
    k
        Which neighbour, below the number of samples.
    queries
        Indices of the samples to do it for. Default: all.
    rectangle
        False: each space's extent is the distance to the k-th neighbour, and others count if they
        are nearer. True: the extent is the largest distance, in that space, to the k nearest, and
        others count if they are as near.
    count
        Whether to count in each space.

    Returns
    -------
    Nearest
        ``order`` is k, but where several samples are at the distance of the k-th: then the least k
        (with ``rectangle`` the largest) that has this distance; where the distance is 0, the number
        of samples at this very place, itself included.

    Examples
    --------
    >>> nearest = find_nearest([np.array([[0.0], [1.0], [1.0], [3.0]])], 2)
    >>> nearest.radius.tolist(), nearest.order.tolist(), nearest.counts[0].tolist()
    ([1.0, 1.0, 1.0, 2.0], [1, 2, 2, 1], [0, 1, 1, 0])
    """
    queries = np.arange(len(spaces[0])) if queries is None else queries
    spaces = [_drop_constant_units(space) for space in spaces]
    widths = [space.shape[1] for space in spaces]
    large = len(spaces[0]) >= LARGE
    wide = [i for i, width in enumerate(widths) if count and width > RANKED]
    if large:
        wide = [i for i in wide if widths[i] > LARGE_COUNTED]
    if sum(widths) <= (LARGE_LOW if large else LOW) and not wide:
        neighborhoods = _nearest_by_tree(spaces, k, queries, rectangle)
    else:
        neighborhoods = nearest_by_tiles(
            spaces, k, queries=queries, rectangle=rectangle, count=wide
        )
    if count:
        for i, space in enumerate(spaces):
            if i not in neighborhoods.counts:
                neighborhoods.counts[i] = count_near(
                    space, neighborhoods.sides[i], queries=queries, closed=rectangle
                )
    return neighborhoods


def count_near(
    space: np.ndarray, radius: np.ndarray, *, queries: np.ndarray, closed: bool = False
) -> np.ndarray:
    """Count the other samples nearer than ``radius`` (or as near, if ``closed`` or it is 0).

    Examples
    --------
    >>> count_near(np.array([[0.0], [1.0], [3.0]]), np.full(3, 2.0), queries=np.arange(3)).tolist()
    [1, 1, 0]
    """
    space = _drop_constant_units(space)
    if space.shape[1] <= RANKED:
        return count_by_ranks(space, radius, queries=queries, closed=closed)
    if space.shape[1] <= LARGE_COUNTED and len(space) >= LARGE:
        return _count_by_tree(space, radius, queries, closed)
    return count_by_tiles(space, radius, queries=queries, closed=closed)


def _drop_constant_units(space: np.ndarray) -> np.ndarray:
    """Leave out constant units, which no distance sees; keep one if there is no other."""
    varying = np.any(space != space[0], axis=0)
    return space if varying.all() else space[:, varying if varying.any() else slice(1)]


def _count_by_tree(
    space: np.ndarray, radius: np.ndarray, queries: np.ndarray, closed: bool
) -> np.ndarray:
    """Count with a tree, which rounds its bounds of far nodes.

    A distance that differs from the radius by rounding alone counts as equal to it.
    """
    from sklearn.neighbors import KDTree

    tree = KDTree(space, metric="chebyshev")
    radius = radius * (1 + (1 if closed else -1) * 1e-14)
    others: np.ndarray = tree.query_radius(space[queries], radius, count_only=True) - 1
    return others


def _nearest_by_tree(
    spaces: Sequence[np.ndarray], k: int, queries: np.ndarray, rectangle: bool
) -> Nearest:
    from scipy.spatial import cKDTree

    points = np.concatenate(spaces, axis=1)
    size = len(points)
    # median splits cost more than they save, above all for repeated points
    tree = cKDTree(points, balanced_tree=False, compact_nodes=True)
    asked = min(k + 2, size)  # itself, k others, and one more to see a tie at the k-th
    distances, columns = tree.query(points[queries], k=asked, p=np.inf, workers=worker_count())
    # itself comes first, or any other at its place: drop it where it is, else the last
    is_self = columns == queries[:, None]
    is_self[~is_self.any(axis=1), -1] = True
    apart, others = (
        distances[~is_self].reshape(-1, asked - 1),
        columns[~is_self].reshape(-1, asked - 1),
    )
    radius = apart[:, k - 1]
    order = 1 + np.sum(apart[:, :k] < radius[:, None], axis=1)
    sides = np.broadcast_to(radius, (len(spaces), len(queries)))
    if rectangle:
        rows = np.repeat(np.arange(len(queries)), k)
        space_distances = [exact_distances(s, queries[rows], others[:, :k].ravel()) for s in spaces]
        sides = np.stack([d.reshape(-1, k).max(axis=1) for d in space_distances])
        order = np.full(len(queries), k)
    if np.any(radius == 0):
        _, place, together = np.unique(points, axis=0, return_inverse=True, return_counts=True)
        order = np.where(radius == 0, together[place[queries]], order)
    if rectangle and asked > k + 1:
        # all that tie with the k-th shape the rectangle
        tied = np.flatnonzero((apart[:, k] == radius) & (radius > 0))
        for start in range(0, len(tied), CHUNK):
            tied_rows = tied[start : start + CHUNK]
            tied_columns = tree.query_ball_point(
                points[queries[tied_rows]], radius[tied_rows], p=np.inf
            )
            rows = np.repeat(
                np.arange(len(tied_rows)), [len(row_columns) for row_columns in tied_columns]
            )
            columns = np.concatenate(
                [np.asarray(row_columns, np.int64) for row_columns in tied_columns]
            )
            keep = columns != queries[tied_rows][rows]
            rows, columns = rows[keep], columns[keep]
            space_distances = [
                exact_distances(s, queries[tied_rows][rows], columns) for s in spaces
            ]
            _, order[tied_rows], sides[:, tied_rows] = select_nearest(
                rows, np.stack(space_distances), k, len(tied_rows), rectangle
            )
    return Nearest(radius, order, sides, {})
