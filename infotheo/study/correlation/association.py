"""Pearson, Spearman and Kendall coefficients of many columns at once, resampled or rearranged.

Everything is a sum over points or over pairs of points. A bootstrap resample is therefore a row
of counts (how often each point was drawn) and an exchange a permuted target, and all measures,
resamples and rearrangements come out of a few products of arrays:

* Pearson: weighted sums of squares and products of the centred columns.
* Spearman: the average rank of point i in a resample with counts w is, up to a constant,
  ½ Σ_j w_j sign(x_i − x_j); its weighted mean is zero.
* Kendall's tau-b: Σ_{i<j} w_i w_j sign(x_i − x_j) sign(y_i − y_j) over the root of the same sums
  of the untied pairs of x and of y.

Sums of signs and counts are integers, exact in any order of summation; the sums of Pearson avoid
threaded matrix products. The result does not depend on the number of threads.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "METHODS", "Array", "bootstrap_coefficients", "coefficients", "permutation_coefficients",
    "round_to_bits",
]  # fmt: skip

METHODS = ("pearson", "spearman", "kendall")

Array = NDArray[np.float64]

_BLOCK = 8_000_000  # numbers held at once by one intermediate array


def round_to_bits(values: Array) -> Array:
    """Round to 40 significant bits, so that values equal up to rounding are equal.

    Saturated bounds differ from their ceiling in the last bits only; without this, their order
    would be that of rounding errors. The order of all other values is kept.

    Examples
    --------
    >>> float(round_to_bits(np.array([0.1 + 0.2]))[0] - round_to_bits(np.array([0.3]))[0])
    0.0
    """
    mantissa, exponent = np.frexp(np.asarray(values, dtype=np.float64))
    return np.ldexp(np.round(mantissa * 2.0**40) / 2.0**40, exponent)


def coefficients(x: Array, y: Array, method: str) -> Array:
    """Correlate every column of ``x`` with ``y``.

    Parameters
    ----------
    x
        Measures, shape (point, measure), finite.
    y
        Target, shape (point,), finite.
    method
        ``"pearson"``, ``"spearman"`` (of average ranks) or ``"kendall"`` (tau-b).

    Returns
    -------
    Array of shape (measure,); NaN where a measure or the target is constant.

    Examples
    --------
    >>> x = np.array([[1.0, 5.0], [2.0, 4.0], [3.0, 0.0]])
    >>> coefficients(x, np.array([1.0, 2.0, 3.0]), "spearman")
    array([ 1., -1.])
    """
    row: Array = bootstrap_coefficients(x, y, np.ones((1, len(y))), method)[0]
    return row


def bootstrap_coefficients(x: Array, y: Array, counts: Array, method: str) -> Array:
    """Correlate every column of ``x`` with ``y`` in every bootstrap resample.

    Parameters
    ----------
    x, y, method
        As in :func:`coefficients`.
    counts
        How often each point occurs in each resample, shape (resample, point).

    Returns
    -------
    Array of shape (resample, measure); NaN where a column is constant within a resample.
    """
    if method == "pearson":
        result = _bootstrap_pearson(x, y, counts)
    elif method == "spearman":
        result = _bootstrap_spearman(x, y, counts)
    else:
        result = _bootstrap_kendall(x, y, counts)
    return np.clip(result, -1.0, 1.0)


def permutation_coefficients(x: Array, y: Array, orders: NDArray[np.intp], method: str) -> Array:
    """Correlate every column of ``x`` with every rearrangement of ``y``.

    Parameters
    ----------
    x, y, method
        As in :func:`coefficients`.
    orders
        Rearrangements: y[orders[k]] is the k-th target, shape (rearrangement, point).

    Returns
    -------
    Array of shape (rearrangement, measure); NaN where a measure or the target is constant.
    """
    if method == "pearson":
        unit_x, unit_y = _unit(x), _unit(y[:, None])[0]
        products: Array = np.einsum("kn,mn->km", unit_y[orders], unit_x)
        return products
    if method == "spearman":
        # Doubled centred ranks are integers: compare sums of products before dividing.
        rank_x = np.stack([_signs(column).sum(axis=1) for column in x.T], axis=1)
        rank_y = _signs(y).sum(axis=1)
        scale = np.sqrt((rank_x**2).sum(axis=0) * (rank_y**2).sum())
        return _ratio(rank_y[orders] @ rank_x, scale)
    first, second = np.triu_indices(len(y), 1)
    sign_x = _pair_signs(x, first, second)
    sign_y = _signs(y).astype(np.float32)
    scale = np.sqrt(np.abs(sign_x).sum(axis=0, dtype=np.float64) * (np.abs(sign_y).sum() / 2))
    result = np.empty((len(orders), x.shape[1]))
    step = max(1, _BLOCK // max(1, len(first)))
    for start in range(0, len(orders), step):
        rows = orders[start : start + step]
        result[start : start + step] = sign_y[rows[:, first], rows[:, second]] @ sign_x
    return _ratio(result, scale)


def _ratio(numerator: Array, scale: Array) -> Array:
    """Divide, NaN where the scale is zero."""
    shape = np.broadcast_shapes(numerator.shape, np.shape(scale))
    ratio: Array = np.divide(numerator, scale, out=np.full(shape, np.nan), where=scale > 0)
    return ratio


def _unit(x: Array) -> Array:
    """Centre each column and scale it to length one, (measure, point); NaN where it is constant.

    Rows lie contiguous in memory, so that a measure's sums do not depend on its neighbours.
    """
    rows = np.ascontiguousarray(x.T)
    largest = np.abs(rows).max(axis=1, keepdims=True)
    rows = rows / np.where(largest > 0, largest, 1.0)  # squares must not overflow
    centred = rows - rows.mean(axis=1, keepdims=True)
    varied = (rows != rows[:, :1]).any(axis=1)
    length = np.where(varied, np.sqrt((centred**2).sum(axis=1)), 0.0)
    return _ratio(centred, length[:, None])


def _signs(column: Array) -> Array:
    """sign(x_i − x_j) of all ordered pairs, shape (point, point)."""
    return np.sign(column[:, None] - column[None, :])


def _pair_signs(x: Array, first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.float32]:
    """sign(x_i − x_j) of all pairs i < j, shape (pair, measure); float32 keeps counts exact."""
    return np.sign(x[first] - x[second]).astype(np.float32)


def _bootstrap_pearson(x: Array, y: Array, counts: Array) -> Array:
    size = counts.sum(axis=1)
    # Rounding leaves a small variance where a resample is constant: decide it on integers.
    varied = _varies(x, counts) & _varies(y[:, None], counts)
    unit_y = _unit(y[:, None])[0]
    centred_y = unit_y - (np.einsum("rn,n->r", counts, unit_y) / size)[:, None]  # (resample, point)
    weighted_y = counts * centred_y
    square_y = np.einsum("rn,rn->r", weighted_y, centred_y)
    result = np.empty(varied.shape)
    for index, column in enumerate(_unit(x)):
        # Centred within the resample: a far outlier that was not drawn must cost no digits.
        centred_x = column - (np.einsum("rn,n->r", counts, column) / size)[:, None]
        square_x = np.einsum("rn,rn,rn->r", counts, centred_x, centred_x)
        product = np.einsum("rn,rn->r", weighted_y, centred_x)
        scale = np.where(varied[:, index], np.sqrt(square_x * square_y), 0.0)
        result[:, index] = _ratio(product, scale)
    return result


def _varies(x: Array, counts: Array) -> NDArray[np.bool_]:
    """Whether a column takes two values or more within a resample, shape (resample, measure)."""
    codes = np.stack([np.unique(column, return_inverse=True)[1] for column in x.T], axis=1)
    squares = counts @ (codes**2).astype(np.float64)
    sizes = counts.sum(axis=1)[:, None]
    varied: NDArray[np.bool_] = sizes * squares > (counts @ codes.astype(np.float64)) ** 2
    return varied


def _bootstrap_spearman(x: Array, y: Array, counts: Array) -> Array:
    rank_y = counts @ _signs(y)  # (resample, point), doubled and centred
    weighted_y = counts * rank_y
    square_y = np.einsum("rn,rn->r", weighted_y, rank_y)
    result = np.empty((len(counts), x.shape[1]))
    for index, column in enumerate(x.T):
        rank_x = counts @ _signs(column)
        square_x = np.einsum("rn,rn,rn->r", counts, rank_x, rank_x)
        product = np.einsum("rn,rn->r", weighted_y, rank_x)
        result[:, index] = _ratio(product, np.sqrt(square_x * square_y))
    return result


def _bootstrap_kendall(x: Array, y: Array, counts: Array) -> Array:
    first, second = np.triu_indices(len(y), 1)
    sign_x = _pair_signs(x, first, second)
    sign_y = _pair_signs(y[:, None], first, second)
    agreement, untied_x, untied_y = sign_x * sign_y, np.abs(sign_x), np.abs(sign_y)
    result = np.empty((len(counts), x.shape[1]))
    step = max(1, _BLOCK // max(1, len(first)))
    for start in range(0, len(counts), step):
        block = counts[start : start + step].astype(np.float32)
        weights = block[:, first] * block[:, second]  # (resample, pair)
        scale = (weights @ untied_x).astype(np.float64) * (weights @ untied_y)
        result[start : start + step] = _ratio(
            (weights @ agreement).astype(np.float64), np.sqrt(scale)
        )
    return result
