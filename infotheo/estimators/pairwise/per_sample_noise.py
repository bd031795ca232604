"""A Gaussian mixture whose components have variances of their own, unit by unit.

Such are the activations of a network with multiplicative noise (paper 3). The divergences are the
general ones of Gaussians with diagonal covariances; the Chernoff one needs every unit of every
pair, so that time grows as N * N * d without the help of a matrix product, and memory as a tile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import device, is_torch_array

from infotheo.arrays.labels import Classes
from infotheo.arrays.samples import Array, Samples, to_numpy
from infotheo.estimators.noise.sweep import NoiseSweep
from infotheo.estimators.pair_sums.distances import centred
from infotheo.estimators.pairwise.mixture import Bounds

__all__ = ["SampleNoiseMixture", "harmless_product", "squares_over_variances"]

HOST_BLOCK = 256  # a tile and what a unit adds to it stay in the cache
DEVICE_BLOCK = 2048
PRODUCT_TOLERANCE = 1e-5  # nats
LARGEST_LOG = 600.0  # exp of it is finite in float64, and so is its inverse


class SampleNoiseMixture:
    """Components around the samples, each with one noise variance for each unit."""

    def __init__(self, samples: Samples, noise: NoiseSweep, alpha: float) -> None:
        self.xp, self.samples, self.alpha = samples.namespace, samples, alpha
        self.x = centred(samples.flat(None), self.xp)  # (batch, sample, unit) float64
        self.noise_variance = noise.noise_variance  # (batch or 1, sweep, sample, unit)

    def bounds(self, shares: np.ndarray, classes: Classes | None) -> Bounds:
        """Bound what :meth:`infotheo.estimators.pairwise.mixture.Mixture.bounds` bounds."""
        xp = self.xp
        chosen = np.flatnonzero(shares > 0)  # the others' sums would be empty
        index = self.samples.like(chosen, "int64")
        codes = np.zeros(len(chosen), dtype=np.int64) if classes is None else classes.codes[chosen]
        bounds = []
        for b in range(self.x.shape[0]):
            for noise_variance in self.noise_variance[b if len(self.noise_variance) > 1 else 0]:
                pairs = _Pairs(
                    xp.take(self.x[b], index, axis=0),
                    xp.take(noise_variance, index, axis=0),
                    self.alpha,
                    xp,
                )
                bounds.append(self._information(pairs, shares[chosen], codes))
        shape = (self.x.shape[0], self.noise_variance.shape[1])
        lower, upper, within_lower, within_upper = (
            xp.reshape(xp.stack(values), shape) for values in zip(*bounds, strict=True)
        )
        if classes is None:
            return Bounds(lower, upper, None, None)
        return Bounds(lower, upper, within_lower, within_upper)

    def _information(
        self, pairs: _Pairs, shares: np.ndarray, codes: np.ndarray
    ) -> tuple[Array, Array, Array, Array]:
        """Return -sum_i c_i ln sum_j c_j exp(-D_ij), and with j in i's class only, p(j | y)."""
        xp, weights = self.xp, self.samples.like(shares)
        class_shares = np.bincount(codes, weights=shares)[codes]
        total, within = pairs.sums(weights, self.samples.like(codes, "int64"))
        scale = self.samples.like(class_shares)
        lower, upper = (-xp.sum(weights * xp.log(sums)) for sums in total)
        within_lower, within_upper = (-xp.sum(weights * xp.log(sums / scale)) for sums in within)
        return lower, upper, within_lower, within_upper


class _Part(NamedTuple):
    """Some of the components: the rows or the columns of a tile."""

    x: Array  # (row, unit)
    noise_variance: Array  # (row, unit)
    weights: Array  # (row,)
    codes: Array  # (row,) of the classes


Sums = tuple[Array, ...]  # Chernoff, KL, then both within a class: (row,) each
Tile = Callable[[_Part, _Part, bool, bool], tuple[Sums, Sums]]


