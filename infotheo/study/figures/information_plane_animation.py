"""The information plane as an animation: every network's layers, epoch by epoch."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from infotheo.arrays.labels import Units
from infotheo.arrays.numbers import check_count
from infotheo.study.figures import over_time, style, time_scale
from infotheo.study.figures.animation import Animation
from infotheo.study.figures.information_paths import Paths
from infotheo.study.figures.plane_layout import (
    MARKERS,
    all_paths,
    divergence_remark,
    join_sentences,
    lay_out,
    layer_markers,
    read_planes,
    show_layers,
)

__all__ = ["information_plane_animation"]

TRAIL = 8  # times that the mean path is seen for


@style.styled
def information_plane_animation(
    trajectories: dict[str, xarray.Dataset],
    *,
    estimator: Literal["both", "binned", "pairwise"] = "both",
    noise_variance: float | None = None,
    relative_noise_variance: float | None = None,
    units: Units = "bits",
    frames: int = 60,
) -> Animation:
    """Information plane of every layer moving through training: a dot for each network.

    A line is where the mean of the networks came from. Pairwise bounds: the dot is the middle
    between (lower bound, Chernoff estimate) and (upper bound, Kullback-Leibler estimate).

    Parameters
    ----------
    trajectories
        Measures over training per label, as for ``information_plane``.
    estimator, noise_variance, relative_noise_variance, units
        As for ``information_plane``.
    frames
        At most so many of the times, evenly spread over the schedule, first and last among them.

    Raises
    ------
    ValueError
        If a variable is missing, the noise variance was not measured or a setting is unknown.

    Notes
    -----
    After the video of Shwartz-Ziv & Tishby 2017 that paper 5, section 1.2, refers to. Where labels
    have different times, a frame shows the latest of each up to its own.
    """
    name = "information_plane_animation"
    check_count(frames, "frames", least=1)
    planes, titles = read_planes(
        trajectories, name, estimator, noise_variance, relative_noise_variance, units
    )
    paths_list = all_paths(planes)
    known = np.unique(np.concatenate([paths.time for paths in paths_list]))
    places = np.linspace(0, len(known) - 1, min(frames, len(known))).round().astype(int)
    frame_times = known[np.unique(places)]
    layers = [layer for layer, _ in layer_markers(planes)]
    colours = list(over_time.ordered_colours(layers).values())
    figure, panels = lay_out(planes, titles, units)
    show_layers(figure, planes, colours=colours, remark=join_sentences([divergence_remark(planes)]))
    seeds = over_time.seed_words(trajectories).replace("mean and range of ", "")
    figure.suptitle(f"Information plane over training ({seeds})", x=0.01, ha="left")
    clock = figure.text(0.99, 0.99, "", ha="right", va="top", fontsize=12, fontweight="bold")
    lines = {
        (kind, label, index): _lines(axes, colours[place], MARKERS[place % len(MARKERS)])
        for (kind, label), axes in panels.items()
        for index, place in enumerate(planes[kind][label].places)
    }

    def show(frame: int) -> None:
        clock.set_text(f"{paths_list[0].time_name} {time_scale.plain(frame_times[frame])}")
        for (kind, label, index), (trail, dots) in lines.items():
            paths = planes[kind][label]
            # up to and including the latest time that is not after the frame's
            until = int(np.searchsorted(paths.time, frame_times[frame], side="right"))
            x, y = _middle(paths, index)
            dots.set_data(x[:, until - 1 : until].ravel(), y[:, until - 1 : until].ravel())
            recent = slice(max(0, until - TRAIL), until)
            means = (over_time.summarize_seeds(values[:, recent]).mean for values in (x, y))
            trail.set_data(*means)

    moving: list[Artist] = [line for pair in lines.values() for line in pair]
    return Animation(figure, [*moving, clock], show, len(frame_times))


def _lines(axes: Axes, colour: str, marker: str) -> tuple[Line2D, Line2D]:
    """Empty trail of the mean and dots of the seeds of one layer."""
    (trail,) = axes.plot([], [], color=colour, linewidth=1.6, alpha=0.55, zorder=3)
    (dots,) = axes.plot(
        [], [], linestyle="none", marker=marker, markersize=4.5, color=colour,
        markeredgecolor="white", markeredgewidth=0.3, zorder=4,
    )  # fmt: skip
    return trail, dots


def _middle(paths: Paths, place: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """I(X;T) and I(T;Y) of one layer, (seed, time): binned, or amid the pairwise bounds."""
    return paths.input[:, place].mean(axis=0), paths.label[:, place].mean(axis=0)
