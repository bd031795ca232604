"""Pairwise bounds against the textbook formula, KeOps and a bare Gram product; their growth.

    python -m benchmarks.pairwise [--out results/benchmarks]

The textbook formula is what a user would write: squared distances of all pairs from x^2 + y^2 - 2xy
in one matrix, SciPy's logsumexp for each divergence and each variance, float32 in, float32 out.
KeOps compiles the same sums for the processor. The Gram product x @ x.T of the same data is the
floor of anything that multiplies matrices. Growth and peak memory are measured in processes of
their own and drawn.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import infotheo as it
from benchmarks.race import Row, medians

SAMPLES, UNITS = 10_000, 100
VARIANCE, SWEEP = 1.0, tuple(np.logspace(-2, 1.5, 8))
SAMPLE_SIZES, LARGEST = (7_500, 15_000, 30_000, 60_000), 60_000
UNIT_COUNTS, FEWER = (50, 100, 200, 400), 15_000


def activations(*shape: int) -> np.ndarray:
    """Rectified normal activations, float32."""
    return np.maximum(np.random.default_rng(0).standard_normal(shape, dtype=np.float32), 0)


def bounds(z: np.ndarray, variances: object, labels: np.ndarray | None = None) -> np.ndarray:
    """(lower, upper) of every variance."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", it.SaturationWarning)
        information = it.pairwise_information(z, labels, noise_variance=variances)
    return np.array([information.lower, information.upper])


def textbook(z: np.ndarray, variances: Sequence[float]) -> np.ndarray:
    """(lower, upper) of every variance, from one matrix of distances."""
    from scipy.special import logsumexp

    norms = np.sum(z**2, axis=1)
    squared = norms[:, None] + norms - 2 * z @ z.T
    return np.array(
        [
            [np.log(len(z)) - np.mean(logsumexp(squared / (-s * v), axis=1)) for v in variances]
            for s in (8.0, 2.0)
        ]
    )


def keops(z: np.ndarray) -> np.ndarray:
    """(lower, upper) of the variance, by two reductions that store no matrix."""
    from pykeops.numpy import LazyTensor

    squared = ((LazyTensor(z[:, None, :]) - LazyTensor(z[None, :, :])) ** 2).sum(-1)
    return np.array(
        [np.log(len(z)) - np.mean((-squared / (s * VARIANCE)).logsumexp(dim=1)) for s in (8.0, 2.0)]
    )


def compare_formulas() -> list[Row]:
    """One variance against the textbook and the Gram product, for each kind of input."""
    import torch

    z = activations(SAMPLES, UNITS)
    tensor, double = torch.from_numpy(z), z.astype(np.float64)
    spent = medians(
        {
            "ours": lambda: bounds(z, VARIANCE),
            "Gram": lambda: z @ z.T,
            "torch": lambda: it.pairwise_information(tensor, noise_variance=VARIANCE),
            "float64": lambda: bounds(double, VARIANCE),
            "textbook": lambda: textbook(z, [VARIANCE]),
        },
        rounds=3,
    )
    slow, truth = time_once(lambda: textbook(double, [VARIANCE]))
    # the documented error
    np.testing.assert_allclose(bounds(z, [VARIANCE]), truth, rtol=0, atol=1e-4)
    ours, gram = spent["ours"], spent["Gram"]
    table = [
        ("against the textbook formula", ours, spent["textbook"], ">= 6"),
        ("torch tensor, against it", spent["torch"], spent["textbook"], ">= 6"),
        ("float64 input, against it in float64", spent["float64"], slow, ""),
    ]
    size = f"N = {SAMPLES:,}, d = {UNITS}"
    rows = [Row(f"pairwise {size}: {n}", a, b, b / a, required) for n, a, b, required in table]
    rows.append(
        Row(f"pairwise {size}: over a bare Gram product", ours, gram, ours / gram, "<= 3.5")
    )
    return rows


