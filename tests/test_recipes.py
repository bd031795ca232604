"""The recipes of CONTRIBUTING.md, followed in a copy: nothing else has to be touched."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflows.snakemake_runs import make

pytestmark = pytest.mark.gate

ROOT = Path(__file__).parents[1]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"^### An? (\w[\w ]*)\n\n(.*?)(?=^##|\Z)", CONTRIBUTING, re.M | re.S))

NEW = {
    "infotheo/estimators/collision.py": '''
"""Collision entropy."""

from __future__ import annotations

import math

from infotheo.arrays.numbers import check_count

__all__ = ["collision_bound"]


def collision_bound(classes: int) -> float:
    """Largest collision entropy of a label, nats.

    Parameters
    ----------
    classes
        Number of classes, more than two.

    Returns
    -------
    float
        ln classes.

    Raises
    ------
    TypeError, ValueError
        If there are not more than two classes.

    Notes
    -----
    Source: Rényi (1961).

    Examples
    --------
    >>> round(collision_bound(3), 3)
    1.099
    """
    return math.log(check_count(classes, "classes", least=3))
''',
    "infotheo/penalties/largest.py": '''
"""MX: largest activations."""

from __future__ import annotations

from torch import Tensor

from infotheo.penalties.class_deviations import activations_of

__all__ = ["largest_penalty"]


def largest_penalty(z: Tensor, labels: object = None, *, classes: int | None = None) -> Tensor:
    """MX: mean over units of the largest absolute activation.

    Parameters
    ----------
    z
        Activations (..., sample, unit).
    labels, classes
        Not used; taken so that all penalties are called alike.

    Returns
    -------
    torch.Tensor
        Penalty (...), in units of activation.

    Examples
    --------
    >>> import torch
    >>> largest_penalty(torch.tensor([[0.0, 1.0], [-3.0, 0.0]]))
    tensor(2.)
    """
    return activations_of(z).abs().amax(-2).mean(-1)
''',
    "infotheo/networks/linear.py": '''
"""One linear layer."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

__all__ = ["linear_network"]


def linear_network(input_shape: Sequence[int], classes: int, *, bias: bool = True) -> nn.Sequential:
    """Build one linear layer.

    Examples
    --------
    >>> linear_network((4,), 2).scores
    Linear(in_features=4, out_features=2, bias=True)
    """
    scores = nn.Linear(math.prod(input_shape), classes, bias=bias)
    return nn.Sequential(OrderedDict(flat=nn.Flatten(), scores=scores))
''',
    "infotheo/data/blobs.py": '''
"""Two Gaussian clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from infotheo.data.samples import labelled_samples

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["blobs"]


def blobs(*, size: int = 60) -> xr.Dataset:
    """Return two clusters.

    Examples
    --------
    >>> blobs().sizes["sample"]
    60
    """
    labels = np.arange(size) % 2
    split = np.sort(np.arange(size) % 3)
    inputs = np.random.default_rng(0).normal(size=(size, 2)) + labels[:, np.newaxis]
    return labelled_samples(inputs.astype(np.float32), labels, split, name="blobs", classes=2)
''',
    "infotheo/study/measures/largest.py": '''
"""The largest activation of a layer."""

from __future__ import annotations

import xarray as xr

__all__ = ["largest"]


def largest(activations: xr.DataArray, *, absolute: bool = True) -> xr.Dataset:
    """Largest activation of each network."""
    values = abs(activations) if absolute else activations
    return xr.Dataset({"largest_activation": values.max(("sample", "unit"))})
''',
    "infotheo/study/figures/error_dots.py": '''
"""Test errors as dots."""

from __future__ import annotations

import pandas
from matplotlib.figure import Figure

from infotheo.study.figures import style
from infotheo.study.figures.run_selection import divergence_remark, select_condition

__all__ = ["error_dots"]


@style.styled
def error_dots(runs: pandas.DataFrame, *, condition: str | None = None) -> Figure:
    """Test error of each run.

    Parameters
    ----------
    runs
        One row per trained network.
    condition
        Condition to draw; None takes the first.
    """
    runs = select_condition(runs, condition, "error_dots")
    figure = Figure(figsize=(style.WIDTH, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(runs["regularizer"], runs["test_error"], "o")
    axes.set_ylabel("test error")
    figure.suptitle("Test error of each run")
    style.note(figure, divergence_remark(runs, "test_error"))
    return figure
''',
    "infotheo/study/tables/error_table.py": '''
"""Mean test errors."""

from __future__ import annotations

import pandas

__all__ = ["error_table"]


def error_table(runs: pandas.DataFrame) -> pandas.DataFrame:
    """Mean test error of each regularizer.

    Parameters
    ----------
    runs
        One row per trained network.
    """
    return runs.groupby("regularizer", sort=False)["test_error"].mean().reset_index()
''',
    "workflows/studies/clusters.yaml": """
extends: quick.yaml
study: clusters
data: {name: blobs}
network: {name: linear}
training: {epochs: 2, batch_size: 5, seeds: 2, regularized_layer: scores}
regularizers:
  baseline:
  MX: {weight: 0.1}
layers: [scores]
measures:
  largest:
figures:
  error_dots:
tables:
  error_table:
