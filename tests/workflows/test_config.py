"""Whatever is wrong with a configuration is said in one line: file, key, found, expected."""

import datetime

import pytest

from tests.workflows.tiny_study import changed
from workflows.plan.errors import ConfigError
from workflows.plan.study import Study


def complaint(changes, folder):
    with pytest.raises(ConfigError) as caught:
        Study(changed(changes), "tiny.yaml", folder).correlate_params()
    line = str(caught.value)
    assert line.startswith("tiny.yaml: ")
    assert "\n" not in line
    return line.removeprefix("tiny.yaml: ")


@pytest.mark.parametrize(
    ("changes", "key", "said"),
    [
        ({"stduy": "a"}, "stduy", "did you mean 'study'"),
        ({"training.epoch": 3}, "training.epoch", "did you mean 'epochs'"),
        ({"conditions": {"wide": {"networks": {}}}}, "conditions.wide.networks", "'network'"),
        ({"conditions": {"wide": {"training": {"sedes": 1}}}}, "conditions.wide.training", "seeds"),
        ({"network.widht": 3}, "network.widht", "did you mean 'width'"),
        ({"data.trainsize": 3}, "data.trainsize", "did you mean 'train_size'"),
        ({"measures.binned.bin": 3}, "measures.binned.bin", "did you mean 'bins'"),
        ({"regularizers.VR.rate": 1}, "regularizers.VR.rate", "unknown setting"),
        ({"figures.saturation.colour": 1}, "figures.saturation.colour", "unknown setting"),
        ({"correlation.permutation": 99}, "correlation.permutation", "'permutations'"),
        ({"training.optimizer_settings": {"beta": 1}}, "training.optimizer_settings.beta", "beta1"),
        ({"study": ...}, "study", "missing"),
        ({"regularizers": ...}, "regularizers", "missing"),
        ({"network.name": ...}, "network.name", "missing"),
    ],
)
def test_unknown_and_missing_keys(changes, key, said, tmp_path):
    line = complaint(changes, tmp_path)
    assert line.startswith(key)
    assert said in line


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("training.epochs", "three", "expected a whole number of at least 1"),
        ("training.epochs", 2.5, "expected a whole number"),
        ("training.epochs", True, "expected a whole number"),
        ("training.batch_size", 0, "expected a whole number of at least 1"),
        ("training.learning_rate", 0, "expected a number above 0"),
        ("training.learning_rate", float("nan"), "expected a finite number"),
        ("training.seeds", 0, "expected a number of seeds of at least 1"),
        ("training.seeds", [], "expected a number of seeds of at least 1"),
        ("training.seeds", [1, 1], "different whole numbers"),
        ("training.seeds", [-1], "whole numbers from 0"),
        ("regularizers.L2W.weight", -0.1, "expected a loss weight of at least 0"),
        ("regularizers.L2W.weight", [0.1, -1], "expected a loss weight of at least 0"),
        ("regularizers.L2W.weight", float("inf"), "expected a finite number"),
        ("regularizers.L2W.weight", "much", "expected a loss weight of at least 0"),
        ("regularizers.L2W", 0.1, "expected a mapping of settings"),
        ("regularizers", {}, "at least one entry"),
        ("layers", [], "at least one layer"),
        ("layers", "hidden2", "expected a list"),
        ("measures.pairwise.noise_variance", 1, "expected a list of numbers"),
        ("measures.pairwise.noise_variance", ["one"], "expected a list of numbers"),
        ("measures.pairwise.noise_variance", [1, 0], "expected a number above 0"),
        ("measures.binned.bins", 0, "expected a whole number of at least 1"),
        ("network.width", "wide", "expected a whole number"),
        ("network.width", 2.5, "expected a whole number"),
        ("network.activation", 3, "expected text"),
        ("device", "gpu", "expected auto, cpu, cuda"),
        ("correlation.confidence", 1, "expected a number between 0 and 1"),
        ("data.data_dir", 3, "expected a folder"),
        ("network.width", datetime.date(2020, 1, 1), "found 2020-01-01 (date)"),
        ("regularizers.L2W.weight", 10**400, "a number of 401 digits"),
        ("training.learning_rate", "1e400", "expected a finite number"),
        ("measures.pairwise.noise_variance", [1, 1], "each once"),
        ("measures.binned.correction", "miller", "expected 'miller-madow'"),
        ("measures", {}, "at least one entry"),
        ("layers", ["../x"], "expected the name of a layer"),
        ("figures.saturation.figure", 3, "expected the name of a figure"),
        ("study", "runs", "other than runs"),
        ("study", "../up", "a name of letters"),
    ],
)
def test_values_of_the_wrong_kind(key, value, expected, tmp_path):
    line = complaint({key: value}, tmp_path)
    assert line.startswith(key)
    assert "found" in line
    assert expected in line


