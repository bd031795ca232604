"""The worked example of a user's own package runs, and is planned as carefully as the project."""

import shutil
from pathlib import Path

import pandas
import pytest
import yaml

from tests.workflows.snakemake_runs import copy_project, run, would_run
from tests.workflows.tiny_study import changed

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_package"
RUNS = ("rings-ResidualNetwork-baseline", "rings-ResidualNetwork-energy-0.01")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Return the folder of the finished example, and its configuration made small."""
    folder = tmp_path_factory.mktemp("example")
    copy_project(folder)
    shutil.copytree(EXAMPLE / "mypackage", folder / "mypackage")
    config = yaml.safe_load((EXAMPLE / "config.yaml").read_text())
    small = {"training.epochs": 2, "regularizers.VR": ..., "figures": ..., "tables": ...}
    config = changed({**small, "measures.pairwise": ...}, config)
    done = run(folder, config, "--cores", "2")
    assert done.returncode == 0, done.stdout
    return folder, config


def test_the_example_runs(study):
    folder, _ = study
    runs = pandas.read_csv(folder / "results" / "rings" / "runs.csv")
    assert list(runs["regularizer"]) == ["baseline"] * 3 + ["energy"] * 3
    assert runs["effective_dimension"].between(1, 24).all()
    correlations = pandas.read_csv(folder / "results" / "rings" / "correlations.csv")
    assert set(correlations["measure"]) == {"effective_dimension"}


def test_an_edited_measure_is_measured_again(study, tmp_path):
    folder, config = study
    copied = shutil.copytree(folder, tmp_path / "copied")
    measures = copied / "mypackage" / "measures.py"
    text = measures.read_text()
    measures.write_text(text.replace("# (seed, component)", "# one row for each seed"))
    assert would_run(copied, config) == []
    measures.write_text(text.replace("** 2 / (", "** 2.0 / ("))
    assert would_run(copied, config) == sorted(
        [
            *(f"effective_dimension of second, {run} seeds-0-2" for run in RUNS),
            "collect the runs",
            "correlate the measures with the errors",
        ]
    )


def test_a_setting_that_ones_own_function_does_not_take(study):
    folder, config = study
    done = run(folder, changed({"data.noize": 1}, config), "-n")
    assert done.returncode != 0
    line = "study.yaml: data.noize: unknown setting; did you mean 'noise'?; rings takes samples"
    assert line in done.stdout
