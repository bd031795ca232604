"""Bounds of I(Z;X) and I(Z;Y) beside test error and generalization gap (paper 1, figure 4)."""

from __future__ import annotations

import math

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from infotheo.study.columns import Column, sweep
from infotheo.study.correlation.association import coefficients, round_to_bits
from infotheo.study.figures import style
from infotheo.study.figures.run_selection import (
    check_layer,
    divergence_remark,
    layer_words,
    require_columns,
    require_networks,
    seed_count,
    select_condition,
    summarize_seeds,
)

__all__ = ["bounds_and_error"]

INFORMATION = {"input": "I(Z;X)", "label": "I(Z;Y)"}
CEILING = {"pairwise_input_ceiling": "ceiling ln N", "pairwise_label_ceiling": "ceiling H(Y)"}
TARGETS = {"generalization_gap": "gap", "test_error": "test error"}


@style.styled
def bounds_and_error(
    runs: pandas.DataFrame,
    *,
    noise_variance: float | None = None,
    condition: str | None = None,
    layer: str | None = None,
) -> Figure:
    """Lower and upper bounds of I(Z;X) and I(Z;Y) per regularizer, above test error and gap.

    Points are means over seeds and lines reach from the lowest to the highest seed; r is Pearson's
    correlation over regularizers, seeds averaged.

    Parameters
    ----------
    runs
        One row per trained network, with the columns of ``measures: pairwise``.
    noise_variance
        A value of the study's sweep; None takes the study's first one.
    condition
        Condition to draw; None takes the first.
    layer
        Layer to draw, of those that the study measured besides its first; None takes the first.

    Raises
    ------
    ValueError
        If a column is missing, the noise variance or the layer was not measured, or all networks
        diverged.

    Notes
    -----
    Paper 1, section 5, figure 4.
    """
    name = "bounds_and_error"
    require_networks(runs, name)
    check_layer(runs.columns, layer, name)
    columns = {
        (information, bound): _column(
            runs, Column(f"pairwise_{information}_{bound}", layer), noise_variance
        )
        for information in INFORMATION
        for bound in ("lower", "upper")
    }
    require_columns(runs, [*columns.values(), "test_error", "generalization_gap"], name)
    runs = select_condition(runs, condition, name)
    names = list(dict.fromkeys(runs["regularizer"]))

    figure = Figure(figsize=(style.WIDTH, 7.4), layout="constrained")
    panels = figure.subplots(3, 1, sharex=True, height_ratios=[1.15, 1, 1])
    noise_words = _noise_words(runs, Column("pairwise_input_lower", layer), noise_variance)
    seeds = seed_count(runs)
    figure.suptitle(
        f"Information bounds{layer_words(layer)} at {noise_words} and generalization: "
        f"{'' if seeds == 'one seed' else 'mean and range of '}{seeds}",
        x=0.01, ha="left",
    )  # fmt: skip
    for axes, information in zip(panels, INFORMATION, strict=False):
        lower, upper = columns[information, "lower"], columns[information, "upper"]
        _bounds(axes, runs, lower, upper)
        _ceiling(axes, runs, Column(f"pairwise_{information}_ceiling", layer), lower, upper)
        axes.set_ylabel(f"{INFORMATION[information]} (nats)")
        axes.set_title(f"{INFORMATION[information]}{_correlations(runs, lower, upper)}")
    _dots(panels[2], runs, "test_error", "test error", style.ERROR, "o", 100.0, -0.1)
    _dots(panels[2], runs, "generalization_gap", "gap test − train", style.GAP, "D", 100.0, 0.1)
    panels[2].set_ylabel("error (%)")
    panels[2].set_title("Test error and generalization gap")
    for axes in panels:
        axes.grid(axis="y")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    style.name_axis(panels[2], names)
    style.note(figure, divergence_remark(runs, columns["input", "lower"]))
    return figure


