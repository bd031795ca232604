"""All benchmarks: a table, a plot of it, and how the pairwise bounds grow with samples and units.

    python -m benchmarks [pairwise binned over_training ...] [--out results/benchmarks]
    python -m benchmarks accelerator [--device cuda] [--small] [--out results/benchmarks]

Contenders alternate in one process and medians are compared; run it on an idle machine. Peers come
with the ``bench`` extra; one that is missing is named and left out. What wants an accelerator is a
command of its own, :mod:`benchmarks.accelerator`.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.race import Row

MODULES = ("pairwise", "binned", "over_training", "neighbors", "residual")


def draw(table: list[Row], path: Path) -> None:
    """Draw the ratios as bars on a logarithmic axis, with what is required of them."""
    import matplotlib.pyplot as plt

    from infotheo.study.figures.style import LOWER, UPPER

    figure, axes = plt.subplots(figsize=(9, 0.42 * len(table) + 1), layout="constrained")
    beside = axes.get_yaxis_transform()  # numbers in a column at the right edge
    for place, row in enumerate(reversed(table)):
        axes.barh(place, row.ratio, color=LOWER, height=0.6)
        axes.text(
            0.99, place, f"{row.ratio:.3g}", ha="right", va="center", fontsize=8, transform=beside
        )
        if row.required:
            axes.plot(
                [float(row.required.split()[1])] * 2,
                [place - 0.4, place + 0.4],
                color=UPPER,
                linewidth=2,
            )
    axes.set_yticks(range(len(table)), [row.name for row in reversed(table)], fontsize=8)
    axes.set_xscale("log")
    axes.set_xlim(right=4 * max(row.ratio for row in table))
    axes.set_ylim(-0.7, len(table) - 0.3)
    axes.set_xlabel("ratio (bar), required (line; at most, over a floor)")
    figure.savefig(path)
    plt.close(figure)


def module_name(text: str) -> str:
    """Check the name of a benchmark."""
    if text not in MODULES:
        raise argparse.ArgumentTypeError(
            f"found {text!r}, expected one of {', '.join(MODULES)} (or accelerator, alone)"
        )
    return text


def read_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; without names: all benchmarks."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # no choices: argparse would look for the default as a whole among them
    parser.add_argument("modules", nargs="*", type=module_name, default=list(MODULES))
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks"))
    return parser.parse_args(arguments)


def main() -> None:
    if sys.argv[1:2] == ["accelerator"]:
        from benchmarks.accelerator.command import main as run_accelerator

        sys.exit(run_accelerator(sys.argv[2:]))
    options = read_arguments()
    table: list[Row] = []
    for name in options.modules:
        for row in importlib.import_module(f"benchmarks.{name}").rows():
            row = Row(*row)
            table.append(row)
            print(
                f"{row.ratio:8.2f}  {row.required or '':>8}  {row.name}  "
                f"({row.ours:.4g} s against {row.peer:.4g} s)",
                flush=True,
            )
    if not table:
        return
    options.out.mkdir(parents=True, exist_ok=True)
    with open(options.out / "ratios.csv", "w", newline="") as file:
        csv.writer(file).writerows([Row._fields, *table])
    draw(table, options.out / "ratios.png")
    if "pairwise" in options.modules:
        importlib.import_module("benchmarks.pairwise").draw_growth(options.out / "growth.png")


if __name__ == "__main__":
    main()
