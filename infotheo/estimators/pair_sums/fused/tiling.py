"""Cuts of the fused sums over pairs: tiles for the kernel, bands of them for its memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

__all__ = [
    "GRADIENT_TILINGS",
    "TILINGS",
    "Tiling",
    "bands",
    "batch_parts",
    "gradient_bands",
    "tile_count",
]

SLOT_BYTES = 2**28  # of a launch's results, whatever the size of the sample


class Tiling(NamedTuple):
    """How a kernel is cut: rows of a tile, units of a step, warps, stages of the pipeline."""

    tile: int
    depth: int
    warps: int
    stages: int


# Fixed, not tuned when first called: a choice by the clock could differ between two processes, and
# the order of additions with it. `python -m benchmarks.accelerator.pair_sums` measures others.
# These compile for compute capability 9.0 without spilled registers, or almost.
TILINGS = {
    "ieee": Tiling(128, 32, 8, 3),
    "tf32x3": Tiling(128, 32, 8, 3),
    "float64": Tiling(128, 16, 8, 3),
}
GRADIENT_TILINGS = {  # two tiles of numbers at once: larger ones spill
    "ieee": Tiling(64, 32, 4, 3),
    "tf32x3": Tiling(64, 32, 4, 3),
    "float64": Tiling(64, 16, 4, 3),
}


def tile_count(size: int, tile: int) -> int:
    """Count the tiles along a sample of ``size``."""
    return -(-size // tile)


def bands(
    tiles: int, tile: int, planes: int, *, budget: int | None = None
) -> Iterator[tuple[int, int]]:
    """Cut the triangle of tiles into bands of rows whose slots fit ``budget`` bytes.

    Parameters
    ----------
    tiles
        Tiles along the sample.
    tile
        Samples of a tile.
    planes
        Sums for each sample: batch members times variances times divergences times kinds.
    budget
        Bytes of the slots, those of rows and those of columns; ``SLOT_BYTES`` by default. A band
        has at least one row.

    Yields
    ------
    tuple
        The first row of tiles, and how many.

    Examples
    --------
    >>> list(bands(5, 128, 2, budget=10 * 2 * 128 * 2 * 4))
    [(0, 2), (2, 3)]
    """
    budget = SLOT_BYTES if budget is None else budget
    first = 0
    while first < tiles:
        row = 2 * planes * (tiles - first) * tile * 4
        height = max(1, min(budget // row, tiles - first))
        yield first, height
        first += height


def batch_parts(batch: int, size: int, tile: int, planes: int) -> Iterator[slice]:
    """Slices of the batch of which one row of tiles fits the slots; ``planes`` of one member.

    Examples
    --------
    >>> list(batch_parts(3, 10**6, 128, 32))
    [slice(0, 1, None), slice(1, 2, None), slice(2, 3, None)]
    """
    step = max(1, SLOT_BYTES // (2 * planes * tile_count(size, tile) * tile * 4))
    for start in range(0, batch, step):
        yield slice(start, start + step)


def gradient_bands(batch: int, size: int, tile: int) -> Iterator[tuple[slice, int, int]]:
    """Yield slices of the batch, first rows of tiles, and how many: their slopes fit the budget.

    Slopes count 12 bytes: float32, and a copy in float64.

    Examples
    --------
    >>> list(gradient_bands(1, 60_000, 64))[:2]
    [(slice(0, 1, None), 0, 5), (slice(0, 1, None), 5, 5)]
    """
    tiles = tile_count(size, tile)
    fit = max(1, SLOT_BYTES // (12 * tiles * tile**2))  # rows of tiles at once
    height = min(fit, tiles)
    members = fit // height
    for start in range(0, batch, members):
        for first in range(0, tiles, height):
            yield slice(start, start + members), first, min(height, tiles - first)
