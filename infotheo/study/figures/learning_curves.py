"""Loss and error over training."""

from __future__ import annotations

import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from infotheo.study.figures import style
from infotheo.study.figures.activation_panels import leave_empty

__all__ = ["learning_curves"]

Curves = NDArray[np.float64]


@style.styled
def learning_curves(histories: dict[str, xarray.Dataset], *, log_epochs: bool = False) -> Figure:
    """Training loss and validation error over epochs: mean over seeds, band from least to greatest.

    Where no validation data was held out, the training error takes the place of the validation
    error if it was followed over the epochs; else the panel says that there is none.

    Parameters
    ----------
    histories
        One dataset per regularizer with dimensions (seed, epoch) and the variables train_loss,
        train_error and validation_error; NaN after a seed diverged.
    log_epochs
        Draw the epochs on a logarithmic axis.

    Raises
    ------
    ValueError
        If there is no history or a variable or dimension is missing.
    """
    if not histories:
        raise ValueError("learning_curves: histories is empty")
    for name, history in histories.items():
        for variable in ("train_loss", "train_error"):
            if variable not in history:
                raise ValueError(f"learning_curves: history of {name!r} has no {variable!r}")
        for dimension in ("seed", "epoch"):
            if dimension not in history.dims:
                raise ValueError(f"learning_curves: history of {name!r} has no {dimension!r}")
    validated = any(
        "validation_error" in history and np.isfinite(history["validation_error"]).any()
        for history in histories.values()
    )
    followed = all("epoch" in history["train_error"].dims for history in histories.values())
    error = "train_error" if followed and not validated else "validation_error"

    figure = Figure(figsize=(style.WIDTH, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.set_yscale("log")
    for name, history in histories.items():
        _curve(left, name, history, "train_loss", 1.0)
        if error in history:
            _curve(right, name, history, error, 100.0)
    left.set_ylabel("training loss")
    left.set_title("Training loss")
    right.set_ylabel(f"{error.replace('_', ' ')} (%)")
    right.set_title(error.replace("_", " ").capitalize())
    if right.lines:
        _error_scale(right)
    if not followed and not validated:
        trained = any(np.isfinite(history["train_loss"]).any() for history in histories.values())
        leave_empty(right, "no validation samples" if trained else "diverged")
    for axes in (left, right):
        axes.set_xlabel("epoch")
        axes.grid(axis="y")
        if log_epochs:
            axes.set_xscale("log")
        else:
            axes.locator_params(axis="x", integer=True)
    left_handles = left.get_legend_handles_labels()
    figure.legend(*left_handles, loc="outside right center")
    seeds = sorted({history.sizes["seed"] for history in histories.values()})
    seed_words = "one seed" if seeds == [1] else f"mean and range of {seeds[-1]} seeds"
    figure.suptitle(f"Learning curves ({seed_words})", x=0.01, ha="left")
    return figure


def _curve(axes: Axes, name: str, history: xarray.Dataset, variable: str, factor: float) -> None:
    values = factor * history[variable].transpose("seed", "epoch").to_numpy().astype(float)
    epochs = (
        history["epoch"].to_numpy() if "epoch" in history.coords
        else np.arange(1, values.shape[1] + 1)
    )  # fmt: skip
    mean, low, high = _mean_and_range(values)
    front = 3 if name == "baseline" else 2
    axes.plot(
        epochs, mean, color=style.colour(name), linestyle=style.line_style(name), label=name,
        zorder=front,
    )  # fmt: skip
    axes.fill_between(epochs, low, high, color=style.colour(name), alpha=0.13, lw=0, zorder=1)


def _error_scale(axes: Axes) -> None:
    """Logarithmic with plain numbers, or from zero where an error is zero."""
    drawn = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.lines])
    if (drawn[np.isfinite(drawn)] > 0).all() and np.isfinite(drawn).any():
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_ylim(bottom=0)


def _mean_and_range(values: Curves) -> tuple[Curves, Curves, Curves]:
    """Over the finite seeds of every epoch; NaN where none is left."""
    finite = np.isfinite(values)
    count = finite.sum(axis=0)
    empty = np.where(count, 1.0, np.nan)
    mean = np.where(finite, values, 0.0).sum(axis=0) / np.maximum(count, 1) * empty
    low = np.where(count, np.where(finite, values, np.inf).min(axis=0), np.nan)
    high = np.where(count, np.where(finite, values, -np.inf).max(axis=0), np.nan)
    return mean, low, high
