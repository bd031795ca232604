"""Learned bounds where the truth is known, in few and many units, beside neighbours."""

import warnings

import numpy as np
import pandas
from matplotlib.figure import Figure

import infotheo as it
from infotheo.study.figures import style

SLOW = True  # minutes of training: not checked with the others
SIZE, CORRELATION = 4000, 0.75
PAIRS = (1, 3, 5, 10, 20)
LABELS = (1, 5, 12, 20, 50)
COLUMNS = ["case", "units", "truth", "estimator", "value", "standard_error", "ceiling"]


def table() -> pandas.DataFrame:
    """4,000 samples; Gaussian pairs, and two classes apart in one unit, as in dimension.py."""
    import dimension

    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the picture shows what they are about
        for units in PAIRS:
            rng = np.random.default_rng(units)
            x, noise = rng.normal(size=(2, SIZE, units))
            y = CORRELATION * x + np.sqrt(1 - CORRELATION**2) * noise
            truth = -units / 2 * np.log(1 - CORRELATION**2)
            for bound in ("infonce", "dv"):
                found = it.variational_information(x, y, bound=bound, seed=0)
                numbers = (float(found.value), float(found.standard_error), float(found.ceiling))
                rows.append(("pairs", units, truth, bound, *numbers))
            value = it.neighbor_information(x, y, k=3).value
            rows.append(("pairs", units, truth, "neighbours", value, np.nan, np.nan))
        truth = dimension.two_class_truth()
        for units in LABELS:
            rng = np.random.default_rng(units)
            y = np.arange(SIZE) % 2
            x = rng.normal(size=(SIZE, units))
            x[:, 0] += dimension.DISTANCE * y
            found = it.density_ratio_information(x, y, seed=0)
            numbers = (float(found.standard_error), float(found.ceiling))
            rows.append(("label", units, truth, "density ratio", float(found.value), *numbers))
            rows.append(("label", units, truth, "its lower", float(found.lower), *numbers))
            value = it.neighbor_information(x, y, k=3, discrete_y=True).value
            rows.append(("label", units, truth, "neighbours", value, np.nan, np.nan))
    return pandas.DataFrame(rows, columns=COLUMNS)


def draw(found: pandas.DataFrame) -> Figure:
    """Pairs on the left, labels on the right, with two standard errors."""
    figure = Figure(figsize=(style.WIDTH, 4.0), layout="constrained")
    panels = figure.subplots(1, 2)
    looks = {
        "infonce": ("InfoNCE", style.LOWER, "o-"),
        "dv": ("Donsker–Varadhan", style.UPPER, "s-"),
        "density ratio": ("density ratio, value", style.LOWER, "o-"),
        "its lower": ("density ratio, lower", style.UPPER, "s-"),
        "neighbours": ("neighbours", "#999999", "x:"),
    }
    titles = {
        "pairs": "d + d units, all pairs informative",
        "label": "two classes in one of d units",
    }
    for axes, (case, title) in zip(panels, titles.items(), strict=True):
        rows = found[found["case"] == case]
        for estimator, own in rows.groupby("estimator", sort=False):
            name, colour, line = looks[estimator]
            errors = 2 * own["standard_error"].fillna(0)
            axes.errorbar(own["units"], own["value"], errors, fmt=line, ms=4, c=colour, label=name)
        truth = rows.drop_duplicates("units")
        axes.plot(truth["units"], truth["truth"], "--", color="black", label="truth")
        axes.set(xlabel="units d", ylim=(0, None), xticks=truth["units"])
        axes.set_title(f"{title}, N = {SIZE:,}")
        axes.legend()
    ceiling = found.loc[found["estimator"] == "infonce", "ceiling"].iloc[0]
    panels[0].axhline(ceiling, color="#777777", lw=0.8)
    panels[0].text(1, ceiling, "ceiling of InfoNCE", va="bottom")
    panels[1].set_ylim(0, 0.45)
    panels[0].set_ylabel("I(X;Y), nats")
    panels[1].set_ylabel("I(X;label), nats")
    return figure
