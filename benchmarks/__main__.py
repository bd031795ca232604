"""All benchmarks: a table, a plot of it, and how the pairwise bounds grow with samples and units.

    python -m benchmarks [pairwise binned over_training ...] [--out results/benchmarks]

Contenders alternate in one process and medians are compared; run it on an idle machine. Peers come
with the ``bench`` extra; one that is missing is named and left out.
"""

from __future__ import annotations

import argparse
import csv
import importlib
from pathlib import Path

import matplotlib.pyplot as plt

from benchmarks.race import Row
from infotheo.study.figures.style import LOWER, UPPER

MODULES = ("pairwise", "binned", "over_training", "neighbors", "residual", "fused")


def draw(table: list[Row], path: Path) -> None:
    """Draw the ratios as bars on a logarithmic axis, with what is required of them."""
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


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("modules", nargs="*", choices=[*MODULES, []], default=MODULES)
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks"))
    options = parser.parse_args()
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
