"""Squared distances between samples, tile by tile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from array_api_compat import device, is_torch_array

from infotheo.arrays.samples import Array

__all__ = ["centred", "squared_distance_tiles"]

HOST_BLOCK = 1024  # 8 MiB of float64: a tile and its exponentials stay near the cache
DEVICE_BLOCK = 4096  # 128 MiB of float64: fills an accelerator, leaves its memory free


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
