"""Checks of arguments that are one number; each failure is one line with the value found."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from infotheo.arrays.wording import describe

__all__ = ["check_count", "check_number", "check_seed", "check_switch", "is_real", "to_float"]

MOST = 2**63 - 1  # what NumPy and torch can count


def is_real(value: Any) -> bool:
    """Whether a value is one real number of Python or NumPy, infinite or NaN perhaps.

    Examples
    --------
    >>> is_real(2), is_real(np.float32(0.5)), is_real(1j), is_real("2")
    (True, True, False, False)
    """
    return isinstance(value, int | float | np.integer | np.floating)


def check_count(value: Any, name: str, *, least: int = 1, most: int | None = MOST) -> int:
    """Check a whole number.

    Raises
    ------
    TypeError
        If it is no integer (a bool is none).
    ValueError
        If it is smaller than ``least`` or larger than ``most``; no ``most``, no limit.

    Examples
    --------
    >>> check_count(1, "probes", least=2)
    Traceback (most recent call last):
    ...
    ValueError: probes is 1; expected a whole number >= 2
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} is {describe(value)}; expected a whole number >= {least}")
    if value < least:
        raise ValueError(f"{name} is {describe(value)}; expected a whole number >= {least}")
    if most is not None and value > most:
        raise ValueError(
            f"{name} is {describe(value)}; expected a whole number from {least} to {most}"
        )
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
    if isinstance(value, bool) or not is_real(value):
        raise TypeError(f"{name} is {describe(value)}; {expected}")
    number = to_float(value)
    if not (math.isfinite(number) and (number > 0 if positive else number >= 0)):
        raise ValueError(f"{name} is {describe(value)}; {expected}")
    return number


def check_seed(value: Any, *, most: int | None = None) -> int:
    """Check a seed: a whole number that is not negative; NumPy takes any, torch up to 64 bits.

    Examples
    --------
    >>> check_seed(2**100) == 2**100
    True
    """
    return check_count(value, "seed", least=0, most=most)


def to_float(value: Any) -> float:
    """Convert a real number; one beyond the largest float is infinite.

    Examples
    --------
    >>> to_float(-10**400)
    -inf
    """
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def check_switch(value: Any, name: str) -> bool:
    """Check a truth value: True or False, of Python or NumPy, or 1 or 0.

    Examples
    --------
    >>> check_switch("no", "logits")
    Traceback (most recent call last):
    ...
    TypeError: logits is 'no'; expected True or False
    """
    if not isinstance(value, bool | np.bool | int | np.integer) or value not in (0, 1):
        raise TypeError(f"{name} is {describe(value)}; expected True or False")
    return bool(value)
