"""Which runs a study has, what they are called, and which seeds are trained already."""

import re

import numpy as np
import pytest
import xarray as xr

from tests.workflows.tiny_study import changed, reordered
from workflows.plan.chunks import TRAINED, chunks_of
from workflows.plan.study import Study
from workflows.records import record


def plan(changes, folder):
    return Study(changed(changes), "tiny.yaml", folder)


def names(study):
    return [run.name for run in study.runs]


def everything(study):
    """All that Snakemake is told of a study, so all that could make something run again."""
    return {
        "targets": study.layout.targets(),
        "estimates": study.layout.estimate_files(),
        "train": [study.train_params(run.name, c.name) for run in study.runs for c in run.chunks],
        "data": [study.data_params(run.data_name) for run in study.runs],
        "activations": [study.activation_params(name, study.layers[0]) for name in names(study)],
        "measures": [study.estimate_params(entry.name) for entry in study.measures],
        "collect": repr(study.collect_params()),
        "correlate": study.correlate_params(),
        "figures": [
            repr(study.drawing_params("figure", name)) for name in study.drawings["figure"]
        ],
        "tables": [repr(study.drawing_params("table", name)) for name in study.drawings["table"]],
        "resolved": repr(study.resolved()),
    }


def test_the_order_of_a_config_means_nothing(tmp_path):
    conditions = {"conditions": {"wide": {"network": {"width": 30}}, "default": {}}}
    config = changed(conditions)
    first = Study(config, "tiny.yaml", tmp_path)
    assert everything(Study(reordered(config), "tiny.yaml", tmp_path)) == everything(first)
    assert [run.condition for run in first.runs[:3]] == ["default"] * 3


@pytest.mark.parametrize(
    "changes",
    [
        {"training.epochs": 2.0, "data.train_size": 200.0},
        {"network.hidden_layers": 2, "network.activation": "relu"},
        {"training.optimizer": "adam", "training.optimizer_settings": {"beta1": 0.9}},
        {"data.split_seed": 0},
        {"regularizers.VR.weight": [0.1, 0.01]},
        {"regularizers.VR.layer": "hidden2"},
        {"regularizers.VR.normalized": True},
        {"training.seeds_per_job": 50},
        {"training.seeds": [0, 1]},
        {"device": "cpu"},
        {"study": "another"},
    ],
)
def test_changes_that_leave_every_run_as_it_is(changes, tmp_path):
    before, after = plan({}, tmp_path), plan(changes, tmp_path)
    assert everything(after)["train"] == everything(before)["train"]
    assert everything(after)["estimates"] == everything(before)["estimates"]


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"training.epochs": 3}, ()),
        ({"network.width": 21}, ()),
        ({"data.train_size": 201}, ()),
        ({"training.optimizer_settings": {"beta1": 0.8}}, ()),
        ({"regularizers.L2W.weight": 0.002}, ("baseline", "VR")),
        ({"regularizers.VR.weight": [0.01, 0.1, 1]}, ("baseline", "L2W")),
        ({"regularizers.VR.layer": "hidden1"}, ("baseline", "L2W")),
        ({"regularizers.CR": {"weight": 1}}, ("baseline", "L2W", "VR")),
        ({"conditions": {"renamed": {}}}, ("baseline", "L2W", "VR")),
    ],
)
def test_changes_that_make_new_runs(changes, kept, tmp_path):
    before, after = plan({}, tmp_path), plan(changes, tmp_path)
    same = {run.regularizer for run in after.runs if run.name in names(before)}
    assert same == set(kept)


def test_a_label_is_no_part_of_a_run(tmp_path):
    labelled = plan(
        {"regularizers": {"mine": {"penalty": "L2W", "weight": 0.001}, "baseline": None}}, tmp_path
    )
    assert set(names(labelled)) < set(names(plan({}, tmp_path)))


def test_conditions_change_their_own_runs_only(tmp_path):
    changes = {"conditions": {"default": {}, "long": {"training": {"epochs": 9, "seeds": 3}}}}
    study = plan(changes, tmp_path)
    assert names(study)[:3] == names(plan({}, tmp_path))
    assert [run.spec["training"]["epochs"] for run in study.runs[3:]] == [9, 9, 9]
    assert [run.chunks[0].seeds for run in study.runs] == [(0, 1)] * 3 + [(0, 1, 2)] * 3


def test_settings_of_another_function_do_not_carry_over(tmp_path):
    small = {"name": "resnet", "depth": 8, "width": 4}
    changes = {
        "data": {"name": "digits", "train_size": 200, "images": True},
        "training.optimizer_settings": {"beta1": 0.8},
        "training.regularized_layer": "features",
        "layers": ["features"],
        "network": small,
        "conditions": {
            "deep": {"network": {"depth": 14}},
            "flat": {"network": {"name": "mlp"}, "training": {"optimizer": "sgd"}},
        },
        "regularizers": {"baseline": None},
        "figures": ...,
    }
    deep, flat = plan(changes, tmp_path).runs
    assert deep.spec["network"] == {**small, "depth": 14}
    assert deep.spec["training"]["optimizer_settings"] == {"beta1": 0.8}
    assert flat.spec["network"] == {"name": "mlp"}
    assert "optimizer_settings" not in flat.spec["training"]


