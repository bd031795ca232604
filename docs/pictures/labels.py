"""Four numbers for I(Z;Y): two bounds and two estimates, beside the integral they stand for."""

import numpy as np
import pandas
from matplotlib.figure import Figure

import infotheo as it
from infotheo.study.figures import style

SEPARATIONS = np.linspace(0, 8, 17)
PER_CLASS = 250
NOISE_VARIANCES = (0.05, 1.0)


def table() -> pandas.DataFrame:
    """Two classes of one unit, standard deviation 1, ever further apart; noise small and large."""
    rng = np.random.default_rng(0)
    within = rng.normal(size=2 * PER_CLASS)
    labels = np.repeat([0, 1], PER_CLASS)
    rows = []
    for variance in NOISE_VARIANCES:
        for separation in SEPARATIONS:
            z = within + separation * labels
            found = it.pairwise_information(z[:, None], labels, noise_variance=variance)
            four = (found.lower, found.upper, found.kl, found.chernoff)
            rows.append((variance, separation, *four, integral(z, labels, variance)))
    columns = ["noise_variance", "separation", "lower", "upper", "kl", "chernoff", "truth"]
    return pandas.DataFrame(rows, columns=columns)


def integral(z: np.ndarray, labels: np.ndarray, variance: float) -> float:
    """I(Z;Y) of the mixture by the trapezoidal rule on a fine grid."""
    deviation = np.sqrt(variance)
    grid = np.linspace(z.min() - 8 * deviation, z.max() + 8 * deviation, 6001)
    kernel = np.exp(-((grid[:, None] - z) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
    of_class = np.stack([kernel[:, labels == c].mean(1) for c in (0, 1)])
    together = of_class.mean(0)
    ratio = np.log(np.where(of_class > 0, of_class, 1) / np.where(of_class > 0, together, 1))
    return float(np.trapezoid((of_class * ratio).mean(0), grid))


def draw(found: pandas.DataFrame) -> Figure:
    """One panel for each noise variance."""
    figure = Figure(figsize=(style.WIDTH, 3.8), layout="constrained")
    panels = figure.subplots(1, len(NOISE_VARIANCES), sharey=True)
    for axes, (variance, own) in zip(panels, found.groupby("noise_variance"), strict=True):
        x = own["separation"]
        between = {"color": "#e4eef0", "lw": 0, "label": "between the bounds"}
        axes.fill_between(x, own["lower"], own["upper"], **between)
        axes.plot(x, own["upper"], color=style.UPPER, label="upper")
        axes.plot(x, own["lower"], color=style.LOWER, label="lower")
        axes.plot(x, own["kl"], "--", color=style.UPPER, label="kl (estimate)")
        axes.plot(x, own["chernoff"], "--", color=style.LOWER, label="chernoff (estimate)")
        axes.plot(x, own["truth"], "k.", ms=5, label="truth (integral)")
        axes.axhline(np.log(2), color="#777777", lw=0.8)
        axes.text(0.0, np.log(2), "H(Y) = ln 2", va="bottom")
        axes.set(xlabel="distance of the class means / standard deviation of a class")
        axes.set_title(f"noise variance {variance:g}, class variance 1")
    panels[0].set_ylabel("I(Z;Y), nats")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=6)
    return figure
