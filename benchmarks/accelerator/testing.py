"""The tests that want an accelerator, run by pytest: those with the word in their names."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.accelerator.report import ROOT, Options, Report

__all__ = ["accelerator_tests", "run_tests"]

WANTS = "torch.cuda.is_available()"  # in a file of tests that are skipped where there is none
OUTCOME = re.compile(r"^(?P<test>\S+\.py::.+?) (?P<outcome>PASSED|FAILED|ERROR|SKIPPED)\b")
REASON = re.compile(r"^(?:FAILED|ERROR) (?P<test>\S+\.py::.+?) - (?P<reason>.+)$")


def accelerator_tests() -> list[str]:
    """Files with tests that are skipped for want of an accelerator."""
    paths = sorted((ROOT / "tests").rglob("test_*.py"))
    texts = {path: path.read_text(encoding="utf-8") for path in paths}
    return [str(path.relative_to(ROOT)) for path, text in texts.items() if WANTS in text]


def run_tests(options: Options, report: Report) -> None:
    """Run them, and report how many passed and each one that failed."""
    # a library that warns of its own future is no fault of these tests
    command = [sys.executable, "-m", "pytest", "-v", "-W", "default", "-p", "no:cacheprovider"]
    command += ["-p", "no:xdist", "-k", "accelerator", *accelerator_tests()]
    counts = dict.fromkeys(("PASSED", "FAILED", "ERROR", "SKIPPED"), 0)
    error = ""
    started = time.monotonic()
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        print(line, end="", flush=True)
        if match := OUTCOME.match(line):
            counts[match["outcome"]] += 1
            if match["outcome"] in ("FAILED", "ERROR"):
                report.add(shorten(match["test"]), note="failed")
        elif line.startswith("E  "):
            error = line.strip("E \n")
        elif match := REASON.match(line):
            report.add(shorten(match["test"]), note=f"failed: {match['reason'][:200]}")
    status = process.wait()
    summary = ", ".join(f"{count} {outcome.lower()}" for outcome, count in counts.items() if count)
    if status not in (0, 1):
        summary = f"failed: pytest's exit status {status}; {summary or error}"
    report.add("tests that want an accelerator", time.monotonic() - started, note=summary)


def shorten(test: str) -> str:
    """Name of a test without its folder."""
    path, _, name = test.partition("::")
    return f"{Path(path).name}::{name}"
