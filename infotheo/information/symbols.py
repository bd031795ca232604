"""Entropies of discrete symbols: rows of integers hashed to 64 bits and counted.

A row t becomes h = sum_k m_k t_k mod 2**64 with fixed random odd multipliers m_k. For two different
rows whose differences are all divisible by at most 2**r, equal hashes have probability 2**(r - 63):
with up to 2**10 cells to a unit and 2**17 samples some pair collides with probability < 2**-20.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from infotheo.arrays import Array, Samples

__all__ = ["hash_rows", "symbol_entropy", "symbol_numbers"]


@cache
def _multipliers(units: int) -> np.ndarray:
    generator = np.random.default_rng(0x1F0)  # fixed: the same rows give the same numbers anywhere
    return generator.integers(-(2**63), 2**63 - 1, size=units, dtype=np.int64) | 1


def hash_rows(cells: Array, samples: Samples) -> Array:
    """Hash the rows of an integer array (..., unit) to 64 bits (...).

    Examples
    --------
    >>> from infotheo.arrays import read_samples
    >>> rows = np.array([[1, 2], [2, 1], [1, 2]])
    >>> hashes = hash_rows(rows, read_samples(rows))
    >>> bool(hashes[0] == hashes[2]), bool(hashes[0] == hashes[1])
    (True, False)
    """
    xp = samples.namespace
    multipliers = samples.like(_multipliers(int(cells.shape[-1])), "int64")
    # int64 arithmetic wraps: the sum is one modulo 2**64
    return xp.sum(xp.astype(cells, xp.int64, copy=False) * multipliers, axis=-1, dtype=xp.int64)


def symbol_numbers(hashes: Array, xp: Any) -> Array:
    """Give each distinct value of a 1-D array a number 0, 1, 2, ...

    Examples
    --------
    >>> import array_api_compat.numpy as xp
    >>> symbol_numbers(np.array([7, -3, 7]), xp).tolist()
    [1, 0, 1]
    """
    return xp.reshape(xp.unique_inverse(hashes).inverse_indices, (-1,))


def symbol_entropy(numbers: Array, weights: Array, xp: Any, *, correct: bool = False) -> Array:
    """Plug-in entropy (nats) of weighted symbols, 0-d.

    Parameters
    ----------
    numbers
        Symbol of each sample (sample,), integers from 0.
    weights
        Weights (sample,), float64, scaled to sum to one here.
    xp
        The array-API namespace.
    correct
        Add Miller and Madow's (symbols - 1) / (2 samples), for equal weights.

    Examples
    --------
    >>> import array_api_compat.numpy as xp
    >>> float(symbol_entropy(np.array([0, 0, 1, 1]), np.full(4, 0.25), xp).round(4))
    0.6931
    """
    p = xp.bincount(numbers, weights=weights) / xp.sum(weights)
    seen = p > 0
    entropy = -xp.sum(p * xp.log(xp.where(seen, p, xp.ones_like(p))))
    if not correct:
        return entropy
    return entropy + (xp.sum(xp.astype(seen, xp.float64)) - 1) / (2 * numbers.shape[0])
