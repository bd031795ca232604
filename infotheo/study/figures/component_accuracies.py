"""Accuracy of classifiers on the leading principal components of the features."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from infotheo.study.figures import over_time, style

__all__ = ["component_accuracies"]

PANELS = {
    "component_svm_accuracy": ("Linear SVM", "accuracy (%)"),
    "component_neighbor_accuracy": ("Nearest neighbour", "accuracy (%)"),
    "component_explained_variance": ("Explained variance", "share of the variance (%)"),
}
MARKERS = "osD^vPX"


@style.styled
def component_accuracies(trajectories: dict[str, xarray.Dataset], *, start: bool = True) -> Figure:
    """Accuracy of a linear SVM and a nearest neighbour on the leading principal components.

    The features are what the last layer receives, at the end of training (solid) and before it
    (dotted): mean over seeds, band from least to greatest.

    Parameters
    ----------
    trajectories
        Measures over training per label: the variables of ``measures: components`` over
        (seed, epoch or step, components).
    start
        Whether the first moment is drawn too.

    Raises
    ------
    ValueError
        If a variable or dimension is missing.

    Notes
    -----
    Paper 5, section 3.5 and figure 7.
    """
    name = "component_accuracies"
    over_time.require_variables(trajectories, PANELS, name)
    for label, dataset in trajectories.items():
        for variable in PANELS:
            if "components" not in dataset[variable].dims:
                raise ValueError(
                    f"{name}: {variable!r} of {label!r} has dimensions {dataset[variable].dims}; "
                    "expected 'components' among them"
                )
    labels = list(trajectories)
    colours = _colours(labels)
    figure = Figure(figsize=(style.WIDTH, 3.9), layout="constrained")
    panels = figure.subplots(1, len(PANELS))
    moments: tuple[Literal[0, -1], ...] = (0, -1) if start else (-1,)
    for axes, (variable, (title, axis)) in zip(panels, PANELS.items(), strict=True):
        counts = []
        for place, (label, dataset) in enumerate(trajectories.items()):
            array = dataset[variable]
            for moment in moments:
                if moment == 0 and array.sizes[over_time.time_dimension(array)] == 1:
                    continue
                _curve(axes, array, moment, colours[label], MARKERS[place % len(MARKERS)])
            counts.append(array["components"].to_numpy())
        _components_axis(axes, np.unique(np.concatenate(counts)))
        axes.set_title(title)
        axes.set_ylabel(axis)
        axes.grid(axis="y")
        axes.set_ylim(-3.0, 103.0)
    diverged = over_time.divergence_remark(_last_moments(trajectories), PANELS)
    remark = f"{_moments_text(trajectories, start)} {diverged}"
    handles = [
        Line2D([], [], color=colours[label], marker=MARKERS[place % len(MARKERS)], label=label)
        for place, label in enumerate(labels)
    ]
    legend = figure.legend(
        handles=handles, loc="outside lower left", title=remark.strip(), alignment="left",
        ncols=max(1, 120 // (max(map(len, labels)) + 8)), title_fontsize=8,
    )  # fmt: skip
    legend.get_title().set_color("#555555")
    seeds = over_time.seed_words(trajectories)
    figure.suptitle(
        f"Classifiers on principal components of the features ({seeds})", x=0.01, ha="left"
    )
    return figure


def _curve(axes: Axes, array: xarray.DataArray, moment: int, colour: str, marker: str) -> None:
    values = array.isel({over_time.time_dimension(array): moment})
    values = values.transpose("seed", "components")
    spread = over_time.summarize_seeds(100.0 * values.to_numpy().astype(np.float64))
    numbers = values["components"].to_numpy()
    last = moment == -1
    axes.plot(
        numbers, spread.mean, color=colour, linestyle="-" if last else (0, (1, 1.5)),
        marker=marker if last or len(numbers) == 1 else None, markersize=4,
        markerfacecolor=colour if last else "white", zorder=3 if last else 2,
    )  # fmt: skip
    if len(numbers) == 1:
        axes.vlines(numbers, spread.low, spread.high, color=colour, alpha=0.4)
    elif values.sizes["seed"] > 1:
        axes.fill_between(
            numbers, spread.low, spread.high, color=colour, alpha=0.13, lw=0, zorder=1
        )


def _components_axis(axes: Axes, counts: NDArray[np.int64]) -> None:
    """Logarithmic, with ticks at numbers of components that were measured."""
    axes.set_xlabel("number of components")
    axes.set_xscale("log")
    axes.set_xlim(counts[0] / 1.1, counts[-1] * 1.1)
    ticks = [counts[0]]
    for count in counts[1:]:  # no two labels may touch
        if count / ticks[-1] >= (counts[-1] / counts[0]) ** 0.1:
            ticks.append(count)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def _colours(labels: list[str]) -> dict[str, str]:
    if all(label in style.REGULARIZERS for label in labels):
        return {label: style.colour(label) for label in labels}
    return over_time.ordered_colours(labels)


def _last_moments(trajectories: dict[str, xarray.Dataset]) -> dict[str, xarray.Dataset]:
    return {
        label: dataset[list(PANELS)].isel({over_time.time_dimension(dataset): [-1]})
        for label, dataset in trajectories.items()
    }


def _moments_text(trajectories: dict[str, xarray.Dataset], start: bool) -> str:
    """Say which line is of which moment; the labels may have been trained for unlike times."""
    firsts, lasts = set(), set()
    for dataset in trajectories.values():
        time = over_time.time_dimension(dataset)
        times = (
            dataset[time].to_numpy() if time in dataset.coords else np.arange(dataset.sizes[time])
        )
        lasts.add(f"{time} {times[-1]:g}")
        if start and len(times) > 1:
            firsts.add(f"{time} {times[0]:g}")
    ends = " or ".join(sorted(lasts))
    return f"Solid: {ends}; dotted: {' or '.join(sorted(firsts))}." if firsts else f"At {ends}."
