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
        ("study", "tiny\n", "a name of letters"),
        ("study", "a" * 300, "at most 100"),
        ("device", "cpu\n", "expected auto"),
        ("layers", ["hidden2\n"], "expected the name of a layer"),
        ("training.seeds", 10**9, "at most 10,000"),
        ("training.epochs", 10**12, "at most 1,000,000"),
        pytest.param("training.epochs", 10**5000, "a number of more than 4000 digits", id="long"),
        ("conditions", {"a\nb": {}}, "in one line"),
        ("conditions.a.network.name", 3, "expected a registered name"),
        ("conditions.a.network.width", "wide", "expected a whole number"),
        ("conditions.a.training.epochs", 0, "expected a whole number"),
        ("data", {"name": "mnist", "data_dir": "~nobody17/x"}, "expected a folder"),
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
        ("os:getcwd", "module 'os' is built in or compiled; expected a function of a module with"),
        ("os.path:join", "module 'os.path' is built in or compiled"),
        ("math:sin", "module 'math' is built in or compiled"),
        ("numpy.linalg._umath_linalg:svd", "is built in or compiled"),
        ("math.sin:x", "there is no module 'math.sin'"),
        ("a\0b:x", "there is no module"),
        (f"infotheo.{'x' * 180}:y", "there is no module"),
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


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"network": {"widht": 3}}, "conditions.a.network.widht: unknown setting; did you mean"),
        ({"network": {"name": "mpl"}}, "conditions.a.network.name: unknown network 'mpl'; did"),
        ({"training": {"optimizer": "adan"}}, "conditions.a.training.optimizer: unknown optimizer"),
        (
            {"training": {"optimizer_settings": {"beta": 1}}},
            "conditions.a.training.optimizer_settings.beta: unknown setting",
        ),
        ({"data": {"train_size": 20}}, "training.batch_size: found 50, expected at most 20, the"),
    ],
)
def test_a_key_of_a_condition_is_named_in_full(changes, line, tmp_path):
    told = complaint({"conditions": {"a": changes, "b": {}}}, tmp_path)
    assert told.startswith(line)
    assert told.startswith("conditions.a.") or told.endswith(", in condition 'a'")


def test_what_a_message_shows_of_a_long_value_is_short(tmp_path):
    assert len(complaint({"layers": ["a b"] * 10_000}, tmp_path)) < 300


def test_a_home_directory_is_written_out(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    study = Study(changed({"data": {"name": "mnist", "data_dir": "~/sets"}}), "a", tmp_path)
    assert study.jobs()["data"] == {"data_dir": "/home/me/sets"}


def test_a_whole_number_beyond_64_bits_stays_a_float(tmp_path):
    study = Study(changed({"measures.pairwise.noise_variance": [1e20]}), "a", tmp_path)
    (variance,) = study.config["measures"]["pairwise"]["noise_variance"]
    assert isinstance(variance, float)


@pytest.mark.parametrize("written", ["1e-3", "1E-3", "+1e-3", "10e-4", 0.001])
def test_numbers_that_yaml_reads_as_text(written, tmp_path):
    study = Study(changed({"training.learning_rate": written}), "tiny.yaml", tmp_path)
    assert study.config["training"]["learning_rate"] == 0.001


def test_a_file_where_results_are_to_lie(tmp_path):
    (tmp_path / "results").write_text("")
    study = Study(changed({}), "tiny.yaml", tmp_path / "results")
    with pytest.raises(ConfigError, match="results: found a file, expected a folder"):
        study.check_writable()
