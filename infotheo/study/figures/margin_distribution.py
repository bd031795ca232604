"""Distribution of the margins of all samples at a few moments of training."""

from __future__ import annotations

import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from infotheo.study.figures import over_time, style, time_scale

__all__ = ["margin_distribution"]

VARIABLE = "margin_distribution"
COLOURS = ("#9a9a9a", "#e08a1e", "#b8447a", "#1f3f77")


@style.styled
def margin_distribution(
    trajectories: dict[str, xarray.Dataset], *, switch: float | None = None
) -> Figure:
    """Share of samples with at most a given margin, at a few moments of training.

    Margins are distances to the nearest boundary relative to the root mean square norm of the
    features; left of 0 a sample is misclassified. Mean over seeds of each quantile, band from least
    to greatest.

    Parameters
    ----------
    trajectories
        Measures over training per label: ``margin_distribution`` of ``measures: margins`` over
        (seed, epoch or step, quantile).
    switch
        Epoch or step at which a phase of training begins: drawn are the start, the last moment up
        to it, the first after it and the end; without one, the start, the moment nearest to half of
        the time, and the end.

    Raises
    ------
    ValueError
        If a variable or dimension is missing.

    Notes
    -----
    Paper 5, section 3.2 and figure 4.
    """
    name = "margin_distribution"
    over_time.require_variables(trajectories, [VARIABLE], name)
    for label, dataset in trajectories.items():
        if "quantile" not in dataset[VARIABLE].dims:
            raise ValueError(
                f"{name}: {VARIABLE!r} of {label!r} has dimensions {dataset[VARIABLE].dims}; "
                "expected 'quantile' among them"
            )
    rows, columns = over_time.labels_grid(len(trajectories))
    width = style.WIDTH if columns > 1 else 0.62 * style.WIDTH
    figure = Figure(figsize=(width, 0.7 + 3.1 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for index, (label, dataset) in enumerate(trajectories.items()):
        axes = grid[divmod(index, columns)]
        array = dataset[VARIABLE]
        time = over_time.time_dimension(array)
        times = over_time.times(over_time.series(dataset, VARIABLE, quantile=0.5))
        for moment, colour in moments(times, switch):
            values = array.isel({time: moment}).transpose("seed", "quantile")
            _curve(axes, values, colour, f"{time} {time_scale.plain(times[moment])}")
        axes.axvline(0, color="#777777", linewidth=0.8, zorder=1)
        axes.set_title(label, fontweight="bold")
        axes.grid()
        axes.set_ylim(-2, 102)
        axes.legend(loc="best", handlelength=1.3, frameon=True, framealpha=0.9, edgecolor="none")
    for axes in grid[:, 0]:
        axes.set_ylabel("share of samples (%)")
    for index, axes in enumerate(grid.ravel()):
        if index >= len(trajectories):
            axes.set_axis_off()
        elif index + columns >= len(trajectories):
            axes.set_xlabel("distance to boundary / rms norm of features")
            axes.tick_params(labelbottom=True)
    seeds = over_time.seed_words(trajectories)
    figure.suptitle(f"Distribution of margins ({seeds})", x=0.01, ha="left")
    style.note(figure, over_time.divergence_remark(trajectories, [VARIABLE]))
    return figure


def moments(times: NDArray[np.float64], switch: float | None) -> list[tuple[int, str]]:
    """Places of the moments to draw and their colours, in the order of time.

    Examples
    --------
    >>> [place for place, _ in moments(np.array([0.0, 1.0, 5.0, 10.0]), None)]
    [0, 2, 3]
    >>> [place for place, _ in moments(np.array([0.0, 1.0, 5.0, 10.0]), 2.0)]
    [0, 1, 2, 3]
    """
    last = len(times) - 1
    if switch is None:
        places = [0, int(np.abs(times - times[-1] / 2).argmin()), last]
        colours = [COLOURS[0], COLOURS[2], COLOURS[3]]
    else:
        before = int(np.searchsorted(times, switch, side="right")) - 1
        places = [0, max(0, before), min(last, before + 1), last]
        colours = list(COLOURS)
    chosen = dict(zip(places, colours, strict=True))  # of one place, the later colour
    return sorted(chosen.items())


def _curve(axes: Axes, values: xarray.DataArray, colour: str, label: str) -> None:
    shares = 100.0 * values["quantile"].to_numpy()
    spread = over_time.summarize_seeds(values.to_numpy().astype(np.float64))
    axes.plot(spread.mean, shares, color=colour, label=label)
    if values.sizes["seed"] > 1:
        axes.fill_betweenx(shares, spread.low, spread.high, color=colour, alpha=0.15, lw=0)
