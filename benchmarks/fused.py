"""The fused kernel on a CUDA device, beside the same sums in eager torch and in KeOps.

Sums over all pairs of 60,000 samples of 512 units at eight noise variances, both divergences.
``python -m benchmarks fused`` compares; ``python -m benchmarks.fused --tune`` measures other cuts
of the kernel.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
from collections.abc import Callable

import torch

from benchmarks.race import Row, medians
from infotheo.estimators.pair_sums.fused import fused_row_sums
from infotheo.estimators.pair_sums.fused_plan import TILINGS, Tiling

SIZE, UNITS, VARIANCES, ROUNDS = 60_000, 512, 8, 3
REQUIRED = ">= 5"
ORDER = 0.25


def finished(run: Callable[[], object]) -> Callable[[], None]:
    """Wait for the device, so that a clock on the host sees all of the work."""

    def wait() -> None:
        run()
        torch.cuda.synchronize()

    return wait


def problem(size: int, units: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Centred activations (1, sample, unit) and rates (1, sweep) around the scale of distances."""
    generator = torch.Generator("cuda").manual_seed(0)
    x = torch.randn(1, size, units, device="cuda", generator=generator).relu()
    x -= x.mean(dim=1, keepdim=True)
    # no power of two between neighbours: nobody gets one's exponentials from another's
    scales = torch.logspace(-1.5, 0.5, VARIANCES, device="cuda", dtype=torch.float64)
    return x, -0.5 / (units * scales[None])


def eager(x: torch.Tensor, rates: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Sum as the library does where no kernel is at hand: tiles, one torch call after another."""
    import array_api_compat.torch as namespace

    from infotheo.estimators.pair_sums.row_sums import plain_row_sums

    return plain_row_sums(x, rates.cpu().numpy(), ORDER, None, None, namespace, True, False, 1)


def keops(x: torch.Tensor, rates: torch.Tensor) -> torch.Tensor:
    """One reduction for all rates and both divergences: each distance is computed once."""
    from pykeops.torch import Pm, Vi, Vj

    factors = torch.cat([ORDER * rates[0], rates[0]]).to(x.dtype)
    distances = ((Vi(x[0]) - Vj(x[0])) ** 2).sum(-1)
    return (distances * Pm(factors)).exp().sum(1)  # (sample, 2 sweep)


def product_rates() -> dict[str, float]:
    """Multiply-adds a second of the card's own large product, by kind; the better of two shapes."""
    found = {}
    kinds = {"ieee": (torch.float32, "highest"), "tf32x3": (torch.float32, "high")}
    kinds["float64"] = (torch.float64, "highest")
    kept = torch.get_float32_matmul_precision()
    for name, (dtype, precision) in kinds.items():
        torch.set_float32_matmul_precision(precision)
        best = 0.0
        for size in (4096, 8192):
            a = torch.randn(size, size, device="cuda", dtype=dtype)
            product = finished(lambda a=a: a @ a.mT)  # type: ignore[misc]
            spent = medians({name: product}, 5)[name]
            best = max(best, size**3 / spent)
        found[name] = best / (3 if name == "tf32x3" else 1)  # three products for one
    torch.set_float32_matmul_precision(kept)
    return found


def rows(size: int = SIZE, units: int = UNITS, rounds: int = ROUNDS) -> list[Row]:
    """Measure (name, seconds of ours, of the peer, ratio, required); none without CUDA."""
    if not torch.cuda.is_available():
        print("fused kernel: torch finds no CUDA device, nothing measured")
        return []
    x, rates = problem(size, units)
    wide = x.double()
    contenders: dict[str, Callable[[], object]] = {
        "ieee": lambda: fused_row_sums(x, rates, ORDER),
        "tf32x3": lambda: fused_row_sums(x, rates, ORDER, precision="tf32x3"),
        "float64": lambda: fused_row_sums(wide, rates, ORDER),
        "eager torch": lambda: eager(x, rates),
        "eager torch, float64 product": lambda: eager(wide, rates),
    }
    if importlib.util.find_spec("pykeops") is not None:
        contenders["KeOps"] = lambda: keops(x, rates)
    else:
        print("fused kernel: pykeops is not installed, not compared")
    found = medians({name: finished(run) for name, run in contenders.items()}, rounds)
    multiplications = size * (size + 1) / 2 * units  # of the triangle: the least there is to do
    for name, rate in product_rates().items():
        print(
            f"{torch.cuda.get_device_name()}, N = {size}, d = {units}, {VARIANCES} variances, "
            f"{name}: {found[name]:.4f} s; the card's own product takes "
            f"{multiplications / rate:.4f} s for the triangle, "
            f"{multiplications / rate / found[name]:.0%} of it"
        )
    pairs = [("ieee", "eager torch"), ("float64", "eager torch, float64 product")]
    pairs += [(kind, "KeOps") for kind in TILINGS if "KeOps" in found]
    return [
        Row(
            f"fused pairwise sums ({ours}) against {peer}",
            found[ours],
            found[peer],
            found[peer] / found[ours],
            REQUIRED,
        )
        for ours, peer in pairs
    ]


def tune(size: int, units: int, rounds: int) -> None:
    """Print the time of other cuts of the kernel, to choose the fixed ones by."""
    x, rates = problem(size, units)
    for name in TILINGS:
        given = x.double() if name == "float64" else x
        precision = "tf32x3" if name == "tf32x3" else "ieee"
        for tile, depth, warps, stages in itertools.product((64, 128), (16, 32), (4, 8), (2, 3, 4)):
            tiling = Tiling(tile, depth, warps, stages)
            run = finished(
                lambda t=tiling, g=given, p=precision: fused_row_sums(  # type: ignore[misc]
                    g, rates, ORDER, precision=p, tiling=t
                )
            )
            try:
                spent = f"{medians({name: run}, rounds)[name]:.4f} s"
            except Exception as failure:  # noqa: BLE001 - a cut that does not fit the card
                spent = type(failure).__name__
            chosen = " (chosen)" if tiling == TILINGS[name] else ""
            print(f"{name} {tuple(tiling)}: {spent}{chosen}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=SIZE)
    parser.add_argument("--units", type=int, default=UNITS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--tune", action="store_true", help="measure other cuts of the kernel")
    options = parser.parse_args()
    if options.tune and torch.cuda.is_available():
        tune(options.size, options.units, options.rounds)
        return
    for row in rows(options.size, options.units, options.rounds):
        print(f"{row.ratio:8.2f}  {row.required}  {row.name}")


if __name__ == "__main__":
    main()
