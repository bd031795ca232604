"""Two units' activations against one another (paper 1, figure 1, lower row)."""

from __future__ import annotations

import numpy as np
import xarray
from matplotlib.figure import Figure

from infotheo.study.figures import activation_panels as panel
from infotheo.study.figures import style

__all__ = ["activation_scatter"]


@style.styled
def activation_scatter(
    activations: dict[str, xarray.DataArray],
    *,
    seed: int = 0,
    samples: int = 2000,
    columns: int = 4,
) -> Figure:
    """Activations of the two most variable units of each network against one another, by class.

    Parameters
    ----------
    activations
        One array per regularizer with dimensions (seed, sample, unit) and coordinate ``class``.
    seed
        Position along the seed dimension.
    samples
        Draw at most so many samples, chosen at random.
    columns
        Panels in a row.

    Raises
    ------
    ValueError
        If a dimension, the class coordinate or the seed is missing, or a setting out of range.

    Notes
    -----
    Paper 1, figure 1, lower row; the paper draws two units at random.
    """
    panel.check_least(1, "activation_scatter", samples=samples, columns=columns)
    networks = panel.select_seed(activations, seed, "activation_scatter")
    classes = panel.all_classes(networks)
    colours, _ = style.class_colours(classes)
    columns = min(columns, len(networks))
    rows = -(-len(networks) // columns)
    figure = Figure(figsize=(style.WIDTH, 1.2 + 2.1 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (name, network) in zip(grid, networks.items(), strict=False):
        units = panel.most_variable_units(network.values)
        if len(units) < 2:
            finite = np.isfinite(network.values).all()
            panel.leave_empty(axes, "fewer than two live units" if finite else "diverged")
            axes.set_title(name)
            continue
        first, second = int(units[0]), int(units[1])
        drawn = panel.random_positions(len(network.values), samples)
        axes.scatter(
            network.values[drawn, first], network.values[drawn, second], s=7, linewidths=0,
            alpha=0.75, rasterized=True,
            c=[colours[int(label)] for label in network.classes[drawn]],
        )  # fmt: skip
        axes.set_title(f"{name}: units {first}, {second}")
        panel.thin_ticks(axes)
    for axes in grid[len(networks) :]:
        axes.set_axis_off()
    figure.suptitle("The two most variable units of each network, by class", x=0.01, ha="left")
    figure.supxlabel("activation of the first unit", fontsize=9)
    figure.supylabel("activation of the second unit", fontsize=9)
    panel.show_classes(figure, list(grid), classes)
    return figure
