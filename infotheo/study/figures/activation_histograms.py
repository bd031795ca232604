"""Histograms of one unit's activations by class (paper 1, figure 1, upper row)."""

from __future__ import annotations

import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from infotheo.study.figures import activation_panels as panel
from infotheo.study.figures import style

__all__ = ["activation_histograms"]


@style.styled
def activation_histograms(
    activations: dict[str, xarray.DataArray],
    *,
    seed: int = 0,
    rank: int = 0,
    bins: int = 40,
    columns: int = 4,
) -> Figure:
    """Histogram of the most variable unit's non-zero activations per regularizer, by class.

    Classes are stacked. The share of samples for which the unit is exactly zero stands in the
    title, because its bar would hide everything else.

    Parameters
    ----------
    activations
        One array per regularizer with dimensions (seed, sample, unit) and coordinate ``class``.
    seed
        Position along the seed dimension.
    rank
        0 for the unit of largest variance over the samples, 1 for the next, and so on.
    bins
        Number of bins between the smallest and the largest non-zero activation.
    columns
        Panels in a row.

    Raises
    ------
    ValueError
        If a dimension, the class coordinate or the seed is missing, or a setting out of range.

    Notes
    -----
    Paper 1, figure 1, upper row.
    """
    panel.check_least(1, "activation_histograms", bins=bins, columns=columns)
    panel.check_least(0, "activation_histograms", rank=rank)
    networks = panel.select_seed(activations, seed, "activation_histograms")
    classes = panel.all_classes(networks)
    columns = min(columns, len(networks))
    rows = -(-len(networks) // columns)
    figure = Figure(figsize=(style.WIDTH, 1.2 + 1.85 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (name, network) in zip(grid, networks.items(), strict=False):
        units = panel.most_variable_units(network.values)
        if len(units) <= rank:
            finite = np.isfinite(network.values).all()
            panel.leave_empty(axes, "no such live unit" if finite else "diverged")
            axes.set_title(name)
            continue
        unit = int(units[rank])
        zero = _histogram(axes, network.values[:, unit], network.classes, classes, bins)
        axes.set_title(f"{name}: unit {unit}, {zero:.0%} zero")
    for axes in grid[len(networks) :]:
        axes.set_axis_off()
    which = "Most variable unit" if rank == 0 else f"Unit of variance rank {rank + 1}"
    figure.suptitle(f"{which} of each network: non-zero activations by class", x=0.01, ha="left")
    figure.supxlabel("activation", fontsize=9)
    figure.supylabel("samples (classes stacked)", fontsize=9)
    panel.show_classes(figure, list(grid), classes)
    return figure


def _histogram(
    axes: Axes, values: np.ndarray, labels: np.ndarray, classes: list[int], bins: int
) -> float:
    """Draw the non-zero values and return the fraction of zeros."""
    colours, _ = style.class_colours(classes)
    nonzero = values != 0
    edges = np.histogram_bin_edges(values[nonzero], bins).tolist()
    axes.hist(
        [values[nonzero & (labels == label)] for label in classes], edges,
        stacked=True, histtype="stepfilled", color=[colours[label] for label in classes],
    )  # fmt: skip
    panel.thin_ticks(axes)
    return 1.0 - float(nonzero.mean())
