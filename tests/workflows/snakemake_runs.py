"""Run Snakemake on the project's Snakefile in a folder of the test's own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PROJECT = Path(__file__).parents[2]
# "Job 7: binned-a2aace of hidden2, digits-mlp-VR-grid-cee0a750 seeds-0-1", hashes left out
_JOB = re.compile(r"^Job \d+: (?!study )(.+)$", re.MULTILINE)
_HASH = re.compile(r"-[0-9a-f]{6}(?:[0-9a-f]{2})?(?=[ ,]|$)")


def copy_project(folder: Path) -> Path:
    """Copy what a study is made with to ``folder/project``, to be edited, or left as it is now."""
    project = folder / "project"
    project.mkdir(parents=True)
    for name in ("infotheo", "workflows", "profiles"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(_PROJECT / name, project / name, ignore=ignored)
    shutil.copy2(_PROJECT / "Snakefile", project)
    return project


def command(
    folder: Path,
    config: Mapping[str, Any],
    *options: str,
    project: Path | None = None,
    name: str = "study.yaml",
) -> list[str]:
    """Return the command that makes a study in a folder, its configuration written there."""
    import yaml  # not needed by what else imports this module

    project = project or folder / "project"
    file = folder / name
    file.write_text(yaml.safe_dump(dict(config), sort_keys=False))
    snakefile = str(project / "Snakefile")
    start = [sys.executable, "-m", "snakemake", "-s", snakefile, "--configfile", str(file)]
    return [*start, "--directory", str(folder), *options]


def run(
    folder: Path, config: Mapping[str, Any], *options: str, project: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Snakemake and return what it printed, standard error and output together."""
    return subprocess.run(
        command(folder, config, *options, project=project),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        # jobs are many, and each is quicker where the project's code is compiled already
        env={name: os.environ[name] for name in os.environ if name != "PYTHONDONTWRITEBYTECODE"},
        check=False,
    )


def make(
    folder: Path, config: Mapping[str, Any], cores: int = 2, project: Path | None = None
) -> None:
    """Make a study for real."""
    done = run(folder, config, "--cores", str(cores), project=project)
    assert done.returncode == 0, done.stdout


def would_run(folder: Path, config: Mapping[str, Any], project: Path | None = None) -> list[str]:
    """Return the jobs of a dry run, sorted and without the hashes of their names."""
    (jobs,) = would_run_each(folder, {"": config}, {"": project} if project else {}).values()
    return jobs


def would_run_each(
    folder: Path,
    configs: Mapping[str, Mapping[str, Any]],
    projects: Mapping[str, Path] | None = None,
) -> dict[str, list[str]]:
    """Return the jobs of a dry run for each configuration, some by a project of their own."""
    commands = [
        command(folder, config, project=(projects or {}).get(row), name=f"study-{number}.yaml")
        for number, (row, config) in enumerate(configs.items())
    ]
    arguments = [words[words.index("-s") :] for words in commands]
    done = subprocess.run(
        [sys.executable, "-m", "tests.workflows.dry_runs"],
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        cwd=_PROJECT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
    )
    jobs = {}
    for row, printed in zip(configs, json.loads(done.stdout), strict=True):
        jobs[row] = sorted(_HASH.sub("", job) for job in _JOB.findall(printed))
        assert jobs[row] or "Nothing to be done" in printed, printed
        assert not printed.startswith("exit status"), printed
    return jobs


def tables(folder: Path, study: str = "tiny") -> dict[str, bytes]:
    """Return the bytes of the files that every study writes."""
    names = ("runs.csv", "correlations.csv")
    return {name: (folder / "results" / study / name).read_bytes() for name in names}