def time_sweeps() -> list[Row]:
    """Eight variances against the textbook, which computes one matrix of distances for all."""
    z = activations(SAMPLES, UNITS)
    first, _ = time_once(lambda: bounds(z, SWEEP))
    peer, _ = time_once(lambda: textbook(z, SWEEP))  # tens of seconds: between two of ours
    second, _ = time_once(lambda: bounds(z, SWEEP))
    ours = (first + second) / 2
    name = f"pairwise N = {SAMPLES:,}, d = {UNITS}: eight variances, against the textbook formula"
    return [Row(name, ours, peer, peer / ours, ">= 12")]


def time_once(run: Callable[[], Any]) -> tuple[float, Any]:
    """Time one call; its seconds and what it returned."""
    started = time.perf_counter()
    result = run()
    return time.perf_counter() - started, result


def time_products() -> list[Row]:
    """Show the cost where float32 products do not serve: the same data, products in float64."""
    from infotheo.estimators.pair_sums.factors import Factors
    from infotheo.estimators.pair_sums.problem import PairProblem
    from infotheo.estimators.pair_sums.row_sums import row_sums

    x = activations(1, SAMPLES, UNITS)
    x -= x.mean(axis=1, keepdims=True)
    factors = Factors.from_noise_variance(np.array([[VARIANCE]]), alpha=0.5)
    problems = [PairProblem(x.astype(d), factors, precision="float32") for d in (x.dtype, float)]
    spent = medians(
        {
            "float32": lambda: row_sums(problems[0]),
            "float64": lambda: row_sums(problems[1]),
            "Gram": lambda: x[0] @ x[0].T,
        },
        rounds=5,
    )
    return [
        Row(
            f"pairwise, its sums with {kind} products over a bare Gram product",
            spent[kind],
            spent["Gram"],
            spent[kind] / spent["Gram"],
            "<= 3.5",
        )
        for kind in ("float32", "float64")
    ]


def compare_keops() -> list[Row]:
    """Against KeOps, which takes most of a minute: one call of it between two of ours."""
    if importlib.util.find_spec("pykeops") is None:
        print("pairwise: pykeops is not installed, not compared")
        return []
    z = activations(SAMPLES, UNITS)
    keops(z[:10])  # compiles
    bounds(z, VARIANCE)
    first, values = time_once(lambda: bounds(z, VARIANCE))
    peer, peer_values = time_once(lambda: keops(z))
    second, _ = time_once(lambda: bounds(z, VARIANCE))
    np.testing.assert_allclose(peer_values, values, rtol=0, atol=1e-3)
    ours = (first + second) / 2
    return [Row(f"pairwise N = {SAMPLES:,}: against KeOps", ours, peer, peer / ours, ">= 10")]


def time_classes_and_batches() -> list[Row]:
    """I(Z;Y) over I(Z;X), and a batch over single calls."""
    z = activations(SAMPLES, UNITS)
    generator = np.random.default_rng(1)
    labels = {count: generator.integers(count, size=SAMPLES) for count in (2, 10, 100)}
    contenders = {
        str(count): functools.partial(bounds, z, VARIANCE, y) for count, y in labels.items()
    }
    spent = medians({"none": lambda: bounds(z, VARIANCE), **contenders}, rounds=7)
    rows = [
        Row(
            f"pairwise I(Z;Y) over I(Z;X), {count} classes",
            spent[str(count)],
            spent["none"],
            spent[str(count)] / spent["none"],
            "<= 1.3",
        )
        for count in labels
    ]
    for shape, rounds in (((60, 1_000, 20), 5), ((60, 4_096, 10), 3)):
        batch = activations(*shape)
        spent = medians(
            {
                "batch": lambda batch=batch: bounds(batch, VARIANCE),
                "single": lambda batch=batch: [bounds(element, VARIANCE) for element in batch],
            },
            rounds,
        )
        name = f"pairwise batch of {shape[0]} x {shape[1]:,} x {shape[2]} over single calls"
        ratio = spent["batch"] / spent["single"]
        rows.append(Row(name, spent["batch"], spent["single"], ratio, "<= 1"))
    return rows


class Run(NamedTuple):
    """One call in a process of its own."""

    samples: int
    units: int
    seconds: float
    gram: float  # seconds of a Gram product of as many pairs and units
    peak: float  # GiB beyond the input


