"""Neighbours and the number of dimensions: right in few, far too little in many, quietly."""

import warnings

import numpy as np
import pandas
from matplotlib.figure import Figure

import infotheo as it
from infotheo.study.figures import style

DIMENSIONS = (1, 2, 3, 5, 8, 12, 20)
SIZES = (300, 3000)
SEEDS, CORRELATION, DISTANCE = 5, 0.75, 2.0


def table() -> pandas.DataFrame:
    """Averages over seeds, and the share of calls that warned.

    "pairs": d pairs of correlation 0.75, all informative. "label": two classes two standard
    deviations apart in one unit, and d - 1 units that say nothing.
    """
    rows = []
    for units in DIMENSIONS:
        pair_truth = -units / 2 * np.log(1 - CORRELATION**2)
        for size in SIZES:
            found = np.array([pairs(seed, size, units) for seed in range(SEEDS)]).mean(0)
            rows.append(("pairs", units, size, pair_truth, *found))
            found = np.array([label(seed, size, units) for seed in range(SEEDS)]).mean(0)
            rows.append(("label", units, size, two_class_truth(), *found))
    columns = ["case", "units", "N", "truth", "neighbors", "warned", "gaussian"]
    return pandas.DataFrame(rows, columns=columns)


def neighbors(x: np.ndarray, y: np.ndarray, discrete: bool) -> tuple[float, bool]:
    """Estimate by neighbours, and whether it warned."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value = it.neighbor_information(x, y, k=3, discrete_y=discrete).value
    return value, any(issubclass(each.category, it.NeighborTrustWarning) for each in caught)


def pairs(seed: int, size: int, units: int) -> tuple[float, float, float]:
    """Estimate the information of Gaussian pairs."""
    rng = np.random.default_rng(seed)
    x, noise = rng.normal(size=(2, size, units))
    y = CORRELATION * x + np.sqrt(1 - CORRELATION**2) * noise
    return *neighbors(x, y, discrete=False), it.gaussian_information(x, y).value


def label(seed: int, size: int, units: int) -> tuple[float, float, float]:
    """Estimate the information about the label."""
    rng = np.random.default_rng(seed)
    y = np.arange(size) % 2
    x = rng.normal(size=(size, units))
    x[:, 0] += DISTANCE * y
    return *neighbors(x, y, discrete=True), np.nan


def two_class_truth() -> float:
    """I between two normal classes and their label, by the trapezoidal rule."""
    grid = np.linspace(-10, 10 + DISTANCE, 4001)
    means = np.array([[0.0], [DISTANCE]])
    density = np.exp(-((grid - means) ** 2) / 2) / np.sqrt(2 * np.pi)
    return float(np.trapezoid((density * np.log(density / density.mean(0))).mean(0), grid))


def draw(found: pandas.DataFrame) -> Figure:
    """Pairs on the left, labels on the right; open where every second call or more warned."""
    figure = Figure(figsize=(style.WIDTH, 4.0), layout="constrained")
    panels = figure.subplots(1, 2)
    titles = {
        "pairs": "d + d units, all pairs informative",
        "label": "two classes in one of d units; the rest says nothing",
    }
    for axes, (case, title) in zip(panels, titles.items(), strict=True):
        rows = found[found["case"] == case]
        for size, shade in zip(SIZES, ("#8fc1c6", style.LOWER), strict=True):
            own = rows[rows["N"] == size]
            name = f"neighbours, N = {size:,}"
            axes.plot(own["units"], own["neighbors"], color=shade, label=name)
            for warned, face in ((False, shade), (True, "white")):
                some = own[(own["warned"] >= 0.5) == warned]
                marked = {"markerfacecolor": face, "markeredgecolor": shade, "ls": ""}
                axes.plot(some["units"], some["neighbors"], marker="o", **marked)
            if case == "pairs":
                line = ":" if size == SIZES[0] else "-."
                name = f"Gaussian form, N = {size:,}"
                axes.plot(own["units"], own["gaussian"], line, color=style.UPPER, label=name)
        own = rows[rows["N"] == SIZES[0]]
        axes.plot(own["units"], own["truth"], "--", color="black", label="truth")
        axes.set(xlabel="units d", ylim=(0, 1.15 * own["truth"].max()), xticks=DIMENSIONS)
        axes.set_title(title)
    panels[0].set_ylabel("I(X;Y), nats")
    panels[1].set_ylabel("I(X;label), nats")
    marked = {"color": "#555555", "markerfacecolor": "white", "ls": "", "marker": "o"}
    panels[0].plot([], [], label="warned", **marked)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=6)
    return figure
