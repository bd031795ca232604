"""Precisions of distances that serve: decided from the data, then certified by the result.

Three ways to a squared distance, each dearer than the one before: a float32 Gram product, a float64
one, differences. A Gram product loses what is small beside the norms, so its error is bounded, and
so is what that error can do to a bound of information. Nothing is lost where it cannot be seen: the
term of a sample with itself is exact, and a pair far apart adds nothing, however wrong.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from array_api_compat import is_torch_array

from infotheo.arrays.samples import Array
from infotheo.estimators.pair_sums.factors import Factors
from infotheo.estimators.pair_sums.problem import PairProblem, Precision
from infotheo.estimators.pair_sums.row_sums import choose_backend

__all__ = ["PRODUCTS", "Product", "distance_errors", "full_float32", "information_error"]

FLOOR = 1e-6  # the others' share of a sum is taken as at least this: float32 sums lose less

LARGE = 30.0  # of an exponent's error: beyond it the floor alone makes the error itself the bound


class Product(NamedTuple):
    """A way to compute squared distances."""

    dtype: Precision
    exact: bool  # from differences
    rounding: float  # unit roundoff, or what stands for it
    tolerance: float  # nats that its error may cost a bound


# float32: the rest of the promised 1e-4 nats is left to exponentials and to a second bound.
# float64: twice the roundoff, because the norms are summed in the product, in any order.
PRODUCTS = (
    Product("float32", False, 2.0**-24, 4e-5),
    Product("float64", False, 2.0**-52, 1e-6),
    Product("float64", True, 0.0, 0.0),
)


def distance_errors(norms: Array, units: int, rounding: float, xp: Any) -> Array:
    r"""Bound the error of the squared distances of each sample, from a Gram product.

    Parameters
    ----------
    norms
        Squared norms :math:`n_i` of the centred samples (..., sample).
    units
        Number of units d.
    rounding
        Unit roundoff u of the product.

    Returns
    -------
    array
        :math:`u (d + 16) (n_i + \max_j n_j)`, (..., sample).

    Notes
    -----
    With :math:`r^2 = n`: a product of d terms, in any order, is off by at most
    :math:`d u r_i r_j` (twice, for :math:`-2 x_i x_j`); samples rounded when stored and when scaled
    move a distance by :math:`4 u (r_i + r_j)^2`; norms, two subtractions and a last factor add
    :math:`u (n_i + n_j) + u (2 r_i r_j + n_i) + 2 u (r_i + r_j)^2`; and
    :math:`2 r_i r_j \le n_i + n_j`.

    Examples
    --------
    >>> import numpy as np
    >>> distance_errors(np.array([1.0, 3.0]), 4, 0.5, np).tolist()
    [40.0, 60.0]
    """
    return rounding * (units + 16) * (norms + xp.max(norms, axis=-1, keepdims=True))


def information_error(
    errors: Array, others: Array, weights: Array, factors: Factors, xp: Any
) -> Array:
    r"""Bound the error (nats) of :math:`-\sum_i c_i \ln S_i` that distances' errors cause.

    Parameters
    ----------
    errors
        Bounds of the errors of the squared distances (batch, sample).
    others
        Share :math:`q_i` of the other samples in the computed sums :math:`S_i`,
        (2, batch, sweep, sample): all but the sample's own term, which is exact.
    weights
        Weights :math:`c_i` (sample,), of sum one.
    factors
        Those of the sums.

    Returns
    -------
    array
        (batch,) the largest of :math:`\sum_i c_i \min(\delta_i, (e^{\delta_i} - 1) q_i)` over the
        sweep and both divergences, :math:`\delta_i` the error of an exponent.

    Notes
    -----
    The exact sum is between :math:`c_i + e^{-\delta_i} q_i S_i` and
    :math:`c_i + e^{\delta_i} q_i S_i`; the upper side is the farther one in the logarithm, by
    :math:`\ln(1 + (e^{\delta_i} - 1) q_i)`.

    Examples
    --------
    >>> import numpy as np
    >>> alone = np.zeros((2, 1, 1, 4))
    >>> factors, weights = Factors(np.array([[-0.5]]), 0.25), np.full(4, 0.25)
    >>> bool(information_error(np.full((1, 4), 0.1), alone, weights, factors, np)[0] < 1e-6)
    True
    >>> information_error(np.full((1, 4), 0.1), alone + 1, weights, factors, np).round(12)
    array([0.05])
    """
    slopes = xp.stack([-factors.chernoff_ratio * factors.kl, -factors.kl])  # (2, batch or 1, sweep)
    delta = slopes[..., None] * errors[:, None, :]  # (2, batch, sweep, sample)
    share = xp.clip(others, FLOOR, 1.0)
    changes = xp.minimum(delta, xp.expm1(xp.clip(delta, 0.0, LARGE)) * share)
    return xp.max(xp.max(xp.matmul(changes, weights), axis=2), axis=0)


def full_float32(problem: PairProblem) -> bool:
    """Whether the problem's products keep all bits of float32: 10-bit ones void the bound."""
    x = problem.points
    if not is_torch_array(x) or x.device.type == "cpu":
        return True
    import torch  # the caller's array is one already

    fused = choose_backend(problem).name == "fused"
    return fused or torch.get_float32_matmul_precision() == "highest"
