"""Panels of one network's activations per regularizer, coloured by class."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from infotheo.arrays.subsets import random_subset
from infotheo.study.figures import style

__all__ = [
    "Activations", "all_classes", "check_least", "leave_empty", "most_variable_units",
    "random_positions", "select_seed", "show_classes", "thin_ticks",
]  # fmt: skip


class Activations(NamedTuple):
    """Activations of one network, (sample, unit), with class labels, (sample,)."""

    values: NDArray[np.float64]
    classes: NDArray[np.int64]


def select_seed(
    activations: dict[str, xarray.DataArray], seed: int, figure: str
) -> dict[str, Activations]:
    """Take the network at one position of the seed dimension for every regularizer.

    Raises
    ------
    ValueError
        If there are no activations, or a dimension, the class coordinate or the seed is missing.
    """
    if not activations:
        raise ValueError(f"{figure}: activations is empty")
    networks = {}
    for name, array in activations.items():
        missing = {"seed", "sample", "unit"} - set(array.dims)
        if missing:
            raise ValueError(f"{figure}: activations of {name!r} have no {min(missing)!r}")
        if "class" not in array.coords:
            raise ValueError(f"{figure}: activations of {name!r} have no coordinate 'class'")
        if not 0 <= seed < array.sizes["seed"]:
            raise ValueError(
                f"{figure}: seed: expected a position from 0 to {array.sizes['seed'] - 1},"
                f" found {seed}"
            )
        values = array.isel(seed=seed).transpose("sample", "unit").to_numpy().astype(np.float64)
        networks[name] = Activations(values, array["class"].to_numpy().astype(np.int64))
    return networks


def check_least(least: int, figure: str, **settings: int) -> None:
    """Raise a ValueError that names the first setting below ``least``."""
    for name, value in settings.items():
        if value < least:
            raise ValueError(f"{figure}: {name}: expected at least {least}, found {value}")


def most_variable_units(values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Units that vary over the samples, by decreasing variance; empty if the network diverged.

    Examples
    --------
    >>> most_variable_units(np.array([[0.0, 1.0, 5.0], [0.0, 2.0, 1.0]]))
    array([2, 1])
    """
    if not np.isfinite(values).all():
        return np.zeros(0, dtype=np.intp)
    variances = values.var(axis=0)
    alive = (values != values[:1]).any(axis=0)
    order = np.argsort(-variances, kind="stable")
    units: NDArray[np.intp] = order[alive[order]]
    return units


def random_positions(count: int, limit: int) -> NDArray[np.intp]:
    """Positions of the samples to draw, chosen at random, at most ``limit`` of them.

    Examples
    --------
    >>> len(random_positions(10, 4))
    4
    """
    return random_subset(count, limit, 0, "shown samples")


def all_classes(networks: dict[str, Activations]) -> list[int]:
    """Class labels that occur for any regularizer, in increasing order."""
    return sorted(
        set().union(*(np.unique(network.classes).tolist() for network in networks.values()))
    )


def thin_ticks(axes: Axes) -> None:
    """Few small ticks, for panels whose shapes matter more than their numbers."""
    axes.tick_params(labelsize=7, length=2, pad=2)
    axes.locator_params(nbins=4)


def leave_empty(axes: Axes, text: str) -> None:
    """Leave a panel empty and say why."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", color="#777777", transform=axes.transAxes)


def show_classes(figure: Figure, panels: list[Axes], classes: list[int]) -> None:
    """Add the key of class colours: a legend, or a colour scale for more than ten classes."""
    colours, scale = style.class_colours(classes)
    if len(classes) <= 10:
        handles = [
            Line2D([], [], linestyle="none", marker="o", color=colours[label], label=str(label))
            for label in classes
        ]
        figure.legend(
            handles=handles, loc="outside right center", title="class", handletextpad=0.1,
        )  # fmt: skip
    else:
        norm = BoundaryNorm(np.arange(len(classes) + 1) - 0.5, len(classes))
        figure.colorbar(
            ScalarMappable(norm, scale), ax=panels, label="class", shrink=0.6, aspect=30,
            ticks=np.linspace(0, len(classes) - 1, 6).astype(int),
        )  # fmt: skip
