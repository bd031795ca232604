"""What only a job can find out is said in one line as well, and leaves nothing half-written."""

import contextlib
import errno
import logging
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import xarray as xr

from tests.workflows.snakemake_runs import copy_project, run
from tests.workflows.tiny_study import changed
from workflows import files
from workflows.job import job


@pytest.fixture
def folder(tmp_path):
    copy_project(tmp_path)
    return tmp_path


def complaint(folder, config, *options):
    """Return the one line that says what is wrong, after checking that nothing else is left."""
    done = run(folder, config, "--cores", "1", *options)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout
    assert "CalledProcessError" not in done.stdout
    assert not [path for path in folder.rglob("results/**/*") if "partial" in path.name]
    lines = [line for line in done.stdout.splitlines() if line.startswith(str(folder))]
    assert len(lines) == 1, done.stdout
    return lines[0]


def test_a_layer_that_the_network_lacks(folder):
    line = complaint(folder, changed({"layers": ["hidden9"], "regularizers": {"baseline": None}}))
    assert "study.yaml: train: layer 'hidden9' is not in the network; its layers: hidden1" in line
    assert not list(folder.glob("results/runs/*/*/*.nc"))


def test_a_data_folder_with_a_damaged_file(folder):
    (folder / "mnist").mkdir()
    (folder / "mnist" / "train-images-idx3-ubyte").write_bytes(bytes([0, 0, 8, 3]) + bytes(5))
    line = complaint(folder, changed({"data": {"name": "mnist", "data_dir": "mnist"}}))
    assert "study.yaml: data: mnist/train-images-idx3-ubyte is truncated: expected 12" in line
    assert not list(folder.glob("results/data/*"))


def test_a_configuration_that_is_wrong(folder):
    line = complaint(folder, changed({"training.epoch": 3}))
    assert "study.yaml: training.epoch: unknown key; did you mean 'epochs'?" in line


def test_a_file_where_results_are_to_lie(folder):
    (folder / "results").write_text("")
    done = run(folder, changed({}), "--cores", "1")
    assert done.returncode != 0
    assert "results: found a file, expected a folder for the results" in done.stdout
    assert "Traceback" not in done.stdout


# One job's surroundings, without Snakemake


def a_job(tmp_path):
    log = tmp_path / "logs" / "job.log"
    return SimpleNamespace(
        threads=1,
        log=[str(log)],
        rule="estimate",
        config={"file": "study.yaml"},
        output=["results/a.nc"],
        params=SimpleNamespace(spec={}),
    )


def complaint_of(error, tmp_path, capsys):
    """Return what a job that raises this writes to standard error; it must fail."""
    with pytest.raises(SystemExit) as ended, job(a_job(tmp_path)):
        raise error
    assert ended.value.code == 1
    return capsys.readouterr().err


def test_errors_of_the_users_making_are_one_line(tmp_path, capsys):
    error = ValueError("bins: found 0,\n    expected 1")
    told = complaint_of(error, tmp_path, capsys)
    assert told == "study.yaml: estimate: bins: found 0, expected 1\n"


def test_an_error_of_the_system_names_a_file(tmp_path, capsys):
    named = OSError(errno.ENOENT, os.strerror(errno.ENOENT), "data/train.gz")
    told = complaint_of(named, tmp_path, capsys)
    assert told == "study.yaml: estimate: data/train.gz: No such file or directory\n"
    told = complaint_of(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), tmp_path, capsys)
    assert told == "study.yaml: estimate: results/a.nc: No space left on device\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is full")
def test_a_log_on_a_full_disk_prints_no_trace(tmp_path, capfd, monkeypatch):
    root = logging.getLogger()
    before, root.handlers = root.handlers, []
    monkeypatch.setattr(logging, "raiseExceptions", True)
    surroundings = a_job(tmp_path)
    surroundings.log = ["/dev/full"]
    try:
        with pytest.raises(SystemExit), job(surroundings):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        with contextlib.suppress(OSError):
            root.handlers[0].close()
        root.handlers = before
    expected = "study.yaml: estimate: results/a.nc: No space left on device\n"
    assert capfd.readouterr().err == expected


def test_other_errors_name_the_log(tmp_path, capsys):
    told = complaint_of(KeyError("seed"), tmp_path, capsys)
    assert re.fullmatch(r"study.yaml: estimate: KeyError: 'seed' \(trace in .*job.log\)\n", told)


def test_a_folder_of_logs_that_cannot_be_made(tmp_path, capsys):
    (tmp_path / "logs").write_text("")
    with pytest.raises(SystemExit), job(a_job(tmp_path)):
        pass
    assert capsys.readouterr().err.startswith("study.yaml: estimate: ")


def test_a_study_whose_networks_all_diverged(tmp_path, capsys):
    table = tmp_path / "runs.csv"
    table.write_text("study,condition,regularizer,seed,diverged\ntiny,default,baseline,0,True\n")
    surroundings = a_job(tmp_path)
    surroundings.rule, surroundings.input = "correlate", [str(table)]
    surroundings.params.spec["settings"] = {}
    script = Path(files.__file__).parent / "scripts" / "correlate.py"
    with pytest.raises(SystemExit):
        runpy.run_path(str(script), {"snakemake": surroundings})
    told = capsys.readouterr().err
    assert told.startswith("study.yaml: correlate: runs: found 1 networks that all diverged")
    assert told.count("\n") == 1


# Files: whole or absent


def full(*arguments, **keywords):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(xr.Dataset, "to_netcdf", full)
    with pytest.raises(OSError, match=r"a.nc could not be written: No space left on device"):
        files.write_dataset(tmp_path / "a.nc", xr.Dataset())
    assert not list(tmp_path.iterdir())


def test_a_full_disk_as_netcdf_tells_it(tmp_path, monkeypatch):
    def write(path):
        path.write_bytes(b"half")
        raise RuntimeError("NetCDF: HDF error")

    monkeypatch.setattr(files.shutil, "disk_usage", lambda path: SimpleNamespace(free=100))
    with pytest.raises(OSError, match=r"a.nc could not be written: no space left on device"):
        files.write_atomically(tmp_path / "a.nc", write)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_keeps_the_file_that_was_there(tmp_path):
    (tmp_path / "a.csv").write_text("whole")
    with pytest.raises(OSError, match="could not be written"):
        files.write_atomically(tmp_path / "a.csv", full)
    assert (tmp_path / "a.csv").read_text() == "whole"
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_what_a_killed_job_left_is_cleaned_by_the_next(tmp_path):
    script = (
        "import os, sys; from workflows.files import write_atomically\n"
        "write_atomically(sys.argv[1], lambda file: (file.write_text('half'), os._exit(9)))"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path / "a.csv"], check=False)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".partial-")
    (tmp_path / left.name.replace("a.csv", "b-a.csv")).touch()  # of another file: not this one's
    files.write_atomically(tmp_path / "a.csv", lambda file: file.write_text("whole"))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [left.name.replace("a.csv", "b-a.csv"), "a.csv"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="mounting needs root")
def test_a_disk_that_is_really_full(tmp_path):
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], check=False
    )
    if mounted.returncode:
        pytest.skip("no small file system can be mounted here")
    try:
        data = xr.Dataset({"a": ("x", list(os.urandom(200_000)))})
        with pytest.raises(OSError, match=r"a.nc could not be written: no space left"):
            files.write_dataset(tmp_path / "a.nc", data)
        assert not list(tmp_path.iterdir())
    finally:
        # netCDF still holds the file that it could not close
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)
