"""Estimators that fit a critic where the truth is known: value, error, seconds.

    python -m benchmarks.critics [--samples 1000 8000] [--tasks ...] [--out results/benchmarks]

No race: a table of tasks, estimators and sample sizes. One thread; the defaults of the library.
"""

from __future__ import annotations

import argparse
import csv
import math
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import infotheo as it

Draw = Callable[[int, np.random.Generator], tuple[np.ndarray, np.ndarray]]
NATS = -0.5 * math.log(1 - 0.8**2)  # of a normal pair with correlation 0.8


def pairs(stream: np.random.Generator, size: int, units: int, rho: float) -> tuple:
    x, noise = stream.standard_normal((2, size, units))
    return x, rho * x + math.sqrt(1 - rho**2) * noise


def rotation(stream: np.random.Generator, units: int) -> np.ndarray:
    return np.linalg.qr(stream.standard_normal((units, units)))[0]


def ten(size: int, stream: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return pairs(stream, size, 10, 0.75)


def two_among_25(size: int, stream: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x, y = pairs(stream, size, 2, 0.8)
    noise = stream.standard_normal((2, size, 23))
    return np.concatenate([x, noise[0]], 1), np.concatenate([y, noise[1]], 1)


def two_among_512(size: int, stream: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x, y = pairs(stream, size, 2, 0.8)
    return np.concatenate([x, stream.standard_normal((size, 510))], 1) @ rotation(stream, 512), y


def clusters(size: int, stream: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    which = stream.integers(10, size=size)
    centres = 5 * stream.standard_normal((10, 32))
    noise = stream.standard_normal((2, size, 32))
    return centres[which] + noise[0], (centres @ rotation(stream, 32))[which] + noise[1]


def independent(size: int, stream: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x, y = stream.standard_normal((2, size, 10))
    return x, y


def from_library(name: str) -> tuple[float, Draw]:
    task = it.tasks[name]
    return task.mutual_information, task.draw


TASKS: dict[str, tuple[float, Draw]] = {
    "10 + 10 units, rho 0.75": (-5 * math.log(1 - 0.75**2), ten),
    "25 + 25 units, two pairs": (2 * NATS, two_among_25),
    "32 units, 10 clusters": (math.log(10), clusters),
    "512 + 2 units, two pairs rotated": (2 * NATS, two_among_512),
    "10 + 10 units, independent": (0.0, independent),
    **{name: from_library(name) for name in ("normal 0.75", "additive 0.1", "asinh-Student 5x5")},
}
ESTIMATORS = {
    "infonce": lambda x, y: it.variational_information(x, y, bound="infonce", seed=0),
    "nwj": lambda x, y: it.variational_information(x, y, bound="nwj", seed=0),
    "dv": lambda x, y: it.variational_information(x, y, bound="dv", seed=0),
    "density ratio": lambda x, y: it.density_ratio_information(x, y, seed=0),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.critics", description=__doc__)
    parser.add_argument("--samples", type=int, nargs="+", default=[1000, 8000])
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--estimators", nargs="+", choices=ESTIMATORS, default=list(ESTIMATORS))
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.out / "critics.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["task", "samples", "estimator", "value", "error", "truth", "seconds"])
        for size in options.samples:
            for name in options.tasks:
                truth, draw = TASKS[name]
                x, y = draw(size, np.random.default_rng(1))
                for estimator in options.estimators:
                    started = time.process_time()
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore", it.VariationalWarning)
                        estimate = ESTIMATORS[estimator](x, y)
                    seconds = time.process_time() - started
                    numbers = (estimate.value, estimate.standard_error, truth, seconds)
                    table.writerow([name, size, estimator, *(f"{n:.4f}" for n in numbers)])
                    print(
                        f"{name:34s} N = {size:6d}  {estimator:14s} {estimate.value:7.3f} ± "
                        f"{estimate.standard_error:.3f}  truth {truth:.3f}  {seconds:5.1f} s",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
