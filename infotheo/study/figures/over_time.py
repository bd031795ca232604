"""Variables over (seed, time): reading them, their mean over seeds, and its curve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from numpy.typing import NDArray

from infotheo.registry import nearest
from infotheo.study.figures.run_selection import MEASURES

__all__ = [
    "TIMES", "LineStyle", "Spread", "divergence_remark", "divergence_words", "draw", "labels_grid",
    "ordered_colours", "require_variables", "seed_words", "series", "summarize_seeds",
    "time_dimension", "times",
]  # fmt: skip

TIMES = ("epoch", "step")

Trajectories = Mapping[str, xarray.Dataset]
LineStyle = str | tuple[float, tuple[float, ...]]  # a name, or an offset and lengths of dashes


class Spread(NamedTuple):
    """Mean, least and greatest value over the finite seeds, and their number, (time,)."""

    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    seeds: NDArray[np.intp]


def time_dimension(dataset: xarray.Dataset | xarray.DataArray) -> str:
    """Name the dimension that counts training: ``"epoch"`` or ``"step"``.

    Examples
    --------
    >>> time_dimension(xarray.DataArray(np.zeros((2, 3)), dims=("seed", "step")))
    'step'
    """
    for name in TIMES:
        if name in dataset.dims:
            return name
    raise ValueError(f"expected a dimension 'epoch' or 'step', found {tuple(dataset.dims)}")


def require_variables(trajectories: Trajectories, variables: Iterable[str], figure: str) -> None:
    """Raise a ValueError that names what is missing and how to get it.

    Parameters
    ----------
    trajectories
        One dataset per label.
    variables
        What every one of them must have, over at least ``seed`` and ``epoch`` or ``step``.
    figure
        Who asks, for the message.
    """
    if not trajectories:
        raise ValueError(f"{figure}: trajectories is empty")
    for label, dataset in trajectories.items():
        for variable in variables:
            if variable not in dataset.data_vars:
                subject = variable.partition("_")[0]
                key = f"measures: {subject}" if subject in MEASURES else "measures"
                close = nearest(variable, map(str, dataset.data_vars))
                raise ValueError(
                    f"{figure}: trajectories of {label!r} have no {variable!r}{close}; the config"
                    f" keys 'snapshots' and '{key}' make it"
                )
            dims = dataset[variable].dims
            if "seed" not in dims or not set(TIMES) & set(dims):
                raise ValueError(
                    f"{figure}: {variable!r} of {label!r} has dimensions {dims}; expected 'seed'"
                    " and 'epoch' or 'step'"
                )


def series(dataset: xarray.Dataset, variable: str, **at: Any) -> xarray.DataArray:
    """One variable over (seed, time), at one place of every other dimension.

    Parameters
    ----------
    dataset
        Measures over training.
    variable
        Name of one of them.
    **at
        Coordinate value of each dimension beside ``seed`` and time, such as ``layer="fc1"``;
        numbers are found up to rounding.

    Returns
    -------
    xarray.DataArray
        Dimensions ("seed", "epoch" or "step"), float64.

    Raises
    ------
    ValueError
        If a place does not exist, or a dimension is left without one.

    Examples
    --------
    >>> dataset = xarray.Dataset({"error": (("epoch", "seed"), [[0.5], [0.25]])})
    >>> series(dataset, "error").values
    array([[0.5 , 0.25]])
    """
    array = dataset[variable]
    for dimension, value in at.items():
        known = array[dimension].values
        numeric = _is_number(value)
        matches = np.isclose(known, value, rtol=1e-6, atol=0) if numeric else known == value
        if not matches.any():
            listed = ", ".join(f"{place:g}" if _is_number(place) else str(place) for place in known)
            raise ValueError(f"{variable}: {dimension} {value!r} was not measured; known: {listed}")
        array = array.isel({dimension: int(np.argmax(matches))}, drop=True)
    time = time_dimension(array)
    if set(array.dims) != {"seed", time}:
        rest = sorted(set(map(str, array.dims)) ^ {"seed", time})
        raise ValueError(f"{variable} has dimensions {array.dims}; no place given for {rest}")
    if time not in array.coords:
        array = array.assign_coords({time: np.arange(array.sizes[time])})
    return array.transpose("seed", time).astype(np.float64)


def times(array: xarray.DataArray) -> NDArray[np.float64]:
    """Epochs or steps of what :func:`series` returns."""
    return array[time_dimension(array)].to_numpy().astype(np.float64)


def summarize_seeds(values: NDArray[np.float64]) -> Spread:
    """Mean and range over the finite seeds at every time; NaN where none is left.

    Examples
    --------
    >>> summarize_seeds(np.array([[1.0, np.nan], [3.0, np.nan]])).mean
    array([ 2., nan])
    """
    finite = np.isfinite(values)
    count = finite.sum(axis=0)
    some = np.where(count, 1.0, np.nan)
    total = np.where(finite, values, 0.0).sum(axis=0)
    low = np.where(finite, values, np.inf).min(axis=0, initial=np.inf)
    high = np.where(finite, values, -np.inf).max(axis=0, initial=-np.inf)
    return Spread(
        total / np.maximum(count, 1) * some,
        np.where(count, low, np.nan),
        np.where(count, high, np.nan),
        count,
    )


def draw(
    axes: Axes,
    array: xarray.DataArray,
    *,
    colour: str,
    label: str | None = None,
    linestyle: LineStyle = "-",
    scale: float = 1.0,
) -> None:
    """Draw the mean over seeds as a line and least to greatest as a band.

    Parameters
    ----------
    axes
        Where to.
    array
        What :func:`series` returns.
    colour, label, linestyle
        Of the line.
    scale
        Factor of the values, such as 100 for percent.
    """
    time = times(array)
    spread = summarize_seeds(scale * array.to_numpy())
    single = len(time) == 1  # neither a line nor a band of one point has a width
    axes.plot(
        time, spread.mean, color=colour, label=label, linestyle=linestyle,
        marker="o" if single else None, markersize=4,
    )  # fmt: skip
    if single:
        axes.vlines(time, spread.low, spread.high, color=colour, alpha=0.4)
    elif array.sizes["seed"] > 1:
        axes.fill_between(time, spread.low, spread.high, color=colour, alpha=0.13, lw=0, zorder=1)


def ordered_colours(names: Sequence[str]) -> dict[str, str]:
    """Colours of layers or blocks in their order, from dark blue over green to orange.

    Examples
    --------
    >>> list(ordered_colours(["first", "second"]))
    ['first', 'second']
    """
    scale = matplotlib.colormaps["turbo"]
    places = np.linspace(0.04, 0.9, len(names)) if len(names) > 1 else [0.04]
    # bright greens and yellows are too pale on white
    darker = {
        name: tuple(0.86 * part for part in scale(place)[:3])
        for name, place in zip(names, places, strict=True)
    }
    return {name: to_hex(colour) for name, colour in darker.items()}


def seed_words(trajectories: Trajectories) -> str:
    """Say over how many seeds the mean is taken and what the band is.

    Examples
    --------
    >>> seed_words({"a": xarray.Dataset(coords={"seed": [0, 1]})})
    'mean and range of 2 seeds'
    """
    sizes = sorted(dataset.sizes["seed"] for dataset in trajectories.values())
    if sizes[-1] == 1:
        return "one seed"
    count = f"{sizes[0]} to {sizes[-1]}" if sizes[0] != sizes[-1] else f"{sizes[0]}"
    return f"mean and range of {count} seeds"


def divergence_remark(trajectories: Trajectories, variables: Iterable[str]) -> str:
    """Say how many seeds of each label have values that are not finite; empty if none.

    Examples
    --------
    >>> values = xarray.DataArray([[1.0, np.nan], [1.0, 1.0]], dims=("seed", "epoch"))
    >>> divergence_remark({"ReLU": xarray.Dataset({"error": values})}, ["error"])
    'Left out where they diverged: 1 of 2 seeds of ReLU.'
    """
    variables = list(variables)
    finite = {}
    for label, dataset in trajectories.items():
        finite[label] = np.ones(dataset.sizes["seed"], dtype=bool)
        for variable in variables:
            values = dataset[variable].transpose("seed", ...).to_numpy()
            finite[label] &= np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    return divergence_words(finite)


def divergence_words(finite: Mapping[str, NDArray[np.bool_]]) -> str:
    """Say how many seeds of each label are not finite throughout; empty if none.

    Examples
    --------
    >>> divergence_words({"tanh": np.array([True, True]), "ReLU": np.array([True, False])})
    'Left out where they diverged: 1 of 2 seeds of ReLU.'
    """
    lost = [
        f"{np.count_nonzero(~seeds)} of {len(seeds)} seeds of {label}"
        for label, seeds in finite.items()
        if not seeds.all()
    ]
    return f"Left out where they diverged: {', '.join(lost)}." if lost else ""


def labels_grid(count: int) -> tuple[int, int]:
    """Rows and columns of panels for so many labels, at most four columns.

    Examples
    --------
    >>> [labels_grid(count) for count in (1, 4, 6)]
    [(1, 1), (1, 4), (2, 3)]
    """
    rows = -(-count // 4)
    return rows, -(-count // rows)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
