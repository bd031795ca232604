"""All residual measures of one block of a ResNet-32 against a forward pass of it, at batch 128.

The block is in evaluation mode, without gradients. Measured is what the measures ``residual`` and
``invertibility`` do with their defaults: norms, Lipschitz bounds from below and above, and the
inversion at its worst, when no sample stops before the last iteration. Memory is what a process of
its own holds at most beyond the block and its input.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from math import nan

import torch
from torch import Tensor

from benchmarks.race import Row, medians
from infotheo.networks.residual_units import ResidualBlock, residual_block
from infotheo.study.measures.invertibility import invertibility
from infotheo.study.measures.residual import residual

SAMPLES = 128
SIZES = {16: 32, 32: 16, 64: 8}  # channels: rows and columns of the image
# the last batch norm's scale at which the inversion's rate is near 1: it runs all its steps
SCALES = {16: 0.76, 32: 0.66, 64: 0.76}
PASSES = 5  # timed together: one is over too soon


def block_and_input(channels: int) -> tuple[ResidualBlock, Tensor]:
    """Build a block whose inversion neither converges within the iterations nor is given up."""
    torch.manual_seed(0)
    block = residual_block(channels, channels).eval()
    side = SIZES[channels]
    x = torch.randn(SAMPLES, channels, side, side).relu()
    block.branch.get_submodule("norm2").weight.data.fill_(SCALES[channels])
    return block, x


def measure_all(block: ResidualBlock, x: Tensor) -> float:
    """Take all measures; return the median number of steps of the inversion."""
    labels = torch.zeros(len(x), dtype=torch.int64)
    residual(block, x, labels)
    return float(invertibility(block, x, labels)["inversion_iterations"][0])


@torch.no_grad()
def forward(block: ResidualBlock, x: Tensor) -> None:
    block(x)


def peak_beyond(run: Callable[[ResidualBlock, Tensor], object], channels: int) -> int:
    """KiB that a call holds at most beyond what was there, in this process."""
    block, x = block_and_input(channels)
    run(block, x[:2])  # what is loaded once
    _reset_peak()
    before = _peak()
    run(block, x)
    return _peak() - before


def _reset_peak() -> None:
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def _peak() -> int:
    with open("/proc/self/status") as status:
        (line,) = (entry for entry in status if entry.startswith("VmHWM"))
    return int(line.split()[1])


def peaks(channels: int) -> tuple[int, int]:
    """Peaks of the measures and of a forward pass, each in a process of its own."""
    # memory that is freed goes back at once, as if nothing were kept for later
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}
    kibibytes = []
    for name in ("measure_all", "forward"):
        command = [sys.executable, "-m", "benchmarks.residual", name, str(channels)]
        done = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
        kibibytes.append(json.loads(done.stdout))
    return kibibytes[0], kibibytes[1]


def rows() -> list[Row]:
    table = []
    for channels in SIZES:
        block, x = block_and_input(channels)
        steps = measure_all(block, x)
        spent = medians(
            {
                "measures": lambda block=block, x=x: measure_all(block, x),
                "forward": lambda block=block, x=x: [forward(block, x) for _ in range(PASSES)],
            },
            rounds=7,
        )
        once = spent["forward"] / PASSES
        name = f"residual measures, {channels} channels, {steps:g} steps of inversion: passes"
        table.append(Row(name, spent["measures"], once, spent["measures"] / once, "<= 60"))
        if os.path.exists("/proc/self/clear_refs"):
            ours, pass_ = peaks(channels)
            name = f"residual measures, {channels} channels: memory beyond the input, passes"
            table.append(Row(name, nan, nan, ours / pass_, "<= 3"))
    return table


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(peak_beyond(globals()[sys.argv[1]], int(sys.argv[2])))
