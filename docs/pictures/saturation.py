"""The bounds of I(Z;X) cannot pass ln N: a Gaussian layer whose information is known."""

import warnings

import numpy as np
import pandas
from matplotlib.figure import Figure

import infotheo as it
from infotheo.study.figures import style

SIZES = (30, 100, 300, 1000, 3000, 10000)
UNITS = (1, 3, 10)
NOISE_VARIANCE = 0.1


def table() -> pandas.DataFrame:
    """Bounds for z ~ N(0, I) in d units and noise 0.1, I = d/2 ln(1 + 1/0.1), at growing N."""
    rows = []
    for units in UNITS:
        z = np.random.default_rng(units).normal(size=(max(SIZES), units))
        truth = units / 2 * np.log1p(1 / NOISE_VARIANCE)
        for size in SIZES:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", it.SaturationWarning)  # the point of the picture
                found = it.pairwise_information(z[:size], noise_variance=NOISE_VARIANCE)
            rows.append((units, size, found.lower, found.upper, found.ceiling, truth))
    return pandas.DataFrame(rows, columns=["units", "N", "lower", "upper", "ceiling", "truth"])


def draw(found: pandas.DataFrame) -> Figure:
    """One panel for each number of units."""
    figure = Figure(figsize=(style.WIDTH, 3.6), layout="constrained")
    panels = figure.subplots(1, len(UNITS), sharey=True)
    for axes, (units, own) in zip(panels, found.groupby("units"), strict=True):
        axes.fill_between(own["N"], own["ceiling"], 13, color="#eeeeee", lw=0)
        axes.plot(own["N"], own["ceiling"], color="#777777", lw=1, label="ceiling ln N")
        axes.axhline(own["truth"].iloc[0], color="black", ls="--", label="truth, infinite sample")
        axes.plot(own["N"], own["upper"], "o-", ms=4, color=style.UPPER, label="upper bound")
        axes.plot(own["N"], own["lower"], "o-", ms=4, color=style.LOWER, label="lower bound")
        axes.set(xscale="log", xlabel="samples N", ylim=(0, 13))
        axes.set_title(f"{units} unit{'s' if units > 1 else ''}")
    panels[0].set_ylabel("I(Z;X), nats")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure
