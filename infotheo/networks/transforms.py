"""Matrices for comparable output networks: those of paper 1, table 3."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from infotheo.arrays.numbers import check_count, check_number, check_seed
from infotheo.arrays.random_streams import numpy_generator
from infotheo.arrays.samples import Array, read_samples
from infotheo.arrays.scaling import divide

__all__ = ["Whitening", "ones_with_random_diagonal", "random_positive_diagonal", "whitening"]


class Whitening(NamedTuple):
    """Result of :func:`whitening`: what to give as ``q`` and ``m``, and how far it reaches."""

    q: Array
    m: Array
    rank: Array


def random_positive_diagonal(units: int, *, seed: int) -> np.ndarray:
    """Draw a diagonal matrix (unit, unit) with entries uniform in (0, 1].

    Theorem 2 allows it, so the network's output stays the same after a ReLU too.

    Examples
    --------
    >>> random_positive_diagonal(2, seed=0).round(2)
    array([[0.92, 0.  ],
           [0.  , 0.54]])
    """
    return np.diag(_uniform(units, seed))


def ones_with_random_diagonal(units: int, *, seed: int) -> np.ndarray:
    """Draw a matrix of ones (unit, unit) whose diagonal is uniform in (0, 1].

    It makes every unit nearly the sum of all. The paper drew 100 and kept one with a high
    correlation and a comparable error: choose among seeds.

    Examples
    --------
    >>> ones_with_random_diagonal(2, seed=0).round(2)
    array([[0.92, 1.  ],
           [1.  , 0.54]])
    """
    matrix = np.ones((units, units))
    np.fill_diagonal(matrix, _uniform(units, seed))
    return matrix


def whitening(
    z: Any, *, tolerance: float = 1e-10, sample_dim: str = "sample", unit_dim: str = "unit"
) -> Whitening:
    r"""Find the affine map that makes the activations' covariance the identity.

    Parameters
    ----------
    z
        Activations (..., sample, unit); of a ReLU layer, those before the ReLU or after it.
    tolerance
        Directions whose variance is at most this fraction of the largest are left as they are:
        there is nothing to whiten, and ``q`` stays nonsingular.
    sample_dim, unit_dim
        Names of the two dimensions of a DataArray.

    Returns
    -------
    Whitening
        ``q`` (..., unit, unit), symmetric, and ``m`` (..., unit), the mean, so that Q(z - m) has
        the identity as covariance (1/N) in ``rank`` (...) directions and about 0 in the others.
        NumPy or torch arrays, float64.

    Raises
    ------
    TypeError, ValueError
        If ``z`` is not as described, or the tolerance is not between 0 and 1.

    Notes
    -----
    :math:`Q = C^{-1/2}` with C the covariance (zero-phase whitening, the one nearest to the
    identity). Source: paper 1, table 3, where the kind of whitening is left open.

    Examples
    --------
    >>> result = whitening([[2.0, 0.0], [-2.0, 0.0], [2.0, 0.0], [-2.0, 0.0]])
    >>> result.q, result.rank  # the second unit is dead
    (array([[0.5, 0. ],
           [0. , 1. ]]), array(1))
    """
    samples = read_samples(z, sample_dim=sample_dim, unit_dim=unit_dim)
    if check_number(tolerance, "tolerance") >= 1:
        raise ValueError(f"tolerance is {tolerance}; expected a number in [0, 1)")
    xp = samples.namespace
    values, factors = divide(samples.flat(), (1, 2), xp)
    mean = xp.mean(values, axis=1, keepdims=True)
    centred = values - mean
    covariance = xp.matrix_transpose(centred) @ centred / samples.size
    variances, directions = xp.linalg.eigh(covariance)
    # eigenvalues of a singular matrix come out as rounding, not as 0
    floor = max(float(tolerance), samples.units * float(np.finfo(np.float64).eps))
    spread = variances > floor * variances[:, -1:]
    scales = xp.where(spread, xp.where(spread, variances, 1.0) ** -0.5, 1.0)
    q = (directions * scales[:, None, :]) @ xp.matrix_transpose(directions)
    if np.any(factors != 1):
        factor = samples.like(factors)
        with np.errstate(over="ignore", under="ignore"):  # refused below
            q, mean = q / factor, mean * factor
        if not bool(xp.all(xp.isfinite(q))):
            raise ValueError(
                f"z is so small (largest {factors.min():.3g}) that float64 does not hold its "
                "whitening matrix; expected z in other units"
            )
    rank = xp.sum(xp.astype(spread, xp.int64), axis=-1)
    return Whitening(samples.unflat(q), samples.unflat(mean[:, 0]), samples.unflat(rank))


def _uniform(units: int, seed: int) -> np.ndarray:
    generator = numpy_generator(check_seed(seed), "random transform")
    return 1.0 - generator.random(check_count(units, "units"))  # never 0
