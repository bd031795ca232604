"""The scale of training time: an axis or colours, logarithmic with room for 0, and its ticks."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, ListedColormap, Normalize, SymLogNorm
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

__all__ = ["plain", "time_axis", "time_colours"]

ROOM = 0.15  # of the axis, that the text of a tick needs


def time_axis(axes: Axes, times: NDArray[np.float64], name: str = "epoch") -> None:
    """Make the horizontal axis logarithmic with room for time 0, or linear for a short range.

    Parameters
    ----------
    axes
        Whose axis.
    at
        All times that are drawn.
    name
        Label of the axis.
    """
    axes.set_xlabel(name)
    times = np.asarray(times, dtype=np.float64)
    first, last = _positive_range(times)
    if last < 10 * first:
        pad = 0.03 * (np.ptp(times) or 1.0)
        axes.set_xlim(times.min() - pad, times.max() + pad)
        axes.locator_params(axis="x", integer=True, nbins=5)
        return
    has_zero = bool(times.min() <= 0)
    if has_zero:
        axes.set_xscale("symlog", linthresh=first, linscale=0.4)
        axes.set_xlim(-0.06 * first, last * 1.06)
    else:
        axes.set_xscale("log")
        axes.set_xlim(first / 1.06, last * 1.06)
    axes.xaxis.set_major_locator(FixedLocator(_ticks(times)))
    axes.xaxis.set_major_formatter(FuncFormatter(plain))
    axes.xaxis.set_minor_locator(NullLocator())


def time_colours(times: NDArray[np.float64]) -> tuple[Normalize, Colormap, list[float]]:
    """Colours by time, logarithmic with room for 0: the norm, the map and the scale's ticks.

    Examples
    --------
    >>> norm, _, ticks = time_colours(np.array([0.0, 1.0, 10.0, 100.0]))
    >>> ticks, float(norm(0)), float(norm(100))
    ([0.0, 1.0, 10.0, 100.0], 0.0, 1.0)
    """
    colours = matplotlib.colormaps["plasma"](np.linspace(0.0, 0.93, 256))  # yellow is too pale
    scale = ListedColormap(colours)
    times = np.asarray(times, dtype=np.float64)
    first, last = _positive_range(times)
    start = float(min(times.min(), last))
    if last < 10 * first:
        return Normalize(start, last if last > start else start + 1), scale, _ticks(times)
    return SymLogNorm(first, linscale=0.4, vmin=start, vmax=last, base=10), scale, _ticks(times)


def plain(value: float, _: float | None = None) -> str:
    """Write a time in plain digits below 10,000, and then in thousands.

    Examples
    --------
    >>> plain(0), plain(1000), plain(20_000)
    ('0', '1000', '20k')
    """
    return f"{value / 1000:g}k" if value >= 10_000 else f"{value:g}"


def _positive_range(times: NDArray[np.float64]) -> tuple[float, float]:
    positive = times[times > 0]
    return (float(positive.min()), float(positive.max())) if positive.size else (1.0, 1.0)


def _ticks(times: NDArray[np.float64]) -> list[float]:
    """Choose the times to write: 0 if it occurs, and round ones up to near the last.

    Powers of ten of a wide range, and its last time where they leave room for it; 1, 2 and 5 times
    them below two decades, or 1 and 3 times where the numbers are wider; a few of the times of a
    range of less than one decade.
    """
    first, last = _positive_range(times)
    if last < 10 * first:
        distinct = np.unique(times)
        places = np.linspace(0, len(distinct) - 1, min(4, len(distinct))).astype(int)
        return [float(value) for value in distinct[places]]
    zero = [0.0] if times.min() <= 0 else []
    decades = 10.0 ** np.arange(np.floor(np.log10(first)), np.floor(np.log10(last) + 1e-9) + 1)
    if last < 100 * first:
        decades = np.outer(decades, [1, 2, 5] if last < 100 else [1, 3]).ravel()
    inside = (decades >= first * (1 - 1e-9)) & (decades <= last * (1 + 1e-9))
    ticks = [float(value) for value in decades[inside]]
    ticks = ticks[:: -(-len(ticks) // 6)]
    if np.log(last / ticks[-1]) > ROOM * np.log(last / first):
        ticks.append(last)
    return zero + ticks