def test_functions_of_one_name_are_different_measures(tmp_path, monkeypatch):
    for module in ("first_measures", "second_measures"):
        (tmp_path / f"{module}.py").write_text("def norm(activations): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    study = plan({"measures": {"first_measures:norm": None, "second_measures:norm": None}}, ".")
    assert len({entry.name for entry in study.measures}) == 2


def test_a_folder_is_no_part_of_a_data_set(tmp_path):
    there = {"data": {"name": "mnist", "data_dir": "there", "train_size": 200}}
    here = {"data": {"name": "mnist", "data_dir": "here", "train_size": 200}}
    assert everything(plan(there, tmp_path)) == everything(plan(here, tmp_path))


# Chunks of seeds


def train(folder, *chunks):
    for chunk in chunks:
        (folder / chunk).mkdir(parents=True)
        for part in TRAINED:
            (folder / chunk / f"{part}.nc").touch()


def found(folder, wanted, at_most=20):
    return {chunk.name: chunk.wanted for chunk in chunks_of(wanted, folder, at_most)}


@pytest.mark.parametrize(
    ("trained", "wanted", "expected"),
    [
        ([], range(5), {"seeds-0-4": (0, 1, 2, 3, 4)}),
        ([], [7], {"seeds-7": (7,)}),
        ([], [1, 9, 5], {"seeds-1_5_9": (1, 5, 9)}),
        (["seeds-0-4"], range(8), {"seeds-0-4": (0, 1, 2, 3, 4), "seeds-5-7": (5, 6, 7)}),
        (["seeds-0-4", "seeds-5-7"], range(5), {"seeds-0-4": (0, 1, 2, 3, 4)}),
        (["seeds-0-4", "seeds-5-7"], range(6), {"seeds-0-4": (0, 1, 2, 3, 4), "seeds-5-7": (5,)}),
        (["seeds-0-4"], [3, 9], {"seeds-0-4": (3,), "seeds-9": (9,)}),
        (["seeds-1_5_9"], [5, 6], {"seeds-1_5_9": (5,), "seeds-6": (6,)}),
        (["seeds-0-4", "seeds-0-9"], range(10), {"seeds-0-9": tuple(range(10))}),
        (["seeds-0-4", "seeds-0-9"], range(3), {"seeds-0-4": (0, 1, 2)}),
        (["seeds-x", "selection-0"], [0], {"seeds-0": (0,)}),
    ],
)
def test_only_new_seeds_are_trained(trained, wanted, expected, tmp_path):
    train(tmp_path, *trained)
    assert found(tmp_path, list(wanted)) == expected


def test_far_apart_seeds_are_planned_at_once(tmp_path):
    seeds = [2**32 - 1 - 200_000_000 * number for number in range(20)]
    (chunk,) = chunks_of(seeds, tmp_path, 20)
    assert re.fullmatch(r"seeds-494967295-and-19-more-[0-9a-f]{8}", chunk.name)
    assert chunk.seeds == chunk.wanted == tuple(sorted(seeds))
    (chunk,) = chunks_of([0, 2**32 - 1], tmp_path, 20)
    assert chunk.name == "seeds-0_4294967295"


def test_the_seeds_of_a_short_name_are_read_back(tmp_path):
    seeds = sorted(2**32 - 1 - 200_000_000 * number for number in range(20))
    (chunk,) = chunks_of(seeds, tmp_path, 20)
    train(tmp_path, chunk.name)
    weights = xr.Dataset(coords={"seed": np.array(seeds, dtype=np.int64)})
    weights.to_netcdf(tmp_path / chunk.name / "weights.nc")
    assert found(tmp_path, [3, *seeds[4:]]) == {"seeds-3": (3,), chunk.name: tuple(seeds[4:])}
    (tmp_path / chunk.name / "weights.nc").write_bytes(b"torn")
    assert chunks_of(seeds, tmp_path, 20)[0].name == chunk.name


def test_a_trained_range_of_all_seeds_is_not_written_out(tmp_path):
    train(tmp_path, "seeds-0-4294967295")
    (chunk,) = chunks_of(range(3), tmp_path, 20)
    assert chunk.seeds == range(2**32)
    assert chunk.wanted == (0, 1, 2)


def test_large_numbers_of_seeds_are_divided(tmp_path):
    assert list(found(tmp_path, range(7), 3)) == ["seeds-0-2", "seeds-3-5", "seeds-6"]


@pytest.mark.parametrize("finished", [[0], [1], [2], [0, 2], [1, 2], [0, 1, 2]])
def test_a_training_broken_off_goes_on_with_the_same_chunks(finished, tmp_path):
    chunks = list(found(tmp_path, range(7), 3))
    train(tmp_path, *(chunks[number] for number in finished))
    assert list(found(tmp_path, range(7), 3)) == chunks


def test_an_unfinished_chunk_does_not_bind_its_seeds(tmp_path):
    (tmp_path / "seeds-0-99").mkdir()
    (tmp_path / "seeds-0-99" / ".partial-weights.nc").touch()
    assert found(tmp_path, range(2)) == {"seeds-0-1": (0, 1)}


def test_deleted_results_are_made_again_under_their_name(tmp_path):
    train(tmp_path, "seeds-0-4", "seeds-5-7")
    (tmp_path / "seeds-0-4" / "weights.nc").unlink()
    assert list(found(tmp_path, range(8))) == ["seeds-0-4", "seeds-5-7"]


def test_a_layer_that_a_figure_alone_looks_at_can_be_stale(tmp_path):
    """It is no target of its own, so nothing else compares what it was made with."""
    config = changed(
        {"figures.before": {"figure": "principal_components", "layer": "hidden2.linear"}}
    )
    study = Study(config, "tiny.yaml", tmp_path)
    files = [file for file, run, layer in study.layout.drawn_activations()]
    assert {file.name for file in files} == {"hidden2.linear.nc"}
    files[0].parent.mkdir(parents=True)
    files[0].touch()
    assert study.stale_files() == [files[0]]
    record([files[0]], study.activation_params(study.runs[0].name, "hidden2.linear"))
    assert study.stale_files() == []
