"""Kernel sums over pairs of samples, tile by tile: no array of all pairs, each pair seen once."""

from __future__ import annotations

import threading
from contextlib import nullcontext

import numpy as np

from infotheo.arrays.blas import one_blas_thread
from infotheo.arrays.samples import Array
from infotheo.arrays.threads import map_in_order, worker_count
from infotheo.estimators.pair_sums.exponents import Exponents, buffers, squaring_chains
from infotheo.estimators.pair_sums.factors import spread_over_variances
from infotheo.estimators.pair_sums.problem import PairProblem, RowSums
from infotheo.estimators.pair_sums.sample_classes import read_class_starts

__all__ = ["tile_row_sums", "tile_shape"]

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


def tile_row_sums(problem: PairProblem, workers: int | None = None) -> RowSums:
    """Solve a problem of pair sums by tiles, without a gradient.

    Parameters
    ----------
    problem
        On any device.
    workers
        Threads to use; the sums are the same, bit for bit, for any number. ``None``: as many as
        there are cores.

    Examples
    --------
    >>> from infotheo.estimators.pair_sums.factors import Factors
    >>> x, factors = np.array([[[0.0], [1.0]]]), Factors(np.array([[-0.5]]), 0.25)
    >>> total, within = tile_row_sums(PairProblem(x, factors))
    >>> bool(np.allclose(total[1], 1 + np.exp(-0.5))), within
    (True, None)
    """
    xp, (factors, index) = problem.namespace, problem.factors.distinct
    strips = _Strips(problem)
    batch, size = problem.points.shape[:2]
    if workers is None:
        workers = worker_count()
    if batch * size * size < THREADS_FROM:
        workers = 1
    totals = xp.zeros((len(factors[0]), batch, size), dtype=xp.float64, **strips.place)
    withins = None if problem.class_starts is None else xp.zeros_like(totals)
    tasks = strips.tasks()
    with one_blas_thread() if strips.host else nullcontext():
        strip_sums = map_in_order(strips.sums, tasks, workers)
        for (part, start), (total, within) in zip(tasks, strip_sums, strict=True):
            totals[:, part, start:] += total
            if withins is not None:
                withins[:, part, start:] += within
    for sums in (totals, withins):
        if sums is not None:
            sums *= strips.largest
            sums += strips.self_terms
    total = spread_over_variances(totals, index, xp)
    return total, None if withins is None else spread_over_variances(withins, index, xp)


class _Strips:
    """Blocks of rows, each with the columns from its first row on: the upper triangle."""

    def __init__(self, problem: PairProblem) -> None:
        xp, (factors, _) = problem.namespace, problem.factors.distinct
        self.xp, self.host = xp, isinstance(problem.points, np.ndarray)
        self.batch, self.size = problem.points.shape[:2]
        self.exponents = Exponents(problem)
        self.factors, self.chains = factors.shape[1], squaring_chains(factors)
        self.place, dtype = self.exponents.place, self.exponents.dtype
        ones = xp.ones(self.size, dtype=xp.float64, **self.place)
        self.self_terms = ones if problem.weights is None else problem.weights
        self.largest = float(xp.max(self.self_terms))  # scaled by it, weights do not underflow
        self.weights = xp.astype(self.self_terms / self.largest, dtype)
        self.classes = None
        if problem.class_starts is not None:
            self.classes = read_class_starts(problem.class_starts, self.size, xp, self.place)
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
        within = None if self.classes is None else xp.zeros_like(total)
        for first in range(start, self.size, self.shape[1]):
            columns = slice(first, min(first + self.shape[1], self.size))
            tile = (shape[1], rows.stop - start, columns.stop - first)
            empty = buffers(self.scratch, tile, xp, self.place)
            inside = None if self.classes is None else self.classes.within(rows, columns)
            with np.errstate(over="ignore", under="ignore"):  # exponents to -inf, terms to 0
                exponents = self.exponents.tile(part, rows, columns, empty)
                out = exponents if len(self.chains) == 1 else empty(2, exponents.dtype)
                for factor, terms in self.exponents.exponentials(exponents, part, self.chains, out):
                    sums = self._add(total[factor], terms, rows, columns, start)
                    if within is None or inside is None:
                        continue
                    if inside.same is None:  # all of the tile: its sums are there
                        _place(within[factor], *sums, rows, columns, start)
                        continue
                    low, high = inside.rows.start - rows.start, inside.columns.stop - first
                    within_terms = terms[:, low:, :high] * inside.same
                    self._add(within[factor], within_terms, inside.rows, inside.columns, start)
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
