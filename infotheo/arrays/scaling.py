"""Powers of two that bring extreme values to where their squares neither overflow nor vanish.

Division by a power of two is exact, so what a kernel finds of the scaled values is what it would
find with a wider exponent. Values within sixty orders of magnitude of 1 are left alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import device

from infotheo.arrays.conversion import Array, to_numpy

__all__ = ["divide", "largest_magnitude", "scales"]

SMALL, LARGE = 1e-60, 1e60  # fourth powers are far from the ends


def scales(largest: np.ndarray) -> np.ndarray:
    """Return powers of two to divide by, for the largest magnitudes of some arrays.

    Examples
    --------
    >>> scales(np.array([0.0, 1.0, 2.0**1000, 2.0**-1000])) == [1.0, 1.0, 2.0**1000, 2.0**-1000]
    array([ True,  True,  True,  True])
    """
    extreme = (largest > 0) & np.isfinite(largest) & ((largest < SMALL) | (largest > LARGE))
    exponents = np.frexp(np.where(extreme, largest, 1.0))[1] - 1
    return np.where(extreme, np.ldexp(1.0, exponents), 1.0)


def largest_magnitude(x: Array, axis: int | tuple[int, ...], xp: Any) -> np.ndarray:
    """Return the largest absolute values along dimensions, which stay with length 1; on the host.

    Examples
    --------
    >>> largest_magnitude(np.array([[1.0, -3.0]]), 1, np)
    array([[3.]])
    """
    x = x.detach() if hasattr(x, "detach") else x
    ends = (xp.max(x, axis=axis, keepdims=True), xp.min(x, axis=axis, keepdims=True))
    magnitudes: np.ndarray = np.maximum(*(np.abs(to_numpy(end)) for end in ends))
    return magnitudes


def divide(x: Array, axis: int | tuple[int, ...], xp: Any) -> tuple[Array, np.ndarray]:
    """Return an array over the scales of its parts along dimensions, and these scales.

    The very array, where all scales are 1.

    Examples
    --------
    >>> divide(np.array([[4e200, 2e200], [1.0, 2.0]]), 1, np)[1].ravel().tolist()[1]
    1.0
    """
    factors = scales(largest_magnitude(x, axis, xp))
    if np.all(factors == 1):
        return x, factors
    divisor = xp.asarray(factors, dtype=xp.float64, device=device(x))
    return xp.astype(x, xp.float64, copy=False) / divisor, factors