class _Pairs:
    """All pairs of components of one mixture, tile by tile."""

    def __init__(self, x: Array, noise_variance: Array, alpha: float, xp: Any) -> None:
        self.x, self.noise_variance, self.alpha, self.xp = x, noise_variance, alpha, xp
        variances = to_numpy(noise_variance)
        self.exact = not harmless_product(to_numpy(x), variances, variances)
        logs = np.log(variances)
        centre = logs.mean(axis=0)  # a variance of each unit that the others are compared with
        self.reference = xp.asarray(np.exp(centre), dtype=x.dtype, device=device(x))
        # so many factors, none beyond the largest, have a product within float64
        self.group = max(1, int(LARGEST_LOG / max(np.abs(logs - centre).max(), 1e-3)))

    def sums(self, weights: Array, codes: Array) -> tuple[list[Array], list[Array]]:
        """Sum c_j exp(-D_ij) over all j, and over those of i's class; Chernoff, then KL: (row,)."""
        block, size = HOST_BLOCK if str(device(self.x)) == "cpu" else DEVICE_BLOCK, len(self.x)
        parts = [
            _Part(*(a[i : i + block] for a in (self.x, self.noise_variance, weights, codes)))
            for i in range(0, size, block)
        ]
        mirrored = self.alpha == 0.5  # then Chernoff's divergence is symmetric: half the tiles
        tile = _recomputed(self._tile, self.x, self.noise_variance)
        totals: list[list[Any]] = [[0.0] * len(parts) for _ in range(4)]
        for i, rows in enumerate(parts):
            for j in range(i if mirrored else 0, len(parts)):
                row_values, column_values = tile(rows, parts[j], i == j, mirrored and i != j)
                for which, values in enumerate(row_values):
                    totals[which][i] = totals[which][i] + values
                for which, values in enumerate(column_values):
                    totals[which][j] = totals[which][j] + values
        sums = [self.xp.concat(total, axis=0) for total in totals]
        return sums[:2], sums[2:]

    def _tile(self, rows: _Part, columns: _Part, diagonal: bool, both: bool) -> tuple[Sums, Sums]:
        """Sum over the columns for each row and, if ``both``, over the rows for each column."""
        xp = self.xp
        chernoff = self._chernoff(rows, columns)
        off: Any = 1.0  # a component's divergence from itself is exactly 0
        if diagonal:
            off = 1 - xp.eye(len(rows.x), dtype=chernoff.dtype, device=device(chernoff))
        row_values = self._sums(rows, columns, chernoff * off, self._kl(rows, columns) * off)
        column_values = (
            self._sums(columns, rows, chernoff.T, self._kl(columns, rows)) if both else ()
        )
        return row_values, column_values

    def _sums(self, rows: _Part, columns: _Part, chernoff: Array, kl: Array) -> Sums:
        """Chernoff and KL sums over all columns, then over those of the row's class."""
        xp = self.xp
        kernels = [xp.exp(-divergence) * columns.weights[None, :] for divergence in (chernoff, kl)]
        same = rows.codes[:, None] == columns.codes[None, :]
        within = [kernel * xp.astype(same, kernel.dtype) for kernel in kernels]
        return tuple(xp.sum(kernel, axis=1) for kernel in (*kernels, *within))

    def _kl(self, rows: _Part, columns: _Part) -> Array:
        """Kullback-Leibler divergence of every row's Gaussian from every column's."""
        xp = self.xp
        row_logs, column_logs = (
            xp.sum(xp.log(part.noise_variance / self.reference), axis=1) for part in (rows, columns)
        )
        quadratic = squares_over_variances(
            rows.x, rows.noise_variance, columns.x, columns.noise_variance, xp, exact=self.exact
        )
        logs = column_logs[None, :] - row_logs[:, None] - self.x.shape[1]
        return _positive(0.5 * (logs + quadratic), xp)

    def _chernoff(self, rows: _Part, columns: _Part) -> Array:
        """Chernoff divergence of every row's Gaussian from every column's, unit by unit."""
        xp, alpha, units = self.xp, self.alpha, self.x.shape[1]
        (x, s), (z, t) = (  # s and t: noise variances over those of the reference
            (part.x / self.reference**0.5, part.noise_variance / self.reference)
            for part in (rows, columns)
        )
        row_logs, column_logs = xp.sum(xp.log(s), axis=1), xp.sum(xp.log(t), axis=1)
        logs = -(1 - alpha) * row_logs[:, None] - alpha * column_logs[None, :]
        squares: Any = 0.0
        product: Any = 1.0  # of many variances, so that few logarithms are taken
        for k in range(units):
            between = (1 - alpha) * s[:, k, None] + alpha * t[None, :, k]
            difference = x[:, k, None] - z[None, :, k]
            squares = squares + difference * difference / between
            product = product * between
            if (k + 1) % self.group == 0 or k + 1 == units:
                logs, product = logs + xp.log(product), 1.0
        return _positive(0.5 * (alpha * (1 - alpha) * squares + logs), xp)


def squares_over_variances(
    x: Array, extra: Array | None, z: Array, noise_variance: Array, xp: Any, *, exact: bool
) -> Array:
    """Sum over units (extra_ik + (x_ik - z_jk)^2) / noise_variance_jk: (row, column).

    Expanded into matrix products unless ``exact``; see :func:`harmless_product`.
    """
    inverse = 1 / noise_variance
    if not exact:
        squares = x * x if extra is None else x * x + extra
        expanded = xp.matmul(squares, inverse.T) - 2 * xp.matmul(x, (z * inverse).T)
        return _positive(expanded + xp.sum(z * z * inverse, axis=1)[None, :], xp)
    total: Any = 0.0
    for k in range(x.shape[1]):
        difference = x[:, k, None] - z[None, :, k]
        square = difference * difference
        total = (
            total + (square if extra is None else square + extra[:, k, None]) * inverse[None, :, k]
        )
    return total


def harmless_product(x: np.ndarray, extra: np.ndarray, noise_variance: np.ndarray) -> bool:
    """Whether expanding squares over variances into products costs at most 1e-5 nats.

    The terms of the expansion are bounded unit by unit; d of them and their sum are rounded, as in
    :func:`infotheo.estimators.pair_sums.precision.distance_errors`.
    """
    square, units = np.max(x * x, axis=0), x.shape[1]
    terms = (4 * square + np.max(extra, axis=0)) / np.min(noise_variance, axis=0)
    return bool((2 * units + 20) * 2.0**-53 * np.sum(terms) / 2 <= PRODUCT_TOLERANCE)


def _positive(values: Array, xp: Any) -> Array:
    """Divergences without the tiny negatives that rounding leaves between like components."""
    return xp.maximum(values, xp.zeros_like(values))


def _recomputed(function: Tile, x: Array, noise_variance: Array) -> Tile:
    """Let torch forget a tile's intermediate values, unit by unit, until a gradient needs them."""
    if not is_torch_array(x) or not (x.requires_grad or noise_variance.requires_grad):
        return function
    from torch.utils.checkpoint import checkpoint  # the caller's array is torch's already

    def recomputing(rows: _Part, columns: _Part, diagonal: bool, both: bool) -> tuple[Sums, Sums]:
        sums: tuple[Sums, Sums] = checkpoint(
            function, rows, columns, diagonal, both, use_reentrant=False, preserve_rng_state=False
        )
        return sums

    return recomputing