@pytest.mark.parametrize(
    ("key", "value", "kind", "nearest"),
    [
        ("data.name", "digit", "data set", "digits"),
        ("network.name", "mpl", "network", "mlp"),
        ("regularizers.VRR", {"weight": 1}, "regularizer", "VR"),
        ("measures.pairwize", None, "measure", "pairwise"),
        ("figures.saturations", None, "figure", "saturation"),
        ("tables.regularizer_tables", None, "table", "regularizer_table"),
        ("training.optimizer", "adan", "optimizer", "adam"),
    ],
)
def test_unknown_names_get_the_nearest_one(key, value, kind, nearest, tmp_path):
    line = complaint({key: value}, tmp_path)
    assert line.startswith(f"{key}: unknown {kind} ")
    assert f"did you mean {nearest!r}" in line


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("no_such_package.networks:Mine", "there is no module 'no_such_package.networks'"),
        ("infotheo.networks:Mine", "infotheo.networks defines no 'Mine'"),
        ("infotheo.networks.mlp", "unknown network"),
    ],
)
def test_dotted_paths_that_lead_nowhere(value, said, tmp_path):
    line = complaint({"network.name": value}, tmp_path)
    assert line.startswith("network.name: ")
    assert said in line


@pytest.mark.parametrize(
    ("changes", "key", "said"),
    [
        ({"training.batch_size": 201}, "training.batch_size", "found 201, expected at most 200"),
        (
            {"training.batch_size": 199, "regularizers.batch_norm": None},
            "training.batch_size",
            "found 199, which leaves a mini-batch of one of the 200 training samples, on which "
            "batch_norm cannot normalise; expected another, such as 198",
        ),
        (
            {"conditions": {"few": {"data": {"train_size": 20}}}},
            "training.batch_size",
            "found 50, expected at most 20",
        ),
        ({"regularizers.VR": None}, "regularizers.VR.weight", "missing"),
        ({"regularizers.baseline": {"weight": 1}}, "regularizers.baseline.weight", "found 1"),
        ({"training.regularized_layer": ...}, "regularizers.L2W.layer", "missing"),
        ({"data.data_dir": "/tmp"}, "data.data_dir", "read from no folder"),
        (
            {"conditions": {"other": {"data": {"data_dir": "a"}}}},
            "conditions.other.data.data_dir",
            "expected it under data only",
        ),
        ({"network.data_dir": "/tmp"}, "network.data_dir", "unknown setting"),
        ({"layers": ["logits"]}, "layers", "found 'logits'"),
        (
            {"conditions": {"a": {"training": {"epochs": 2}}, "b": {}}},
            "a, baseline",
            "is the same as b, baseline",
        ),
        ({"regularizers.again": {"penalty": "L2W", "weight": 0.001}}, "default, again", "the same"),
    ],
)
def test_settings_that_do_not_go_together(changes, key, said, tmp_path):
    line = complaint(changes, tmp_path)
    assert line.startswith(key)
    assert said in line


def test_a_network_without_dropout(tmp_path, monkeypatch):
    (tmp_path / "bare_networks.py").write_text("def bare(input_shape, classes, *, width=3): ...")
    monkeypatch.syspath_prepend(tmp_path)
    line = complaint(
        {"network": {"name": "bare_networks:bare"}, "regularizers.dropout": None}, tmp_path
    )
    assert line.startswith("regularizers.dropout: network 'bare_networks:bare' takes no setting")


def test_source_that_is_no_python(tmp_path, monkeypatch):
    (tmp_path / "torn_networks.py").write_text("def bare(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"torn_networks.py, line 1: cannot be read as Python"):
        Study(changed({"network": {"name": "torn_networks:bare"}}), "tiny.yaml", tmp_path)


@pytest.mark.parametrize(("device", "there"), [("cuda", "nvidia"), ("mps", "darwin")])
def test_a_device_that_is_not_there(device, there, tmp_path, monkeypatch):
    monkeypatch.setattr("workflows.plan.device.Path.exists", lambda path: False)
    monkeypatch.setattr("workflows.plan.device.sys.platform", "linux")
    line = complaint({"device": device}, tmp_path)
    assert line.startswith(f"device: found {device!r}, which this machine does not have")


@pytest.mark.parametrize("written", ["1e-3", "1E-3", "+1e-3", "10e-4", 0.001])
def test_numbers_that_yaml_reads_as_text(written, tmp_path):
    study = Study(changed({"training.learning_rate": written}), "tiny.yaml", tmp_path)
    assert study.config["training"]["learning_rate"] == 0.001


def test_a_file_where_results_are_to_lie(tmp_path):
    (tmp_path / "results").write_text("")
    study = Study(changed({}), "tiny.yaml", tmp_path / "results")
    with pytest.raises(ConfigError, match="results: found a file, expected a folder"):
        study.check_writable()
