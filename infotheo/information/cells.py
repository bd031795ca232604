"""Cells of a binned activation: equal cells over a range, a width, given edges, or quantiles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from infotheo.arrays import Array, Samples, to_numpy

__all__ = ["Cells", "read_cells"]


@dataclass(frozen=True)
class Cells:
    """How a value becomes a cell number: edges, or a width without ends."""

    samples: Samples
    edges: np.ndarray | None = None
    width: float | None = None
    name: str = "edges"

    def place(self, values: Array) -> tuple[Array, Array]:
        """Return int64 cell numbers of ``values``, and how many values lie outside the edges.

        In float64: the cells of a value must not depend on the precision it was stored in.
        """
        xp = self.samples.namespace
        values = xp.astype(values, xp.float64, copy=False)
        if self.edges is None:
            numbers = xp.astype(xp.floor(values / self.width), xp.int64)
            return numbers, self.samples.like(0.0)
        first, last = float(self.edges[0]), float(self.edges[-1])
        # only inner edges are searched: values beyond the ends fall into the end cells
        inner = self.samples.like(self.edges[1:-1])
        flat = xp.reshape(values, (-1,))
        numbers = xp.reshape(xp.searchsorted(inner, flat, side="right"), values.shape)
        outside = xp.sum(xp.astype((values < first) | (values > last), xp.float64))
        return xp.astype(numbers, xp.int64, copy=False), outside

    def settings(self) -> dict[str, Any]:
        """Provenance: the edges or the width in use."""
        if self.edges is None:
            return {"bin_width": self.width}
        if self.name == "range":
            ends = (float(self.edges[0]), float(self.edges[-1]))
            return {"bins": len(self.edges) - 1, "range": ends}
        return {self.name: [str(edge) if math.isinf(edge) else edge for edge in self.edges]}


def read_cells(
    samples: Samples,
    bins: int,
    range: tuple[float, float] | None,
    bin_width: float | None,
    edges: Any,
) -> Cells:
    """Check the ways to say what a cell is; at most one of range, bin_width and edges.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or two of them contradict each other.

    Examples
    --------
    >>> from infotheo.arrays import read_samples
    >>> read_cells(read_samples([[0.0], [1.0]]), 2, None, None, None).edges.tolist()
    [0.0, 0.5, 1.0]
    """
    named = {"range": range, "bin_width": bin_width, "edges": edges}
    given = [name for name, value in named.items() if value is not None]
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)} are given together; expected at most one of them")
    if bin_width is not None:
        if not isinstance(bin_width, int | float | np.number):
            raise TypeError(f"bin_width is {bin_width!r}; expected a positive number")
        largest = _magnitude(samples)
        if not (math.isfinite(bin_width) and bin_width > 0 and largest / bin_width < 2**53):
            raise ValueError(
                f"bin_width is {bin_width}; expected a positive, finite number, not below rounding "
                f"(largest activation {largest:.4g})"
            )
        return Cells(samples, width=float(bin_width))
    if edges is not None and not isinstance(edges, str):
        return Cells(samples, edges=_read_edges(edges))
    if isinstance(bins, bool) or not isinstance(bins, int | np.integer):
        raise TypeError(f"bins is {bins!r}; expected a whole number >= 1")
    if bins < 1:
        raise ValueError(f"bins is {bins}; expected a whole number >= 1")
    if isinstance(edges, str):
        if edges != "quantile":
            raise ValueError(f"edges is {edges!r}; expected increasing numbers or 'quantile'")
        values = to_numpy(samples.values).astype(np.float64).ravel()
        found = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)))
        return Cells(samples, edges=found if len(found) > 1 else _widened(found[0]))
    low, high = _read_range(range, samples)
    cells = np.linspace(low, high, int(bins) + 1) if low < high else _widened(low)
    return Cells(samples, edges=cells, name="range")


def _widened(value: float) -> np.ndarray:
    """One cell around the only value there is."""
    return np.array([value, np.nextafter(value, np.inf)])


def _magnitude(samples: Samples) -> float:
    xp = samples.namespace
    return float(to_numpy(xp.max(xp.abs(samples.values))))


def _read_range(range: tuple[float, float] | None, samples: Samples) -> tuple[float, float]:
    if range is None:
        xp, values = samples.namespace, samples.values
        return float(to_numpy(xp.min(values))), float(to_numpy(xp.max(values)))
    try:
        low, high = (float(end) for end in range)
    except (TypeError, ValueError):
        raise TypeError(f"range is {range!r}; expected two numbers, low < high") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"range is {range!r}; expected two finite numbers, low < high")
    return low, high


def _read_edges(edges: Any) -> np.ndarray:
    found = to_numpy(edges)
    if found.dtype.kind not in "fiu":
        raise TypeError(f"edges has dtype {found.dtype}; expected increasing numbers")
    found = found.astype(np.float64)
    if found.ndim != 1 or len(found) < 2:
        raise ValueError(f"edges has shape {found.shape}; expected (K,) with K >= 2")
    wrong = np.flatnonzero(~(found[1:] > found[:-1]))  # also finds NaN
    if wrong.size:
        i = int(wrong[0])
        raise ValueError(f"edges go from {found[i]} to {found[i + 1]}; expected increasing numbers")
    return found
