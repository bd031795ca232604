"""Second moments of all pairs of units over the samples in which both are positive."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from array_api_compat import device

from infotheo.arrays.samples import Array

__all__ = ["SecondMoments", "masked_second_moments"]

ROWS = 2**21  # elements of the activations in one block of samples: 16 MiB of float64


class SecondMoments(NamedTuple):
    """Population moments (batch, unit, unit), and where they are defined (off the diagonal)."""

    covariance: Array
    correlation: Array  # 0 where undefined
    counted: Array  # at least two common samples
    correlated: Array  # and both variances over them are positive
    variance: Array  # (batch, unit), over the unit's own samples
    varied: Array  # (batch, unit): at least two of them


def masked_second_moments(x: Array, positive_only: bool, xp: Any) -> SecondMoments:
    """Covariance and correlation of every pair of units, over their common positive samples.

    Parameters
    ----------
    x
        Activations (batch, sample, unit), float64.
    positive_only
        Use M = [x > 0]; otherwise every sample counts.
    xp
        The array-API namespace of ``x``.

    Notes
    -----
    With C the masked activations less their masked mean, the sums over common samples are CᵀM
    (of a unit), CᵀC (of products) and (C²)ᵀM (of squares). Centring first keeps the differences of
    these sums accurate; the largest activation goes before the mean, so that a constant unit is
    exactly zero.

    Examples
    --------
    >>> x = np.array([[[1.0, 1.0], [2.0, 3.0], [0.0, 9.0]]])
    >>> masked_second_moments(x, True, np).covariance[0, 0].round(12).tolist()
    [0.25, 0.5]
    """
    batch, size, units = x.shape
    largest = xp.max(x, axis=1, keepdims=True)
    number = _zeros_like(x, (batch, 1, units), xp)
    total = _zeros_like(x, (batch, 1, units), xp)
    blocks = [slice(i, i + max(1, ROWS // units)) for i in range(0, size, max(1, ROWS // units))]
    for rows in blocks:
        mask = _mask(x[:, rows], positive_only, xp)
        number = number + xp.sum(mask, axis=1, keepdims=True)
        total = total + xp.sum((x[:, rows] - largest) * mask, axis=1, keepdims=True)
    mean = total / xp.where(number > 0, number, xp.ones_like(number))

    square = (batch, units, units)
    count, sums, squares, products = (_zeros_like(x, square, xp) for _ in range(4))
    for rows in blocks:
        mask = _mask(x[:, rows], positive_only, xp)
        c = (x[:, rows] - largest - mean) * mask
        transposed = xp.matrix_transpose(c)
        count = count + xp.matmul(xp.matrix_transpose(mask), mask)
        sums = sums + xp.matmul(transposed, mask)
        squares = squares + xp.matmul(transposed * transposed, mask)
        products = products + xp.matmul(transposed, c)
    return _finish(count, sums, squares, products, size, xp)


def _finish(
    count: Array, sums: Array, squares: Array, products: Array, size: int, xp: Any
) -> SecondMoments:
    n = xp.where(count > 0, count, xp.ones_like(count))
    covariance = (products - sums * xp.matrix_transpose(sums) / n) / n
    variance = (squares - sums * sums / n) / n  # [i, j]: of unit i over the samples shared with j
    # a difference of sums of this many terms cannot tell a smaller variance from zero
    rounding = 4 * size * float(np.finfo(np.float64).eps) * squares / n
    zero = variance <= rounding
    variance = xp.where(zero, xp.zeros_like(variance), variance)
    off_diagonal = xp.eye(count.shape[-1], dtype=xp.float64, device=device(count)) == 0
    counted = (count >= 2) & off_diagonal
    correlated = counted & ~zero & ~xp.matrix_transpose(zero)
    scale = xp.sqrt(variance) * xp.sqrt(xp.matrix_transpose(variance))
    correlation = covariance / xp.where(correlated, scale, xp.ones_like(scale))
    correlation = xp.clip(correlation, -1.0, 1.0)  # rounding only
    unit_variance = xp.sum(xp.where(off_diagonal, xp.zeros_like(variance), variance), axis=-1)
    samples = xp.sum(xp.where(off_diagonal, xp.zeros_like(count), count), axis=-1)
    undefined = xp.zeros_like(correlation)
    correlation = xp.where(correlated, correlation, undefined)
    return SecondMoments(covariance, correlation, counted, correlated, unit_variance, samples >= 2)


def _mask(x: Array, positive_only: bool, xp: Any) -> Array:
    return xp.astype(x > 0, xp.float64) if positive_only else xp.ones_like(x)


def _zeros_like(x: Array, shape: tuple[int, ...], xp: Any) -> Array:
    return xp.zeros(shape, dtype=xp.float64, device=device(x))
