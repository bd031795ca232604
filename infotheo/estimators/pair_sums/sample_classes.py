"""Samples class after class: which pairs of a tile are within a class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from infotheo.arrays.samples import Array

__all__ = ["SampleClasses", "Within", "read_class_starts"]


class Within(NamedTuple):
    """The part of a tile that holds its pairs within a class."""

    rows: slice
    columns: slice
    same: Array | None  # (row, column) which pairs are; None: all of them


@dataclass(frozen=True)
class SampleClasses:
    """Classes of samples that lie class after class."""

    codes: np.ndarray  # (sample,)
    edges: np.ndarray  # (class + 1,)
    device_codes: Array  # codes where the samples are

    def within(self, rows: slice, columns: slice) -> Within | None:
        """Find a tile's pairs within a class; ``None`` if there are none.

        The tile is on or above the diagonal: its columns do not begin before its rows.
        """
        first_row, last_row = self.codes[rows.start], self.codes[rows.stop - 1]
        first_column, last_column = self.codes[columns.start], self.codes[columns.stop - 1]
        if first_column > last_row:
            return None
        if first_row == max(last_row, last_column):
            return Within(rows, columns, None)
        # classes ascend: rows before the first column's class and columns after the last row's are
        # without a partner
        rows = slice(max(int(self.edges[first_column]), rows.start), rows.stop)
        columns = slice(columns.start, min(int(self.edges[last_row + 1]), columns.stop))
        return Within(rows, columns, self.same(rows, columns))

    def same(self, rows: slice, columns: slice) -> Array:
        """Tell which pairs (row, column) are of one class."""
        return self.device_codes[rows, None] == self.device_codes[None, columns]


def read_class_starts(
    class_starts: np.ndarray, size: int, xp: Any, place: dict[str, Any]
) -> SampleClasses:
    """Say which class each of ``size`` samples is in, from where the classes begin.

    Examples
    --------
    >>> read_class_starts(np.array([0, 2]), 3, np, {}).codes.tolist()
    [0, 0, 1]
    """
    edges = np.append(class_starts, size)
    codes = np.repeat(np.arange(len(class_starts)), np.diff(edges))
    return SampleClasses(codes, edges, xp.asarray(codes, **place))
