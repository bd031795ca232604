"""Bounds from sums over all pairs of a Gaussian mixture's components, in a precision that serves.

Each element of a batch gets the cheapest way to its distances whose error the sums certify.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from infotheo.arrays.labels import Classes
from infotheo.arrays.samples import Array, Samples, to_numpy
from infotheo.estimators.noise.sweep import NoiseSweep
from infotheo.estimators.pair_sums.compiled import compiled_serves
from infotheo.estimators.pair_sums.distances import centred
from infotheo.estimators.pair_sums.precision import (
    PRODUCTS,
    Product,
    distance_errors,
    full_float32,
    information_error,
)
from infotheo.estimators.pair_sums.row_sums import row_sums

__all__ = ["Mixture"]

PILOT = 512  # samples that tell whether a product is worth a try: their pairs cost next to nothing


class Bounds(NamedTuple):
    """What :meth:`Mixture.bounds` returns; each (batch, sweep) float64."""

    lower: Array
    upper: Array
    within_lower: Array | None
    within_upper: Array | None


class Mixture:
    """Gaussian components around the samples, ready for sums over pairs."""

    def __init__(self, samples: Samples, noise: NoiseSweep, alpha: float) -> None:
        self.xp, self.samples = samples.namespace, samples
        # exp and its sums in float32 cost at most about 1e-5 nats, whatever the distances
        self.single = samples.values.dtype == self.xp.float32
        self.rates = -0.5 / noise.values  # (batch or 1, sweep)
        self.order = alpha * (1 - alpha)

    def bounds(self, shares: np.ndarray, classes: Classes | None) -> Bounds:
        """Lower and upper bound of I(Z;X), and the classes' own, averaged over p(y).

        Chernoff (lower) before Kullback-Leibler (upper); the last two are ``None`` without classes.
        """
        xp = self.xp
        kept = np.flatnonzero(shares > 0)
        codes = None
        if classes is not None:  # class by class: a class's columns are then one slice
            kept = kept[np.argsort(classes.codes[kept], kind="stable")]
            codes = classes.codes[kept]
        x = self.samples.flat(None)
        products: tuple[Product, ...] = PRODUCTS
        if len(kept) < len(shares) or (codes is not None and np.any(np.diff(kept) < 0)):
            x = xp.take(x, self.samples.like(kept, "int64"), axis=1)
        components = _Components(self, shares[kept], codes)
        if compiled_serves(x, self.rates, components.unequal):
            # differences of what came in, in its own precision: nothing to centre or certify
            kind = "float32" if x.dtype == xp.float32 else "float64"
            products = (Product(kind, exact=True, rounding=0.0, tolerance=0.0),)
        else:
            x = centred(x, xp)  # float64
        left = np.arange(x.shape[0])
        found, order = [], []
        for product in products:
            worth = components.promising(_elements(x, left, xp), left, product)
            tried = left[worth]
            if not len(tried):
                continue
            bounds, certified = components.evaluate(_elements(x, tried, xp), tried, product)
            found.append(bounds if certified.all() else _picked(bounds, certified, self.samples))
            order.append(tried[certified])
            left = np.setdiff1d(left, order[-1])
        if len(found) == 1:
            return found[0]
        back = self.samples.like(np.argsort(np.concatenate(order)), "int64")
        return Bounds(
            *(
                None if part[0] is None else xp.take(xp.concat(part, axis=0), back, axis=0)
                for part in zip(*found, strict=True)
            )
        )


class _Components:
    """Weights and groups of the samples that have weight, and what is done with their sums."""

    def __init__(self, mixture: Mixture, shares: np.ndarray, codes: np.ndarray | None) -> None:
        self.mixture, self.xp = mixture, mixture.xp
        like = mixture.samples.like
        self.equal = bool(np.ptp(shares) == 0)
        self.shares = shares / shares.sum()
        self.weights = like(self.shares)
        self.unequal = None if self.equal else self.weights
        self.own = like(np.ones(len(shares)) if self.equal else self.shares)  # the term j = i
        self.whole = float(len(shares)) if self.equal else 1.0  # sum of the weights
        self.starts = self.parts = None
        if codes is not None:
            self.starts = np.flatnonzero(np.diff(codes, prepend=-1))
            parts = np.add.reduceat(self.shares, self.starts) * self.whole
            counts = np.diff(np.append(self.starts, len(codes)))
            self.parts = like(np.repeat(parts, counts))  # sum of the weights in the class of i

    def evaluate(
        self, x: Array, elements: np.ndarray, product: Product
    ) -> tuple[Bounds, np.ndarray]:
        """Bounds of some elements of the batch, and for which of them the product was enough."""
        xp, rates = self.xp, self._rates(elements)
        total, within = row_sums(
            xp.astype(x, getattr(xp, product.dtype), copy=False),
            rates,
            self.mixture.order,
            self.unequal,
            self.starts,
            xp,
            single=self.mixture.single,
            exact=product.exact,
        )
        certified = np.ones(len(elements), dtype=bool)
        if not product.exact:
            error = self._error(x, 1 - self.own / total, self.weights, rates, product)
            certified = error <= product.tolerance
        lower, upper = self._informations(total, self.whole)
        if within is None:
            return Bounds(lower, upper, None, None), certified
        return Bounds(lower, upper, *self._informations(within, self.parts)), certified

    def promising(self, x: Array, elements: np.ndarray, product: Product) -> np.ndarray:
        """Which elements a product may serve, judged by the pairs of a few samples."""
        xp = self.xp
        if not len(elements) or product.exact:
            return np.ones(len(elements), dtype=bool)
        if product.dtype == "float32" and not (self.mixture.single and full_float32(x)):
            return np.zeros(len(elements), dtype=bool)
        rates = self._rates(elements)
        nothing = xp.ones_like(self.own)  # known of the sums: the others may be all of each
        serves = self._error(x, nothing, self.weights, rates, product) <= product.tolerance
        if serves.all() or x.shape[1] < 4 * PILOT:
            return serves
        alone = self._error(x, 0 * nothing, self.weights, rates, product)
        if np.all(serves | (alone > product.tolerance)):  # no sums could make it serve
            return serves
        few = np.arange(0, x.shape[1], x.shape[1] // PILOT)
        index = self.mixture.samples.like(few, "int64")
        weights = self.shares[few] / self.shares[few].sum()
        given = self.mixture.samples.like(weights)
        total, _ = row_sums(
            xp.astype(_detached(xp.take(x, index, axis=1)), getattr(xp, product.dtype)),
            _detached(rates),
            self.mixture.order,
            given,
            None,
            xp,
            single=self.mixture.single,
        )
        others = total - given  # estimates the others' part of the sums over all samples
        share = others / (others + xp.take(self.weights, index, axis=0))
        errors = xp.take(self._distance_errors(x, product), index, axis=1)
        expected = information_error(errors, share, given, _detached(rates), self.mixture.order, xp)
        return serves | (to_numpy(expected) <= product.tolerance)

    def _rates(self, elements: np.ndarray) -> Array:
        rates = self.mixture.rates
        return rates if len(rates) == 1 else _elements(rates, elements, self.xp)

    def _distance_errors(self, x: Array, product: Product) -> Array:
        x = _detached(x)
        norms = self.xp.sum(x * x, axis=-1)
        return distance_errors(norms, x.shape[-1], product.rounding, self.xp)

    def _error(
        self, x: Array, others: Array, weights: Array, rates: Array, product: Product
    ) -> np.ndarray:
        """Bound what the product's error can do to each element's bounds (batch,)."""
        errors = self._distance_errors(x, product)
        others, rates = _detached(others), _detached(rates)
        order = self.mixture.order
        return to_numpy(information_error(errors, others, weights, rates, order, self.xp))

    def _informations(self, sums: Array, whole: Any) -> tuple[Array, Array]:
        """-sum_i c_i ln (S_i / sum of the weights) by Chernoff and by KL, (batch, sweep) each."""
        xp = self.xp
        # rounding of near duplicates' distances must not leave what any distances can give
        chernoff = xp.clip(sums[0], self.own, self.own * 0 + whole)
        kl = xp.minimum(xp.clip(sums[1], self.own, self.own * 0 + whole), chernoff)
        lower, upper = (-xp.matmul(xp.log(part / whole), self.weights) for part in (chernoff, kl))
        return lower, upper


def _elements(values: Array, chosen: np.ndarray, xp: Any) -> Array:
    """Pick elements of the batch; all of them: no copy."""
    if len(chosen) == values.shape[0]:
        return values
    return xp.stack([values[int(b)] for b in chosen]) if len(chosen) else values[:0]


def _picked(bounds: Bounds, certified: np.ndarray, samples: Samples) -> Bounds:
    index = samples.like(np.flatnonzero(certified), "int64")
    xp = samples.namespace
    return Bounds(*(None if part is None else xp.take(part, index, axis=0) for part in bounds))


def _detached(values: Array) -> Array:
    return values.detach() if hasattr(values, "detach") else values
