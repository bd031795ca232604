"""The noise variance sets the scale at which samples count as different."""

import warnings

import numpy as np
import pandas
from matplotlib.figure import Figure

import infotheo as it
from infotheo.study.figures import style

FRACTIONS = np.logspace(-5, 2, 29)
SCALES = {"layer": 1.0, "the same, ten times smaller": 0.1}
CLUSTERS, PER_CLUSTER, UNITS = 10, 100, 20
TOLERANCE = {"monte_carlo": 0.1, "standard_error": 0.1}  # how points are drawn may change


def layer() -> np.ndarray:
    """Ten clusters of 100 samples in 20 units, 1 wide within and about 50 apart."""
    rng = np.random.default_rng(0)
    centres = 8 * rng.normal(size=(CLUSTERS, UNITS))
    within = rng.normal(size=(CLUSTERS * PER_CLUSTER, UNITS))
    return np.repeat(centres, PER_CLUSTER, axis=0) + within


def table() -> pandas.DataFrame:
    """Bounds of I(Z;X) over absolute and relative variances, and the Monte-Carlo value between."""
    parts = []
    for name, scale in SCALES.items():
        z = scale * layer()
        absolute = it.relative_noise_variance(layer(), FRACTIONS)
        for kind, variances in (
            ("absolute", absolute),
            ("relative", it.relative_noise_variance(z, FRACTIONS)),
        ):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", it.SaturationWarning)
                found = it.pairwise_information(z, noise_variance=variances)
            shown = variances if kind == "absolute" else FRACTIONS
            sampled = it.mixture_information_monte_carlo(
                z, noise_variance=variances, draws=1000, seed=0
            )
            columns = {
                "layer": name,
                "kind": kind,
                "noise": shown,
                "lower": found.lower,
                "upper": found.upper,
                "monte_carlo": sampled.value,
                "standard_error": sampled.standard_error,
            }
            parts.append(pandas.DataFrame(columns))
    return pandas.concat(parts, ignore_index=True)


def draw(found: pandas.DataFrame) -> Figure:
    """Absolute noise on the left, relative noise on the right."""
    figure = Figure(figsize=(style.WIDTH, 4.0), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    lines = {name: ls for name, ls in zip(SCALES, ("-", ":"), strict=True)}
    titles = {"absolute": "σ² the same number for both", "relative": "σ² relative to the layer"}
    for axes, (kind, title) in zip(panels, titles.items(), strict=True):
        for name, own in found[found["kind"] == kind].groupby("layer", sort=False):
            x = own["noise"]
            axes.fill_between(x, own["lower"], own["upper"], color="#dddddd", lw=0)
            for bound, colour in (("upper", style.UPPER), ("lower", style.LOWER)):
                axes.plot(x, own[bound], lines[name], color=colour, label=f"{bound}, {name}")
        axes.plot(
            *found.loc[found["kind"] == kind, ["noise", "monte_carlo"]].to_numpy().T, "k.", ms=4,
            label="Monte Carlo",
        )  # fmt: skip
        for level, text in ((np.log(CLUSTERS * PER_CLUSTER), "ln N"), (np.log(CLUSTERS), "ln 10")):
            axes.axhline(level, color="#777777", lw=0.8)
            height = axes.get_yaxis_transform()
            axes.text(1, level, f"{text} ", transform=height, va="bottom", ha="right")
        axes.set(xscale="log")
        axes.set_title(title)
    panels[0].set_xlabel("noise variance σ²")
    panels[1].set_xlabel("σ² / mean variance of a unit (both layers on one line)")
    panels[0].set_ylabel("I(Z;X), nats")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=5)
    return figure
