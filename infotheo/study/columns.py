"""Names of measures that were taken at several values of a setting: ``name@setting=value``."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["SweepColumn", "parse", "sweep"]


class SweepColumn(NamedTuple):
    """A measure's name, and the setting and value at which it was taken."""

    measure: str
    setting: str | None
    value: float


def parse(column: str) -> SweepColumn:
    """Split a column's name; a plain name has no setting and the value NaN.

    Examples
    --------
    >>> parse("pairwise_input_lower@relative_noise_variance=0.1")
    SweepColumn(measure='pairwise_input_lower', setting='relative_noise_variance', value=0.1)
    >>> parse("sparsity")
    SweepColumn(measure='sparsity', setting=None, value=nan)
    """
    measure, at, rest = column.partition("@")
    setting, equals, text = rest.partition("=")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (measure and at and setting and equals) or math.isnan(value):
        return SweepColumn(column, None, math.nan)
    return SweepColumn(measure, setting, value)


def sweep(columns: Iterable[str], measure: str, setting: str) -> dict[float, str]:
    """Find the columns of one measure over one setting, by increasing value.

    Examples
    --------
    >>> sweep(["lower@noise_variance=1", "lower", "lower@noise_variance=0.1"],
    ...       "lower", "noise_variance")
    {0.1: 'lower@noise_variance=0.1', 1.0: 'lower@noise_variance=1'}
    """
    found = {}
    for column in columns:
        parsed = parse(column)
        if parsed.measure == measure and parsed.setting == setting:
            found[parsed.value] = column
    return dict(sorted(found.items()))
