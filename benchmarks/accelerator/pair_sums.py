"""The fused kernel beside the same sums in eager torch and KeOps, and over the card's products.

Sums over all pairs of 60,000 samples of 512 units at eight noise variances, both divergences. The
full matrix is what a user would write: squared distances of all pairs from x^2 + y^2 - 2xy, and
logsumexp for each variance and divergence. Eager tiles are what the library does where no kernel
is at hand. The floor is the card's own ``x @ x.T``, half of it: the triangle is all there is to do.

    python -m benchmarks.accelerator.pair_sums [--size 60000]

measures other cuts of the kernel, to choose the fixed ones by.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import itertools
import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

import infotheo as it
from benchmarks.accelerator.report import Options, Report
from benchmarks.race import medians
from infotheo.estimators.pair_sums.factors import Factors
from infotheo.estimators.pair_sums.fused.row_sums import fused_row_sums
from infotheo.estimators.pair_sums.fused.tiling import TILINGS, Tiling
from infotheo.estimators.pair_sums.gradient import differentiable_row_sums
from infotheo.estimators.pair_sums.problem import PairProblem, RowSums
from infotheo.estimators.pair_sums.tiles import tile_row_sums

__all__ = ["compare", "compare_with_host"]

ROUNDS = 3
REQUIRED = ">= 5"
PROMISED = 1e-4  # nats
# of the smallest variance; tf32x3: what its docstring says of the distances there, at the worst
ALLOWED = {"ieee": PROMISED, "tf32x3": 25 * PROMISED, "float64": PROMISED}
PRODUCTS = {"ieee": "highest", "tf32x3": "high", "float64": "highest"}  # torch's name of each
BY_INTERPRETER = Tiling(32, 16, 4, 2)  # a cut for the host, where Triton interprets


class Size(NamedTuple):
    samples: int
    units: int
    variances: int
    gradient_samples: int


FULL, SMALL = Size(60_000, 512, 8, 10_000), Size(96, 20, 3, 48)


def finish(run: Callable[[], object], device: str) -> Callable[[], None]:
    """Wait for the device, so that a clock on the host sees all of the work."""

    def wait() -> None:
        run()
        if device == "cuda":
            torch.cuda.synchronize()

    return wait


def make_problem(size: Size, device: str) -> PairProblem:
    """Rectified, centred normal samples at variances around the scale of their distances."""
    generator = torch.Generator(device).manual_seed(0)
    x = torch.randn(1, size.samples, size.units, device=device, generator=generator).relu()
    x -= x.mean(dim=1, keepdim=True)
    # no power of two between neighbours: nobody gets one's exponentials from another's
    scales = torch.logspace(-1.5, 0.5, size.variances, device=device, dtype=torch.float64)
    factors = Factors.from_noise_variance(size.units * scales[None], alpha=0.5)
    return PairProblem(x, factors, precision="float32")


def all_factors(problem: PairProblem) -> torch.Tensor:
    """Factors of both divergences (2 sweep,), Chernoff before Kullback-Leibler."""
    kl = problem.factors.kl[0]
    return torch.cat([problem.factors.chernoff_ratio * kl, kl])


def full_matrix(problem: PairProblem) -> torch.Tensor:
    """Logarithms of the sums (2 sweep, sample), from one matrix of distances."""
    x = problem.points[0]
    norms = (x * x).sum(1)
    squared = norms[:, None] + norms - 2 * (x @ x.T)
    return torch.stack(
        [torch.logsumexp(float(factor) * squared, dim=1) for factor in all_factors(problem)]
    )


def keops(problem: PairProblem) -> torch.Tensor:
    """One reduction for all factors: each distance is computed once."""
    from pykeops.torch import Pm, Vi, Vj

    x = problem.points[0]
    distances = ((Vi(x) - Vj(x)) ** 2).sum(-1)
    return (distances * Pm(all_factors(problem).to(x.dtype))).exp().sum(1)  # (sample, 2 sweep)


def time_products(problem: PairProblem, device: str, rounds: int) -> dict[str, float]:
    """Seconds of the card's own x @ x.T for a triangle of the pairs, by kind of product."""
    times = {}
    before = torch.get_float32_matmul_precision()
    for kind, precision in PRODUCTS.items():
        x = problem.points[0].to(torch.float64 if kind == "float64" else torch.float32)
        torch.set_float32_matmul_precision(precision)
        product = finish(lambda x=x: x @ x.T, device)  # type: ignore[misc]
        spent = medians({kind: product}, rounds)[kind] / 2
        times[kind] = 3 * spent if kind == "tf32x3" else spent  # three products for one
    torch.set_float32_matmul_precision(before)
    return times


