"""Squared distances between samples, tile by tile, in a precision that the data decide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from array_api_compat import device, is_torch_array

from infotheo.arrays import Array, to_numpy

__all__ = ["batch_chunks", "centred", "choose_product", "gram_error", "squared_distance_tiles"]

HOST_BLOCK = 1024  # 8 MiB of float64: a tile and its exponentials stay near the cache
DEVICE_BLOCK = 4096  # 128 MiB of float64: fills an accelerator, leaves its memory free
FLOAT32_ROUNDING = 2.0**-24
FLOAT64_ROUNDING = 2.0**-53
FLOAT32_TOLERANCE = 2e-5  # nats; the rest of the promised 1e-4 is left to float32 exponentials
FLOAT64_TOLERANCE = 1e-4


def block_size(x: Array) -> int:
    """Rows of a tile on the device of ``x``."""
    return HOST_BLOCK if str(device(x)) == "cpu" else DEVICE_BLOCK


def centred(x: Array, xp: Any) -> Array:
    """Subtract each unit's mean over the samples, in float64.

    The first sample goes first: a constant unit then becomes exactly zero, however large it is.
    """
    x = xp.astype(x, xp.float64, copy=False)
    x = x - x[..., :1, :]
    return x - xp.mean(x, axis=-2, keepdims=True)


def gram_error(x: Array, variance: float, xp: Any, rounding: float) -> float:
    r"""Bound the error (nats) of squared distances from a Gram product, over ``2 * variance``.

    With :math:`R` the largest norm in the centred ``x`` and :math:`u` the unit roundoff: rounding
    ``x`` changes a squared distance by at most :math:`8 u R^2`, the product of two rows of length d
    by :math:`d u R^2` (twice), and sums and norms by less than :math:`12 u R^2`. An error in the
    exponents bounds the error of the mean of ``log(mean(exp(...)))``.
    """
    largest = float(to_numpy(xp.max(xp.sum(x * x, axis=-1))))
    return (2 * x.shape[-1] + 20) * rounding * largest / (2 * variance)


def choose_product(x: Array, variance: float, xp: Any, *, single: bool) -> tuple[Any, bool]:
    """Choose how to compute distances: the dtype, and whether from exact differences.

    A float32 Gram product needs float32 input (``single``) and a harmless error at ``variance``. A
    float64 one serves all but extreme scales, whose near pairs need differences, d times the work.
    """
    if single and gram_error(x, variance, xp, FLOAT32_ROUNDING) <= FLOAT32_TOLERANCE:
        if str(device(x)) == "cpu" or _full_float32(x):
            return xp.float32, False
    return xp.float64, gram_error(x, variance, xp, FLOAT64_ROUNDING) > FLOAT64_TOLERANCE


def _full_float32(x: Array) -> bool:
    """Whether an accelerator keeps all bits of float32: 10-bit products void the bound."""
    if not is_torch_array(x):
        return False
    import torch  # the caller's array is one already

    return torch.get_float32_matmul_precision() == "highest"


def batch_chunks(x: Array) -> Iterator[slice]:
    """Slices of the leading dimension of ``x`` (batch, sample, unit) that fill one tile."""
    rows = min(x.shape[1], block_size(x))
    step = max(1, block_size(x) ** 2 // rows**2)
    for start in range(0, x.shape[0], step):
        yield slice(start, start + step)


def squared_distance_tiles(
    x: Array, xp: Any, *, exact: bool = False
) -> Iterator[tuple[slice, slice, Array]]:
    """Yield (rows, columns, squared distances) over the upper triangle of tiles.

    Parameters
    ----------
    x
        Centred samples (batch, sample, unit), in the precision of the product.
    xp
        Its array-API namespace.
    exact
        Sum squared differences instead of expanding them into a Gram product.

    Yields
    ------
    tuple
        Two slices of the sample dimension, columns not before rows, and the (batch, row, column)
        tile. Tiles off the diagonal stand for their transposes too. Self-distances are exactly 0.

    Examples
    --------
    >>> import numpy as np
    >>> (rows, columns, tile), = squared_distance_tiles(np.array([[[0.0], [3.0]]]), np)
    >>> tile[0].tolist()
    [[0.0, 9.0], [9.0, 0.0]]
    """
    block, size = block_size(x), x.shape[1]
    norms = xp.sum(x * x, axis=-1)  # (batch, sample)
    zero = xp.zeros((), dtype=x.dtype, device=device(x)) if is_torch_array(x) else x.dtype.type(0)
    for i in range(0, size, block):
        rows = slice(i, min(i + block, size))
        for j in range(i, size, block):
            columns = slice(j, min(j + block, size))
            if exact:
                tile = _squared_differences(x[:, rows], x[:, columns], xp)
            else:
                products = xp.matmul(x[:, rows], xp.matrix_transpose(x[:, columns]))
                tile = norms[:, rows, None] + norms[:, None, columns] - 2 * products
                tile = xp.maximum(tile, zero)  # rounding leaves tiny negatives near duplicates
                if i == j:
                    tile = tile * (1 - xp.eye(tile.shape[-1], dtype=x.dtype, device=device(x)))
            yield rows, columns, tile


def _squared_differences(a: Array, b: Array, xp: Any) -> Array:
    """Squared distances (batch, row, column), one row at a time: no (row, column, unit) array."""
    differences = (a[:, i : i + 1] - b for i in range(a.shape[1]))
    return xp.stack([xp.sum(d * d, axis=-1) for d in differences], axis=1)
