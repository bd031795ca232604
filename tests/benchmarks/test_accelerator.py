"""The accelerator's command: what fails is a row, and at a small size all of it runs here."""

import ast
import csv
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from benchmarks.accelerator import command, pair_sums, testing, training
from benchmarks.accelerator.command import Part, run_parts
from benchmarks.accelerator.report import ROOT, Options, Report, Row, read_rows, write_tables

HERE = Options("cpu", small=True)


@pytest.fixture
def report(tmp_path):
    return Report("a part", tmp_path / "rows.jsonl")


def notes(rows):
    return {row.name: row.note for row in rows}


# The table


def test_a_row_tells_whether_a_requirement_is_met():
    assert Row("a", "b", ratio=6.0, required=">= 5").met == "yes"
    assert Row("a", "b", ratio=4.0, required=">= 5").met == "no"
    assert Row("a", "b", ratio=4.0, required="<= 5").met == "yes"
    assert Row("a", "b", required="<= 5").met == Row("a", "b", ratio=4.0).met == ""


def test_rows_are_there_as_they_are_written(report):
    report.add("first", 1.0, 2.0, 2.0, required=">= 5")
    report.add("second", note="failed")
    report.add("second", note="failed: of old age")
    with report.path.open("a") as file:
        file.write('{"part": "a part", "na')  # the process was killed here
    rows = read_rows(report.path)
    assert notes(rows) == {"first": "", "second": "failed: of old age"}
    assert rows[0] == Row("a part", "first", 1.0, 2.0, 2.0, ">= 5")
    assert [row.failed for row in rows] == [False, True]
    assert read_rows(report.path.with_name("none")) == []


def test_one_table_in_two_files(tmp_path):
    rows = [Row("a", "b", 0.123456, 2.0, 16.2, ">= 5"), Row("a", "x | y", note="failed:\nso")]
    text = write_tables(rows, ["Here."], tmp_path / "out")
    assert text == (tmp_path / "out" / "accelerator.md").read_text()
    assert "| a | b | 0.1235 | 2 | 16.2 | >= 5 | yes |  |\n| a | x / y |" in text
    with (tmp_path / "out" / "accelerator.csv").open(newline="") as file:
        table = list(csv.reader(file))
    assert table[0][-1] == "note"
    assert table[2][1:] == ["x | y", "", "", "", "", "", "failed:\nso"]


# Parts that fail


@pytest.fixture
def broken(monkeypatch):
    parts = {
        name: Part(f"tests.benchmarks.broken_parts:{name}", 30.0) for name in ("fail", "crash")
    }
    parts["hang"] = Part("tests.benchmarks.broken_parts:hang", 3.0)
    parts["no such module"] = Part("tests.benchmarks.broken_parts.none:fail", 30.0)
    parts["poor"] = Part("tests.benchmarks.broken_parts:fail", 30.0, ("no_such_package",))
    monkeypatch.setattr(command, "PARTS", parts)
    monkeypatch.setattr(command, "LEAST", 0.5)
    return parts


def test_what_fails_is_a_row_and_the_others_go_on(broken):
    started = time.monotonic()
    *_, rows = run_parts(list(broken), HERE, started + 120)
    assert time.monotonic() - started < 30  # what hangs was stopped
    by_part = {part: notes(row for row in rows if row.part == part) for part in broken}
    assert by_part["fail"] == {
        "before": "",
        "one of several": "failed: ValueError: no such thing",
        "after": "cpu, small: True",
        "the part": "failed: RuntimeError: no message",
    }
    assert by_part["crash"] == {"before": "", "the part": "failed: exit status -6"}
    assert by_part["hang"] == {"before": "", "the part": "failed: stopped after 3 s"}
    assert by_part["no such module"]["the part"].startswith("failed: ModuleNotFoundError")
    assert by_part["poor"] == {"the part": "left out: no no_such_package"}


def test_no_part_is_started_without_time(broken):
    (first, second) = run_parts(["fail", "crash"], HERE, time.monotonic())
    assert notes(first) == notes(second) == {"the part": "failed: no time left"}


def test_without_an_accelerator_it_says_so(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert command.main(["--out", str(tmp_path / "out")]) == 1
    assert "--device cpu --small" in capsys.readouterr().out
    monkeypatch.setitem(command.NEEDED, "no_such_package", "no-such-package")
    assert command.main(["--device", "cpu"]) == 1
    assert "no-such-package not installed" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


# What the parts run


def test_tests_that_want_an_accelerator_have_the_word_in_their_names():
    files = testing.accelerator_tests()
    assert "tests/arrays/test_samples.py" in files
    assert "tests/estimators/pair_sums/test_fused.py" in files
    for file in files:
        tree = ast.parse(Path(ROOT, file).read_text())
        marks = {
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign) and testing.WANTS in ast.unparse(node.value)
            for target in node.targets
        }
        for node in tree.body:
            reasons = [ast.unparse(mark) for mark in getattr(node, "decorator_list", [])]
            if any(testing.WANTS in reason or reason in marks for reason in reasons):
                assert "accelerator" in node.name, f"{file}: {node.name}"


def test_the_default_study_is_that_of_the_configuration():
    config = yaml.safe_load(Path(ROOT, "config.yaml").read_text())
    settings = config["training"]
    assert config["data"] == {"name": "digits"}
    assert config["network"] == training.NETWORK
    assert settings.pop("seeds") == training.SEEDS
    assert settings.pop("regularized_layer") == training.LAYER
    assert settings == training.TRAINING
    regularizers = {name: entry or {} for name, entry in config["regularizers"].items()}
    assert regularizers == training.REGULARIZERS


def test_estimators_and_replicas_at_a_small_size(report):
    pair_sums.compare_with_host(HERE, report)
    training.compare_replicas(HERE, report)
    rows = read_rows(report.path)
    assert len(rows) == 6
    assert not [row for row in rows if row.failed]
    assert all(row.ours > 0 and row.peer > 0 and row.ratio > 0 for row in rows)


@pytest.mark.gate
def test_all_of_it_at_a_small_size(tmp_path):
    """As it is started on an accelerator, but for the size: about forty seconds."""
    options = ["--device", "cpu", "--small", "--out", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "accelerator", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    with (tmp_path / "accelerator.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [*dict.fromkeys(row["part"] for row in rows)] == list(command.PARTS)
    assert {"fused (ieee) against eager tiles", "fused (float64) over half of x @ x.T"} <= {
        row["what"] for row in rows
    }
