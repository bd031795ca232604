"""Margins of the last layer over training, and the information of the predictions beside them."""

from __future__ import annotations

import math

import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from infotheo.study.figures import over_time, style, time_scale

__all__ = ["margins_over_training", "mark_switch"]

MARGIN, WIDEST, ANGLE = "#2f5d9b", "#111111", "#7a4b1e"
INPUT, LABEL, IRRELEVANT, VARIANCE = "#00707a", "#b8447a", "#b3771d", "#888888"
FANO = "#c23b00"
DOTTED, DASHED = (0, (1, 1.5)), (0, (5, 2))
BANDS = (("q05", "q95", 0.16), ("q25", "q75", 0.26))
NEEDED = (
    *(f"margin_relative_{name}" for name in ("min", "q05", "q25", "q50", "q75", "q95")),
    "hard_margin_relative", "margin_angle", "prediction_input", "prediction_label",
    "prediction_irrelevant", "prediction_variance_diagnostic", "error", "fano_bound",
)  # fmt: skip
ROWS = ("margin", "angle", "information", "error")


@style.styled
def margins_over_training(
    trajectories: dict[str, xarray.Dataset], *, switch: float | None = None
) -> Figure:
    """Margins over training beside the information that the predictions carry.

    Lines are means over seeds, with a band from least to greatest; of the margins, the bands hold
    the middle half and nine tenths of the samples, and their bounds are means over seeds. Distances
    to the nearest boundary and the hard margin, the widest that linear functions could give these
    features, are relative to the root mean square norm of the features, so that neither grows with
    them. The hard margin (for more than two classes a lower bound of its distances) and the angle
    to its weights are drawn over the seeds whose features can be separated.

    Parameters
    ----------
    trajectories
        Measures over training per label: the variables of ``measures: margins``, ``prediction``,
        ``error`` and ``diagnostics`` over (seed, epoch or step), in nats.
    switch
        Epoch or step at which a phase of training begins, such as small batches after the full
        one: a vertical line, and time drawn linearly.

    Raises
    ------
    ValueError
        If a variable or dimension is missing.

    Notes
    -----
    Paper 5, claim 2.2, section 3.2 and figure 4. The variance is the right side of its eq. 33, no
    bound of I(X;prediction).
    """
    over_time.require_variables(trajectories, NEEDED, "margins_over_training")
    labels = list(trajectories)
    square = len(labels) == 1  # then the four panels make a square
    blocks, columns = (1, 2) if square else over_time.labels_grid(len(labels))
    rows = 2 if square else len(ROWS) * blocks
    height = 2.6 if square else 1.9
    figure = Figure(figsize=(style.WIDTH, 1.3 + height * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    lowest, highest = _extent(trajectories)
    for index, (label, dataset) in enumerate(trajectories.items()):
        block, column = divmod(index, columns)
        for row, subject in enumerate(ROWS):
            axes = grid[row // 2, row % 2] if square else grid[block * len(ROWS) + row, column]
            PANELS[subject](axes, dataset)
            array = dataset["margin_relative_q50"]
            _set_time_axis(axes, array, switch)
            if subject == "margin":
                axes.set_ylim(lowest, highest)
                axes.set_title(label, fontweight="bold")
            last = row == len(ROWS) - 1 or (square and row >= 2)
            if not last:
                axes.set_xlabel("")
                axes.tick_params(labelbottom=False)
            if column > 0 and not square:
                axes.set_ylabel("")
            axes.grid(axis="y")
    if not square:
        for row in range(rows):  # the same scale across labels, where they are compared
            drawn = [axes for axes in grid[row] if axes.has_data()]
            limits = np.array([axes.get_ylim() for axes in drawn])
            for axes in drawn:
                axes.set_ylim(limits[:, 0].min(), limits[:, 1].max())
    for axes in grid.ravel():
        if not axes.has_data():
            axes.set_axis_off()
    _legend(figure, switch, over_time.divergence_remark(trajectories, ["margin_relative_q50"]))
    seeds = over_time.seed_words(trajectories)
    figure.suptitle(f"Margins and information over training ({seeds})", x=0.01, ha="left")
    return figure


def mark_switch(axes: Axes, switch: float | None) -> None:
    """Draw a vertical line where a phase of training begins, if one does."""
    if switch is not None:
        axes.axvline(switch, color="#555555", linestyle=DASHED, linewidth=1.1, zorder=1)


def _draw_margin(axes: Axes, dataset: xarray.Dataset) -> None:
    middle = over_time.series(dataset, "margin_relative_q50")
    times = over_time.times(middle)
    for low, high, alpha in BANDS:
        bottom, top = (
            over_time.summarize_seeds(
                over_time.series(dataset, f"margin_relative_{name}").values
            ).mean
            for name in (low, high)
        )
        axes.fill_between(times, bottom, top, color=MARGIN, alpha=alpha, lw=0, zorder=1)
    marker = "o" if len(times) == 1 else None
    mean = over_time.summarize_seeds(middle.to_numpy()).mean
    axes.plot(times, mean, color=MARGIN, label="median", marker=marker, markersize=4)
    least = over_time.summarize_seeds(over_time.series(dataset, "margin_relative_min").values).mean
    axes.plot(times, least, color=MARGIN, label="smallest", linestyle=DOTTED, marker=marker)
    widest = over_time.series(dataset, "hard_margin_relative")
    over_time.draw(axes, widest, colour=WIDEST, label="widest", linestyle="--")
    _mark_points(axes.lines[-1])
    axes.axhline(0, color="#777777", linewidth=0.8, zorder=1)
    axes.set_ylabel("distance to boundary /\nrms norm of features")


def _draw_angle(axes: Axes, dataset: xarray.Dataset) -> None:
    angle = over_time.series(dataset, "margin_angle")
    over_time.draw(axes, angle, colour=ANGLE, label="angle", scale=180 / math.pi)
    _mark_points(axes.lines[-1])
    largest = np.nanmax(angle.to_numpy(), initial=0.0) * 180 / math.pi
    axes.set_ylim(0, 90 if largest <= 90 else 180)
    axes.set_yticks([0, 30, 60, 90] if largest <= 90 else [0, 45, 90, 135, 180])
    if not np.isfinite(angle.to_numpy()).any():
        axes.text(
            0.5, 0.5, "features never separable", ha="center", va="center", fontsize=8,
            color="#555555", transform=axes.transAxes,
            bbox={"color": "white", "pad": 2},
        )  # fmt: skip
    axes.set_ylabel("angle of weights to\nhard margin's (°)")


def _mark_points(line: Line2D) -> None:
    """Mark the values of a curve with gaps: one between two gaps has no line."""
    line.set(marker="o", markersize=2.5)


def _draw_information(axes: Axes, dataset: xarray.Dataset) -> None:
    curves: tuple[tuple[str, str, over_time.LineStyle], ...] = (
        ("prediction_input", INPUT, "-"),
        ("prediction_label", LABEL, "-"),
        ("prediction_irrelevant", IRRELEVANT, "-"),
        ("prediction_variance_diagnostic", VARIANCE, DOTTED),
    )
    for variable, colour, linestyle in curves:
        over_time.draw(
            axes, over_time.series(dataset, variable), colour=colour, label=variable,
            linestyle=linestyle,
        )  # fmt: skip
    axes.set_ylim(bottom=0)
    axes.set_ylabel("information of\nprediction (nats)")


def _draw_error(axes: Axes, dataset: xarray.Dataset) -> None:
    for variable, colour, linestyle in (("error", style.ERROR, "-"), ("fano_bound", FANO, "--")):
        over_time.draw(
            axes, over_time.series(dataset, variable), colour=colour, label=variable,
            linestyle=linestyle, scale=100.0,
        )  # fmt: skip
    axes.set_ylim(bottom=0)
    axes.set_ylabel("error (%)")


PANELS = {
    "margin": _draw_margin,
    "angle": _draw_angle,
    "information": _draw_information,
    "error": _draw_error,
}


def _set_time_axis(axes: Axes, array: xarray.DataArray, switch: float | None) -> None:
    name = over_time.time_dimension(array)
    times = array[name].to_numpy().astype(np.float64) if name in array.coords else (
        np.arange(array.sizes[name], dtype=np.float64)
    )  # fmt: skip
    if switch is None:
        time_scale.time_axis(axes, times, name)
        return
    mark_switch(axes, switch)
    axes.set_xlabel(name)
    pad = 0.02 * (np.ptp(times) or 1.0)
    axes.set_xlim(times.min() - pad, times.max() + pad)
    axes.locator_params(axis="x", nbins=5)
    axes.xaxis.set_major_formatter(time_scale.plain)


def _extent(trajectories: dict[str, xarray.Dataset]) -> tuple[float, float]:
    """Room for the margins that are drawn, the same for every label; of the smallest, the last."""
    values = np.concatenate(
        [
            np.ravel(dataset[name].mean("seed").to_numpy())
            for dataset in trajectories.values()
            for name in ("margin_relative_q05", "margin_relative_q95", "hard_margin_relative")
        ]
    )
    least = [
        dataset["margin_relative_min"].isel({over_time.time_dimension(dataset): -1}).mean().values
        for dataset in trajectories.values()
    ]
    values = np.append(values, least)
    values = values[np.isfinite(values)]
    if not values.size:
        return -1.0, 1.0
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    pad = 0.06 * (high - low or 1.0)
    return low - pad, high + pad


def _legend(figure: Figure, switch: float | None, remark: str) -> None:
    last = (
        Line2D([], [], color=ANGLE, marker=".", label="angle") if switch is None
        else Line2D([], [], color="#555555", linestyle=DASHED, label="phase begins")
    )  # fmt: skip
    handles = [  # in columns of two
        Line2D([], [], color=MARGIN, label="median margin"),
        Line2D([], [], color=MARGIN, linestyle=DOTTED, label="smallest margin"),
        Patch(color=MARGIN, alpha=0.42, lw=0, label="middle half"),
        Patch(color=MARGIN, alpha=0.16, lw=0, label="nine tenths of samples"),
        Line2D([], [], color=WIDEST, linestyle="--", marker=".", label="hard margin"),
        last,
        Line2D([], [], color=INPUT, label="I(X;Ŷ)"),
        Line2D([], [], color=LABEL, label="I(Y;Ŷ)"),
        Line2D([], [], color=IRRELEVANT, label="I(X;Ŷ) − I(Y;Ŷ)"),
        Line2D([], [], color=VARIANCE, linestyle=DOTTED, label="variance (no bound)"),
        Line2D([], [], color=style.ERROR, label="error"),
        Line2D([], [], color=FANO, linestyle="--", label="Fano's bound of it"),
    ]
    legend = figure.legend(
        handles=handles, loc="outside lower left", title=remark or None, alignment="left",
        ncols=6, title_fontsize=8,
    )  # fmt: skip
    legend.get_title().set_color("#555555")