""",
}
STUDIES = "docs/studies.md"
# of each recipe: its new file, and what is put before what in the others
FOLLOWED = {
    "estimator": {
        "infotheo/estimators/collision.py": None,
        "infotheo/__init__.py": {
            '    "comparable_output': '    "collision_bound": "infotheo.estimators.collision",\n'
        },
        "docs/api/prediction.rst": {"   irrelevant_information": "   collision_bound\n"},
    },
    "regularizer": {
        "infotheo/penalties/largest.py": None,
        "infotheo/penalties/__init__.py": {
            "from infotheo.penalties.logit": (
                "from infotheo.penalties.largest import largest_penalty\n"
            ),
            '"RR": ': '"MX": largest_penalty,\n        ',
        },
        STUDIES: {"`RR`": "`MX`, "},
    },
    "network": {
        "infotheo/networks/linear.py": None,
        "infotheo/networks/__init__.py": {
            "from infotheo.networks.mlp": "from infotheo.networks.linear import linear_network\n",
            '"mlp": ': '"linear": linear_network,\n        ',
        },
        STUDIES: {"`mlp`": "`linear`, "},
    },
    "data set": {
        "infotheo/data/blobs.py": None,
        "infotheo/data/__init__.py": {
            "from infotheo.data.cifar": "from infotheo.data.blobs import blobs\n",
            '"cifar10": ': '"blobs": blobs,\n        ',
        },
        STUDIES: {"`digits`": "`blobs`, "},
    },
    "measure": {
        "infotheo/study/measures/largest.py": None,
        "infotheo/study/measures/__init__.py": {
            "from infotheo.study.measures.pairwise": (
                "from infotheo.study.measures.largest import largest\n"
            ),
            '"pairwise": pairwise': '"largest": largest, ',
        },
        STUDIES: {"`pairwise`": "`largest`, "},
    },
    "figure": {
        "infotheo/study/figures/error_dots.py": None,
        "infotheo/study/figures/__init__.py": {
            "from infotheo.study.figures.information_over": (
                "from infotheo.study.figures.error_dots import error_dots\n"
            ),
            '"error_and_gap": ': '"error_dots": error_dots,\n        ',
        },
        STUDIES: {"`error_and_gap`": "`error_dots`, "},
    },
    "table": {
        "infotheo/study/tables/error_table.py": None,
        "infotheo/study/tables/__init__.py": {
            "from infotheo.study.tables.inv": (
                "from infotheo.study.tables.error_table import error_table\n"
            ),
            '"scale_table": ': '"error_table": error_table,\n        ',
        },
        STUDIES: {"`scale_table`": "`error_table`, "},
    },
    "study": {
        "workflows/studies/clusters.yaml": None,
        STUDIES: {"| `margins` |": "| `clusters` | an example | |\n"},
    },
}
# tests that walk over what there is
WALKERS = [
    *(
        "tests/test_docs.py",
        "tests/test_pages.py",
        "tests/test_bad_input.py",
        "tests/test_house.py",
    ),
    *("tests/study/figures/test_figures.py", "tests/study/measures", "tests/study/tables"),
    *("tests/penalties", "tests/networks/test_training.py", "tests/data/test_digits.py"),
    *("tests/workflows/test_extends.py", "tests/workflows/test_fingerprint.py"),
    *(name for name in NEW if name.endswith(".py")),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """Return a copy of the project in which every recipe was followed."""
    folder = tmp_path_factory.mktemp("recipes") / "project"
    ignored = shutil.ignore_patterns(".*", "results", "_build", "__pycache__")
    shutil.copytree(ROOT, folder, ignore=ignored)
    shutil.copytree(ROOT / ".ci", folder / ".ci")
    for files in FOLLOWED.values():
        for name, edits in files.items():
            if edits is None:
                (folder / name).write_text(NEW[name].lstrip(), encoding="utf-8")
                continue
            text = (folder / name).read_text(encoding="utf-8")
            for place, addition in edits.items():
                assert place in text, f"{name} no longer holds {place!r}"
                text = text.replace(place, addition + place, 1)
            (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_every_recipe_is_followed():
    assert set(RECIPES) == set(FOLLOWED)
    assert all(text.strip().count("\n") < 10 for text in RECIPES.values())


@pytest.mark.parametrize("recipe", FOLLOWED)
def test_a_recipe_names_all_that_it_touches(recipe):
    named = re.findall(r"`([\w/.]+)`", RECIPES[recipe])
    touched = [name for name, edits in FOLLOWED[recipe].items() if edits is not None]
    (new,) = FOLLOWED[recipe].keys() - touched
    assert str(Path(new).with_stem("name")) in named
    assert all(any(name.startswith(each) for each in named) for name in touched)
    assert len(touched) <= 2  # a registry and a page
    for name in named:
        if "name" not in name and "/" in name:
            assert (ROOT / name).exists(), f"no {name}"


def test_the_tests_hold_without_another_line(copy):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *WALKERS],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:]


def test_all_of_it_makes_a_study(copy):
    make(copy, {"extends": "workflows/studies/clusters.yaml"}, project=copy)
    results = copy / "results" / "clusters"
    assert "largest_activation" in (results / "runs.csv").read_text().splitlines()[0]
    assert (results / "figures" / "error_dots.svg").is_file()
    assert (results / "tables" / "error_table.csv").is_file()
