"""A data file that a user's loader reads is part of the data set: editing it makes all anew."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.workflows.snakemake_runs import copy_project, run, would_run
from tests.workflows.tiny_study import changed
from workflows.plan.contents import file_contents
from workflows.plan.errors import ConfigError
from workflows.plan.settings import resolve
from workflows.plan.sources import module_file, top_level, tree_of

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_package"
RUN = "table-ResidualNetwork-baseline"
EVERYTHING = sorted(
    [
        f"train {RUN} seeds-0-1",
        f"activations of second, {RUN} seeds-0-1",
        f"effective_dimension of second, {RUN} seeds-0-1",
        "collect the runs",
        "correlate the measures with the errors",
    ]
)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Return the folder of the finished example that reads a table, and its configuration."""
    folder = tmp_path_factory.mktemp("table")
    copy_project(folder)
    shutil.copytree(EXAMPLE / "mypackage", folder / "mypackage")
    shutil.copy2(EXAMPLE / "points.csv", folder)
    config = yaml.safe_load((EXAMPLE / "config.yaml").read_text())
    small = {"regularizers": {"baseline": None}, "figures": ..., "tables": ...}
    small |= {"training.epochs": 2, "training.seeds": 2, "measures.pairwise": ...}
    table = {"name": "mypackage.tables:table", "path": "points.csv"}
    config = changed({**small, "study": "table", "data": table}, config)
    done = run(folder, config, "--cores", "2")
    assert done.returncode == 0, done.stdout
    return folder, config


@pytest.mark.gate
def test_nothing_runs_again_unless_the_content_differs(study, tmp_path):
    folder, config = study
    copied = shutil.copytree(folder, tmp_path / "copied")
    points = copied / "points.csv"
    assert would_run(copied, config) == []
    points.touch()
    assert would_run(copied, config) == []
    text = points.read_text()
    points.write_text(text.replace("0", "1", 1))  # of the same size
    assert [job for job in would_run(copied, config) if "data set" not in job] == EVERYTHING
    points.write_text(text)
    assert would_run(copied, config) == []


def test_a_file_that_is_not_there_is_one_line_before_anything_runs(study):
    folder, config = study
    done = run(folder, changed({"data.path": "no.csv"}, config), "-n")
    assert done.returncode != 0
    line = f"study.yaml: data.path: found 'no.csv', but there is no such file or folder in {folder}"
    assert line in done.stdout
    assert "Traceback" not in done.stdout


LOADER = '''
from pathlib import Path

def load(path: Path, more: list[Path] | None = None, *, text: str = "a", usual: Path = Path("u")):
    """Load."""

def free(**settings):
    """Take anything."""
'''


@pytest.fixture
def loader(tmp_path, monkeypatch):
    (tmp_path / "loading.py").write_text(LOADER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in ("points.csv", "u"):
        (tmp_path / name).write_text(name)
    for cached in (module_file, tree_of, top_level):
        cached.cache_clear()
    yield resolve("loading:load", ("data set",), "data")
    for cached in (module_file, tree_of, top_level):
        cached.cache_clear()


def test_what_counts_as_a_file(loader, tmp_path):
    def contents(**settings):
        return file_contents(settings, loader, "data", tmp_path / "none")

    first = contents(path="points.csv")
    assert list(first) == ["path", "usual"]
    assert contents(path="points.csv") == first
    assert contents(path=str(tmp_path / "points.csv")) == first
    assert list(contents(path="points.csv", text="u")) == ["path", "text", "usual"]
    assert list(contents(path="points.csv", text="x" * 5000)) == ["path", "usual"]
    both = contents(path="points.csv", more=["points.csv", "u"])
    (tmp_path / "u").write_text("v")
    assert contents(path="points.csv", more=["points.csv", "u"])["more"] != both["more"]
    folder = tmp_path / "folder" / "deep"
    folder.mkdir(parents=True)
    empty = contents(path="folder")
    (folder / "a").write_text("a")
    one = contents(path="folder")
    (folder / "a").rename(folder / "b")
    assert len({json.dumps(each) for each in (empty, one, contents(path="folder"))}) == 3


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no.csv", "data.path: found 'no.csv', but there is no such file or folder in"),
        (3, "data.path: found 3, expected the path of a file"),
    ],
)
def test_what_is_no_file_is_said_in_a_line(loader, tmp_path, value, message):
    with pytest.raises(ConfigError, match=message):
        file_contents({"path": value}, loader, "data", tmp_path)


def test_hashes_are_kept_by_size_and_time(loader, tmp_path, monkeypatch):
    cache = tmp_path / "results"
    settings = {"path": "points.csv"}
    first = file_contents(settings, loader, "data", cache)
    assert not cache.exists()
    cache.mkdir()
    assert file_contents(settings, loader, "data", cache) == first
    with monkeypatch.context() as patch:
        patch.setattr("hashlib.file_digest", None)  # nothing is read again
        assert file_contents(settings, loader, "data", cache) == first
    Path("points.csv").write_text("stniop.csv")
    assert file_contents(settings, loader, "data", cache) != first
    (cache / ".contents.json").write_text("{damaged")
    assert file_contents(settings, loader, "data", cache)["usual"] == first["usual"]
    assert [path.name for path in cache.iterdir()] == [".contents.json"]
