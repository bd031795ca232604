"""Kill a study with SIGKILL at random moments, go on each time, and compare what comes out.

Not collected by pytest, which has a small version of it. For the default study, twenty kills:

    python -m tests.workflows.kill_study config.yaml --kills 20 --seed 0

The study is made twice in a temporary folder: undisturbed, which also tells how long it takes, and
with its whole process group killed. After a kill the same command is given again, and before it
what Snakemake names when it finds its lock: ``--unlock``. ``runs.csv`` and ``correlations.csv``
must then agree byte for byte; the exit status says whether they do.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.workflows.snakemake_runs import command, copy_project, tables


def killed_after(start: list[str], folder: Path, seconds: float) -> bool:
    """Give a command and kill its process group after so long; return whether it was too late."""
    with (folder / "output.txt").open("a") as output:
        process = subprocess.Popen(
            start, cwd=folder, stdout=output, stderr=output, start_new_session=True
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return False
    assert process.returncode == 0, (folder / "output.txt").read_text()
    return True


def complete(start: list[str], folder: Path) -> None:
    """Give the command, or first the one that its message names, until the study is there."""
    done = subprocess.run(start, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode and "--unlock" in done.stderr:
        subprocess.run([*start, "--unlock"], cwd=folder, capture_output=True, check=True)
        done = subprocess.run(start, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def unlocked(start: list[str], folder: Path) -> None:
    """Take away the lock that a killed Snakemake left."""
    locks = folder / ".snakemake" / "locks"
    if locks.is_dir() and any(locks.iterdir()):
        subprocess.run([*start, "--unlock"], cwd=folder, capture_output=True, check=True)


def disturb(
    folder: Path, config: Mapping[str, Any], cores: int, kills: int, seed: int, longest: float
) -> list[str]:
    """Make a study in a folder that holds the project, killed so many times on the way.

    Returns what is wrong with the result: leftovers of killed jobs.
    """
    start = command(folder, config, "--cores", str(cores))
    moments = random.Random(seed)
    for number in range(kills):
        unlocked(start, folder)
        seconds = moments.uniform(1, longest)
        finished = killed_after(start, folder, seconds)
        print(f"kill {number + 1}: {'already done' if finished else f'after {seconds:.1f} s'}")
    complete(start, folder)
    return [str(path) for path in (folder / "results").rglob("*") if "partial" in path.name]


def main() -> int:
    """Compare an undisturbed with a disturbed study."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cores", type=int, default=2)
    chosen = parser.parse_args()
    config = yaml.safe_load(chosen.config.read_text())
    with tempfile.TemporaryDirectory() as place:
        undisturbed, disturbed = Path(place, "undisturbed"), Path(place, "disturbed")
        for folder in (undisturbed, disturbed):
            copy_project(folder)
        began = time.monotonic()
        complete(command(undisturbed, config, "--cores", str(chosen.cores)), undisturbed)
        took = time.monotonic() - began
        print(f"undisturbed: {took:.0f} s")
        # a killed attempt gets so far that, all in all, kills are spread over the study
        longest = max(5.0, 2 * took / chosen.kills)
        left = disturb(disturbed, config, chosen.cores, chosen.kills, chosen.seed, longest)
        study = config["study"]
        same = tables(undisturbed, study) == tables(disturbed, study)
    print(f"runs.csv and correlations.csv: {'the same bytes' if same else 'DIFFERENT'}")
    print(f"left behind by killed jobs: {', '.join(left) or 'nothing'}")
    return int(not same or bool(left))


if __name__ == "__main__":
    sys.exit(main())
