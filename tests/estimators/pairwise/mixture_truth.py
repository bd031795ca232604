"""Random Gaussian mixtures against Monte Carlo: lower bound <= value <= upper bound?

Not collected by pytest, which draws 200 of them. For a thousand:

    python -m tests.estimators.pairwise.mixture_truth --mixtures 1000 --seed 0

A table counts how many bounds lie on the wrong side of the sampled value by more than 2, 3 and 4
standard errors; the exit status says whether any does by more than 4.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from infotheo.estimators.pairwise.bounds import (
    PairwiseInformation,
    SaturationWarning,
    pairwise_information,
)
from infotheo.estimators.pairwise.monte_carlo import mixture_information_monte_carlo

DRAWS = 2000
ROUNDING = 1e-9  # nats: a value at its ceiling has a standard error of 0, and so have its bounds
TARGETS = ("I(Z;X)", "I(Z;Y)")


class Mixture(NamedTuple):
    """One random case: what an estimator is given."""

    z: np.ndarray
    labels: np.ndarray
    options: dict[str, Any]


class Compared(NamedTuple):
    """Bounds of one target beside its sampled value."""

    bounds: PairwiseInformation
    value: float
    error: float

    def beyond(self, low: float, high: float) -> float:
        """By how many standard errors the value is outside [low, high]; negative inside."""
        outside = max(low - self.value, self.value - high) - ROUNDING
        return outside / max(self.error, ROUNDING)


def draw_mixture(generator: np.random.Generator) -> Mixture:
    """Draw components 2..200, units 1..64, spread, noise, weights and labels."""
    size = int(round(2 * 100 ** generator.random()))
    units = int(round(64 ** generator.random()))
    clusters = int(generator.integers(1, min(size, 20) + 1))
    member = generator.integers(clusters, size=size)
    z = generator.normal(size=(clusters, units))[member]
    z = z + 10 ** generator.uniform(-3, 1) * generator.normal(size=(size, units))
    if generator.random() < 0.3:
        z = np.maximum(z, 0)  # ties at 0, as ReLU leaves
    z *= 10 ** generator.uniform(-3, 3) * np.exp(0.5 * generator.normal(size=units))
    # noise small against the distances and large: information from its ceiling down to zero
    scale = max(float(z.var(axis=0).sum()), 1e-300) * 10 ** generator.uniform(-3.5, 1.5) + 1e-30
    per = str(generator.choice(["layer", "unit", "sample"]))
    shape: tuple[int, ...] = {"layer": (), "unit": (units,), "sample": (size, units)}[per]
    noise = scale * np.exp(generator.uniform(0, 1.5) * generator.normal(size=shape))
    weights = None
    if generator.random() < 0.5:
        weights = generator.dirichlet(np.full(size, 10 ** generator.uniform(-0.5, 2)))
        if size > 3:
            weights[generator.random(size) < 0.1] = 0
            weights[0] += 0.1
    classes = int(generator.integers(1, 11))
    labels = member % classes
    if generator.random() < 0.5:
        labels = generator.integers(classes, size=size)
    alpha = 0.5 if generator.random() < 0.5 else float(generator.uniform(0.05, 0.95))
    options = {"noise_variance": noise, "noise_per": per, "weights": weights, "alpha": alpha}
    return Mixture(z, labels, options)


def compare(mixture: Mixture, seed: int) -> tuple[Compared, Compared]:
    """Bound and sample I(Z;X) and I(Z;Y) of one mixture."""
    comparisons = []
    sampled = {k: v for k, v in mixture.options.items() if k != "alpha"}
    for labels in (None, mixture.labels):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SaturationWarning)
            bounds = pairwise_information(mixture.z, labels, **mixture.options)
        value = mixture_information_monte_carlo(
            mixture.z, labels, draws=DRAWS, seed=seed, **sampled
        )
        comparisons.append(Compared(bounds, float(value.value), float(value.standard_error)))
    return comparisons[0], comparisons[1]


def comparisons(mixtures: int, seed: int) -> Iterator[tuple[Mixture, tuple[Compared, Compared]]]:
    """Draw so many mixtures, one after the other, and compare each."""
    generator = np.random.default_rng(seed)
    for index in range(mixtures):
        mixture = draw_mixture(generator)
        yield mixture, compare(mixture, index)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--mixtures", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    beyond: dict[str, list[float]] = {target: [] for target in TARGETS}
    gaps: dict[str, list[float]] = {target: [] for target in TARGETS}
    errors: dict[str, list[float]] = {target: [] for target in TARGETS}
    for _, both in comparisons(arguments.mixtures, arguments.seed):
        for target, one in zip(TARGETS, both, strict=True):
            beyond[target].append(one.beyond(float(one.bounds.lower), float(one.bounds.upper)))
            gaps[target].append(float(one.bounds.upper - one.bounds.lower))
            errors[target].append(one.error)
    print(f"{arguments.mixtures} random mixtures, seed {arguments.seed}, {DRAWS} draws each")
    print("target  violations: any  > 2 SE  > 3 SE  > 4 SE   median gap  median SE (nats)")
    for target in TARGETS:
        counts = [sum(b > limit for b in beyond[target]) for limit in (0, 2, 3, 4)]
        print(
            f"{target} {counts[0]:16d}{counts[1]:8d}{counts[2]:8d}{counts[3]:8d}"
            f"{np.median(gaps[target]):13.4f}{np.median(errors[target]):11.5f}"
        )
    return int(any(b > 4 for values in beyond.values() for b in values))


if __name__ == "__main__":
    sys.exit(main())