def _column(runs: pandas.DataFrame, plain: Column, noise_variance: float | None) -> str:
    if noise_variance is None:
        return str(plain)
    values = sweep(runs.columns, plain.measure, "noise_variance", plain.layer)
    for value, name in values.items():
        if math.isclose(value, noise_variance, rel_tol=1e-9):
            return name
    known = ", ".join(f"{value:g}" for value in values) or "none"
    raise ValueError(
        f"bounds_and_error: noise_variance {noise_variance:g} was not measured (known: {known});"
        " the config key 'measures: pairwise: noise_variance' lists them"
    )


def _noise_words(runs: pandas.DataFrame, plain: Column, noise_variance: float | None) -> str:
    """State σ², which a plain column shares with the column of the sweep that it equals."""
    if noise_variance is not None:
        return f"σ² = {noise_variance:g}"
    columns = sweep(runs.columns, plain.measure, "noise_variance", plain.layer)
    for value, name in columns.items():
        if np.array_equal(runs[name], runs[str(plain)], equal_nan=True):
            return f"σ² = {value:g}"
    return "the first σ²"


def _bounds(axes: Axes, runs: pandas.DataFrame, lower: str, upper: str) -> None:
    low, high = summarize_seeds(runs, lower)["mean"], summarize_seeds(runs, upper)["mean"]
    axes.bar(
        range(len(low)), (high - low).fillna(0.0), 0.34, bottom=low.fillna(0.0),
        color="#e4e4e4", zorder=1, label="between the bounds",
    )  # fmt: skip
    _dots(axes, runs, upper, "upper bound", style.UPPER, "v", 1.0, 0.0)
    _dots(axes, runs, lower, "lower bound", style.LOWER, "^", 1.0, 0.0)


def _dots(
    axes: Axes, runs: pandas.DataFrame, column: str, label: str, colour: str, marker: str,
    factor: float, offset: float,
) -> None:  # fmt: skip
    spread = summarize_seeds(runs, column) * factor
    positions = np.arange(len(spread)) + offset
    axes.vlines(positions, spread["low"], spread["high"], color=colour, linewidth=1.6, zorder=2)
    axes.plot(
        positions, spread["mean"], linestyle="none", marker=marker, markersize=5.5, color=colour,
        markeredgecolor="white", markeredgewidth=0.5, label=label, zorder=3,
    )  # fmt: skip


def _ceiling(axes: Axes, runs: pandas.DataFrame, column: Column, lower: str, upper: str) -> None:
    name = str(column)
    if name not in runs.columns or not runs[name].notna().any():
        return
    ceiling = float(runs[name].max())
    label = f"{CEILING[column.measure]} = {ceiling:.2f}"
    axes.axhline(ceiling, color="black", linestyle=":", linewidth=1.2, label=label, zorder=1)
    lowest = np.nanmin(runs[[lower, upper]].to_numpy(dtype=float), initial=ceiling)
    # From zero, unless everything lies near the ceiling and would be told apart no more.
    bottom = 0.0
    if lowest > 0.7 * ceiling:
        bottom = min(0.9 * ceiling, lowest - 0.1 * (ceiling - lowest))
    axes.set_ylim(bottom, ceiling + 0.07 * (ceiling - bottom))


def _correlations(runs: pandas.DataFrame, lower: str, upper: str) -> str:
    """Pearson's r of both bounds with gap and error over regularizers, seeds averaged."""
    used = [lower, upper, *TARGETS]
    usable = runs[np.isfinite(runs[used]).all(axis=1)]
    means = usable.groupby("regularizer", sort=False)[used].mean()
    if len(means) < 3:
        return ""
    bounds = round_to_bits(means[[lower, upper]].to_numpy())
    parts = []
    for target, label in TARGETS.items():
        r = coefficients(bounds, round_to_bits(means[target].to_numpy()), "pearson")
        low, high = (f"{value:.2f}" if np.isfinite(value) else "undefined" for value in r)
        parts.append(f"with {label} {low} (lower), {high} (upper)")
    return f": Pearson r over {len(means)} regularizers {'; '.join(parts)}"
