"""Studies that follow training: what is kept, what is measured, what runs again."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from infotheo.study.measures.binned import binned
from tests.workflows.snakemake_runs import run, would_run_each
from tests.workflows.tiny_study import FOLLOWED, changed
from workflows.plan import fingerprint as fingerprint_module
from workflows.plan.errors import ConfigError
from workflows.plan.study import Study

MEASURED = {"binned": ["binned_input"], "error": ["error"], "margins": ["hard_margin"]}


@pytest.fixture
def copied(followed, tmp_path):
    """Return a copy of the followed study to go on with."""
    return shutil.copytree(followed, tmp_path / "copied")


def opened(folder, pattern):
    return [xr.load_dataset(file) for file in sorted(folder.glob(f"results/runs/{pattern}"))]


def test_what_a_followed_study_leaves(followed):
    for snapshots in opened(followed, "*/seeds-0-1/snapshots.nc"):
        assert snapshots["epoch"].values.tolist() == [0, 1, 2]
        assert snapshots["step"].values.tolist() == [0, 4, 8]
    for measure, names in MEASURED.items():
        found = opened(followed, f"*/seeds-0-1/trajectories/{measure}-*.nc")
        assert len(found) == 2
        for name in names:
            assert found[0][name].dims[-2:] == ("seed", "epoch"), name
            assert np.isfinite(found[0][name]).all() or name == "hard_margin"
            assert found[0]["step"].values.tolist() == [0, 4, 8]
    assert (followed / "results/tiny/figures/information_over_training.svg").exists()
    table = pd.read_csv(followed / "results/tiny/tables/phase_table.csv")
    assert set(table["layer"]) == {"hidden1"}
    assert {"relu", "tanh"} <= set(table.iloc[:, 0])


def test_the_end_of_a_trajectory_is_the_trained_network(followed):
    for history, error in zip(
        opened(followed, "*/seeds-0-1/history.nc"),
        opened(followed, "*/seeds-0-1/trajectories/error-*.nc"),
        strict=True,
    ):
        np.testing.assert_allclose(error["error"].isel(epoch=-1), history["test_error"], atol=1e-7)
        assert (error["error"].isel(epoch=0) > 0.5).all()  # ten classes, not trained


def test_bins_span_all_of_training(followed):
    (trajectory, _) = opened(followed, "*/seeds-0-1/trajectories/binned-*.nc")
    (snapshots, _) = opened(followed, "*/seeds-0-1/snapshots.nc")
    (data,) = opened(followed.parent / followed.name, "../data/*.nc")
    inputs = data["input"].values[data["split"].values == 0]
    first = np.stack(
        [
            [np.maximum(inputs @ w.T + b, 0) for w, b in zip(weights, biases, strict=True)]
            for weights, biases in zip(
                snapshots["hidden1.linear.weight"].values,
                snapshots["hidden1.linear.bias"].values,
                strict=True,
            )
        ]
    )  # (seed, epoch, sample, unit)
    for seed in range(2):
        activations = xr.DataArray(
            first[seed],
            dims=("seed", "sample", "unit"),
            coords={"class": ("sample", np.arange(200) % 2)},
        ).assign_coords(
            seed=range(3),
            smallest=("seed", [first[seed].min()] * 3),
            largest=("seed", [first[seed].max()] * 3),
        )
        alone = binned(activations, bins=10)["binned_input"]
        ours = trajectory["binned_input"].sel(layer="hidden1").isel(seed=seed)
        # a value within rounding of an edge may fall to its other side
        np.testing.assert_allclose(ours, alone, atol=0.05)


RUNS = ("digits-mlp-baseline", "digits-mlp-baseline")
CONFIGURATION = ["the configuration as resolved"]
DRAWN = ["figure information_over_training", "table phase_table"]


def along(*measures):
    return [f"{measure} along training, {run} seeds-0-1" for measure in measures for run in RUNS]


def kept(layer):
    return [f"activations of {layer} along training, {run} seeds-0-1" for run in RUNS]


ROWS = {
    "nothing": ({}, []),
    "the limit on disk space": ({"snapshots.gigabytes": 1}, CONFIGURATION),
    "bins along training": (
        {"snapshots.measures.binned.bins": 12},
        [*CONFIGURATION, *along("binned"), *DRAWN],
    ),
    "a measure along training taken out": (
        {"snapshots.measures.margins": ...},
        [*CONFIGURATION, *DRAWN],
    ),
    "one more measure along training": (
        {"snapshots.measures.prediction": None},
        [*CONFIGURATION, *along("prediction"), *DRAWN],
    ),
    "a layer along training": (
        {"snapshots.layers": ["hidden1", "hidden2"]},
        [*CONFIGURATION, *along("binned"), *kept("hidden2"), *DRAWN],
    ),
    "activations not kept": ({"snapshots.keep": "weights"}, CONFIGURATION),
    "other samples": (
        {"snapshots.samples": 50},
        [
            *CONFIGURATION,
            *along("binned", "error", "margins"),
            *kept("hidden1"),
            *DRAWN,
        ],
    ),
}


@pytest.mark.gate
def test_what_runs_again(followed):
    configs = {row: changed(changes, FOLLOWED) for row, (changes, _) in ROWS.items()}
    expected = {row: sorted(jobs) for row, (_, jobs) in ROWS.items()}
    assert would_run_each(followed, configs) == expected


def test_activations_along_training(followed):
    for activation in opened(followed, "*/seeds-0-1/snapshots/hidden1.nc"):
        assert activation["activation"].dims == ("seed", "epoch", "sample", "unit")
        assert activation["activation"].shape == (2, 3, 200, 20)
        assert activation["class"].dims == ("sample",)


def test_measures_in_place(followed, copied):
    in_place = changed(
        {
            "snapshots.keep": "measures",
            "snapshots.measures.binned": {"bin_width": 0.1},
            "conditions": {"relu": {}},
            "figures": ...,
            "tables": ...,
        },
        FOLLOWED,
    )
    done = run(copied, in_place, "--cores", "2", "--until", "train")
    assert done.returncode == 0, done.stdout
    (measured,) = opened(copied, "*/seeds-0-1/trajectories.nc")
    for measure, names in MEASURED.items():
        replayed = opened(followed, f"*/seeds-0-1/trajectories/{measure}-*.nc")
        for name in names:
            if measure != "binned":  # of other bins here
                assert any(
                    np.array_equal(measured[name], each[name], equal_nan=True) for each in replayed
                ), name


def test_measures_along_training_are_those_of_the_study_unless_said(tmp_path):
    own = {"margins": {"part": "train"}, "error": None}
    config = changed({"measures": own, "snapshots": None, "figures": ..., "tables": ...}, FOLLOWED)
    study = Study(config, "tiny.yaml", tmp_path)
    parts = {each.spec["measure"]: each.spec["part"] for each in study.snapshots.trajectories}
    assert parts == {"margins": "train", "error": "test"}
    run = study.runs[0]
    assert run.spec["snapshots"] == {"every": "epoch", "count": 3}  # every one of two epochs
    long = Study(changed({"training.epochs": 500}, config), "tiny.yaml", tmp_path)
    assert long.runs[0].spec["snapshots"]["count"] == 100


def test_code_that_measures_trains_nothing(tmp_path):
    roots = fingerprint_module.definition(
        "infotheo.study.trajectories.in_place", "in_place_measure"
    )
    trained = Study(FOLLOWED, "tiny.yaml", tmp_path).runs[0]
    assert roots not in trained.code
    settings = {"snapshots.keep": "measures", "snapshots.measures.binned": {"bin_width": 0.1}}
    in_place = Study(changed(settings, FOLLOWED), "tiny.yaml", tmp_path).runs[0]
    assert roots in in_place.code
    script = Path("workflows/scripts/train.py").read_text(encoding="utf-8")
    assert "import in_place_measure" not in script


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"snapshots.measures": {"binnd": None}}, ("snapshots.measures.binnd", "'binned'")),
        ({"snapshots.measures": {"binned": {"bin": 3}}}, ("snapshots.measures.binned.bin",)),
        ({"snapshots.measures": {"error": {"layers": ["hidden1"]}}}, ("error.layers", "logits")),
        ({"snapshots.count": 5}, ("snapshots.points", "count")),
        ({"snapshots.points": []}, ("snapshots.points", "at least one")),
        ({"snapshots.every": "hour"}, ("snapshots.every", "epoch or step")),
        ({"snapshots.keep": "all"}, ("snapshots.keep", "weights, activations or measures")),
        ({"snapshots.gigabytes": 0}, ("snapshots.gigabytes", "above 0")),
        ({"snapshots.measures.binned.bins": 0}, ("snapshots.measures.binned.bins", "at least 1")),
        ({"snapshots.measures.binned.layers": "hidden1"}, ("measures.binned.layers", "a list")),
        ({"snapshots.keep": "measures"}, ("snapshots.measures.binned", "range", "bin_width")),
        ({"snapshots": {"every": "step"}}, ("snapshots.count: missing", "points")),
        ({"snapshots.part": "tests"}, ("snapshots.part", "train, validation, test or all")),
        ({"snapshots": ...}, ("figures.information_over_training", "snapshots")),
        ({"measures": {"binned": {"part": "train"}}}, ("measures.binned.part", "activations")),
        (
            {"regularizers": {"VR": {"weight": [0.1, 1]}}},
            ("regularizers.VR.weight", "expected a number", "snapshots"),
        ),
        ({"training.augmentation": "crop"}, ("training.augmentation", "crop_and_flip")),
        (
            {
                "training.augmentation": "crop_and_flip",
                "training.augmentation_settings": {"pad": 1},
            },
            ("training.augmentation_settings.pad", "padding"),
        ),
        ({"training.augmentation_settings": {"padding": 1}}, ("no training.augmentation",)),
        ({"network.widths": [3, 2.5]}, ("network.widths", "list of whole numbers")),
        ({"training.batch_size": "whole"}, ("training.batch_size", "or full")),
        ({"training.phases": [{"epochs": 3}]}, ("training.phases", "epochs")),
        (
            {"training.phases": [{"epoch": 1, "batch_size": 201}]},
            ("training.phases.0.batch_size", "201", "200"),
        ),
    ],
)
def test_bad_input_is_one_line(changes, words, tmp_path):
    with pytest.raises(ConfigError) as caught:
        Study(changed(changes, FOLLOWED), "tiny.yaml", tmp_path)
    message = str(caught.value)
    assert "\n" not in message
    for word in ("tiny.yaml", *words):
        assert word in message


def test_a_layer_that_is_not_there_is_told_before_training(copied):
    missing = changed({"snapshots.layers": ["hidden9"], "network.width": 7}, FOLLOWED)
    done = run(copied, missing, "--cores", "1")
    assert done.returncode != 0
    assert "hidden9" in done.stdout
    assert ": train: " in done.stdout


def test_a_schedule_that_never_fires_is_one_line(copied):
    never = changed({"snapshots.points": [40]}, FOLLOWED)
    done = run(copied, never, "--cores", "1")
    assert done.returncode != 0
    (line,) = {line for line in done.stdout.splitlines() if ": train: " in line}
    assert "40" in line
