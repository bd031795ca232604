"""Numbers at the ends of the paths in a panel, side by side where they would cover each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from infotheo.study.figures import style

__all__ = ["number_ends"]


def number_ends(axes: Axes, ends: Mapping[int, NDArray[np.float64]]) -> None:
    """Write the layers' numbers at the ends of their paths, one text where they would touch."""
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    corner, size = np.array([left, bottom]), np.array([right - left, top - bottom])
    inches = _panel_inches(axes)
    shares = {number: (place - corner) / size * inches for number, place in ends.items()}
    groups: list[list[int]] = []
    for number in sorted(shares, key=lambda layer: tuple(-shares[layer])):
        for group in groups:
            if all((np.abs(shares[number] - shares[other]) < [0.14, 0.2]).all() for other in group):
                group.append(number)
                break
        else:
            groups.append([number])
    written: list[NDArray[np.float64]] = []
    for group in groups:
        place = np.mean([shares[number] for number in group], axis=0)
        upwards = 1 if place[1] < 0.4 else -1
        text_place = place + np.array([0.0, 0.08 * upwards])
        while any((np.abs(text_place - other) < [0.25, 0.14]).all() for other in written):
            # the next row is free, or the one after
            text_place = text_place + np.array([0.0, 0.16 * upwards])
        written.append(text_place)
        axes.annotate(
            _numbers_text(group), place / inches, text_place / inches,
            xycoords="axes fraction", textcoords="axes fraction",
            ha="center", va="bottom" if upwards > 0 else "top", fontsize=7.5, zorder=6,
            fontweight="bold",
            bbox={"boxstyle": "round,pad=0.12", "fc": "white", "ec": "#999999", "lw": 0.4},
            arrowprops={"arrowstyle": "-", "color": "#999999", "lw": 0.5, "shrinkA": 0},
        )  # fmt: skip


def _panel_inches(axes: Axes) -> NDArray[np.float64]:
    """About how wide and high a panel will be."""
    grid, figure = axes.get_gridspec(), axes.get_figure(root=True)
    width, height = figure.get_size_inches() if figure else (style.WIDTH, style.WIDTH)
    rows, columns = (grid.nrows, grid.ncols) if grid else (1, 1)
    return np.array([0.84 * width / columns, 0.68 * height / rows])


def _numbers_text(numbers: Sequence[int]) -> str:
    """Numbers as text, a run as its ends.

    Examples
    --------
    >>> _numbers_text([1, 2, 3]), _numbers_text([2, 5]), _numbers_text([6])
    ('1–3', '2, 5', '6')
    """
    ordered = sorted(numbers)
    if len(ordered) > 2 and ordered[-1] - ordered[0] == len(ordered) - 1:
        return f"{ordered[0]}–{ordered[-1]}"
    return ", ".join(map(str, ordered))
