"""Panels of information planes: their paths, places, ceilings and the key to the layers."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from infotheo.arrays.labels import Units
from infotheo.study.figures import information_paths, over_time, style
from infotheo.study.figures.information_paths import Estimator, Paths

__all__ = [
    "MARKERS", "Planes", "all_paths", "divergence_remark", "join_sentences", "lay_out",
    "layer_markers", "read_planes", "show_layers",
]  # fmt: skip

MARKERS = "osD^vPX*<>phH8d"

Planes = dict[Estimator, dict[str, Paths]]


def read_planes(
    trajectories: Mapping[str, xarray.Dataset],
    figure: str,
    estimator: str,
    noise_variance: float | None,
    relative_noise_variance: float | None,
    units: Units,
) -> tuple[Planes, dict[Estimator, str]]:
    """Information over training by estimator and label, and the estimators' titles."""
    kinds = information_paths.estimators(estimator, figure)
    planes, titles = {}, {}
    for kind in kinds:
        noise = None
        titles[kind] = "binned"
        if kind == "pairwise":
            noise = information_paths.choose_noise(
                trajectories, noise_variance, relative_noise_variance, figure
            )
            titles[kind] = f"pairwise, {information_paths.noise_text(noise)}"
        planes[kind] = information_paths.read_paths(
            trajectories, kind, figure, noise=noise, units=units
        )
    return _renumber_layers(planes), titles


def all_paths(planes: Planes) -> list[Paths]:
    """Return the paths of every estimator and label."""
    return [paths for label_paths in planes.values() for paths in label_paths.values()]


def lay_out(
    planes: Planes, titles: Mapping[Estimator, str], units: str
) -> tuple[Figure, dict[tuple[Estimator, str], Axes]]:
    """Empty planes with axes, ceilings and titles: labels in columns, estimators below each other.

    For a single label the estimators stand side by side.
    """
    labels = list(next(iter(planes.values())))
    blocks, columns = over_time.labels_grid(len(labels))
    rows = blocks * len(planes)
    if len(labels) == 1:
        rows, columns = 1, len(planes)
    height = min(4.6, 0.9 * style.WIDTH / columns)
    figure = Figure(figsize=(style.WIDTH, 1.3 + height * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    panels = {}
    for row, (kind, label_paths) in enumerate(planes.items()):
        right = _right_end(label_paths.values())
        top = _top_end(label_paths.values())
        for index, (label, paths) in enumerate(label_paths.items()):
            block, column = divmod(index, columns)
            axes = grid[0, row] if len(labels) == 1 else grid[block * len(planes) + row, column]
            axes.set_xlim(-0.02 * right, right * 1.05)
            axes.set_ylim(-0.03 * top, top * 1.13)
            axes.set_title(label)
            axes.grid(True)
            _ceilings(axes, paths)
            if column == 0 or len(labels) == 1:
                axes.set_ylabel(f"{titles[kind]}\nI(T;Y) ({units})")
            axes.set_xlabel(f"I(X;T) ({units})")
            panels[kind, label] = axes
    used = set(panels.values())
    for axes in grid.ravel():
        if axes not in used:
            axes.set_axis_off()
    return figure, panels


def layer_markers(planes: Planes) -> list[tuple[str, str]]:
    """Name and marker of every layer from the first; labels with other names share a place."""
    layers_by_place = [
        dict(zip(paths.places, paths.layers, strict=True)) for paths in all_paths(planes)
    ]
    names = [
        list(dict.fromkeys(layers[place] for layers in layers_by_place if place in layers))
        for place in range(1 + max(place for layers in layers_by_place for place in layers))
    ]
    return [(" | ".join(alike), MARKERS[place % len(MARKERS)]) for place, alike in enumerate(names)]


def show_layers(
    figure: Figure, planes: Planes, *, colours: Sequence[str] | None = None, remark: str = ""
) -> None:
    """Explain numbers and markers (or colours) of the layers below the figure, under a remark."""
    handles = [
        Line2D(
            [], [], linestyle="none", marker=marker, markersize=5.5, markeredgecolor="white",
            markeredgewidth=0.4, color=colours[place] if colours else "#555555",
            label=f"{place + 1}: {name}",
        )
        for place, (name, marker) in enumerate(layer_markers(planes))
    ]  # fmt: skip
    widest = max(len(str(handle.get_label())) for handle in handles)
    rows = -(-len(handles) // max(1, 120 // (widest + 6)))
    legend = figure.legend(
        handles=handles, loc="outside lower left",
        title=f"Layers. {remark}" if remark else "Layers", alignment="left", title_fontsize=8,
        handletextpad=0.1, columnspacing=1.4, ncols=-(-len(handles) // rows),
    )  # fmt: skip
    legend.get_title().set_color("#555555")


def divergence_remark(planes: Planes) -> str:
    """Say which seeds diverged, judged by what is drawn."""
    finite: dict[str, NDArray[np.bool_]] = {}
    for label_paths in planes.values():
        for label, paths in label_paths.items():
            seeds = np.asarray(np.isfinite(paths.input + paths.label).all(axis=(0, 1, 3)))
            finite[label] = np.logical_and(seeds, finite.get(label, seeds))
    return over_time.divergence_words(finite)


def join_sentences(sentences: Sequence[str]) -> str:
    """Join sentences, in lines that a figure has room for.

    Examples
    --------
    >>> join_sentences(["Grey: single seeds.", ""])
    'Grey: single seeds.'
    """
    return textwrap.fill(" ".join(filter(None, sentences)), 145)


def _renumber_layers(planes: Planes) -> Planes:
    """Renumber the layers of each label, over those that any of the estimators has."""
    places: dict[str, set[int]] = {}
    for label_paths in planes.values():
        for label, paths in label_paths.items():
            places.setdefault(label, set()).update(paths.places)
    return {
        kind: {
            label: paths._replace(
                places=[sorted(places[label]).index(place) for place in paths.places]
            )
            for label, paths in label_paths.items()
        }
        for kind, label_paths in planes.items()
    }


def _ceilings(axes: Axes, paths: Paths) -> None:
    line: dict[str, Any] = {"color": "black", "linestyle": ":", "linewidth": 1.0, "zorder": 2}
    if math.isfinite(paths.input_ceiling):
        axes.axvline(paths.input_ceiling, label="ceiling log N", **line)
        axes.text(
            paths.input_ceiling, 0.03, f"log N = {paths.input_ceiling:.2f} ", rotation=90,
            ha="right", va="bottom", fontsize=7, color="#444444",
            transform=axes.get_xaxis_transform(),
        )  # fmt: skip
    if math.isfinite(paths.label_ceiling):
        axes.axhline(paths.label_ceiling, label="ceiling H(Y)", **line)
        axes.text(
            0.015, paths.label_ceiling, f"H(Y) = {paths.label_ceiling:.2f}", ha="left",
            va="bottom", fontsize=7, color="#444444", transform=axes.get_yaxis_transform(),
        )  # fmt: skip


def _right_end(row: Collection[Paths]) -> float:
    """Greatest value of I(X;T) that a panel must show: the ceiling, or the data without one."""
    return _greatest([paths.input_ceiling for paths in row], [paths.input for paths in row])


def _top_end(row: Collection[Paths]) -> float:
    return _greatest([paths.label_ceiling for paths in row], [paths.label for paths in row])


def _greatest(ceilings: Sequence[float], arrays: Sequence[NDArray[np.float64]]) -> float:
    values = np.concatenate([np.ravel(array) for array in arrays] + [np.array(ceilings)])
    values = values[np.isfinite(values)]
    return float(values.max(initial=0.0)) or 1.0
