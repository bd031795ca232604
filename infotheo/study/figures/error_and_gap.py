"""Test error and generalization gap of every trained network."""

from __future__ import annotations

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from infotheo.study.figures import style
from infotheo.study.figures.run_selection import (
    divergence_remark,
    require_columns,
    seed_count,
    select_condition,
    summarize_seeds,
)

__all__ = ["error_and_gap"]

PANELS = {
    "test_error": ("Test error (dotted: baseline)", "test error (%)"),
    "generalization_gap": (
        "Generalization gap (dotted: baseline)",
        "test − train error (percentage points)",
    ),
}


@style.styled
def error_and_gap(runs: pandas.DataFrame, *, condition: str | None = None) -> Figure:
    """Test error and generalization gap per regularizer: a dot for each seed, a bar for their mean.

    Parameters
    ----------
    runs
        One row per trained network.
    condition
        Condition to draw; None takes the first.

    Raises
    ------
    ValueError
        If a column is missing.
    """
    require_columns(runs, list(PANELS), "error_and_gap")
    runs = select_condition(runs, condition, "error_and_gap")
    names = list(dict.fromkeys(runs["regularizer"]))
    figure = Figure(figsize=(style.WIDTH, 1.6 + 0.27 * len(names)), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (column, (title, label)) in zip(panels, PANELS.items(), strict=True):
        _dots(axes, runs, column, names)
        axes.set_title(title if "baseline" in names else title.partition(" (")[0])
        axes.set_xlabel(label)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(len(names) - 0.4, -0.6)  # first regularizer on top
    condition_words = ""
    if "condition" in runs.columns and str(runs["condition"].iloc[0]) not in ("default", "nan"):
        condition_words = f", {runs['condition'].iloc[0]}"
    figure.suptitle(
        f"Error and gap per regularizer ({seed_count(runs)}{condition_words})", x=0.01, ha="left"
    )
    style.note(figure, divergence_remark(runs, "test_error"))
    return figure


def _dots(axes: Axes, runs: pandas.DataFrame, column: str, names: list[str]) -> None:
    means = 100 * summarize_seeds(runs, column)["mean"]
    if "baseline" in means.index and np.isfinite(means["baseline"]):
        axes.axvline(means["baseline"], color="#999999", linestyle=":", linewidth=1.2, zorder=1)
    for position, name in enumerate(names):
        values = 100 * runs.loc[runs["regularizer"] == name, column].to_numpy(dtype=float)
        # Seeds side by side in the vertical, in their given order: no dot covers another.
        heights = position + np.linspace(-0.2, 0.2, len(values)) if len(values) > 1 else [position]
        axes.plot(
            values, heights, linestyle="none", markersize=4, alpha=0.9,
            color=style.colour(name), **style.marker(name), zorder=2,
        )  # fmt: skip
        axes.vlines(
            means[name], position - 0.36, position + 0.36, color=style.colour(name), linewidth=2.2
        )
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
