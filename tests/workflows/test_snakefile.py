"""The Snakefile finds a configuration and the user's code, or says in one line what is wrong."""

import json
import os
import subprocess
import sys

import pytest
import yaml

from tests.workflows.snakemake_runs import _PROJECT, command, copy_project
from tests.workflows.tiny_study import CONFIG, changed


def dry_runs(cwd, *options):
    """Return what dry runs print, started in a folder; Snakemake is imported once."""
    snakefile = ["-s", str(_PROJECT / "Snakefile")]
    done = subprocess.run(
        [sys.executable, str(_PROJECT / "tests" / "workflows" / "dry_runs.py")],
        input=json.dumps([[*snakefile, *words] for words in options]),
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.gate
def test_what_the_snakefile_reads(tmp_path):
    for name in ("empty", "latin", "work", "conf", "mine"):
        (tmp_path / name).mkdir()
    (tmp_path / "latin" / "config.yaml").write_bytes("study: é".encode("latin-1"))
    (tmp_path / "mine" / "__init__.py").write_text("")
    (tmp_path / "mine" / "networks.py").write_text("def net(input_shape, classes, *, width=3): ...")
    config = changed({"network": {"name": "mine.networks:net"}, "regularizers": {"baseline": None}})
    (tmp_path / "conf" / "study.yaml").write_text(yaml.safe_dump(config))
    twice = yaml.safe_dump(CONFIG, sort_keys=False) + "layers: [hidden1]\n"
    (tmp_path / "conf" / "twice.yaml").write_text(twice)
    beside = ["--configfile", "conf/study.yaml", "--directory", "work"]
    default, latin, package, repeated, typed, wrong = dry_runs(
        tmp_path,
        ["--directory", "empty"],
        ["--directory", "latin"],
        beside,
        ["--configfile", "conf/twice.yaml", "--directory", "work"],
        [*beside, "--config", "training={seeds: 4, batch_size: 40}"],
        [*beside, "--config", "training={seeds: four}"],
    )
    assert "study digits is complete" in default
    assert "config.yaml: not UTF-8 (byte 8 is 0xe9); expected" in latin
    assert "train digits-net-baseline" in package
    assert "seeds-0-1" in package
    assert "twice.yaml: layers: found twice, in lines " in repeated
    assert "seeds-0-3" in typed
    assert "\nthe command line (--config): training.seeds: found 'four', expected" in wrong
    assert "Traceback" not in "".join([default, latin, package, repeated, typed, wrong])


@pytest.mark.gate
def test_files_named_as_the_standard_librarys_break_no_job(tmp_path):
    copy_project(tmp_path)
    for name in ("random", "statistics", "json", "tempfile", "logging"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('not the standard library')")
    config = changed({"regularizers": {"baseline": None}, "figures": ..., "tables": ...})
    words = command(tmp_path, config, "--cores", "1")
    # as the command "snakemake" starts, which does not look into the working directory
    words[1:1] = ["-P"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
