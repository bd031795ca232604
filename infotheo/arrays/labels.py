"""Checks of the arguments that estimators share; each failure is one line with the value found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from infotheo.arrays.conversion import is_labelled, read_array, read_real, to_numpy
from infotheo.arrays.numbers import is_real
from infotheo.arrays.samples import Samples
from infotheo.arrays.wording import describe

__all__ = [
    "Classes",
    "Units",
    "check_choice",
    "check_open_unit",
    "is_one_hot",
    "nats_per",
    "read_classes",
    "read_weights",
]

TINY = 1e-300

Units = Literal["nats", "bits"]


@dataclass(frozen=True)
class Classes:
    """Labels of the samples: codes 0..C-1 on the host, and which label each code stands for."""

    codes: np.ndarray  # (sample,) int64
    labels: np.ndarray  # (class,) the distinct labels, sorted

    @property
    def count(self) -> int:
        """Number of classes present."""
        return len(self.labels)

    def members(self) -> list[np.ndarray]:
        """Sample indices of each class."""
        order = np.argsort(self.codes, kind="stable")
        return np.split(order, np.cumsum(np.bincount(self.codes))[:-1])

    def probabilities(self, weights: np.ndarray | None = None) -> np.ndarray:
        """Probability of each class, p(y), from sample weights that sum to one."""
        counts = np.bincount(self.codes, weights=weights)
        shares: np.ndarray = counts / counts.sum()
        return shares


def read_classes(labels: Any, samples: Samples, name: str = "labels") -> Classes:
    """Check class labels: integers or text (sample,), or one-hot (sample, class); one for a batch.

    Text of NumPy or pandas, and pandas' categories, are classes in the order of their sorted names.

    Raises
    ------
    TypeError
        If the labels are neither integers nor text nor one-hot.
    ValueError
        If their length is not the number of samples.

    Examples
    --------
    >>> from infotheo.arrays.samples import read_samples
    >>> read_classes([3, 7, 3], read_samples([[0.0], [1.0], [2.0]])).codes.tolist()
    [0, 1, 0]
    """
    if is_labelled(labels):
        samples.check_aligned(labels, name)
        labels = labels.transpose(samples.sample_dim, ...)
    values = to_numpy(read_array(labels, name, "integer class labels or one-hot rows"))
    if values.ndim not in (1, 2) or len(values) != samples.size:
        raise ValueError(
            f"{name} has shape {values.shape}; expected ({samples.size},) integers or "
            f"({samples.size}, classes) one-hot, one for each sample of {samples.name}"
        )
    if values.ndim == 2:
        if not _is_one_hot(values):
            raise TypeError(
                f"{name} of shape {values.shape} are not one-hot; expected rows with a single 1, "
                f"or integers of shape ({samples.size},)"
            )
        values = values.argmax(axis=1)
    if values.dtype.kind == "O" and all(isinstance(value, str) for value in values):
        values = values.astype(np.str_)
    if values.dtype.kind not in "iubU":
        raise TypeError(
            f"{name} has dtype {values.dtype}; expected integer class labels or one-hot rows "
            "(or text)"
        )
    distinct, codes = np.unique(values, return_inverse=True)
    return Classes(codes.astype(np.int64), distinct)


def is_one_hot(rows: Any, name: str = "rows") -> bool:
    """Whether rows (sample, class) have a single 1 each.

    Examples
    --------
    >>> is_one_hot([[0, 1], [1, 0]]), is_one_hot([[0, 1], [1, 1]])
    (True, False)
    """
    return _is_one_hot(to_numpy(read_array(rows, name)))


def _is_one_hot(values: np.ndarray) -> bool:
    return (values.ndim, values.dtype.kind in "fiub") == (2, True) and bool(
        np.all((values == 0) | (values == 1)) and np.all(values.sum(axis=1) == 1)
    )


def read_weights(weights: Any, samples: Samples, name: str = "weights") -> np.ndarray:
    """Check sample weights (sample,), and scale them to sum to one; ``None`` means uniform.

    Raises
    ------
    ValueError
        If the length is wrong, or a weight is negative or not finite, or all are zero.

    Examples
    --------
    >>> from infotheo.arrays.samples import read_samples
    >>> read_weights([1, 3], read_samples([[0.0], [1.0]])).tolist()
    [0.25, 0.75]
    """
    if weights is None:
        return np.full(samples.size, 1.0 / samples.size)
    if is_labelled(weights):
        samples.check_aligned(weights, name)
    values = read_real(weights, name)
    if values.shape != (samples.size,):
        raise ValueError(
            f"{name} has shape {values.shape}; expected ({samples.size},), one for each sample "
            f"of {samples.name}"
        )
    values = values.astype(np.float64)
    bad = values[~(np.isfinite(values) & (values >= 0))]
    if len(bad):
        raise ValueError(f"{name} contains {bad[0]}; expected finite values >= 0")
    if values.max(initial=0.0) > 0:
        values = values / values.max()  # of any scale: their sum cannot overflow
    if values.sum() <= 0:
        raise ValueError(f"{name} sum to {values.sum()}; expected a positive sum")
    shares: np.ndarray = values / values.sum()
    return shares


def check_open_unit(value: float, name: str) -> float:
    """Check a number in the open interval (0, 1).

    Examples
    --------
    >>> check_open_unit(1.5, "alpha")
    Traceback (most recent call last):
    ...
    ValueError: alpha is 1.5; expected a number between 0 and 1, both excluded
    """
    if isinstance(value, bool) or not is_real(value):
        raise TypeError(
            f"{name} is {describe(value)}; expected a number between 0 and 1, both excluded"
        )
    if not TINY <= value < 1:  # also refuses NaN, and what has no inverse
        raise ValueError(
            f"{name} is {describe(value)}; expected a number between 0 and 1, both excluded"
        )
    return float(value)


def check_choice(value: Any, choices: Sequence[Any], name: str) -> None:
    """Check that ``value`` is one of ``choices``.

    Examples
    --------
    >>> check_choice("miller", [None, "miller-madow"], "correction")
    Traceback (most recent call last):
    ...
    ValueError: correction is 'miller'; expected one of None, 'miller-madow'
    """
    # an array compares element by element, and some values not at all
    comparable = value is None or isinstance(value, str | int | float | np.generic)
    if not (comparable and any(value is choice or value == choice for choice in choices)):
        expected = ", ".join(map(repr, choices))
        raise ValueError(f"{name} is {describe(value)}; expected one of {expected}")


def nats_per(units: Units) -> float:
    """Nats in one of ``units``: divide an information in nats by it.

    Examples
    --------
    >>> round(nats_per("bits"), 4)
    0.6931
    """
    check_choice(units, get_args(Units), "units")
    return math.log(2.0) if units == "bits" else 1.0
