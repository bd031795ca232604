"""The command: its parts one after another, each in a process of its own, and the table."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import importlib.util
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.accelerator.report import (
    ROOT,
    Options,
    Report,
    Row,
    read_rows,
    write_tables,
)

__all__ = ["PARTS", "main", "run_parts"]

TOTAL = 460.0  # seconds: within eight minutes
LEAST = 10.0  # a part that has less left is not started
NEEDED = {  # packages by the names under which they are imported
    "numpy": "numpy",
    "scipy": "scipy",
    "torch": "torch",
    "xarray": "xarray",
    "pandas": "pandas",
    "sklearn": "scikit-learn",
    "threadpoolctl": "threadpoolctl",
    "array_api_compat": "array-api-compat",
    "tqdm": "tqdm",
}


class Part(NamedTuple):
    """A part of the command: its function, what it may take, what it needs beside the rest."""

    function: str  # "module:function" of (Options, Report)
    seconds: float
    needs: tuple[str, ...] = ()


PARTS = {
    "tests": Part("benchmarks.accelerator.testing:run_tests", 130.0, ("pytest",)),
    "kernel": Part("benchmarks.accelerator.pair_sums:compare", 120.0, ("triton",)),
    "bounds": Part("benchmarks.accelerator.pair_sums:compare_with_host", 40.0),
    "replicas": Part("benchmarks.accelerator.training:compare_replicas", 60.0),
    "residual": Part("benchmarks.accelerator.training:compare_residual_networks", 50.0),
    "study": Part("benchmarks.accelerator.training:train_default_study", 60.0),
}


def missing_packages(names: Sequence[str]) -> list[str]:
    """Return the packages that are not installed, by the names under which one gets them."""
    return [NEEDED.get(name, name) for name in names if importlib.util.find_spec(name) is None]


def describe(device: str) -> list[str]:
    """Lines that say where the table comes from."""
    import torch

    card = platform.processor() or platform.machine()
    if device == "cuda" and torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        card = f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"
    versions = [f"Python {platform.python_version()}"]
    for package in ("torch", "triton", "numpy", "pykeops"):
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"no {package}")
    return [f"{device}: {card}; {os.cpu_count()} CPU cores; {', '.join(versions)}."]


def run_part(name: str, options: Options, limit: float, rows: Path) -> list[Row]:
    """Run a part in a process of its own; what ends it early is a row, too."""
    arguments = ["--part", name, "--function", PARTS[name].function, "--rows", str(rows)]
    arguments += ["--device", options.device]
    arguments += ["--small"] if options.small else []
    command = [sys.executable, "-m", "benchmarks.accelerator.command", *arguments]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)
    try:
        status: int | None = process.wait(limit)
    except subprocess.TimeoutExpired:
        status = None
    finally:
        if process.poll() is None:  # its children too: a test may be waiting for a compiler
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    measured = read_rows(rows)
    if status is None:
        measured.append(Row(name, "the part", note=f"failed: stopped after {limit:.0f} s"))
    elif status != 0:
        measured.append(Row(name, "the part", note=f"failed: exit status {status}"))
    print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)
    return measured


def run_parts(names: Sequence[str], options: Options, deadline: float) -> Iterator[list[Row]]:
    """Run parts until so late by the monotonic clock; yield all rows so far after each part."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, name in enumerate(names):
            limit = min(PARTS[name].seconds, deadline - time.monotonic())
            absent = missing_packages(PARTS[name].needs)
            print(f"\n{name} ({number + 1} of {len(names)}, at most {limit:.0f} s)", flush=True)
            if absent:
                rows.append(Row(name, "the part", note=f"left out: no {', '.join(absent)}"))
            elif limit < LEAST:
                rows.append(Row(name, "the part", note="failed: no time left"))
            else:
                rows += run_part(name, options, limit, Path(folder, f"{number}.jsonl"))
            yield rows


def read_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    import benchmarks.accelerator

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks accelerator",
        description=benchmarks.accelerator.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--small", action="store_true", help="sizes to try the command with")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--seconds", type=float, default=TOTAL, help="for all parts together")
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks"))
    for name in ("--part", "--function", "--rows"):  # of a part's own process
        parser.add_argument(name, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 1 if something failed."""
    started = time.monotonic()
    chosen = read_arguments(arguments)
    options = Options(chosen.device, chosen.small)
    if chosen.part:
        report = Report(chosen.part, Path(chosen.rows))
        with report.attempt("the part"):
            module, _, function = chosen.function.partition(":")
            run: Callable[[Options, Report], None]
            run = getattr(importlib.import_module(module), function)
            run(options, report)
        return 0
    if absent := missing_packages(list(NEEDED)):
        print(f"accelerator: {', '.join(absent)} not installed; needed by every part")
        return 1
    import torch

    if options.device == "cuda" and not torch.cuda.is_available():
        print("accelerator: torch finds no CUDA device; --device cpu --small tries it without one")
        return 1
    heading = describe(options.device)
    rows: list[Row] = []
    table = ""
    for rows in run_parts(chosen.only, options, started + chosen.seconds):
        table = write_tables(rows, heading, chosen.out)  # there, should a machine be taken away
    print(f"\n{table}", flush=True)
    return int(any(row.failed for row in rows))


if __name__ == "__main__":
    sys.exit(main())
