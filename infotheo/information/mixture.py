"""Sums over all pairs of a Gaussian mixture's components: the kernel of the pairwise bounds."""

from __future__ import annotations

from typing import Any

import numpy as np

from infotheo.arrays import Array, Samples, to_numpy
from infotheo.information.distances import (
    batch_chunks,
    centred,
    choose_product,
    squared_distance_tiles,
)
from infotheo.information.noise import NoiseSweep
from infotheo.validation import Classes

__all__ = ["Mixture"]


class Mixture:
    """Gaussian components around the samples, ready for sums over pairs."""

    def __init__(self, samples: Samples, noise: NoiseSweep, alpha: float) -> None:
        self.xp = xp = samples.namespace
        self.samples, self.alpha = samples, alpha
        single = samples.values.dtype == xp.float32
        x = centred(samples.flat(None), xp)  # (batch, sample, unit)
        smallest = float(to_numpy(noise.values).min())
        # exp and its sums in float32 cost at most about 1e-5 nats, whatever the distances
        self.exponent_dtype = xp.float32 if single else xp.float64
        dtype, self.exact = choose_product(x, smallest, xp, single=single)
        self.x = xp.astype(x, dtype, copy=False)
        self.variances = noise.values  # (batch or 1, sweep)

    def bounds(
        self, shares: np.ndarray, classes: Classes | None
    ) -> tuple[Array, Array, Array | None, Array | None]:
        """Lower and upper bound of I(Z;X), and the classes' own, averaged over p(y).

        Each is (batch, sweep) float64, Chernoff (lower) before Kullback-Leibler (upper); the last
        two are ``None`` without classes.
        """
        lower, upper = self.component_information(shares)
        if classes is None:
            return lower, upper, None, None
        within_lower, within_upper = self.within_classes(classes, shares)
        return lower, upper, within_lower, within_upper

    def component_information(
        self, shares: np.ndarray, members: np.ndarray | None = None
    ) -> tuple[Array, Array]:
        """Chernoff and Kullback-Leibler values of -sum_i c_i ln sum_j c_j exp(-D_ij).

        Each is (batch, sweep). ``members`` picks some samples, whose shares are scaled to one.
        """
        xp, x, variances = self.xp, self.x, self.variances
        chosen = np.arange(len(shares)) if members is None else members
        chosen = chosen[shares[chosen] > 0]
        if len(chosen) < len(shares):
            x = xp.take(x, self.samples.like(chosen, "int64"), axis=1)
        weights = self.samples.like(shares[chosen] / shares[chosen].sum())
        equal = bool(np.ptp(shares[chosen]) == 0)
        shared = len(variances) == 1  # by the whole batch
        parts = [
            self._chunk(x[part], weights, variances if shared else variances[part], equal)
            for part in batch_chunks(x)
        ]
        chernoff, kl = zip(*parts, strict=True)
        return xp.concat(chernoff, axis=0), xp.concat(kl, axis=0)

    def within_classes(self, classes: Classes, shares: np.ndarray) -> tuple[Array, Array]:
        """Average the values within each class over p(y)."""
        lower: Array = 0.0
        upper: Array = 0.0
        for members, p in zip(classes.members(), classes.probabilities(shares), strict=True):
            if p > 0:
                chernoff, kl = self.component_information(shares, members)
                lower, upper = lower + float(p) * chernoff, upper + float(p) * kl
        return lower, upper

    def _chunk(
        self, x: Array, weights: Array, variances: Array, equal: bool
    ) -> tuple[Array, Array]:
        """Sum over the pairs of one slice of the batch; functional, so that a gradient can flow."""
        xp, order = self.xp, self.alpha * (1 - self.alpha)
        dtype = self.exponent_dtype
        rates = xp.astype(-0.5 / variances, dtype)  # (batch or 1, sweep)
        # equal weights factor out; plain sums are cheaper than matrix-vector products
        w = None if equal else xp.astype(weights, dtype)
        sums: dict[tuple[int, int, int], Array] = {}  # (divergence, sweep, first row): (batch, row)
        for rows, columns, tile in squared_distance_tiles(x, xp, exact=self.exact):
            tile = xp.astype(tile, dtype, copy=False)
            for k in range(rates.shape[1]):
                rate = rates[:, k, None, None]
                chernoff = xp.exp(tile * (order * rate))
                if self.alpha == 0.5:  # KL is four times Chernoff: one exponential gives both
                    kl = chernoff * chernoff
                    kl = kl * kl
                else:
                    kl = xp.exp(tile * rate)
                for which, kernel in enumerate((chernoff, kl)):
                    over_columns = kernel if w is None else kernel * w[None, None, columns]
                    _add(sums, (which, k, rows.start), xp.sum(over_columns, axis=2), xp)
                    if rows != columns:
                        over_rows = kernel if w is None else kernel * w[None, rows, None]
                        _add(sums, (which, k, columns.start), xp.sum(over_rows, axis=1), xp)
        starts = sorted({start for _, _, start in sums})
        scale = 1 / x.shape[1] if equal else 1.0
        both = []
        for which in (0, 1):
            logs = [
                xp.log(scale * xp.concat([sums[which, k, start] for start in starts], axis=1))
                for k in range(rates.shape[1])
            ]
            both.append(xp.stack([-xp.matmul(log, weights) for log in logs], axis=1))
        return both[0], both[1]


def _add(sums: dict, key: tuple[int, int, int], values: Array, xp: Any) -> None:
    values = xp.astype(values, xp.float64, copy=False)
    sums[key] = values if key not in sums else sums[key] + values
