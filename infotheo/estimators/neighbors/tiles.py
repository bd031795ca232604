"""Nearest neighbours and ball counts in the maximum norm, by whole rows of rounded distances.

Above two or three units a tree visits nearly every point, one at a time. Here all distances of a
few rows are computed at once in 16-bit integers (or float32), whose rounding error is known; the
few pairs that it leaves undecided are decided from exact float64 differences. The result is
that of exact arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from infotheo.arrays.threads import map_in_threads, worker_count

__all__ = [
    "Nearest",
    "count_by_tiles",
    "exact_distances",
    "nearest_by_tiles",
    "select_nearest",
]

STRIP = 2**16  # distances computed at once: they stay in a core's own cache
BLOCK = 2**19  # distances selected from at once: few calls for each row
LEVELS = 32_000  # of the 16-bit grid: a difference of two still fits
COARSEST = 0.01  # of a typical radius, the largest rounding error for which integers are used


Part = TypeVar("Part")


class Nearest(NamedTuple):
    """The neighbourhood of each query point."""

    radius: np.ndarray  # (query,) distance to the k-th neighbour, the largest over the spaces
    order: np.ndarray  # (query,) which neighbour that is, ties resolved as `rectangle` says
    sides: np.ndarray  # (space, query) its extent in each space, or `radius` in all
    counts: dict[int, np.ndarray]  # for the spaces asked for: others within the extent (query,)


def exact_distances(space: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Maximum-norm distances of pairs of points, in float64.

    Examples
    --------
    >>> exact_distances(np.array([[0.0, 0.0], [1.0, 3.0]]), np.array([0]), np.array([1])).tolist()
    [3.0]
    """
    out = np.empty(len(rows))
    step = max(1, BLOCK // space.shape[1])
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        out[part] = np.abs(space[rows[part]] - space[columns[part]]).max(axis=1)
    return out


@dataclass(frozen=True)
class _Rounded:
    """Points of several spaces on one grid, and how far its distances are from the exact ones."""

    spaces: Sequence[np.ndarray]  # (sample, unit) float64
    columns: list[np.ndarray]  # (unit, sample) rounded
    scale: float  # one step of the grid
    reach: np.ndarray | None  # float32 only: the largest coordinate of each sample

    @property
    def size(self) -> int:
        return len(self.spaces[0])

    def slack(self, points: np.ndarray, distance: np.ndarray) -> np.ndarray:
        """Error of a rounded distance near ``distance`` from ``points``, in steps.

        On the integer grid two coordinates are off by half a step each. In float32 they are off by
        2**-24 of their size, and so is their difference; the other point's size is at most the
        sum of this one's and the distance.
        """
        if self.reach is None:
            return np.full(len(points), 1.001)
        error: np.ndarray = 2.0**-22 * (self.reach[points] + distance) + 1e-37
        return error

    def fill(self, space_index: int, points: np.ndarray, out: np.ndarray, work: np.ndarray) -> None:
        """Write the rounded distances (point, sample) in one space, the own one as the largest."""
        data = self.columns[space_index]
        largest = np.iinfo(out.dtype).max if out.dtype.kind == "i" else np.inf
        strip = len(work)
        for start in range(0, len(points), strip):
            chosen = points[start : start + strip]
            here, scratch = out[start : start + strip], work[: len(chosen)]
            np.subtract(data[0, chosen, None], data[0], out=here)
            np.abs(here, out=here)
            for coordinate in data[1:]:
                np.subtract(coordinate[chosen, None], coordinate, out=scratch)
                np.abs(scratch, out=scratch)
                np.maximum(here, scratch, out=here)
            here[np.arange(len(chosen)), chosen] = largest


def _round_to_grid(spaces: Sequence[np.ndarray], k: int) -> _Rounded:
    low = [space.min(axis=0) for space in spaces]
    span = [space.max(axis=0) - least for space, least in zip(spaces, low, strict=True)]
    widest = max(float(width.max()) for width in span)
    scale = (widest / LEVELS) or 1.0
    shifted = [
        space - (least + width / 2) for space, least, width in zip(spaces, low, span, strict=True)
    ]
    if scale > COARSEST * _typical_radius(spaces, k):
        scale = widest or 1.0  # outliers stretch the grid: relative precision instead
        columns = [np.ascontiguousarray((s / scale).T, np.float32) for s in shifted]
        reach = np.max([np.abs(c).max(axis=0) for c in columns], axis=0).astype(np.float64)
        return _Rounded(spaces, columns, scale, reach)
    columns = [np.ascontiguousarray(np.rint(s / scale).T.astype(np.int16)) for s in shifted]
    return _Rounded(spaces, columns, scale, None)


def _typical_radius(spaces: Sequence[np.ndarray], k: int) -> float:
    """Median distance to the k-th neighbour of a few points spread over the sample."""
    size = len(spaces[0])
    points = np.unique(np.linspace(0, size - 1, 16).astype(np.int64))
    distances = np.zeros((len(points), size))
    for space in spaces:
        for row, point in enumerate(points):
            distance = np.abs(space - space[point]).max(axis=1)
            np.maximum(distances[row], distance, out=distances[row])
    return float(np.median(np.partition(distances, min(k, size - 1), axis=1)[:, min(k, size - 1)]))


def _map_blocks(
    rounded: _Rounded,
    queries: np.ndarray,
    run: Callable[[np.ndarray, list[np.ndarray], np.ndarray], Part],
) -> list[Part]:
    """Call ``run(points, buffers, work)`` for blocks of query points, on all threads, in order."""
    size = rounded.size
    count = min(worker_count(), max(1, len(queries) * size // BLOCK))
    rows = max(1, min(BLOCK // size, -(-len(queries) // count)))
    blocks = [queries[start : start + rows] for start in range(0, len(queries), rows)]

    def work_through(share: list[np.ndarray]) -> list[Part]:
        dtype = rounded.columns[0].dtype
        buffers = [np.empty((rows, size), dtype) for _ in range(len(rounded.columns) + 1)]
        work = np.empty((max(1, STRIP // size), size), dtype)
        return [run(points, [b[: len(points)] for b in buffers], work) for points in share]

    if count == 1:
        return work_through(blocks)
    shares = [blocks[first::count] for first in range(count)]
    results = map_in_threads(work_through, shares, queries)
    return [results[number % count][number // count] for number in range(len(blocks))]


def nearest_by_tiles(
    spaces: Sequence[np.ndarray],
    k: int,
    *,
    queries: np.ndarray,
    rectangle: bool = False,
    count: Sequence[int] = (),
) -> Nearest:
    """Find the k-th neighbour in the product of spaces, and count others within its extent.

    Parameters
    ----------
    spaces
        Arrays (sample, unit), float64; the distance is the largest over the spaces.
    k
        Which neighbour, below the number of samples.
    queries
        Indices of the samples to do it for.
    rectangle
        See :func:`~infotheo.estimators.neighbors.search.find_nearest`.
    count
        The spaces to count in.

    Examples
    --------
    >>> line = np.array([[0.0], [1.0], [3.0]])
    >>> nearest_by_tiles([line], 1, queries=np.arange(3)).radius.tolist()
    [1.0, 1.0, 2.0]
    """
    rounded = _round_to_grid(spaces, k)

    def run_block(points: np.ndarray, buffers: list[np.ndarray], work: np.ndarray) -> Nearest:
        *distances, joint = buffers
        for space_index, out in enumerate(distances):
            rounded.fill(space_index, points, out, work)
        if len(distances) == 1:
            joint = distances[0]
        else:
            np.maximum(distances[0], distances[1], out=joint)
            for out in distances[2:]:
                np.maximum(joint, out, out=joint)
        rows, columns = _candidates(rounded, points, joint, k)
        apart = np.stack([exact_distances(s, points[rows], columns) for s in spaces])
        radius, order, sides = select_nearest(rows, apart, k, len(points), rectangle)
        counts = {
            space_index: _count(
                rounded, space_index, points, distances[space_index], sides[space_index], rectangle
            )
            for space_index in count
        }
        return Nearest(radius, order, sides, counts)

    parts = _map_blocks(rounded, queries, run_block)
    return Nearest(
        np.concatenate([part.radius for part in parts]),
        np.concatenate([part.order for part in parts]),
        np.concatenate([part.sides for part in parts], axis=1),
        {
            space_index: np.concatenate([part.counts[space_index] for part in parts])
            for space_index in count
        },
    )


def count_by_tiles(
    space: np.ndarray, radius: np.ndarray, *, queries: np.ndarray, closed: bool
) -> np.ndarray:
    """Count the other samples nearer than ``radius`` (or as near, if ``closed`` or it is 0).

    Examples
    --------
    >>> line = np.array([[0.0], [1.0], [3.0]])
    >>> count_by_tiles(line, np.full(3, 2.0), queries=np.arange(3), closed=False).tolist()
    [1, 1, 0]
    """
    rounded = _round_to_grid([space], 1)
    extent = np.empty(rounded.size)
    extent[queries] = radius

    def run_block(points: np.ndarray, buffers: list[np.ndarray], work: np.ndarray) -> np.ndarray:
        rounded.fill(0, points, buffers[0], work)
        return _count(rounded, 0, points, buffers[0], extent[points], closed)

    return np.concatenate(_map_blocks(rounded, queries, run_block))


def _candidates(
    rounded: _Rounded, points: np.ndarray, joint: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (row of the block, sample) that may be among the k nearest, or as near as the k-th."""
    rows, size = joint.shape
    groups = max(1, size // 64)
    if groups >= 2 * k:  # the k-th smallest of the groups' minima is not below the k-th smallest
        grouped = joint[:, : size // groups * groups]
        minima = grouped.reshape(rows, -1, groups).min(axis=1)
    else:
        minima = joint
    bound = np.partition(minima, k - 1, axis=1)[:, k - 1].astype(np.float64)
    # k pairs are within bound + slack; whatever is as near has at most bound + 2 slack
    limit = bound + 2 * rounded.slack(points, bound * 1.01)
    limit = _round_up(limit, joint.dtype)
    positions = np.flatnonzero(joint <= limit[:, None])
    return np.divmod(positions, size)


def _round_up(limit: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Round up a limit for ``<=``, below the mark of the own distance."""
    threshold: np.ndarray
    if dtype.kind == "i":
        threshold = np.minimum(np.ceil(limit), np.iinfo(dtype).max - 1).astype(dtype)
    else:
        rounded = np.nextafter(limit.astype(np.float32), np.float32(np.inf))
        threshold = np.minimum(rounded, np.finfo(np.float32).max)
    return threshold


def select_nearest(
    rows: np.ndarray, apart: np.ndarray, k: int, size: int, rectangle: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Take the k-th neighbour of each row from pairs sorted by row, with their distances.

    Returns the radius (row,), the order (row,) and the extents (space, row) of
    :class:`Nearest`; ``apart`` is (space, pair).
    """
    joint = apart.max(axis=0)
    by_distance = np.lexsort((joint, rows))
    starts = np.searchsorted(rows, np.arange(size))
    radius = joint[by_distance[starts + k - 1]]
    row_radius = radius[rows]
    if rectangle:
        inside = joint <= row_radius
        sides = np.zeros((len(apart), size))
        for space_index, distances in enumerate(apart):
            np.maximum.at(sides[space_index], rows[inside], distances[inside])
        order = np.bincount(rows[inside], minlength=size)
    else:
        order = 1 + np.bincount(rows[joint < row_radius], minlength=size)
        sides = np.broadcast_to(radius, (len(apart), size))
    together = np.bincount(rows[joint == 0], minlength=size)
    return radius, np.where(radius == 0, together + 1, order), sides


def _count(
    rounded: _Rounded,
    space_index: int,
    points: np.ndarray,
    distances: np.ndarray,
    radius: np.ndarray,
    closed: bool,
) -> np.ndarray:
    """Count others within the radius in one space: what the grid decides, then the rest exactly."""
    steps = radius / rounded.scale
    slack = rounded.slack(points, steps)
    above = distances <= _round_up(steps + slack, distances.dtype)[:, None]
    outer = _count_true(above)
    low = steps - slack
    if distances.dtype.kind == "i":
        surely = np.ceil(low).astype(distances.dtype)
    else:
        surely = np.nextafter(low.astype(np.float32), np.float32(-np.inf))
    below = distances < surely[:, None]
    inner = _count_true(below)
    if not np.any(outer > inner):
        return inner
    np.logical_xor(above, below, out=above)
    rows, columns = np.divmod(np.flatnonzero(above), distances.shape[1])
    apart = exact_distances(rounded.spaces[space_index], points[rows], columns)
    limit = radius[rows]
    inside = (apart < limit) | ((apart == limit) & (closed | (limit == 0)))
    return inner + np.bincount(rows[inside], minlength=len(points))


def _count_true(mask: np.ndarray) -> np.ndarray:
    """Count row by row: along an axis NumPy would convert every element to an integer first."""
    return np.array([np.count_nonzero(row) for row in mask])
