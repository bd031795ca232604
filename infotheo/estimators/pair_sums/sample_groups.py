"""Samples in groups, one group after another: which pairs of a tile are within a group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from infotheo.arrays.samples import Array

__all__ = ["Groups", "Within", "groups_of"]


class Within(NamedTuple):
    """The part of a tile that holds its pairs within a group."""

    rows: slice
    columns: slice
    same: Array | None  # (row, column) which pairs are; None: all of them


@dataclass(frozen=True)
class Groups:
    """Samples in groups, one after another."""

    codes: np.ndarray  # (sample,)
    edges: np.ndarray  # (group + 1,)
    given: Array  # codes where the samples are

    def within(self, rows: slice, columns: slice) -> Within | None:
        """Find a tile's pairs within a group; ``None`` if there are none.

        The tile is on or above the diagonal: its columns do not begin before its rows.
        """
        first_row, last_row = self.codes[rows.start], self.codes[rows.stop - 1]
        first_column, last_column = self.codes[columns.start], self.codes[columns.stop - 1]
        if first_column > last_row:
            return None
        if first_row == max(last_row, last_column):
            return Within(rows, columns, None)
        # groups ascend: rows before the first column's group and columns after the last row's are
        # without a partner
        rows = slice(max(int(self.edges[first_column]), rows.start), rows.stop)
        columns = slice(columns.start, min(int(self.edges[last_row + 1]), columns.stop))
        return Within(rows, columns, self.given[rows, None] == self.given[None, columns])


def groups_of(starts: np.ndarray, size: int, xp: Any, place: dict[str, Any]) -> Groups:
    """Say which group each sample is in, from where the groups begin.

    Examples
    --------
    >>> groups_of(np.array([0, 2]), 3, np, {}).codes.tolist()
    [0, 0, 1]
    """
    edges = np.append(starts, size)
    codes = np.repeat(np.arange(len(starts)), np.diff(edges))
    return Groups(codes, edges, xp.asarray(codes, **place))
