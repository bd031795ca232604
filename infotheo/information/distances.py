"""Squared distances between samples, tile by tile, in a precision that the data decide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from array_api_compat import device, is_torch_array

from infotheo.arrays import Array

__all__ = ["batch_chunks", "centred", "gram_error", "squared_distance_tiles"]

HOST_BLOCK = 1024  # 8 MiB of float64: a tile and its exponentials stay near the cache
DEVICE_BLOCK = 4096  # 128 MiB of float64: fills an accelerator, leaves its memory free
FLOAT32_ROUNDING = 2.0**-24
GRAM_TOLERANCE = 2e-5  # nats; a fifth of the 1e-4 that the estimators promise for float32 input


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


def gram_error(x: Array, variance: float, xp: Any) -> float:
    r"""Bound the error (nats) of distances from a float32 Gram product, over ``2 * variance``.

    With :math:`R` the largest norm in the centred ``x`` and :math:`u = 2^{-24}`: rounding ``x``
    changes a squared distance by at most :math:`8 u R^2`, the product of two rows of length d by
    :math:`d u R^2` (twice), and sums and norms by less than :math:`12 u R^2`. An error in the
    exponents bounds the error of the mean of ``log(mean(exp(...)))``.
    """
    largest = float(xp.max(xp.sum(x * x, axis=-1)))
    return (2 * x.shape[-1] + 20) * FLOAT32_ROUNDING * largest / (2 * variance)


def gram_dtype(x: Array, variance: float, xp: Any, *, single: bool) -> Any:
    """Choose float32 only for float32 input whose rounding is harmless at ``variance``."""
    if not single or gram_error(x, variance, xp) > GRAM_TOLERANCE:
        return xp.float64
    if is_torch_array(x) and str(device(x)) != "cpu":
        import torch  # the caller's array is one already

        if torch.get_float32_matmul_precision() != "highest":  # 10-bit products void the bound
            return xp.float64
    return xp.float32


def batch_chunks(x: Array) -> Iterator[slice]:
    """Slices of the leading dimension of ``x`` (batch, sample, unit) that fill one tile."""
    rows = min(x.shape[1], block_size(x))
    step = max(1, block_size(x) ** 2 // rows**2)
    for start in range(0, x.shape[0], step):
        yield slice(start, start + step)


def squared_distance_tiles(x: Array, xp: Any) -> Iterator[tuple[slice, slice, Array]]:
    """Yield (rows, columns, squared distances) over the upper triangle of tiles.

    Parameters
    ----------
    x
        Centred samples (batch, sample, unit), in the precision of the product.
    xp
        Its array-API namespace.

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
        doubled = 2 * x[:, rows]
        for j in range(i, size, block):
            columns = slice(j, min(j + block, size))
            products = xp.matmul(doubled, xp.moveaxis(x[:, columns], 1, 2))
            tile = norms[:, rows, None] + norms[:, None, columns] - products
            tile = xp.maximum(tile, zero)  # rounding leaves tiny negatives between duplicates
            if i == j:
                tile = tile * (1 - xp.eye(tile.shape[-1], dtype=x.dtype, device=device(x)))
            yield rows, columns, tile