def peak_memory() -> int:
    """KiB that this process has held at most; the usual counter starts at its parent's on Linux."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (line,) = (entry for entry in status.read_text().splitlines() if entry.startswith("VmHWM"))
    return int(line.split()[1])


def measure(samples: int, units: int) -> Run:
    """Time one call and its peak memory, and Gram products block by block."""
    z = activations(samples, units)
    bounds(z[:3_000], VARIANCE)  # what is loaded and compiled once
    before = peak_memory()
    started = time.perf_counter()
    bounds(z, VARIANCE)
    seconds = time.perf_counter() - started
    peak = peak_memory() - before
    block = np.empty((2_500, 2_500), dtype=np.float32)
    started = time.perf_counter()
    for i in range(0, samples, 2_500):
        for j in range(0, samples, 2_500):
            np.matmul(z[i : i + 2_500], z[j : j + 2_500].T, out=block)
    return Run(samples, units, seconds, time.perf_counter() - started, peak / 2**20)


@functools.cache
def growth() -> tuple[list[Run], list[Run]]:
    """Run with ever more samples, and with ever more units."""

    def run(samples: int, units: int) -> Run:
        command = [sys.executable, "-m", "benchmarks.pairwise", "--one", str(samples), str(units)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return Run(samples, units, *map(float, printed.split()))

    return (
        [run(samples, UNITS) for samples in SAMPLE_SIZES],
        [run(FEWER, units) for units in UNIT_COUNTS],
    )


def measure_growth() -> list[Row]:
    """Memory of the largest run; time over what it would be if it grew as N * N, and as d."""
    by_samples, by_units = growth()
    largest, quarter = by_samples[-1], by_samples[-3]
    wide, narrow = by_units[-1], by_units[-3]
    nan = float("nan")
    return [
        Row(
            f"pairwise N = {LARGEST:,}: GiB beyond the input", largest[2], nan, largest.peak, "<= 1"
        ),
        Row(
            f"pairwise N = {LARGEST:,} over 16 times N = {quarter.samples:,}",
            largest.seconds,
            16 * quarter.seconds,
            largest.seconds / (16 * quarter.seconds),
            "<= 1.2",
        ),
        Row(
            f"pairwise d = {wide.units} over 4 times d = {narrow.units}",
            wide.seconds,
            4 * narrow.seconds,
            wide.seconds / (4 * narrow.seconds),
            "<= 1.2",
        ),
    ]


def draw_growth(path: Path) -> None:
    """Draw time for each pair over samples and over units, beside that of a Gram product."""
    import matplotlib.pyplot as plt

    from infotheo.study.figures.style import LOWER, UPPER

    figure, panels = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for axes, runs, key, label in zip(
        panels,
        growth(),
        ("samples", "units"),
        ("samples N (d = 100)", "units d (N = 15,000)"),
        strict=True,
    ):
        places = [getattr(run, key) for run in runs]
        for name, color, note in (("seconds", LOWER, "both bounds"), ("gram", UPPER, "x @ x.T")):
            nanoseconds = [1e9 * getattr(run, name) / run.samples**2 for run in runs]
            axes.plot(places, nanoseconds, "o-", color=color, label=note)
        axes.set(xlabel=label, ylabel="time / N² (ns)", ylim=(0, None), xlim=(0, None))
    panels[0].set_title("flat: grows as N²", fontsize=10)
    panels[1].set_title("a line: grows as d", fontsize=10)
    panels[0].legend()
    figure.savefig(path)
    plt.close(figure)


def rows() -> list[Row]:
    """Every comparison."""
    return [
        *compare_formulas(),
        *time_sweeps(),
        *time_products(),
        *compare_keops(),
        *time_classes_and_batches(),
        *measure_growth(),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks"))
    parser.add_argument("--one", nargs=2, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(*measure(*options.one)[2:])
        return
    for row in rows():
        print(f"{row.ratio:8.2f}  {row.required or '':>8}  {row.name} ({row.ours:.4g} s)")
    for run in sum(growth(), []):
        print(run)
    options.out.mkdir(parents=True, exist_ok=True)
    draw_growth(options.out / "pairwise_growth.png")


if __name__ == "__main__":
    main()
