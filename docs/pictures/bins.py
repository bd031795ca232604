"""Bins against sample size: information of activations with labels that were drawn by lot."""

import numpy as np
import pandas
from matplotlib.figure import Figure

import infotheo as it
from infotheo.study.figures import style

BINS = (2, 3, 4, 6, 8, 12, 16, 24, 30, 48, 64, 100)
UNITS = (1, 2, 3, 10)
SIZE, CLASSES = 4000, 10


def table() -> pandas.DataFrame:
    """I(T;Y) (truth 0) and I(T;X) of uniform activations, 4,000 samples, 10 random labels."""
    rng = np.random.default_rng(0)
    z = rng.uniform(-1, 1, size=(SIZE, max(UNITS)))
    labels = rng.permutation(np.arange(SIZE) % CLASSES)
    rows = []
    for units in UNITS:
        for bins in BINS:
            settings = {"bins": bins, "range": (-1, 1)}
            plain = it.binned_information(z[:, :units], labels, **settings)
            corrected = it.binned_information(
                z[:, :units], labels, correction="miller-madow", **settings
            )
            about_input = it.binned_information(z[:, :units], **settings)
            rows.append((units, bins, plain.value, corrected.value, about_input.value))
    columns = ["units", "bins", "label", "label_miller_madow", "input"]
    return pandas.DataFrame(rows, columns=columns)


def draw(found: pandas.DataFrame) -> Figure:
    """Draw what is said of random labels on the left, of the input on the right."""
    figure = Figure(figsize=(style.WIDTH, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    colours = dict(zip(UNITS, ("#9ecae1", "#4292c6", "#08519c", "#08254d"), strict=True))
    for units, own in found.groupby("units"):
        name = f"{units} unit{'s' if units > 1 else ''}"
        left.plot(own["bins"], own["label"], "o-", ms=4, color=colours[units], label=name)
        left.plot(own["bins"], own["label_miller_madow"], ":", color=colours[units])
        right.plot(own["bins"], own["input"], "o-", ms=4, color=colours[units])
        entropy = np.minimum(units * np.log(own["bins"]), 30)
        right.plot(own["bins"], entropy, ":", color=colours[units])
    left.plot([], [], ":", color="#555555", label="with Miller–Madow")
    left.axhline(0, color="black", ls="--", label="truth 0")
    ceilings = ((left, np.log(CLASSES), "H(Y) = ln 10"), (right, np.log(SIZE), "ln N"))
    for axes, level, text in ceilings:
        axes.axhline(level, color="#777777", lw=0.8)
        axes.text(0.01, level, text, va="bottom", transform=axes.get_yaxis_transform())
        axes.set(xscale="log", xlabel="bins for each unit")
        axes.set_xticks([2, 4, 8, 16, 30, 64, 100], ["2", "4", "8", "16", "30", "64", "100"])
        axes.minorticks_off()
    right.set(ylim=(0, 10.5), ylabel="nats")
    left.set(ylabel="nats")
    left.set_title("I(T;Y) of labels drawn by lot, N = 4,000")
    right.set_title("I(T;X): measured, and (dotted) the entropy of the cells")
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=6)
    return figure
