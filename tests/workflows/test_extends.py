"""A study that extends another states what differs, and nothing else changes."""

from pathlib import Path

import pytest
import yaml

from tests.workflows.snakemake_runs import would_run
from tests.workflows.tiny_study import CONFIG
from workflows.plan.errors import ConfigError
from workflows.plan.extends import extended
from workflows.plan.study import Study

ROOT = Path(__file__).parents[2]


def written(folder, **files):
    for name, config in files.items():
        text = config if isinstance(config, str) else yaml.safe_dump(config)
        (folder / f"{name}.yaml").write_text(text)
    return folder


def read(path):
    return extended(yaml.safe_load(path.read_text()), str(path))


def test_settings_one_by_one_and_other_keys_whole(tmp_path):
    base = {
        "study": "base",
        "data": {"name": "digits", "train_size": 200},
        "network": {"name": "mlp", "width": 10, "hidden_layers": 3},
        "training": {"epochs": 3, "augmentation": "crop_and_flip", "seeds": 2},
        "regularizers": {"baseline": None, "VR": {"weight": 1}},
        "snapshots": {"count": 3, "part": "all"},
        "layers": ["hidden3"],
    }
    derived = {
        "extends": "base.yaml",
        "study": "derived",
        "data": {"name": "mnist"},
        "network": {"width": 20},
        "training": {"epochs": 1, "augmentation": None},
        "regularizers": {"baseline": None},
        "snapshots": {"count": 5},
    }
    config, bases = read(written(tmp_path, base=base, derived=derived) / "derived.yaml")
    assert [file.name for file in bases] == ["base.yaml"]
    assert config == {
        "study": "derived",
        "data": {"name": "mnist"},
        "network": {"name": "mlp", "width": 20, "hidden_layers": 3},
        "training": {"epochs": 1, "seeds": 2},
        "regularizers": {"baseline": None},
        "snapshots": {"count": 5, "part": "all"},
        "layers": ["hidden3"],
    }


def test_a_chain_of_files_in_several_folders(tmp_path):
    (tmp_path / "studies").mkdir()
    written(tmp_path, base={"study": "base", "layers": ["a"], "data": {"name": "x"}})
    written(
        tmp_path / "studies",
        middle={"extends": "../base.yaml", "layers": ["b"]},
        last={"extends": "middle.yaml", "study": "last"},
    )
    config, bases = read(tmp_path / "studies" / "last.yaml")
    assert config == {"study": "last", "layers": ["b"], "data": {"name": "x"}}
    assert len(bases) == 2


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a": {"extends": "b.yaml"}}, "b.yaml: No such file"),
        ({"a": {"extends": "a.yaml"}}, "'a.yaml', which extends this file"),
        ({"a": {"extends": "b.yaml"}, "b": {"extends": "a.yaml"}}, "'a.yaml', which extends"),
        ({"a": {"extends": 3}}, "found 3, expected the name of a file"),
        ({"a": {"extends": "b.yaml"}, "b": "- 1"}, "found list, expected a mapping"),
        (
            {"a": {"extends": "b.yaml"}, "b": "a: ["},
            "b.yaml, line 1: cannot be read as YAML",
        ),
    ],
)
def test_bad_bases_are_one_line(tmp_path, files, words):
    with pytest.raises(ConfigError) as error:
        read(written(tmp_path, **files) / "a.yaml")
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_study_is_the_same_however_it_is_written(tmp_path):
    written(tmp_path, whole=CONFIG, part={"extends": "whole.yaml"})
    config, _ = read(tmp_path / "part.yaml")
    whole, part = Study(CONFIG, "a", tmp_path), Study(config, "b", tmp_path)
    assert whole.layout.targets() == part.layout.targets()
    assert whole.resolved() == part.resolved()


def test_the_command_line_takes_it(finished, tmp_path):
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(CONFIG))
    assert would_run(finished, {"extends": str(tmp_path / "tiny.yaml")}) == []


@pytest.mark.parametrize("path", sorted((ROOT / "workflows" / "studies").glob("*.yaml")))
def test_every_study_of_the_project_is_a_plan(path, tmp_path):
    config, _ = read(path)
    assert Study(config, str(path), tmp_path).name == path.stem
