"""The noise variance sets the scale at which samples count as different."""

import warnings

import numpy as np
import pandas
from matplotlib.figure import Figure

import infotheo as it
from infotheo.figures import style

FRACTIONS = np.logspace(-5, 2, 29)
SCALES = {"layer": 1.0, "the same, ten times smaller": 0.1}
CLUSTERS, PER_CLUSTER, UNITS = 10, 100, 20


def layer() -> np.ndarray:
    """Ten clusters of 100 samples in 20 units, 1 wide within and about 50 apart."""
    rng = np.random.default_rng(0)
    centres = 8 * rng.normal(size=(CLUSTERS, UNITS))
    return np.repeat(centres, PER_CLUSTER, axis=0) + rng.normal(size=(CLUSTERS * PER_CLUSTER, UNITS))


def table() -> pandas.DataFrame:
    """Bounds of I(Z;X) over absolute and relative variances, and the Monte-Carlo value between."""
    rows = []
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
            for x, variance, lower, upper in zip(shown, variances, found.lower, found.upper, strict=True):
                value = _monte_carlo(z, variance) if kind == "absolute" else np.nan
                rows.append((name, kind, x, lower, upper, value))
    columns = ["layer", "kind", "noise", "lower", "upper", "monte_carlo"]
    return pandas.DataFrame(rows, columns=columns)


def _monte_carlo(z: np.ndarray, variance: float) -> float:
    """I(Z;X) of the mixture with two draws a sample."""
    entropy = it.mixture_entropy_monte_carlo(z, noise_variance=variance, draws=2000, seed=0)
    return float(entropy.value) - z.shape[1] / 2 * np.log(2 * np.pi * np.e * variance)


def draw(found: pandas.DataFrame) -> Figure:
    """Absolute noise on the left, relative noise on the right."""
    figure = Figure(figsize=(style.WIDTH, 4.0), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    lines = {name: ls for name, ls in zip(SCALES, ("-", ":"), strict=True)}
    titles = {"absolute": "σ² the same number for both", "relative": "σ² relative to the layer"}
    for axes, (kind, title) in zip(panels, titles.items(), strict=True):
        for name, own in found[found["kind"] == kind].groupby("layer", sort=False):
            axes.fill_between(own["noise"], own["lower"], own["upper"], color="#dddddd", lw=0)
            axes.plot(own["noise"], own["upper"], lines[name], color=style.UPPER, label=f"upper, {name}")
            axes.plot(own["noise"], own["lower"], lines[name], color=style.LOWER, label=f"lower, {name}")
            if kind == "absolute":
                axes.plot(
                    own["noise"], own["monte_carlo"], "k.", ms=4,
                    label="Monte Carlo" if name == "layer" else None,
                )  # fmt: skip
        for level, text in ((np.log(CLUSTERS * PER_CLUSTER), "ln N"), (np.log(CLUSTERS), "ln 10 clusters")):
            axes.axhline(level, color="#777777", lw=0.8)
            axes.text(1, level, f"{text} ", transform=axes.get_yaxis_transform(), va="bottom", ha="right")
        axes.set(xscale="log", xlabel="noise variance σ²" if kind == "absolute" else "σ² / mean variance of a unit")
        axes.set_title(title)
    panels[0].set_ylabel("I(Z;X), nats")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=5)
    return figure
