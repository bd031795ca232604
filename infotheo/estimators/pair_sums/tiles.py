"""Kernel sums over pairs of samples, tile by tile: no array of all pairs, each pair seen once."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from typing import Any

import numpy as np

from infotheo.arrays.blas import one_blas_thread
from infotheo.arrays.samples import Array
from infotheo.arrays.threads import map_in_order
from infotheo.estimators.pair_sums.exponents import Exponents, buffers, chains_of
from infotheo.estimators.pair_sums.sample_groups import groups_of

__all__ = ["tile_sums", "tile_shape"]

HOST_ROWS, HOST_COLUMNS = 256, 512  # 512 KiB of float32: a tile stays in a core's cache
DEVICE_ROWS, DEVICE_COLUMNS = 4096, 4096  # fills an accelerator, leaves its memory free
THREADS_FROM = 2**17  # pairs: threads start in 0.1 ms, in which one core does about this many


def tile_shape(size: int, *, host: bool) -> tuple[int, int]:
    """Rows and columns of a tile.

    Examples
    --------
    >>> tile_shape(300, host=True)
    (256, 300)
    """
    shape = (HOST_ROWS, HOST_COLUMNS) if host else (DEVICE_ROWS, DEVICE_COLUMNS)
    return min(size, shape[0]), min(size, shape[1])


def tile_sums(
    x: Array,
    factors: np.ndarray,
    weights: Array | None,
    starts: np.ndarray | None,
    xp: Any,
    *,
    single: bool,
    exact: bool,
    workers: int,
) -> tuple[Array, Array | None]:
    """Sum w_j exp(factor * squared distance) over all j, and over the j in the group of i.

    Parameters
    ----------
    x, weights, starts, xp, single, exact
        As in :func:`~infotheo.estimators.pair_sums.row_sums.row_sums`.
    factors
        Distinct negative factors (batch or 1, factor), the smallest first.
    workers
        Threads to use; the sums are the same, bit for bit, for any number.

    Returns
    -------
    total, within : array
        (factor, batch, sample) float64.
    """
    strips = _Strips(x, factors, weights, starts, xp, single=single, exact=exact)
    batch, size = x.shape[:2]
    if batch * size * size < THREADS_FROM:
        workers = 1
    totals = xp.zeros((len(factors[0]), batch, size), dtype=xp.float64, **strips.place)
    withins = None if starts is None else xp.zeros_like(totals)
    tasks = strips.tasks()
    with one_blas_thread() if strips.host else nullcontext():
        done = map_in_order(strips.sums, tasks, workers)
        for (part, start), (total, within) in zip(tasks, done, strict=True):
            totals[:, part, start:] += total
            if withins is not None:
                withins[:, part, start:] += within
    for sums in (totals, withins):
        if sums is not None:
            sums *= strips.largest
            sums += strips.own
    return totals, withins


class _Strips:
    """Blocks of rows, each with the columns from its own first on: the upper triangle."""

    def __init__(
        self,
        x: Array,
        factors: np.ndarray,
        weights: Array | None,
        starts: np.ndarray | None,
        xp: Any,
        *,
        single: bool,
        exact: bool,
    ) -> None:
        self.xp, self.host = xp, isinstance(x, np.ndarray)
        self.batch, self.size = x.shape[:2]
        self.exponents = Exponents(x, factors, xp, single=single, exact=exact)
        self.factors, self.chains = factors.shape[1], chains_of(factors)
        self.place, kind = self.exponents.place, self.exponents.dtype
        ones = xp.ones(self.size, dtype=xp.float64, **self.place)
        self.own = ones if weights is None else weights
        self.largest = float(xp.max(self.own))  # scaled by it, weights do not underflow
        self.weights = xp.astype(self.own / self.largest, kind)
        self.groups = None if starts is None else groups_of(starts, self.size, xp, self.place)
        self.shape = tile_shape(self.size, host=self.host)
        self.scratch = threading.local()

    def tasks(self) -> list[tuple[slice, int]]:
        """List (elements of the batch, first row); small elements share a tile's time."""
        rows, columns = self.shape
        together = max(1, HOST_ROWS * HOST_COLUMNS // (rows * columns)) if self.host else 1
        return [
            (slice(element, min(element + together, self.batch)), start)
            for element in range(0, self.batch, together)
            for start in range(0, self.size, rows)
        ]

    def sums(self, task: tuple[slice, int]) -> tuple[Array, Array | None]:
        """Sum what a block of rows has for itself, and for the samples that its columns are."""
        xp, (part, start) = self.xp, task
        rows = slice(start, min(start + self.shape[0], self.size))
        shape = (self.factors, part.stop - part.start, self.size - start)
        total = xp.zeros(shape, dtype=xp.float64, **self.place)
        within = None if self.groups is None else xp.zeros_like(total)
        for first in range(start, self.size, self.shape[1]):
            columns = slice(first, min(first + self.shape[1], self.size))
            tile = (shape[1], rows.stop - start, columns.stop - first)
            empty = buffers(self.scratch, tile, xp, self.place)
            inside = None if self.groups is None else self.groups.within(rows, columns)
            with np.errstate(over="ignore", under="ignore"):  # exponents to -inf, terms to 0
                found = self.exponents.tile(part, rows, columns, empty)
                out = found if len(self.chains) == 1 else empty(2, found.dtype)
                for factor, terms in self.exponents.exponentials(found, part, self.chains, out):
                    sums = self._add(total[factor], terms, rows, columns, start)
                    if within is None or inside is None:
                        continue
                    if inside.same is None:  # the whole tile: its sums are there
                        _place(within[factor], *sums, rows, columns, start)
                        continue
                    low, high = inside.rows.start - rows.start, inside.columns.stop - first
                    own = terms[:, low:, :high] * inside.same
                    self._add(within[factor], own, inside.rows, inside.columns, start)
        return total, within

    def _add(
        self, sums: Array, terms: Array, rows: slice, columns: slice, base: int
    ) -> tuple[Array, Array | None]:
        """Add a tile's sums over columns to its rows, and those over rows to its columns."""
        xp = self.xp
        by_row = xp.matmul(terms, self.weights[columns])
        by_column = None
        mirrored = max(rows.stop, columns.start)  # columns before it are rows of this tile
        if mirrored < columns.stop:
            by_column = xp.matmul(self.weights[rows], terms[..., mirrored - columns.start :])
        _place(sums, by_row, by_column, rows, columns, base)
        return by_row, by_column


def _place(
    sums: Array, by_row: Array, by_column: Array | None, rows: slice, columns: slice, base: int
) -> None:
    """Add to ``sums`` (batch, sample from base on) what belongs to the rows and the columns."""
    sums[:, rows.start - base : rows.stop - base] += by_row
    if by_column is not None:
        end = columns.stop - base
        sums[:, end - by_column.shape[-1] : end] += by_column
