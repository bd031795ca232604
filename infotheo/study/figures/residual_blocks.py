"""Residual blocks over training: ratio of norms, Lipschitz bounds, and the inversion itself."""

from __future__ import annotations

from typing import Any, Literal

import matplotlib
import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from infotheo.study.figures import over_time, style, time_scale

__all__ = ["residual_norms_over_training"]

MEASURED = ("lipschitz_lower", "lipschitz_upper", "inversion_succeeded", "licensed")
SHARES = matplotlib.colormaps["RdYlBu"]  # of samples inverted: none red, all blue
NO_IDENTITY = "#d9d9d9"
LICENSED: dict[str, Any] = {
    "linestyle": "", "marker": "o", "markersize": 3.2, "markerfacecolor": "white",
    "markeredgecolor": "black", "markeredgewidth": 0.6,
}  # fmt: skip
FEW_LABELS = 20  # names of blocks beside a panel


@style.styled
def residual_norms_over_training(
    trajectories: dict[str, xarray.Dataset],
    *,
    ratio: Literal["pooled", "mean", "median", "q95"] = "pooled",
    log_time: bool = True,
) -> Figure:
    """Norm ratio |L(x)|/|x| of each residual block, Lipschitz bounds of L, and the inversion.

    Lines are means over seeds, bands reach from the lowest to the highest seed. Below the black
    line a ratio is said to make x + L(x) invertible; an upper bound below it does (a white
    dot); cells show the share of samples that fixed-point iteration inverts, grey where the
    shortcut is not the identity.

    Parameters
    ----------
    trajectories
        Measures over training per label: the variables of ``measures: residual`` and
        ``invertibility`` over (seed, epoch or step, block).
    ratio
        Which one: of all samples as one tensor (paper 5), or mean, median or 95 % quantile of the
        samples' ratios.
    log_time
        Draw the time on a logarithmic axis with room for 0.

    Raises
    ------
    ValueError
        If there is no trajectory, or a variable or dimension is missing.

    Notes
    -----
    Paper 5, figure 5, and paper 4, figure 5, with the measures that their claim needs.
    """
    name, variable = "residual_norms_over_training", f"residual_norm_{ratio}"
    over_time.require_variables(trajectories, [variable, *MEASURED], name)
    rows = len(trajectories)
    most = max(dataset.sizes["block"] for dataset in trajectories.values())
    height = max(2.2, 0.13 * min(most, FEW_LABELS) + 0.7)
    figure = Figure(figsize=(style.WIDTH, height * rows + 0.9), layout="constrained")
    panels = figure.subplots(rows, 3, squeeze=False, sharex="row", width_ratios=[1, 1, 1.05])
    for (label, dataset), (left, middle, right) in zip(trajectories.items(), panels, strict=True):
        blocks = [str(block) for block in dataset["block"].values]
        colours = over_time.ordered_colours(blocks)
        for block in blocks:
            hue = colours[block]
            over_time.draw(left, over_time.series(dataset, variable, block=block), colour=hue)
            for bound, dash in (("lower", "-"), ("upper", "--")):
                values = over_time.series(dataset, f"lipschitz_{bound}", block=block)
                over_time.draw(middle, values, colour=hue, linestyle=dash)
        _set_norm_scale(left, logarithmic=False)
        _set_norm_scale(middle, logarithmic=True)
        _draw_cells(right, dataset, blocks, colours)
        times = over_time.times(over_time.series(dataset, variable, block=blocks[0]))
        time = over_time.time_dimension(dataset)
        for axes in (left, middle, right):
            _set_time_axis(axes, times, time, log_time=log_time)
        _set_titles(left, middle, right, label if rows > 1 else "", ratio)
    figure.legend(
        handles=_legend(), loc="outside lower center", ncols=7, handlelength=1.4, columnspacing=1.1
    )
    figure.suptitle(
        f"Residual blocks over training: norms, bounds and inversion "
        f"({over_time.seed_words(trajectories)})",
        x=0.01, ha="left",
    )  # fmt: skip
    style.note(figure, over_time.divergence_remark(trajectories, [variable]))
    return figure


