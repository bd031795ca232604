"""Entropies of discrete symbols: rows of whole numbers become one code each, and codes are counted.

Where all rows fit into the 2**53 whole numbers that float64 holds exactly, a row's code is its
value in a mixed radix, and different rows have different codes. Wider rows are hashed to 64 bits,
h = sum_k m_k t_k mod 2**64 with fixed random odd multipliers m_k: for two different rows whose
differences are all divisible by at most 2**r, equal hashes have probability 2**(r - 63); with up to
2**10 cells to a unit and 2**17 samples some pair collides with probability < 2**-20.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
from array_api_compat import device, is_numpy_array

from infotheo.arrays.samples import Array, Samples

__all__ = ["RowEncoder", "Symbols", "row_encoder", "symbol_entropies"]

EXACT = 2**53  # whole numbers below it are exact in float64


@cache
def _multipliers(count: int) -> np.ndarray:
    generator = np.random.default_rng(0x1F0)  # fixed: the same rows give the same codes anywhere
    return generator.integers(-(2**63), 2**63 - 1, size=count, dtype=np.int64) | 1


@dataclass(frozen=True)
class Symbols:
    """One code for each sample: equal codes, equal symbols."""

    codes: Array  # (batch, sample): whole numbers in float64, or hashes in int64
    bound: int | None  # codes are whole numbers of at most this magnitude; None: hashes

    def join(self, numbers: Array, count: int, xp: Any) -> Symbols:
        """Pair every symbol with a whole number (sample,) below ``count``."""
        if self.bound is not None and (self.bound + 1) * count < EXACT:
            values = self.codes * count + xp.astype(numbers, xp.float64)
            return Symbols(values, (self.bound + 1) * count)
        first, second = (int(m) for m in _multipliers(2))
        codes = xp.astype(self.codes, xp.int64, copy=False)
        return Symbols(codes * first + xp.astype(numbers, xp.int64) * second, None)


@dataclass(frozen=True)
class RowEncoder:
    """Turn rows (..., unit) of whole numbers into codes (...)."""

    factors: Array  # (unit,): place values in float64, or multipliers in int64
    bound: int | None  # as of the symbols
    namespace: Any

    def __call__(self, numbers: Array) -> Array:
        """Return the code of each row."""
        xp = self.namespace
        numbers = xp.astype(numbers, self.factors.dtype, copy=False)
        if self.bound is not None:
            return xp.matmul(numbers, self.factors)
        # int64 arithmetic wraps: the sum is one modulo 2**64
        return xp.sum(numbers * self.factors, axis=-1, dtype=xp.int64)


def row_encoder(units: int, low: int, high: int, samples: Samples) -> RowEncoder:
    """Choose how rows of ``units`` whole numbers from ``low`` to ``high`` are told apart.

    Examples
    --------
    >>> from infotheo.arrays.samples import read_samples
    >>> rows = np.array([[1.0, 2.0], [2.0, 1.0], [1.0, 2.0]])
    >>> row_encoder(2, 0, 2, read_samples(rows))(rows).tolist()
    [7.0, 5.0, 7.0]
    """
    base = high - low + 1
    bound = max(abs(low), abs(high), 1) * sum(base**k for k in range(min(units, 64)))
    if units <= 64 and bound < EXACT:
        radix = np.array([float(base) ** k for k in range(units)])
        return RowEncoder(samples.like(radix), bound, samples.namespace)
    return RowEncoder(samples.like(_multipliers(units), "int64"), None, samples.namespace)


def symbol_entropies(
    symbols: Symbols, weights: Array | None, xp: Any, *, correct: bool = False
) -> Array:
    """Plug-in entropies (nats) of the symbols, (batch,).

    Parameters
    ----------
    symbols
        Codes (batch, sample).
    weights
        Weights of the samples (sample,), float64, summing to one; ``None``: uniform.
    xp
        The array-API namespace.
    correct
        Add Miller and Madow's (symbols - 1) / (2 samples), for equal weights.

    Examples
    --------
    >>> import array_api_compat.numpy as xp
    >>> pairs = Symbols(np.array([[0.0, 1.0, 0.0, 1.0]]), 1)
    >>> symbol_entropies(pairs, None, xp).round(4).tolist()
    [0.6931]
    """
    batch, size = symbols.codes.shape
    if weights is None:
        ordered = xp.sort(symbols.codes, axis=-1, stable=False)
    else:
        order = xp.argsort(symbols.codes, axis=-1, stable=False)
        ordered = xp.take_along_axis(symbols.codes, order, axis=-1)
    is_start = xp.ones((batch, size), dtype=xp.bool, device=device(ordered))
    is_start[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    is_start = xp.reshape(is_start, (-1,))
    (starts,) = xp.nonzero(is_start)  # of runs of equal codes; each row starts one
    row_ends = xp.arange(1, batch + 1, dtype=starts.dtype, device=device(starts)) * size
    if weights is None:
        lengths = xp.concat([starts[1:], row_ends[-1:]]) - starts
        terms = xp.take(xp.asarray(_mass_terms(size), device=device(lengths)), lengths)
    else:
        run = xp.cumulative_sum(xp.astype(is_start, xp.int64)) - 1
        mass = xp.bincount(run, weights=xp.reshape(weights[order], (-1,)))
        terms = mass * xp.log(xp.where(mass > 0, mass, xp.ones_like(mass)))
    ends = xp.searchsorted(starts, row_ends)
    runs = xp.concat([ends[:1], ends[1:] - ends[:-1]])  # (batch,)
    if is_numpy_array(terms):
        entropies = -np.add.reduceat(terms, ends - runs)
    else:
        row = xp.repeat(xp.arange(batch, device=device(starts)), runs)
        entropies = -xp.bincount(row, weights=terms, minlength=batch)
    if not correct:
        return entropies
    return entropies + (xp.astype(runs, xp.float64) - 1) / (2 * size)


@lru_cache(maxsize=4)
def _mass_terms(size: int) -> np.ndarray:
    """Table of p ln p for p = n / size, n = 0..size."""
    mass = np.arange(size + 1) / size
    return mass * np.log(np.where(mass > 0, mass, 1.0))
