"""Checks of arguments that are one number; each failure is one line with the value found."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["check_count", "check_number"]


def check_count(value: Any, name: str, *, least: int = 1) -> int:
    """Check a whole number.

    Raises
    ------
    TypeError
        If it is no integer (a bool is none).
    ValueError
        If it is smaller than ``least``.

    Examples
    --------
    >>> check_count(1, "probes", least=2)
    Traceback (most recent call last):
    ...
    ValueError: probes is 1; expected a whole number >= 2
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} is {value!r}; expected a whole number >= {least}")
    if value < least:
        raise ValueError(f"{name} is {value}; expected a whole number >= {least}")
    return int(value)


def check_number(value: Any, name: str, *, positive: bool = False) -> float:
    """Check a finite number that is not negative or, if so asked, positive.

    Raises
    ------
    TypeError
        If it is no real number (a bool is none).
    ValueError
        If it is out of range, infinite or NaN.

    Examples
    --------
    >>> check_number(0, "beta", positive=True)
    Traceback (most recent call last):
    ...
    ValueError: beta is 0; expected a finite number > 0
    """
    expected = f"expected a finite number {'>' if positive else '>='} 0"
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise TypeError(f"{name} is {value!r}; {expected}")
    if not (math.isfinite(value) and (value > 0 if positive else value >= 0)):
        raise ValueError(f"{name} is {value}; {expected}")
    return float(value)
