"""The command line of the benchmarks."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import MODULES, read_arguments
from benchmarks.accelerator import command


def test_without_names_all_benchmarks_are_meant():
    assert read_arguments([]).modules == list(MODULES)
    assert read_arguments(["--out", "here"]).out == Path("here")


def test_names_are_those_that_are_asked_for():
    assert read_arguments(["binned", "pairwise"]).modules == ["binned", "pairwise"]


def test_an_unknown_name_is_one_line(capsys):
    with pytest.raises(SystemExit):
        read_arguments(["pairwize"])
    assert "found 'pairwize', expected one of pairwise, binned" in capsys.readouterr().err


def test_every_benchmark_is_there():
    folder = Path(command.ROOT, "benchmarks")
    assert all(Path(folder, f"{name}.py").is_file() for name in MODULES)


def test_the_accelerator_is_a_command_of_its_own():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "accelerator", "--help"],
        cwd=command.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "at most eight minutes" in done.stdout


def test_parts_of_the_accelerator():
    assert command.read_arguments([]).only == list(command.PARTS)
    chosen = command.read_arguments(["--device", "cpu", "--small", "--only", "study", "tests"])
    assert (chosen.device, chosen.small, chosen.only) == ("cpu", True, ["study", "tests"])
    assert sum(part.seconds for part in command.PARTS.values()) <= command.TOTAL < 480
