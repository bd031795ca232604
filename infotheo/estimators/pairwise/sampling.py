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
from infotheo.arrays.random_streams import numpy_generator
from infotheo.arrays.samples import Array, Samples, to_numpy
from infotheo.estimators.noise.scale import to_moderate_scale
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
    samples, noise = to_moderate_scale(samples, noise)
    values, errors = [], []
    for ratios, lengths in _log_ratios(samples, noise, shares, classes, draws, seed):
        steps, length_steps = (a[..., 1:] - a[..., :-1] for a in (ratios, lengths))
        slopes = xp.sum(steps * length_steps, axis=-1) / xp.sum(length_steps * length_steps)
        values.append(xp.mean(ratios, axis=-1) - slopes * xp.mean(lengths))
        # half the mean square of the differences estimates the variance of one draw
        residuals = steps - slopes[:, None] * length_steps
        variance = xp.sum(residuals * residuals, axis=-1) / (2 * (draws - 2))
        errors.append((variance / draws) ** 0.5)
    shape = (-1, noise.noise_variance.shape[1])
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
    per_batch = noise.noise_variance.shape[0] > 1
    for b in range(math.prod(samples.batch_shape)):
        element = replace(samples, values=samples.flat(None)[b : b + 1])
        element_noise = noise
        if per_batch:
            element_noise = replace(noise, noise_variance=noise.noise_variance[b : b + 1])
        mixtures: Iterable[_Components]
        if noise.per == "sample":
            mixtures = (
                _UnlikeComponents(element, noise_variance)
                for noise_variance in element_noise.noise_variance[0]
            )
        elif noise.per == "unit":
            mixtures = (
                _AlikeComponents(*scaled) for scaled in scaled_to_unit_noise(element, element_noise)
            )
        else:
            mixtures = (_AlikeComponents(element, element_noise),)
        for components in mixtures:
            with np.errstate(over="ignore"):  # infinitely far is far
                drawn = _draw(components, element, shares, classes, draws, seed)
            yield drawn


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
    generator = numpy_generator(seed, "Monte Carlo")
    position = (np.arange(draws) + generator.random(draws)) / draws
    chosen = np.searchsorted(np.cumsum(shares), position, side="right")
    chosen = np.minimum(chosen, np.flatnonzero(shares)[-1])  # the sum of shares is rounded
    class_shares = None if classes is None else classes.probabilities(shares)[classes.codes]
    weights = samples.like(shares)
    blocks, lengths = [], []
    for start in range(0, draws, DRAWS_BLOCK):
        index = chosen[start : start + DRAWS_BLOCK]
        e = samples.like(generator.standard_normal((len(index), samples.units)))
        total: dict[int, Array] = {}
        within: dict[int, Array] = {}
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
                total[k] = total.get(k, 0.0) + xp.sum(kernel, axis=1)
                if same is not None:
                    within[k] = within.get(k, 0.0) + xp.sum(kernel * same, axis=1)
        logs = -xp.log(xp.stack(list(total.values())))
        if class_shares is not None:
            share = samples.like(class_shares[index])
            logs = logs + xp.log(xp.stack(list(within.values())) / share)
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
        self.inverse_deviations = 1 / noise.noise_variance[0] ** 0.5  # (sweep,)
        self.ones = xp.ones_like(self.x)
        scaled = to_numpy(self.x) * float(to_numpy(self.inverse_deviations).max())
        zeros = np.zeros_like(scaled)
        self.exact = not harmless_product(scaled, zeros, zeros + 1)

    def exponents(self, index: Array, e: Array, columns: slice) -> Iterator[Array]:
        xp, z = self.xp, self.x[columns]
        x = xp.take(self.x, index, axis=0)
        squares = squares_over_variances(x, None, z, self.ones[columns], xp, exact=self.exact)
        along = xp.sum(e * x, axis=1)[:, None] - xp.matmul(e, z.T)
        for inverse in self.inverse_deviations:
            yield -inverse * (0.5 * inverse * squares + along)


class _UnlikeComponents:
    """Noise that differs from sample to sample and from unit to unit."""

    def __init__(self, samples: Samples, noise_variance: Array) -> None:
        self.xp = samples.namespace
        self.x = centred(samples.flat(None), self.xp)[0]
        self.noise_variance = noise_variance  # (sample, unit)
        self.logs = self.xp.sum(self.xp.log(noise_variance), axis=1)
        variances = to_numpy(noise_variance)
        drawn = np.abs(to_numpy(self.x)) + 10 * variances**0.5  # as far as draws go
        self.exact = not harmless_product(drawn, np.zeros_like(drawn), variances)

    def exponents(self, index: Array, e: Array, columns: slice) -> Iterator[Array]:
        xp = self.xp
        noise_variance = xp.take(self.noise_variance, index, axis=0)
        x = xp.take(self.x, index, axis=0) + noise_variance**0.5 * e
        quadratic = squares_over_variances(
            x, None, self.x[columns], self.noise_variance[columns], xp, exact=self.exact
        )
        drawn_logs = xp.take(self.logs, index, axis=0) + xp.sum(e * e, axis=1)
        yield 0.5 * (drawn_logs[:, None] - self.logs[None, columns] - quadratic)