def fused(problem: PairProblem, kind: str, device: str) -> RowSums:
    """Solve a problem by the fused kernel, with products of this kind."""
    return fused_row_sums(
        problem,
        float32_product="tf32x3" if kind == "tf32x3" else "ieee",
        tiling=None if device == "cuda" else BY_INTERPRETER,
    )


def compare(options: Options, report: Report) -> None:
    """Report the fused kernel's times beside those of the others, and whether all agree."""
    device, size = options.device, SMALL if options.small else FULL
    if device == "cpu":
        os.environ["TRITON_INTERPRET"] = "1"  # read when Triton is imported
    rounds = 1 if options.small else ROUNDS
    problem = make_problem(size, device)
    wide = replace(problem, points=problem.points.double())
    where = f"N = {size.samples:,}, d = {size.units}, {size.variances} variances"
    print(f"  {where}", flush=True)
    contenders: dict[str, Callable[[], object]] = {
        **{
            kind: functools.partial(fused, wide if kind == "float64" else problem, kind, device)
            for kind in PRODUCTS
        },
        "eager tiles": lambda: tile_row_sums(problem, workers=1),
        "eager tiles, float64 product": lambda: tile_row_sums(wide, workers=1),
        "full matrix and logsumexp": lambda: full_matrix(problem),
    }
    if importlib.util.find_spec("pykeops") is not None:
        contenders["KeOps"] = lambda: keops(problem)
    else:
        report.add("KeOps", note="left out: pykeops is not installed")
    running = {}
    for name, run in contenders.items():
        with report.attempt(f"sums by {name}"):
            finish(run, device)()  # compiles, or fails by itself
            running[name] = finish(run, device)
    check_agreement(problem, wide, device, report)
    times = medians(running, rounds)
    peers = {"ieee": ("full matrix and logsumexp", "eager tiles", "KeOps")}
    peers |= {"tf32x3": peers["ieee"], "float64": ("eager tiles, float64 product",)}
    for kind, names in peers.items():
        for peer in names:
            if kind in times and peer in times:
                ratio = times[peer] / times[kind]
                name = f"fused ({kind}) against {peer}"
                required = REQUIRED if device == "cuda" else ""
                report.add(name, times[kind], times[peer], ratio, required=required, note=where)
    with report.attempt("the card's own products"):
        for kind, floor in time_products(problem, device, rounds).items():
            if kind in times:
                name = f"fused ({kind}) over half of x @ x.T"
                report.add(name, times[kind], floor, times[kind] / floor, note=where)
    if device == "cuda" and "ieee" in running:
        with report.attempt("memory of fused (ieee)"):
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            running["ieee"]()
            peak = (torch.cuda.max_memory_allocated() - before) / 2**30
            report.add("memory of fused (ieee)", note=f"{peak:.2f} GiB beyond the input, {where}")
    compare_gradients(size, device, rounds, report)


def check_agreement(problem: PairProblem, wide: PairProblem, device: str, report: Report) -> None:
    """Report by how much the informations differ from those of float64 sums in eager tiles."""
    exact = replace(wide, precision="float64")
    with report.attempt("agreement with float64 sums"):
        reference = -(tile_row_sums(exact, workers=1)[0] / problem.size).log().mean(-1)
        for kind in PRODUCTS:
            with report.attempt(f"agreement of fused ({kind})"):
                sums, _ = fused(wide if kind == "float64" else problem, kind, device)
                again, _ = fused(wide if kind == "float64" else problem, kind, device)
                off = float((-(sums / problem.size).log().mean(-1) - reference).abs().max())
                same = "the same bytes twice" if torch.equal(sums, again) else "other bytes"
                good = off < ALLOWED[kind] and torch.equal(sums, again)
                note = f"{off:.1e} nats from float64 sums, {same}"
                report.add(f"agreement of fused ({kind})", note=note if good else f"failed: {note}")


