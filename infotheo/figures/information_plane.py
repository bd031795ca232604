"""The information plane: I(X;T) against I(T;Y) over training (Shwartz-Ziv & Tishby 2017)."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from infotheo.figures import information_paths, over_time, style
from infotheo.figures.information_paths import Estimator, Paths
from infotheo.validation import Units

__all__ = [
    "Planes",
    "information_plane",
    "lay_out",
    "layer_markers",
    "read_planes",
    "remark",
    "show_layers",
]

MARKERS = "osD^vPX*<>phH8d"

Planes = dict[Estimator, dict[str, Paths]]


@style.styled
def information_plane(
    trajectories: dict[str, xarray.Dataset],
    *,
    estimator: Literal["both", "binned", "pairwise"] = "both",
    noise_variance: float | None = None,
    relative_noise_variance: float | None = None,
    units: Units = "bits",
) -> Figure:
    """Information plane of every layer over training: mean over seeds coloured by epoch.

    A thin grey line is one network. Binned estimates, and below them the pairwise bounds: a stroke
    from the lower bound of I(X;T) and Chernoff's estimate of I(T;Y) to the upper bound and the
    estimate by Kullback-Leibler divergences, its middle marked. Numbers stand at the end of
    training; dotted lines are the ceilings, the logarithm of the number of samples and H(Y).

    Parameters
    ----------
    trajectories
        Measures over training per label: the variables of ``measures: binned`` and ``pairwise``
        over (layer, seed, epoch or step), in nats.
    estimator
        ``"binned"``, ``"pairwise"`` or ``"both"``.
    noise_variance, relative_noise_variance
        Where to take the pairwise bounds: a value of the study's sweep; by default its first.
    units
        ``"bits"`` or ``"nats"``.

    Raises
    ------
    ValueError
        If a variable is missing, the noise variance was not measured or a setting is unknown.

    Notes
    -----
    After Shwartz-Ziv & Tishby 2017 and Saxe et al. 2018; paper 5, sections 1.2 and 3.4, figure 6.
    The estimates of I(T;Y) from one divergence are no bounds; their rigorous bounds are drawn by
    ``information_over_training``.
    """
    name = "information_plane"
    planes, titles = read_planes(
        trajectories, name, estimator, noise_variance, relative_noise_variance, units
    )
    every = np.concatenate([paths.time for of in planes.values() for paths in of.values()])
    norm, scale, ticks = over_time.time_colours(every)
    figure, panels = lay_out(planes, titles, units)
    for (kind, label), axes in panels.items():
        _paths(axes, planes[kind][label], norm, scale)
    any_paths = next(iter(next(iter(planes.values())).values()))
    bar = figure.colorbar(
        ScalarMappable(norm, scale), ax=list(panels.values()), label=any_paths.time_name,
        aspect=35, shrink=0.8 if len(panels) <= 8 else 0.45, pad=0.015,
    )  # fmt: skip
    bar.set_ticks(ticks, labels=[over_time.plain(tick) for tick in ticks])
    bar.minorticks_off()
    show_layers(figure, planes, said=remark([*_key(planes), left_out(planes)]))
    seeds = over_time.seed_words(trajectories).replace("mean and range", "mean")
    figure.suptitle(f"Information plane over training ({seeds})", x=0.01, ha="left")
    return figure


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
            noise = information_paths.noise_of(
                trajectories, noise_variance, relative_noise_variance, figure
            )
            titles[kind] = f"pairwise, {information_paths.noise_text(noise)}"
        planes[kind] = information_paths.read(trajectories, kind, figure, noise=noise, units=units)
    return planes, titles


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
    for row, (kind, of_label) in enumerate(planes.items()):
        right = _right_end(of_label.values())
        top = _top_end(of_label.values())
        for index, (label, paths) in enumerate(of_label.items()):
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
    every = [paths.layers for of in planes.values() for paths in of.values()]
    names = [
        list(dict.fromkeys(layers[place] for layers in every if place < len(layers)))
        for place in range(max(map(len, every)))
    ]
    return [(" | ".join(alike), MARKERS[place % len(MARKERS)]) for place, alike in enumerate(names)]


def show_layers(
    figure: Figure, planes: Planes, *, colours: Sequence[str] | None = None, said: str = ""
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
        handles=handles, loc="outside lower left", title=f"Layers. {said}" if said else "Layers",
        alignment="left", handletextpad=0.1, columnspacing=1.4, ncols=-(-len(handles) // rows),
        title_fontsize=8,
    )  # fmt: skip
    legend.get_title().set_color("#555555")


def left_out(planes: Planes) -> str:
    """Say which seeds diverged, judged by what is drawn."""
    finite: dict[str, NDArray[np.bool_]] = {}
    for of_label in planes.values():
        for label, paths in of_label.items():
            kept = np.asarray(np.isfinite(paths.input + paths.label).all(axis=(0, 1, 3)))
            finite[label] = np.logical_and(kept, finite.get(label, kept))
    return over_time.left_out_words(finite)


def _paths(axes: Axes, paths: Paths, norm: Normalize, scale: Colormap) -> None:
    """Draw every layer of one label: thin lines of the seeds, and the mean coloured by time."""
    x, y = paths.input.mean(axis=0), paths.label.mean(axis=0)  # (layer, seed, time)
    ends = {}
    for index, layer in enumerate(paths.layers):
        if x.shape[1] > 1:
            seeds = np.stack([x[index], y[index]], axis=-1)  # (seed, time, 2)
            axes.add_collection(
                LineCollection(
                    list(seeds),
                    colors="#9a9a9a",
                    linewidths=0.4,
                    alpha=0.45,
                    zorder=1,
                    rasterized=True,  # 20 seeds of 6 layers are megabytes of lines
                )
            )
        strokes = np.stack(
            [_means(paths.input[:, index]), _means(paths.label[:, index])], axis=-1
        ).swapaxes(0, 1)  # (time, side, 2)
        middle = np.stack([_mean(x[index]), _mean(y[index])], axis=-1)  # (time, 2)
        if strokes.shape[1] > 1:
            axes.add_collection(
                LineCollection(
                    list(strokes), array=paths.time, norm=norm, cmap=scale, linewidths=0.8,
                    alpha=0.4, zorder=2,
                )
            )  # fmt: skip
        axes.plot(*middle.T, color="#777777", linewidth=0.5, zorder=3, label=f"mean of {layer}")
        marker = MARKERS[index % len(MARKERS)]
        edge = 0.3 if len(middle) <= 50 else 0.0  # edges of many would cover the colours
        axes.scatter(
            middle[:, 0], middle[:, 1], c=paths.time, norm=norm, cmap=scale, marker=marker,
            s=15 if edge else 11, edgecolors="white" if edge else "none", linewidths=edge,
            zorder=4, label=layer,
        )  # fmt: skip
        finite = np.flatnonzero(np.isfinite(middle).all(axis=1))
        if finite.size:
            ends[index + 1] = middle[finite[-1]]
    _number(axes, ends)


def _number(axes: Axes, ends: Mapping[int, NDArray[np.float64]]) -> None:
    """Write the layers' numbers at the ends of their paths, one text where they would touch."""
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    corner, size = np.array([left, bottom]), np.array([right - left, top - bottom])
    inches = _panel_inches(axes)
    shares = {number: (place - corner) / size * inches for number, place in ends.items()}
    groups: list[list[int]] = []
    for number in sorted(shares, key=lambda one: tuple(-shares[one])):
        for group in groups:
            if all((np.abs(shares[number] - shares[one]) < [0.14, 0.2]).all() for one in group):
                group.append(number)
                break
        else:
            groups.append([number])
    written: list[NDArray[np.float64]] = []
    for group in groups:
        place = np.mean([shares[number] for number in group], axis=0)
        upwards = 1 if place[1] < 0.4 else -1
        at = place + np.array([0.0, 0.08 * upwards])
        while any((np.abs(at - other) < [0.25, 0.14]).all() for other in written):
            at = at + np.array([0.0, 0.16 * upwards])  # the next row is free, or the one after
        written.append(at)
        axes.annotate(
            _listed(group), place / inches, at / inches,
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


def remark(sentences: Sequence[str]) -> str:
    """Join sentences, in lines that a figure has room for.

    Examples
    --------
    >>> remark(["Grey: single seeds.", ""])
    'Grey: single seeds.'
    """
    return textwrap.fill(" ".join(filter(None, sentences)), 145)


def _key(planes: Planes) -> list[str]:
    """Explain what is drawn, in sentences."""
    several = any(paths.input.shape[2] > 1 for of in planes.values() for paths in of.values())
    said = ["Grey: single seeds."] if several else []
    if "pairwise" in planes:
        said.append(
            "Pairwise: strokes from (lower bound, Chernoff estimate) to (upper bound, KL estimate),"
            " middle marked."
        )
    return said


def _listed(numbers: Sequence[int]) -> str:
    """Numbers as text, a run as its ends.

    Examples
    --------
    >>> _listed([1, 2, 3]), _listed([2, 5]), _listed([6])
    ('1–3', '2, 5', '6')
    """
    ordered = sorted(numbers)
    if len(ordered) > 2 and ordered[-1] - ordered[0] == len(ordered) - 1:
        return f"{ordered[0]}–{ordered[-1]}"
    return ", ".join(map(str, ordered))


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


def _right_end(of_label: Iterable[Paths]) -> float:
    """Greatest value of I(X;T) that a panel must show: the ceiling, or the data without one."""
    every = list(of_label)
    return _greatest([paths.input_ceiling for paths in every], [paths.input for paths in every])


def _top_end(of_label: Iterable[Paths]) -> float:
    every = list(of_label)
    return _greatest([paths.label_ceiling for paths in every], [paths.label for paths in every])


def _greatest(ceilings: Sequence[float], arrays: Sequence[NDArray[np.float64]]) -> float:
    values = np.concatenate([np.ravel(array) for array in arrays] + [np.array(ceilings)])
    values = values[np.isfinite(values)]
    return float(values.max(initial=0.0)) or 1.0


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return over_time.over_seeds(values).mean


def _means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over seeds for each side: (side, seed, time) → (side, time)."""
    return np.stack([_mean(side) for side in values])
