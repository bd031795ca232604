"""The logarithm of terms that may be 0."""

from __future__ import annotations

import math
from typing import Any

from infotheo.arrays.samples import Array

__all__ = ["log_or_minus_infinity"]


def log_or_minus_infinity(values: Array, xp: Any) -> Array:
    """Logarithm with ln 0 = -inf, and neither a warning nor a NaN gradient for it.

    Examples
    --------
    >>> import numpy as np
    >>> log_or_minus_infinity(np.array([1.0, 0.0]), np)
    array([  0., -inf])
    """
    zero = values == 0
    logs = xp.log(xp.where(zero, xp.ones_like(values), values))
    return xp.where(zero, xp.full_like(logs, -math.inf), logs)