def compare_gradients(size: Size, device: str, rounds: int, report: Report) -> None:
    """Report the time of sums and their gradient by the kernel, beside the eager second pass."""
    problem = make_problem(size._replace(samples=size.gradient_samples), device)
    gradients: dict[str, torch.Tensor] = {}

    def differentiate(name: str, row_sums: Callable[[PairProblem], RowSums]) -> None:
        points = problem.points.clone().requires_grad_()
        total, _ = row_sums(replace(problem, points=points))
        (gradients[name],) = torch.autograd.grad(total.log().sum(), points)

    contenders = {
        "fused": lambda: differentiate("fused", lambda posed: fused(posed, "ieee", device)),
        "eager": lambda: differentiate("eager", differentiable_row_sums),
    }
    with report.attempt("fused gradient against the eager one"):
        times = medians({name: finish(run, device) for name, run in contenders.items()}, rounds)
        off = gradients["fused"] - gradients["eager"]
        relative = float(off.abs().max() / gradients["eager"].abs().max())
        note = f"N = {problem.size:,}; {relative:.1e} of the largest apart"
        ratio = times["eager"] / times["fused"]
        report.add(
            "fused gradient against the eager one",
            times["fused"],
            times["eager"],
            ratio,
            note=note if relative < 1e-3 else f"failed: {note}",
        )


def compare_with_host(options: Options, report: Report) -> None:
    """Report public estimators of a tensor on the device, beside those of an array on the host."""
    samples, units = (200, 10) if options.small else (10_000, 100)
    generator = np.random.default_rng(0)
    z = np.maximum(generator.standard_normal((samples, units), dtype=np.float32), 0)
    labels = generator.integers(10, size=samples)
    tensor = torch.tensor(z, device=options.device)
    estimators: dict[str, Callable[..., tuple]] = {
        "pairwise bounds": functools.partial(
            it.pairwise_information, labels=labels, noise_variance=[1.0, 10.0]
        ),
        "binned information": functools.partial(
            it.binned_information, labels=labels, bins=2, range=(0.0, 4.0)
        ),
        "Monte-Carlo information": functools.partial(
            it.mixture_information_monte_carlo, noise_variance=10.0, draws=1000, seed=0
        ),
    }
    for name, estimate in estimators.items():
        with report.attempt(f"{name} on the device"), warnings.catch_warnings():
            warnings.simplefilter("ignore", it.SaturationWarning)
            off = max(
                float(np.max(np.abs(np.asarray(a.cpu()) - b)))
                for a, b in zip(estimate(tensor)[:2], estimate(z)[:2], strict=True)
            )
            contenders = {
                "device": functools.partial(estimate, tensor),
                "host": functools.partial(estimate, z),
            }
            times = medians(
                {key: finish(run, options.device) for key, run in contenders.items()}, 1
            )
            note = f"{samples:,} x {units}; {off:.1e} nats apart"
            report.add(
                f"{name} on the device, against the host",
                times["device"],
                times["host"],
                times["host"] / times["device"],
                note=note if off < 2 * PROMISED else f"failed: {note}",
            )


def measure_cuts(size: Size, rounds: int) -> None:
    """Print the time of other cuts of the kernel."""
    problem = make_problem(size, "cuda")
    wide = replace(problem, points=problem.points.double())
    for kind in TILINGS:
        posed = wide if kind == "float64" else problem
        for cut in itertools.product((64, 128), (16, 32), (4, 8), (2, 3, 4)):
            tiling = Tiling(*cut)
            run = functools.partial(
                fused_row_sums,
                posed,
                float32_product="tf32x3" if kind == "tf32x3" else "ieee",
                tiling=tiling,
            )
            try:
                spent = f"{medians({kind: finish(run, 'cuda')}, rounds)[kind]:.4f} s"
            except Exception as failure:  # a cut that does not fit the card
                spent = type(failure).__name__
            chosen = " (chosen)" if tiling == TILINGS[kind] else ""
            print(f"{kind} {tuple(tiling)}: {spent}{chosen}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure other cuts of the fused kernel.")
    parser.add_argument("--size", type=int, default=FULL.samples)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("fused kernel: torch finds no CUDA device, nothing measured")
        return
    measure_cuts(FULL._replace(samples=options.size), options.rounds)


if __name__ == "__main__":
    main()
