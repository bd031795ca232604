"""I(X;T) and I(T;Y) of every layer against the epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from infotheo.arrays.labels import Units
from infotheo.study.figures import over_time, style, time_scale
from infotheo.study.figures.information_paths import Paths
from infotheo.study.figures.plane_layout import (
    Planes,
    divergence_remark,
    join_sentences,
    layer_markers,
    read_planes,
)

__all__ = ["information_over_training"]

QUANTITIES = {"input": "I(X;T)", "label": "I(T;Y)"}
CEILINGS = {"input": "log N", "label": "H(Y)"}


@style.styled
def information_over_training(
    trajectories: dict[str, xarray.Dataset],
    *,
    estimator: Literal["both", "binned", "pairwise"] = "both",
    noise_variance: float | None = None,
    relative_noise_variance: float | None = None,
    units: Units = "bits",
) -> Figure:
    """I(X;T) and I(T;Y) of every layer over training, binned and by pairwise distances.

    Binned: mean over seeds, band from least to greatest. Pairwise: mean upper bound (solid) and
    mean lower bound (dashed) of I(X;T), shaded between, lighter to the least and the greatest
    seed; for I(T;Y) the same of the estimates by Kullback-Leibler (solid) and Chernoff (dashed)
    divergences, which are no bounds, and dotted the rigorous lower bound. Dotted black: ceilings.

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
    Paper 5, sections 1.2 and 3.4 and claim 2.1. The rigorous upper bound of I(T;Y) mostly
    equals H(Y) and is left out.
    """
    name = "information_over_training"
    planes, titles = read_planes(
        trajectories, name, estimator, noise_variance, relative_noise_variance, units
    )
    labels = list(trajectories)
    blocks, columns = over_time.labels_grid(len(labels))
    kinds = [(kind, quantity) for quantity in QUANTITIES for kind in planes]
    stacked = len(labels) > 1  # for a single label, estimators side by side
    per_block = len(kinds) if stacked else len(QUANTITIES)
    columns = columns if stacked else len(planes)
    height = 1.85 if stacked else 2.7
    figure = Figure(figsize=(style.WIDTH, 1.2 + height * per_block * blocks), layout="constrained")
    grid = figure.subplots(per_block * blocks, columns, squeeze=False)
    layers = [name for name, _ in layer_markers(planes)]
    colours = list(over_time.ordered_colours(layers).values())
    for row, (kind, quantity) in enumerate(kinds):
        label_paths = planes[kind]
        top = _top(label_paths.values(), quantity)
        for index, (label, paths) in enumerate(label_paths.items()):
            block, column = divmod(index, columns)
            axes = (
                grid[block * per_block + row, column] if stacked
                else grid[row // len(planes), row % len(planes)]
            )  # fmt: skip
            _curves(axes, paths, quantity, colours)
            _ceiling(axes, getattr(paths, f"{quantity}_ceiling"), CEILINGS[quantity])
            axes.set_ylim(-0.03 * top, top * 1.16)
            time_scale.time_axis(axes, paths.time, paths.time_name)
            axes.grid(axis="y")
            last = row == len(kinds) - 1 or (not stacked and row // len(planes) == 1)
            if not last:
                axes.set_xlabel("")
                axes.tick_params(labelbottom=False)
            if row == 0 or (not stacked and row < len(planes)):
                axes.set_title(label if stacked else f"{label}: {titles[kind]}")
            if column == 0:
                title = f"{titles[kind]}\n" if stacked else ""
                axes.set_ylabel(f"{title}{QUANTITIES[quantity]} ({units})")
    for axes in grid.ravel():
        if not axes.has_data():
            axes.set_axis_off()
    text = join_sentences([*_key(planes), divergence_remark(planes)])
    _legend(figure, layers, colours, text)
    seeds = over_time.seed_words(trajectories)
    figure.suptitle(f"Information over training ({seeds})", x=0.01, ha="left")
    return figure


def _curves(axes: Axes, paths: Paths, quantity: str, colours: list[str]) -> None:
    values: NDArray[np.float64] = getattr(paths, quantity)  # (side, layer, seed, time)
    marker = "o" if len(paths.time) == 1 else None
    for place, layer in enumerate(paths.layers):
        colour = colours[paths.places[place]]
        spreads = [over_time.summarize_seeds(side[place]) for side in values]
        low, high = spreads[0], spreads[-1]
        line: dict[str, Any] = {
            "color": colour,
            "marker": marker,
            "markersize": 4,
            "linewidth": 1.3,
        }
        axes.plot(paths.time, high.mean, **line, label=layer)
        axes.fill_between(paths.time, low.low, high.high, color=colour, alpha=0.09, lw=0, zorder=1)
        if len(spreads) > 1:
            axes.fill_between(
                paths.time, low.mean, high.mean, color=colour, alpha=0.13, lw=0, zorder=1
            )
            axes.plot(
                paths.time, low.mean, **(line | {"linewidth": 1.0}), linestyle=(0, (4, 1.5)),
                label=f"lower: {layer}",
            )  # fmt: skip
            if quantity == "label":
                bound = over_time.summarize_seeds(paths.label_bounds[0, place]).mean
                axes.plot(
                    paths.time, bound, **(line | {"linewidth": 0.9}), linestyle=(0, (1, 1.5)),
                    label=f"rigorous lower: {layer}",
                )  # fmt: skip


def _ceiling(axes: Axes, value: float, name: str) -> None:
    if not math.isfinite(value):
        return
    axes.axhline(value, color="black", linestyle=":", linewidth=1.0, label="ceiling", zorder=1)
    axes.text(
        0.99, value, f"{name} = {value:.2f}", ha="right", va="bottom", fontsize=7,
        color="#444444", transform=axes.get_yaxis_transform(),
    )  # fmt: skip


def _top(all_paths: Iterable[Paths], quantity: str) -> float:
    numbers = [
        np.ravel(part)
        for paths in all_paths
        for part in (getattr(paths, quantity), getattr(paths, f"{quantity}_ceiling"))
    ]
    values = np.concatenate(numbers)
    return float(values[np.isfinite(values)].max(initial=0.0)) or 1.0


def _key(planes: Planes) -> list[str]:
    if "pairwise" not in planes:
        return []
    return [
        "Pairwise: I(X;T) upper bound solid, lower dashed; I(T;Y) KL estimate solid, Chernoff"
        " dashed, rigorous lower bound dotted."
    ]


def _legend(figure: Figure, names: list[str], colours: list[str], remark: str) -> None:
    handles = [
        Line2D([], [], color=colour, label=name, linewidth=2)
        for name, colour in zip(names, colours, strict=True)
    ]
    rows = -(-len(names) // max(1, 110 // (max(map(len, names)) + 8)))
    legend = figure.legend(
        handles=handles, loc="outside lower left",
        title=f"Layers. {remark}" if remark else "Layers", alignment="left", title_fontsize=8,
        ncols=-(-len(names) // rows),
    )  # fmt: skip
    legend.get_title().set_color("#555555")