def _set_titles(left: Axes, middle: Axes, right: Axes, label: str, ratio: str) -> None:
    suffix = {"pooled": "", "q95": ", 95 % quantile"}.get(ratio, f", {ratio}")
    before = f"{label}: " if label else ""
    left.set_title(f"{before}|L(x)| / |x|{suffix}")
    middle.set_title("Lipschitz constant of L")
    right.set_title("Samples inverted")
    left.set_ylabel("ratio of norms")
    middle.set_ylabel("bound")


def _set_norm_scale(axes: Axes, *, logarithmic: bool) -> None:
    """Draw the line at 1 and choose the axis: logarithmic if asked for, or if values need it."""
    axes.axhline(1.0, color="black", linewidth=1.0, zorder=4)
    drawn = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.lines])
    drawn = drawn[np.isfinite(drawn)]
    positive = drawn[drawn > 0]
    axes.grid(axis="y")
    if logarithmic or positive.max() > 20:
        axes.set_yscale("log")
        axes.set_ylim(positive.min() / 1.25, positive.max() * 1.25)
        narrow = positive.max() < 300 * positive.min()
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if narrow else (1,), numticks=12))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_ylim(0, 1.06 * drawn.max())


def _set_time_axis(axes: Axes, times: NDArray[np.float64], name: str, *, log_time: bool) -> None:
    if log_time:
        time_scale.time_axis(axes, times, name)
        return
    axes.set_xlabel(name)
    axes.xaxis.set_major_formatter(FuncFormatter(time_scale.plain))
    axes.locator_params(axis="x", nbins=5)
    pad = 0.02 * (np.ptp(times) or 1.0)
    axes.set_xlim(times.min() - pad, times.max() + pad)


def _draw_cells(
    axes: Axes, dataset: xarray.Dataset, blocks: list[str], colours: dict[str, str]
) -> None:
    """Share of samples inverted by block (downwards) and time; dots where a bound licenses it."""
    arrays = [over_time.series(dataset, "inversion_succeeded", block=block) for block in blocks]
    times = over_time.times(arrays[0])
    shares = np.stack([over_time.summarize_seeds(array.to_numpy()).mean for array in arrays])
    axes.set_facecolor(NO_IDENTITY)
    edges = _cell_edges(times)
    axes.pcolormesh(
        edges, np.arange(len(blocks) + 1) - 0.5, np.ma.masked_invalid(shares),
        cmap=SHARES, vmin=0, vmax=1, linewidth=0, rasterized=True,
    )  # fmt: skip
    for row, block in enumerate(blocks):
        licensed = over_time.series(dataset, "licensed", block=block).to_numpy()
        licensed_times = times[over_time.summarize_seeds(licensed).mean == 1]
        axes.plot(licensed_times, [row] * len(licensed_times), **LICENSED)
    axes.set_ylim(len(blocks) - 0.5, -0.5)
    step = -(-len(blocks) // FEW_LABELS)
    axes.set_yticks(range(0, len(blocks), step), blocks[::step], fontsize=7)
    for text, block in zip(axes.get_yticklabels(), blocks[::step], strict=True):
        text.set_color(colours[block])
    axes.tick_params(axis="y", length=0)


def _cell_edges(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Limits of the cells around times, half-way between them; the outer ones are as wide again.

    Examples
    --------
    >>> _cell_edges(np.array([1.0, 2.0, 4.0])).tolist()
    [0.5, 1.5, 3.0, 5.0]
    """
    if len(times) == 1:
        return np.array([times[0] - 0.5, times[0] + 0.5])
    between = (times[1:] + times[:-1]) / 2
    first = 2 * times[0] - between[0]
    if times[0] > 0:  # the axis may be logarithmic
        first = max(first, times[0] / 2)
    return np.concatenate([[first], between, [2 * times[-1] - between[-1]]])


def _legend() -> list[Line2D | Patch]:
    grey = "#555555"
    return [
        Line2D([], [], color=grey, linestyle="-", label="lower bound"),
        Line2D([], [], color=grey, linestyle="--", label="upper bound"),
        Patch(color=SHARES(0.0), label="none inverted"),
        Patch(color=SHARES(0.5), label="half"),
        Patch(color=SHARES(1.0), label="all inverted"),
        Line2D([], [], label="upper bound < 1", **LICENSED),
        Patch(color=NO_IDENTITY, label="shortcut no identity"),
    ]
