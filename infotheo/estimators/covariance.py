"""Orthonormal bases of samples and the sampling theory of Gaussian log determinants.

Determinants of covariances are products of the diagonals of QR factors: as such they are computed,
without ever squaring the data.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from infotheo.arrays.samples import Array
from infotheo.arrays.scaling import divide

__all__ = [
    "DependenceWarning",
    "centre_columns",
    "expected_log_determinant",
    "independent_columns",
    "warn_if_dependent",
]


class DependenceWarning(UserWarning):
    """One side is an exact linear function of others: the information is infinite."""


def centre_columns(z: Array, xp: Any) -> Array:
    """Centre samples (sample, unit) and scale each unit to norm 1; constant units become 0.

    Examples
    --------
    >>> centre_columns(np.array([[1.0, 7.0], [3.0, 7.0]]), np).round(4).tolist()
    [[-0.7071, 0.0], [0.7071, 0.0]]
    """
    z = divide(z, 0, xp)[0]
    constant = xp.all(z == z[:1], axis=0)
    centred = z - xp.mean(z, axis=0)
    zero = xp.zeros_like(centred)
    centred = xp.where(constant, zero, centred)
    largest = xp.max(xp.abs(centred), axis=0)
    largest = xp.where(largest > 0, largest, xp.ones_like(largest))
    centred = centred / largest
    squares = xp.sum(centred * centred, axis=0)
    squares = xp.where(squares > 0, squares, xp.ones_like(squares))
    return centred / xp.sqrt(squares)


def independent_columns(columns: np.ndarray) -> np.ndarray:
    """Pick a largest set of linearly independent columns, to rounding; return their indices.

    Examples
    --------
    >>> independent_columns(np.array([[1.0, 2.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])).tolist()
    [1, 2]
    """
    from scipy.linalg import qr

    factor, pivots = qr(columns, mode="r", pivoting=True)
    sizes = np.abs(np.diagonal(factor))
    tolerance = max(columns.shape) * 2.0**-52 * sizes[0]
    return np.sort(pivots[: len(sizes)][sizes > tolerance])


def expected_log_determinant(freedom: int, units: int) -> float:
    r"""Mean of ln det of a Wishart matrix of identity scale.

    :math:`\sum_{i<d} \psi((\nu - i)/2) + d \ln 2`, :math:`\nu` degrees of freedom.

    Examples
    --------
    >>> round(expected_log_determinant(1000, 1), 3)  # ln 1000 less nearly 1/1000
    6.907
    """
    from scipy.special import digamma

    return float(digamma((freedom - np.arange(units)) / 2).sum() + units * np.log(2))


def warn_if_dependent(infinite: Sequence[bool], statement: str) -> None:
    """Warn of exact dependence, worded by ``statement``, if some batch elements have it."""
    if any(infinite):
        warnings.warn(
            f"{statement} to rounding: the Gaussian value is infinite ({sum(infinite)} of "
            f"{len(infinite)} values)",
            DependenceWarning,
            stacklevel=3,
        )
