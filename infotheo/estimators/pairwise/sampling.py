"""Draws from a Gaussian mixture, and the log ratios of its densities there.

A draw is a component i of the mixture and a point z of it; it contributes ln p(z|i) - ln p(z), or
ln p(z|y) - ln p(z), whose mean is the information.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Protocol

import numpy as np

from infotheo.arrays.labels import Classes
from infotheo.arrays.samples import Array, Samples, to_numpy
from infotheo.estimators.noise.sweep import NoiseSweep
from infotheo.estimators.pair_sums.distances import centred
from infotheo.estimators.pairwise.per_sample_noise import harmless_product, squares_over_variances
from infotheo.estimators.pairwise.unit_noise import scaled_to_unit_noise

__all__ = ["sampled_information"]

DRAWS_BLOCK = 1024
SAMPLES_BLOCK = 1024  # a tile of 8 MiB


def sampled_information(
    samples: Samples,
    noise: NoiseSweep,
    shares: np.ndarray,
    classes: Classes | None,
    draws: int,
    seed: int,
) -> tuple[Array, Array]:
    """Return I(Z;X), or I(Z;Y) with classes, and its standard error (nats), each (batch, sweep)."""
    xp = samples.namespace
    values, errors = [], []
    for ratios, lengths in _log_ratios(samples, noise, shares, classes, draws, seed):
        steps, others = (a[..., 1:] - a[..., :-1] for a in (ratios, lengths))
        slopes = xp.sum(steps * others, axis=-1) / xp.sum(others * others)
        values.append(xp.mean(ratios, axis=-1) - slopes * xp.mean(lengths))
        # half the mean square of the differences estimates the variance of one draw
        left = steps - slopes[:, None] * others
        variance = xp.sum(left * left, axis=-1) / (2 * (draws - 2))
        errors.append((variance / draws) ** 0.5)
    shape = (-1, noise.values.shape[1])
    return xp.reshape(xp.concat(values), shape), xp.reshape(xp.concat(errors), shape)


def _log_ratios(
    samples: Samples,
    noise: NoiseSweep,
    shares: np.ndarray,
    classes: Classes | None,
    draws: int,
    seed: int,
) -> Iterator[tuple[Array, Array]]:
    """Yield what :func:`_draw` returns, batch element by batch element, the sweep in parts."""
    per_batch = noise.values.shape[0] > 1
    for b in range(math.prod(samples.batch_shape)):
        one = replace(samples, values=samples.flat(None)[b : b + 1])
        own = replace(noise, values=noise.values[b : b + 1] if per_batch else noise.values)
        components: Iterable[_Components]
        if noise.per == "sample":
            components = (_UnlikeComponents(one, variances) for variances in own.values[0])
        elif noise.per == "unit":
            components = (_AlikeComponents(*scaled) for scaled in scaled_to_unit_noise(one, own))
        else:
            components = (_AlikeComponents(one, own),)
        for component in components:
            yield _draw(component, one, shares, classes, draws, seed)


def _draw(
    components: _Components,
    samples: Samples,
    shares: np.ndarray,
    classes: Classes | None,
    draws: int,
    seed: int,
) -> tuple[Array, Array]:
    """Draw points of one mixture: their log density ratios (sweep, draw), and (|e|^2 - d) / 2.

    The latter (draw,) has mean 0 and goes with the former: what it explains is no error.
    """
    xp = samples.namespace
    generator = np.random.default_rng(seed)
    position = (np.arange(draws) + generator.random(draws)) / draws
    chosen = np.searchsorted(np.cumsum(shares), position, side="right")
    chosen = np.minimum(chosen, np.flatnonzero(shares)[-1])  # the sum of shares is rounded
    of_class = None if classes is None else classes.probabilities(shares)[classes.codes]
    weights = samples.like(shares)
    blocks, lengths = [], []
    for start in range(0, draws, DRAWS_BLOCK):
        index = chosen[start : start + DRAWS_BLOCK]
        e = samples.like(generator.standard_normal((len(index), samples.units)))
        whole: dict[int, Array] = {}
        own: dict[int, Array] = {}
        for first in range(0, samples.size, SAMPLES_BLOCK):
            columns = slice(first, first + SAMPLES_BLOCK)
            same = None
            if classes is not None:
                same = classes.codes[index][:, None] == classes.codes[None, columns]
                same = samples.like(same)
            # E exp(exponent) = 1 for every component: above 700 it is less likely than e^-700
            exponents = components.exponents(samples.like(index, "int64"), e, columns)
            for k, exponent in enumerate(exponents):
                kernel = xp.exp(exponent) * weights[None, columns]
                whole[k] = whole.get(k, 0.0) + xp.sum(kernel, axis=1)
                if same is not None:
                    own[k] = own.get(k, 0.0) + xp.sum(kernel * same, axis=1)
        logs = -xp.log(xp.stack(list(whole.values())))
        if of_class is not None:
            share = samples.like(of_class[index])
            logs = logs + xp.log(xp.stack(list(own.values())) / share)
        blocks.append(logs)
        lengths.append((xp.sum(e * e, axis=1) - samples.units) / 2)
    return xp.concat(blocks, axis=1), xp.concat(lengths)


class _Components(Protocol):
    def exponents(self, index: Array, e: Array, columns: slice) -> Iterator[Array]:
        """Log of the components' densities over the drawn one's own: (draw, column)s of a sweep.

        A draw is component ``index`` and its standard normal deviate ``e`` (draw, unit).
        """


class _AlikeComponents:
    """Noise s^2 that is the same for all samples and units.

    At z_i + s e the exponent of component j is -|z_i - z_j|^2 / 2 s^2 - e (z_i - z_j) / s: two
    matrix products serve every s.
    """

    def __init__(self, samples: Samples, noise: NoiseSweep) -> None:
        self.xp = xp = samples.namespace
        self.x = centred(samples.flat(None), xp)[0]
        self.rates = 1 / noise.values[0] ** 0.5  # (sweep,)
        self.ones = xp.ones_like(self.x)
        unscaled = to_numpy(self.x) * float(to_numpy(self.rates).max())
        zeros = np.zeros_like(unscaled)
        self.exact = not harmless_product(unscaled, zeros, zeros + 1)

    def exponents(self, index: Array, e: Array, columns: slice) -> Iterator[Array]:
        xp, z = self.xp, self.x[columns]
        x = xp.take(self.x, index, axis=0)
        squares = squares_over_variances(x, None, z, self.ones[columns], xp, exact=self.exact)
        along = xp.sum(e * x, axis=1)[:, None] - xp.matmul(e, z.T)
        for rate in self.rates:
            yield -rate * (0.5 * rate * squares + along)


class _UnlikeComponents:
    """Noise that differs from sample to sample and from unit to unit."""

    def __init__(self, samples: Samples, variances: Array) -> None:
        self.xp = samples.namespace
        self.x = centred(samples.flat(None), self.xp)[0]
        self.s = variances  # (sample, unit)
        self.logs = self.xp.sum(self.xp.log(variances), axis=1)
        drawn = np.abs(to_numpy(self.x)) + 10 * to_numpy(variances) ** 0.5  # as far as draws go
        self.exact = not harmless_product(drawn, np.zeros_like(drawn), to_numpy(variances))

    def exponents(self, index: Array, e: Array, columns: slice) -> Iterator[Array]:
        xp = self.xp
        s = xp.take(self.s, index, axis=0)
        x = xp.take(self.x, index, axis=0) + s**0.5 * e
        quadratic = squares_over_variances(
            x, None, self.x[columns], self.s[columns], xp, exact=self.exact
        )
        of_drawn = xp.take(self.logs, index, axis=0) + xp.sum(e * e, axis=1)
        yield 0.5 * (of_drawn[:, None] - self.logs[None, columns] - quadratic)
