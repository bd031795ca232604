"""Correlation of the information bounds with generalization, by noise variance."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from infotheo.study.columns import Column, parse, sweep
from infotheo.study.figures import style
from infotheo.study.figures.run_selection import check_layer, layer_words

__all__ = ["PUBLISHED", "correlation_by_noise"]

# Paper 1, figure 4: Pearson's r over 12 regularizers; the noise variance is not stated.
PUBLISHED = {"paper1": {"lower": 0.84, "upper": 0.78}}
BOUNDS = {"lower": (style.LOWER, "^", "--"), "upper": (style.UPPER, "v", "-.")}
SETTINGS = {
    "noise_variance": ("absolute", "noise variance σ²"),
    "relative_noise_variance": ("relative", "σ² / mean variance of the layer's units"),
}
TARGETS = {"generalization_gap": "generalization gap", "test_error": "test error"}
INFORMATION = {"input": "I(Z;X)", "label": "I(Z;Y)"}


@style.styled
def correlation_by_noise(
    correlations: pandas.DataFrame,
    *,
    target: str = "both",
    method: str = "pearson",
    level: str = "regularizers",
    information: str = "input",
    layer: str | None = None,
    published: Literal["paper1"] | None = None,
) -> Figure:
    """Correlation of the information bounds with error and gap against σ², absolute and relative.

    Bands are bootstrap intervals, of eight regularizers or more.

    Parameters
    ----------
    correlations
        The study's ``correlations.csv``, with the columns of a sweep over noise variances.
    target
        ``"generalization_gap"``, ``"test_error"`` or ``"both"``, one row of panels each.
    method
        ``"pearson"``, ``"spearman"`` or ``"kendall"``.
    level
        ``"regularizers"`` (seeds averaged) or ``"runs"``.
    information
        ``"input"`` for I(Z;X), ``"label"`` for I(Z;Y).
    layer
        Layer to draw, of those that the study measured besides its first; None takes the first.
    published
        ``"paper1"`` adds the correlations that paper 1 prints for MNIST, where the study is of the
        same: horizontal lines, as their noise variance is not stated.

    Raises
    ------
    ValueError
        If a setting is unknown, the layer was not measured or there is no sweep.
    """
    targets = list(TARGETS) if target == "both" else [target]
    _check_choice(target, ["both", *TARGETS], "target")
    _check_choice(information, list(INFORMATION), "information")
    if published is not None:
        _check_choice(published, list(PUBLISHED), "published")
    _check_choice(method, list(dict.fromkeys(correlations["method"])), "method")
    _check_choice(level, list(dict.fromkeys(correlations["level"])), "level")
    check_layer(correlations["measure"], layer, "correlation_by_noise")
    chosen = correlations[(correlations["method"] == method) & (correlations["level"] == level)]
    settings = [
        setting
        for setting in SETTINGS
        if sweep(chosen["measure"], f"pairwise_{information}_lower", setting, layer)
    ]
    if not settings:
        raise ValueError(
            f"correlation_by_noise: correlations has no measure"
            f" '{Column(f'pairwise_{information}_lower', layer)}@noise_variance=…'; the config key"
            " 'measures: pairwise: noise_variance' makes it"
        )
    figure = Figure(figsize=(style.WIDTH, 1.3 + 2.6 * len(targets)), layout="constrained")
    panels = figure.subplots(len(targets), len(settings), squeeze=False, sharex="col", sharey=True)
    for row, name in zip(panels, targets, strict=True):
        target_rows = chosen[chosen["target"] == name].set_index("measure")
        for axes, setting in zip(row, settings, strict=True):
            _frame(axes)
            for bound in BOUNDS:
                measure = f"pairwise_{information}_{bound}"
                _line(axes, target_rows, sweep(target_rows.index, measure, setting, layer), bound)
            comparable = (method, level, information) == ("pearson", "regularizers", "input")
            if published is not None and comparable and setting == "noise_variance":
                _published(axes, PUBLISHED[published])
            axes.set_title(f"with the {TARGETS[name]}: {SETTINGS[setting][0]} σ²")
        row[0].set_ylabel(f"{method.capitalize()} correlation")
    for axes, setting in zip(panels[-1], settings, strict=True):
        axes.set_xlabel(SETTINGS[setting][1])
    points = chosen["n"].max()
    points_name = "regularizers, seeds averaged" if level == "regularizers" else "runs"
    figure.suptitle(
        f"{INFORMATION[information]}{layer_words(layer)} against generalization, by noise variance"
        f" ({points} {points_name})",
        x=0.01, ha="left",
    )  # fmt: skip
    columns = chosen["measure"].map(parse)
    bounds = columns.map(
        lambda column: (
            column.layer == layer and column.measure.startswith(f"pairwise_{information}_")
        )
    )
    undefined = (chosen["coefficient"].isna() & bounds).any()
    remark = "No point where a bound is the same for all, as at its ceiling." if undefined else None
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, title=remark)
    return figure


def _check_choice(value: str, choices: list[str], argument: str) -> None:
    if value not in choices:
        raise ValueError(
            f"correlation_by_noise: {argument}: expected one of {', '.join(choices)},"
            f" found {value!r}"
        )


def _line(axes: Axes, table: pandas.DataFrame, columns: dict[float, str], bound: str) -> None:
    if not columns:
        return
    colour, marker, _ = BOUNDS[bound]
    values = np.array(list(columns))
    rows = table.loc[list(columns.values())]
    axes.set_xlim(values[0] / 1.4, values[-1] * 1.4)  # also where nothing can be drawn
    axes.fill_between(values, rows["ci_low"], rows["ci_high"], color=colour, alpha=0.15, lw=0)
    if len(values) == 1:  # a band of one point has no width
        axes.vlines(values, rows["ci_low"], rows["ci_high"], color=colour, alpha=0.4)
    interval = " with bootstrap interval" if rows["ci_low"].notna().any() else ""
    label = f"{bound} bound{interval}"
    axes.plot(values, rows["coefficient"], color=colour, marker=marker, markersize=5, label=label)


def _published(axes: Axes, correlations: dict[str, float]) -> None:
    for bound, value in correlations.items():
        colour, _, dashes = BOUNDS[bound]
        label = f"published, {bound}: {value:.2f} (σ² not stated)"
        axes.axhline(value, color=colour, linestyle=dashes, linewidth=1.1, label=label)


def _frame(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.set_ylim(-1.03, 1.03)
    axes.set_yticks([-1, -0.5, 0, 0.5, 1])
    axes.axhline(0, color="#888888", linewidth=0.8, zorder=0)
    axes.grid(axis="y")
