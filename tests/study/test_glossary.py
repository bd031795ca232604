"""docs/columns.md explains every column that a study can have, and none besides."""

import inspect
import re
from pathlib import Path

import numpy as np
import torch
import xarray

from infotheo.networks.resnet import residual_network
from infotheo.study.columns import split_variable
from infotheo.study.correlation.table import COLUMNS
from infotheo.study.measures import measures, prediction_measures
from infotheo.study.measures.networks import network_measures
from infotheo.study.runs_table import FIXED

PAGE = Path(__file__).parents[2] / "docs" / "columns.md"
SUFFIXES = ("_min", "_q05", "_q25", "_q50", "_q75", "_q95", "_mean")


def documented(page):
    """Names in the first cells of the page's tables; one that goes on stands for all suffixes."""
    names = []
    for line in page.splitlines():
        if line.startswith("| `"):
            cell = line.split(" | ")[0]
            for name in re.findall(r"`(\w+)`", cell):
                goes_on = "…" in cell
                stem = name.removesuffix("_min")
                names += [stem + suffix for suffix in SUFFIXES] if goes_on else [name]
    return names


def measured():
    """Names of all variables that the registered measures return."""
    draw = np.random.default_rng(0)
    values = xarray.DataArray(
        np.abs(draw.normal(size=(2, 40, 4))).astype(np.float32),
        dims=("seed", "sample", "unit"),
        coords={"seed": [0, 1], "class": ("sample", np.arange(40) % 4)},
    )
    for measure in [*measures.values(), *prediction_measures.values()]:
        yield from measure(values)
    torch.manual_seed(0)
    network = residual_network((3, 8, 8), 10, depth=8, width=4)
    x, y = torch.randn(24, 3, 8, 8), torch.arange(24) % 10
    for measure in network_measures.values():
        small = {"samples": 16} if "samples" in inspect.signature(measure).parameters else {}
        yield from measure(network, x, y, **small)


def test_every_column_is_explained_and_no_other():
    runs, _, correlations = PAGE.read_text(encoding="utf-8").partition("## `correlations.csv`")
    names = documented(runs)
    assert len(set(names)) == len(names)
    assert set(names) == {*FIXED, *(split_variable(name)[0] for name in measured())}
    assert set(documented(correlations)) == set(COLUMNS)
