"""Exponents of all pairs, a tile at a time, and their exponentials for many factors."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import device

from infotheo.arrays.samples import Array
from infotheo.estimators.pair_sums.factors import SAME
from infotheo.estimators.pair_sums.problem import PairProblem

__all__ = ["Chain", "Exponents", "buffers", "squaring_chains"]

FEWEST = {4: -104.0, 8: -746.0}  # by bytes: exp of less is 0
SQUARINGS = 4  # at most, in a chain: each doubles a relative error of 1e-7


@dataclass(frozen=True)
class Chain:
    """Factors whose exponentials are powers of the first one's: each squared from the one before.

    ``steps`` holds (which factor, squarings since the one before).
    """

    first: int
    steps: tuple[tuple[int, int], ...]


def squaring_chains(factors: np.ndarray) -> list[Chain]:
    """Order factors (batch or 1, factor), smallest first, so that most need no exponential.

    Examples
    --------
    >>> for chain in squaring_chains(np.array([[-0.25, -1.0, -3.0, -12.0]])):
    ...     print(chain.first, chain.steps)
    0 ((0, 0), (1, 2))
    2 ((2, 0), (3, 2))
    """
    remaining = list(range(factors.shape[1]))
    chains = []
    while remaining:
        last = first = remaining.pop(0)
        steps, spent = [(first, 0)], 0
        for other in list(remaining):
            doublings = np.log2(factors[:, other] / factors[:, last])
            squarings = round(float(doublings[0]))
            if np.all(np.abs(doublings - squarings) < SAME) and 1 <= squarings <= SQUARINGS - spent:
                steps.append((other, squarings))
                remaining.remove(other)
                last, spent = other, spent + squarings
        chains.append(Chain(first, tuple(steps)))
    return chains


class Exponents:
    """Tiles of factor * squared distance, for the smallest factor; others are multiples.

    The samples are scaled so that a Gram product gives the exponents: no pass for the factor.
    """

    def __init__(self, problem: PairProblem) -> None:
        x, xp, (factors, _) = problem.points, problem.namespace, problem.factors.distinct
        self.xp, self.exact, self.product = xp, problem.exact, x.dtype
        self.dtype = getattr(xp, problem.precision)
        self.place: dict[str, Any] = {} if isinstance(x, np.ndarray) else {"device": device(x)}
        if problem.exact:
            self.first = xp.asarray(factors[:, :1, None], dtype=x.dtype, **self.place)
        else:
            scale = xp.asarray(np.sqrt(-2 * factors[:, 0]), dtype=x.dtype, **self.place)
            x = x * scale[:, None, None]
        norms = xp.sum(xp.astype(x, xp.float64, copy=False) ** 2, axis=-1) / 2
        self.halves = xp.astype(norms, x.dtype)
        self.left = self.right = x
        if x.dtype == xp.float64 and not self.exact:  # precision to spare: norms join the product
            ones = xp.ones_like(norms)[..., None]
            self.left = xp.concat([x, -norms[..., None], ones], axis=-1)
            self.right = xp.concat([x, ones, -norms[..., None]], axis=-1)
        ratios = factors / factors[:, :1]  # (batch or 1, factor)
        self.shared = bool(np.all(np.abs(ratios / ratios[:1] - 1) < SAME))
        self.ratios = ratios[:1] if self.shared else ratios

    def tile(
        self, part: slice, rows: slice, columns: slice, empty: Callable[[int, Any], Array]
    ) -> Array:
        """Exponents (part of the batch, row, column); -inf from a sample to itself."""
        xp = self.xp
        left = self.left[part, rows]
        right = xp.matrix_transpose(self.right[part, columns])
        if self.exact:
            first = self.first if len(self.first) == 1 else self.first[part]
            exponents = _squared_differences(left, right, xp) * first
        else:
            exponents = empty(0, self.product)
            xp.matmul(left, right, out=exponents)
            if self.left is self.right:
                exponents -= self.halves[part, rows, None]
                exponents -= self.halves[part, None, columns]
        if exponents.dtype != self.dtype:
            cast = empty(1, self.dtype)
            cast[...] = exponents
            exponents = cast
        low, high = max(rows.start, columns.start), min(rows.stop, columns.stop)
        if low < high:
            diagonal = np.arange(low, high)
            exponents[:, diagonal - rows.start, diagonal - columns.start] = -math.inf
        return exponents

    def exponentials(
        self, exponents: Array, part: slice, chains: list[Chain], out: Array
    ) -> Iterator[tuple[int, Array]]:
        """Yield (factor, exp(its exponents)) in ``out``; a factor left out has only zeros."""
        xp = self.xp
        host = isinstance(out, np.ndarray)
        highest = float(xp.max(exponents)) if host else 0.0  # no waiting for a device
        fewest = FEWEST[out.dtype.itemsize]
        for chain in chains:
            for factor, squarings in chain.steps:
                ratio = self.ratios[0 if self.shared else part, factor]
                if host and highest * np.min(ratio) < fewest:
                    break  # the rest of the chain is smaller still
                for _ in range(squarings):
                    out *= out
                if factor == chain.first:
                    self._exponential(exponents, ratio, out)
                yield factor, out

    def _exponential(self, exponents: Array, ratio: np.ndarray, out: Array) -> None:
        xp = self.xp
        if self.shared and ratio == 1:
            xp.exp(exponents, out=out)
            return
        ratios = xp.asarray(ratio, dtype=out.dtype, **self.place)
        xp.multiply(exponents, xp.reshape(ratios, (-1, 1, 1)), out=out)
        xp.exp(out, out=out)


def buffers(
    scratch: threading.local, shape: tuple[int, int, int], xp: Any, place: dict[str, Any]
) -> Callable[[int, Any], Array]:
    """Arrays of ``shape`` in this thread's memory, by number: a new tile overwrites the last."""
    memory: dict[Any, Array] = scratch.__dict__
    length = math.prod(shape)

    def empty(number: int, dtype: Any) -> Array:
        large_enough = number in memory and memory[number].shape[0] >= length
        if not large_enough or memory[number].dtype != dtype:
            memory[number] = xp.empty((length,), dtype=dtype, **place)
        return xp.reshape(memory[number][:length], shape)

    return empty


def _squared_differences(left: Array, right: Array, xp: Any) -> Array:
    """Squared distances (batch, row, column), one row at a time: no (row, column, unit) array."""
    differences = (left[:, row, :, None] - right for row in range(left.shape[1]))
    return xp.stack([xp.sum(d * d, axis=1) for d in differences], axis=1)
