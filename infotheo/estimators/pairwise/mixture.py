"""Bounds from sums over all pairs of a Gaussian mixture's components, in a precision that serves.

Each element of a batch gets the cheapest way to its distances whose error the sums certify.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from infotheo.arrays.labels import Classes
from infotheo.arrays.samples import Array, Samples, to_numpy
from infotheo.estimators.noise.sweep import NoiseSweep
from infotheo.estimators.pair_sums.distances import centred, squared_distance_tiles
from infotheo.estimators.pair_sums.factors import Factors
from infotheo.estimators.pair_sums.precision import (
    PRODUCTS,
    Product,
    distance_errors,
    full_float32,
    information_error,
)
from infotheo.estimators.pair_sums.problem import PairProblem, Precision
from infotheo.estimators.pair_sums.row_sums import choose_backend, row_sums

__all__ = ["Bounds", "Mixture", "MixtureKernel", "exponential_precision"]

WIDE = 64  # units from which differences cost so much more than a product that one is tried first
FEW = 32  # samples that tell whether it can help
PILOT = 512  # samples that tell whether a product is worth a try: their pairs cost next to nothing


class Bounds(NamedTuple):
    """Bounds of I(Z;X), and the classes' bounds averaged over p(y); each (batch, sweep) float64.

    Chernoff (lower) before Kullback-Leibler (upper); the last two are ``None`` without classes.
    """

    lower: Array
    upper: Array
    within_lower: Array | None
    within_upper: Array | None


class MixtureKernel(Protocol):
    """A Gaussian mixture around samples, by what its noise belongs to."""

    def __init__(self, samples: Samples, noise: NoiseSweep, alpha: float) -> None: ...

    def bounds(self, shares: np.ndarray, classes: Classes | None) -> Bounds:
        """Bound the information for probabilities ``shares`` (sample,) of the samples."""


def exponential_precision(samples: Samples) -> Precision:
    """Precision of exponentials that serves samples as they came in.

    exp and its sums in float32 cost at most about 1e-5 nats, whatever the distances.
    """
    return "float32" if samples.values.dtype == samples.namespace.float32 else "float64"


class Mixture:
    """Gaussian components around the samples, ready for sums over pairs."""

    def __init__(
        self,
        samples: Samples,
        noise: NoiseSweep,
        alpha: float,
        precision: Precision | None = None,
    ) -> None:
        self.xp, self.samples = samples.namespace, samples
        self.precision = precision or exponential_precision(samples)
        self.factors = Factors.from_noise_variance(noise.noise_variance, alpha)

    def _centring_loses(self, points: Array) -> bool:
        """Whether rounding by centred points, of which some are far, shows beside the noise."""
        extent = float(self.xp.max(self.xp.abs(_detached(points))))
        steepest = float(np.max(np.abs(to_numpy(self.factors.kl))))
        return bool(extent * 2.0**-53 * math.sqrt(2 * steepest) > 1e-8)

    def bounds(self, shares: np.ndarray, classes: Classes | None) -> Bounds:
        """Bound I(Z;X) and, with classes, what they share of it; see :class:`Bounds`."""
        xp = self.xp
        chosen = np.flatnonzero(shares > 0)
        codes = None
        if classes is not None:  # class by class: a class's columns are then one slice
            chosen = chosen[np.argsort(classes.codes[chosen], kind="stable")]
            codes = classes.codes[chosen]
        points = self.samples.flat(None)
        if len(chosen) < len(shares) or (codes is not None and np.any(np.diff(chosen) < 0)):
            points = xp.take(points, self.samples.like(chosen, "int64"), axis=1)
        components = _Components(self.samples, shares[chosen], codes)
        problem = components.problem(points, self.factors, self.precision)
        products: tuple[Product, ...] = PRODUCTS
        if choose_backend(problem).name == "compiled":
            # differences of what came in, in its own precision: nothing to centre or certify
            dtype: Precision = "float32" if points.dtype == xp.float32 else "float64"
            products = (Product(dtype, exact=True, rounding=0.0, tolerance=0.0),)
        else:
            problem = replace(problem, points=centred(points, xp))  # float64
        uncentred = self._centring_loses(points)
        undecided = np.arange(points.shape[0])
        parts, order = [], []
        for product in products:
            if not len(undecided):
                break
            posed = replace(problem, exact=product.exact)
            if product.exact and uncentred:
                posed = replace(posed, points=points)
            candidates = posed.elements(undecided)
            if product.exact:
                apart = undecided[components.isolated(candidates)]
                if len(apart):
                    parts.append(components.ceilings(len(apart), self.factors))
                    order.append(apart)
                    undecided = np.setdiff1d(undecided, apart)
                    candidates = posed.elements(undecided)
            promising = undecided[components.promising(candidates, product)]
            if not len(promising):
                continue
            bounds, certified = components.evaluate(posed.elements(promising), product)
            parts.append(bounds if certified.all() else _picked(bounds, certified, self.samples))
            order.append(promising[certified])
            undecided = np.setdiff1d(undecided, order[-1])
        if len(parts) == 1:
            return parts[0]
        original_order = self.samples.like(np.argsort(np.concatenate(order)), "int64")
        return Bounds(
            *(
                None
                if field[0] is None
                else xp.take(xp.concat(field, axis=0), original_order, axis=0)
                for field in zip(*parts, strict=True)
            )
        )


class _Components:
    """Weights and classes of the samples that have weight, and what is done with their sums."""

    def __init__(self, samples: Samples, shares: np.ndarray, codes: np.ndarray | None) -> None:
        self.samples, self.xp = samples, samples.namespace
        like = samples.like
        equal = bool(np.ptp(shares) == 0)
        self.shares = shares / shares.sum()
        self.weights = like(self.shares)
        self.equal = equal
        self.self_terms = like(np.ones(len(shares)) if equal else self.shares)  # those with j = i
        self.total_weight = float(len(shares)) if equal else 1.0
        self.class_starts = self.class_weights = None
        if codes is not None:
            self.class_starts = np.flatnonzero(np.diff(codes, prepend=-1))
            weights = np.add.reduceat(self.shares, self.class_starts) * self.total_weight
            counts = np.diff(np.append(self.class_starts, len(codes)))
            self.class_weights = like(np.repeat(weights, counts))  # of the class of i

    def problem(self, points: Array, factors: Factors, precision: Precision) -> PairProblem:
        """Pose the sums that the bounds need, from differences of the points as they are."""
        return PairProblem(
            points,
            factors,
            weights=None if self.equal else self.weights,
            class_starts=self.class_starts,
            precision=precision,
            exact=True,
        )

    def evaluate(self, problem: PairProblem, product: Product) -> tuple[Bounds, np.ndarray]:
        """Bounds of a batch's elements, and for which of them the product was enough."""
        xp, points = self.xp, problem.points
        cast = xp.astype(points, getattr(xp, product.dtype), copy=False)
        total, within = row_sums(replace(problem, points=cast))
        certified = np.ones(len(points), dtype=bool)
        if not product.exact:
            error = self._error(problem, product, 1 - self.self_terms / total)
            certified = error <= product.tolerance
        lower, upper = self._informations(total, self.total_weight)
        if within is None:
            return Bounds(lower, upper, None, None), certified
        return Bounds(lower, upper, *self._informations(within, self.class_weights)), certified

    def isolated(self, problem: PairProblem) -> np.ndarray:
        """Which elements of a batch reach their ceilings whatever the rounding of distances.

        Terms of other samples below 2^-60 of a sample's own leave the sum as it is, to the last
        digit: no differences are needed, which cost many times a product for wide layers.
        """
        xp, points = self.xp, problem.points
        everyone = np.zeros(len(points), dtype=bool)
        differentiable = any(
            getattr(values, "requires_grad", False) for values in (points, problem.factors.kl)
        )
        if not everyone.size or differentiable or points.shape[-1] < WIDE:
            return everyone
        margin = math.log(problem.size * self.shares.max() / self.shares.min()) + 60 * math.log(2)
        flattest = problem.factors.chernoff_ratio * np.abs(to_numpy(problem.factors.kl)).min(axis=1)
        errors = to_numpy(xp.max(self._distance_errors(points, PRODUCTS[1]), axis=-1))
        needed = errors + margin / flattest
        few = xp.astype(points[:, :FEW], xp.float64)
        near = _nearest(few, xp) > needed  # most that are not isolated fail here, for nothing
        for element in np.flatnonzero(near):
            index = slice(int(element), int(element) + 1)
            everyone[element] = _nearest(points[index], xp)[0] > needed[element]
        return everyone

    def ceilings(self, elements: int, factors: Factors) -> Bounds:
        """Bounds of so many elements whose samples are all apart."""
        shape = (2, elements, factors.kl.shape[1], 1)
        total = self.self_terms * self.samples.like(np.ones(shape))
        lower, upper = self._informations(total, self.total_weight)
        if self.class_weights is None:
            return Bounds(lower, upper, None, None)
        return Bounds(lower, upper, *self._informations(total, self.class_weights))

    def promising(self, problem: PairProblem, product: Product) -> np.ndarray:
        """Which elements of a batch a product may serve, judged by the pairs of a few samples."""
        xp, points = self.xp, problem.points
        if not len(points) or product.exact:
            return np.ones(len(points), dtype=bool)
        single = problem.precision == "float32"
        if product.dtype == "float32" and not (single and full_float32(problem)):
            return np.zeros(len(points), dtype=bool)
        everything = xp.ones_like(self.self_terms)  # the others may be all of each sum
        serves = self._error(problem, product, everything) <= product.tolerance
        if serves.all() or problem.size < 4 * PILOT:
            return serves
        alone = self._error(problem, product, 0 * everything)
        if np.all(serves | (alone > product.tolerance)):  # no sums could make it serve
            return serves
        pilot = np.arange(0, problem.size, problem.size // PILOT)
        index = self.samples.like(pilot, "int64")
        weights = self.samples.like(self.shares[pilot] / self.shares[pilot].sum())
        pilot_points = _detached(xp.take(points, index, axis=1))
        pilot_problem = replace(
            problem,
            points=xp.astype(pilot_points, getattr(xp, product.dtype)),
            factors=problem.factors.detached(),
            weights=weights,
            class_starts=None,
        )
        total, _ = row_sums(pilot_problem)
        others = total - weights  # estimates the others' part of the sums over all samples
        share = others / (others + xp.take(self.weights, index, axis=0))
        errors = xp.take(self._distance_errors(points, product), index, axis=1)
        expected = information_error(errors, share, weights, pilot_problem.factors, xp)
        return serves | (to_numpy(expected) <= product.tolerance)

    def _distance_errors(self, points: Array, product: Product) -> Array:
        points = _detached(points)
        norms = self.xp.sum(points * points, axis=-1)
        return distance_errors(norms, points.shape[-1], product.rounding, self.xp)

    def _error(self, problem: PairProblem, product: Product, others: Array) -> np.ndarray:
        """Bound what the product's error can do to each element's bounds (batch,)."""
        errors = self._distance_errors(problem.points, product)
        factors = problem.factors.detached()
        return to_numpy(
            information_error(errors, _detached(others), self.weights, factors, self.xp)
        )

    def _informations(self, sums: Array, weight: Array | float) -> tuple[Array, Array]:
        """-sum_i c_i ln (S_i / sum of the weights) by Chernoff and by KL, (batch, sweep) each."""
        xp, least = self.xp, self.self_terms
        # rounding of near duplicates' distances must not leave what any distances can give
        chernoff = xp.clip(sums[0], least, least * 0 + weight)
        kl = xp.minimum(xp.clip(sums[1], least, least * 0 + weight), chernoff)
        lower, upper = (-xp.matmul(xp.log(part / weight), self.weights) for part in (chernoff, kl))
        return lower, upper


def _nearest(points: Array, xp: Any) -> np.ndarray:
    """Least squared distance of two different samples, from a product, (batch,)."""
    least = np.full(len(points), np.inf)
    for rows, columns, tile in squared_distance_tiles(points, xp):
        distances = to_numpy(tile)
        if rows == columns:
            diagonal = np.arange(distances.shape[1])
            distances = distances.copy()
            distances[:, diagonal, diagonal] = np.inf
        least = np.minimum(least, distances.min(axis=(1, 2)))
    return least


def _picked(bounds: Bounds, certified: np.ndarray, samples: Samples) -> Bounds:
    index = samples.like(np.flatnonzero(certified), "int64")
    xp = samples.namespace
    return Bounds(*(None if field is None else xp.take(field, index, axis=0) for field in bounds))


def _detached(values: Array) -> Array:
    return values.detach() if hasattr(values, "detach") else values
