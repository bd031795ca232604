"""Cells of a binned activation: equal cells over a range, a width, given edges, or quantiles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from infotheo.arrays.conversion import read_real
from infotheo.arrays.numbers import check_count, is_real, to_float
from infotheo.arrays.samples import Array, Samples, to_numpy
from infotheo.arrays.wording import describe

__all__ = ["Cells", "read_cells"]


@dataclass(frozen=True)
class Cells:
    """How a value becomes a cell number: edges, or a width without ends."""

    samples: Samples
    low: int  # smallest and largest number of a cell
    high: int
    edges: np.ndarray | None = None
    width: float | None = None
    name: str = "edges"

    def place(self, values: Array) -> Array:
        """Return the numbers of the cells, whole, in the shape of the values.

        Cells are those of float64 arithmetic, whatever precision a value was stored in.
        """
        xp = self.samples.namespace
        if self.edges is None:
            return xp.floor(xp.astype(values, xp.float64, copy=False) / self.width)
        return self._search(values)

    def _search(self, values: Array) -> Array:
        """Find the cells among the inner edges: values beyond the ends fall into the end cells."""
        xp = self.samples.namespace
        assert self.edges is not None
        inner = self.samples.like(self.edges[1:-1])
        flat = xp.reshape(xp.astype(values, xp.float64, copy=False), (-1,))
        numbers = xp.searchsorted(inner, flat, side="right")
        return xp.reshape(xp.astype(numbers, xp.float64), values.shape)

    def place_in_equal_cells(
        self, values: np.ndarray, numbers: np.ndarray, scratch: np.ndarray
    ) -> None:
        """Write the numbers of equal cells by arithmetic, and by search where that may err.

        On the host much faster than searching all; the arrays are of one shape and dtype.
        """
        assert self.edges is not None
        first, last = float(self.edges[0]), float(self.edges[-1])
        count, span = len(self.edges) - 1, last - first
        # in cells, for values in range: rounding of the first edge, of the difference, of the
        # factor, of the product, and of the edges themselves; doubled
        rounding = 2.0**-24 if values.dtype == np.float32 else 2.0**-53
        margin = 2 * rounding * count * (3 + 2 * max(abs(first), abs(last)) / span)
        factor = count / span
        if margin > 0.1 or factor > np.finfo(values.dtype).max:  # cells of subnormal width
            numbers[...] = self._search(values)
            return
        np.subtract(values, first, out=scratch)
        np.multiply(scratch, factor, out=scratch)
        np.clip(scratch, 0.25, count - 0.25, out=scratch)
        np.floor(scratch, out=numbers)
        np.subtract(scratch, numbers, out=scratch)
        if scratch.min() < margin or scratch.max() > 1 - margin:
            near = (scratch < margin) | (scratch > 1 - margin)
            numbers[near] = self._search(values[near])

    def fraction_outside(self, values: Array) -> Array:
        """Return the fraction of (batch, sample, unit) values beyond the ends, (batch,)."""
        xp, (low, high) = self.samples.namespace, self.samples.extent
        if self.edges is None or (low >= self.edges[0] and high <= self.edges[-1]):
            return self.samples.like(np.zeros(values.shape[0]))
        exact = xp.astype(values, xp.float64, copy=False)
        beyond = (exact < float(self.edges[0])) | (exact > float(self.edges[-1]))
        return xp.mean(xp.astype(beyond, xp.float64), axis=(1, 2))

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
    >>> from infotheo.arrays.samples import read_samples
    >>> read_cells(read_samples([[0.0], [1.0]]), 2, None, None, None).edges.tolist()
    [0.0, 0.5, 1.0]
    """
    named = {"range": range, "bin_width": bin_width, "edges": edges}
    named_kinds = [name for name, value in named.items() if value is not None]
    if len(named_kinds) > 1:
        raise ValueError(
            f"{' and '.join(named_kinds)} are given together; expected at most one of them"
        )
    if bin_width is not None:
        if isinstance(bin_width, bool) or not is_real(bin_width):
            raise TypeError(f"bin_width is {describe(bin_width)}; expected a positive number")
        largest, width = _magnitude(samples), to_float(bin_width)
        if not (math.isfinite(width) and width > 0 and largest / width < 2**53):
            raise ValueError(
                f"bin_width is {describe(bin_width)}; expected a positive, finite number, not "
                f"below rounding (largest activation {largest:.4g})"
            )
        number = math.ceil(largest / width)
        return Cells(samples, -number, number, width=width)
    if edges is not None and not isinstance(edges, str):
        boundaries = _read_edges(edges)
        return Cells(samples, 0, len(boundaries) - 2, edges=boundaries)
    bins = check_count(bins, "bins")
    if isinstance(edges, str):
        if edges != "quantile":
            raise ValueError(
                f"edges is {describe(edges)}; expected increasing numbers or 'quantile'"
            )
        values = to_numpy(samples.values).astype(np.float64).ravel()
        boundaries = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)))
        boundaries = boundaries if len(boundaries) > 1 else _cell_around(boundaries[0])
        return Cells(samples, 0, len(boundaries) - 2, edges=boundaries)
    low, high = _read_range(range, samples)
    if math.isinf(high - low):
        raise ValueError(
            f"range is ({low:.4g}, {high:.4g}), wider than float64 holds; expected less (divide z "
            "by a constant)"
        )
    boundaries = np.linspace(low, high, bins + 1) if low < high else _cell_around(low)
    return Cells(samples, 0, len(boundaries) - 2, edges=boundaries, name="range")


def _cell_around(value: float) -> np.ndarray:
    """One cell around the only value there is."""
    return np.array([value, np.nextafter(value, np.inf)])


def _magnitude(samples: Samples) -> float:
    return max(map(abs, samples.extent))


def _read_range(range: tuple[float, float] | None, samples: Samples) -> tuple[float, float]:
    if range is None:
        low, high = samples.extent
        if not math.isfinite(high - low):
            raise ValueError(
                f"{samples.name} goes from {low:.3g} to {high:.3g}; expected a range that float64 "
                "holds, for equal cells"
            )
        return low, high
    try:
        low, high = (float(end) for end in range)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        raise TypeError(f"range is {describe(range)}; expected two numbers, low < high") from None
    if not (math.isfinite(high - low) and low < high):
        raise ValueError(f"range is {describe(range)}; expected two finite numbers, low < high")
    return low, high


def _read_edges(edges: Any) -> np.ndarray:
    boundaries = read_real(edges, "edges", "increasing numbers", kinds="fiu")
    boundaries = boundaries.astype(np.float64)
    if boundaries.ndim != 1 or len(boundaries) < 2:
        raise ValueError(f"edges has shape {boundaries.shape}; expected (K,) with K >= 2")
    falls = np.flatnonzero(~(boundaries[1:] > boundaries[:-1]))  # also finds NaN
    if falls.size:
        i = int(falls[0])
        raise ValueError(
            f"edges go from {boundaries[i]} to {boundaries[i + 1]}; expected increasing numbers"
        )
    return boundaries
