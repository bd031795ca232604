"""The lower bound of I(Z;X) against its ceiling ln N: where the sample is too small."""

from __future__ import annotations

import numpy as np
import pandas
from matplotlib.figure import Figure

from infotheo.study.columns import Column, sweep
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

__all__ = ["saturation"]

MEASURE = "pairwise_input_lower"
SETTINGS = {
    "noise_variance": "noise variance σ²",
    "relative_noise_variance": "σ² / mean variance of the layer's units",
}


@style.styled
def saturation(
    runs: pandas.DataFrame,
    *,
    threshold: float = 0.95,
    condition: str | None = None,
    layer: str | None = None,
) -> Figure:
    """Lower bound of I(Z;X) as a fraction of ln N against σ², absolute beside relative.

    In the shaded part the sample is too small, or the noise too weak, to tell networks apart.

    Parameters
    ----------
    runs
        One row per trained network, with the columns of a sweep over noise variances.
    threshold
        Fraction of ln N above which values are shaded and counted as saturated.
    condition
        Condition to draw; None takes the first.
    layer
        Layer to draw, of those that the study measured besides its first; None takes the first.

    Raises
    ------
    ValueError
        If a column is missing, the layer was not measured, the threshold is no fraction, or all
        networks diverged.
    """
    name = "saturation"
    require_networks(runs, name)
    if not 0 < threshold <= 1:
        raise ValueError(f"{name}: threshold: expected a fraction of ln N, found {threshold!r}")
    check_layer(runs.columns, layer, name)
    ceiling_name = str(Column("pairwise_input_ceiling", layer))
    require_columns(runs, [ceiling_name], name)
    sweeps = {setting: sweep(runs.columns, MEASURE, setting, layer) for setting in SETTINGS}
    sweeps = {setting: columns for setting, columns in sweeps.items() if columns}
    if not sweeps:
        require_columns(runs, [str(Column(MEASURE, layer, "noise_variance", "…"))], name)
    runs = select_condition(runs, condition, name)
    names = list(dict.fromkeys(runs["regularizer"]))

    figure = Figure(figsize=(style.WIDTH, 4.4), layout="constrained")
    panels = figure.subplots(1, len(sweeps), squeeze=False, sharey=True)[0]
    for axes, (setting, columns) in zip(panels, sweeps.items(), strict=True):
        axes.set_xscale("log")
        fractions = runs[list(columns.values())].div(runs[ceiling_name], axis=0)
        means = pandas.concat(
            [summarize_seeds(fractions.assign(regularizer=runs["regularizer"]), column)["mean"]
             for column in columns.values()],
            axis=1,
        )  # fmt: skip
        values = np.array(list(columns))
        for regularizer in names:
            axes.plot(
                values, means.loc[regularizer], color=style.colour(regularizer), markersize=5,
                linestyle=style.line_style(regularizer), label=regularizer,
                **style.marker(regularizer),
            )  # fmt: skip
        finite = fractions.to_numpy()[np.isfinite(fractions.to_numpy())]
        share = np.mean(finite >= threshold) if finite.size else 0.0
        axes.axhspan(threshold, 1.0, color="#f3e3c3", zorder=0)
        axes.axhline(1.0, color="black", linestyle=":", linewidth=1.2)
        axes.set_title(f"{share:.0%} of values above {threshold:g} ln N")
        axes.set_ylim(0, 1.03)
        axes.set_xlabel(SETTINGS[setting])
        axes.grid(axis="y")
    panels[0].set_ylabel("lower bound of I(Z;X) / ln N")
    panels[-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    ceiling = runs[ceiling_name].max()
    figure.suptitle(
        f"Saturation of I(Z;X){layer_words(layer)} at ln N = {ceiling:.2f} nats"
        f" (mean of {seed_count(runs)})",
        x=0.01, ha="left",
    )  # fmt: skip
    style.note(figure, divergence_remark(runs, next(iter(next(iter(sweeps.values())).values()))))
    return figure
