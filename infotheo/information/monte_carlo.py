"""Monte-Carlo values of H(Z), I(Z;X) and I(Z;Y): the truth between the pairwise bounds.

A draw is a component i of the Gaussian mixture and a point z of it; it contributes the log ratio of
the densities p(z|i) and p(z), or p(z|y) and p(z), whose mean is the information.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from infotheo.arrays import Array, FieldNote, Samples, read_samples, to_numpy, wrap
from infotheo.information.distances import centred
from infotheo.information.noise_sweep import NoisePer, NoiseSweep, read_noise_variance
from infotheo.information.pairwise import entropy
from infotheo.information.per_sample_noise import harmless_product, squares_over_variances
from infotheo.information.unit_noise import scaled_to_unit_noise
from infotheo.validation import Classes, Units, nats_per, read_classes, read_weights

__all__ = [
    "MonteCarloEntropy",
    "MonteCarloInformation",
    "mixture_entropy_monte_carlo",
    "mixture_information_monte_carlo",
]

DRAWS_BLOCK = 1024
SAMPLES_BLOCK = 1024  # a tile of 8 MiB


class MonteCarloEntropy(NamedTuple):
    """Result of :func:`mixture_entropy_monte_carlo`."""

    value: Array
    standard_error: Array


class MonteCarloInformation(NamedTuple):
    """Result of :func:`mixture_information_monte_carlo`."""

    value: Array
    standard_error: Array
    ceiling: Array


def mixture_information_monte_carlo(
    z: Any,
    labels: Any = None,
    *,
    noise_variance: Any,
    draws: int,
    seed: int,
    noise_per: NoisePer = "layer",
    weights: Any = None,
    units: Units = "nats",
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> Any:
    r"""Sample I(Z;X), or I(Z;Y) with labels: the value that the pairwise bounds enclose.

    Parameters
    ----------
    z, labels, noise_variance, noise_per, weights, units, sample_dim, unit_dim
        As in :func:`~infotheo.information.pairwise.pairwise_information`.
    draws
        Number of points, at least 10. Time grows as draws * N * d.
    seed
        Whole number >= 0: the same one gives the same bytes. All leading dimensions and all noise
        variances share one set of random numbers, so that differences between them are sharper
        than their standard errors.

    Returns
    -------
    MonteCarloInformation or xarray.Dataset
        ``value``, not clipped to [0, ceiling] so that its errors average out; its
        ``standard_error``; and ``ceiling``: ln N (with weights, their entropy) or H(Y).

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; the message names it and what was found.

    Notes
    -----
    The value is the mean of :math:`\ln p(z|i) - \ln p(z)`, or of :math:`\ln p(z|y) - \ln p(z)`,
    over draws, less what the squared length of the noise explains of it, whose mean is known. The
    cumulative weights are cut into as many equal strata as there are draws, with a component drawn
    in each. The standard error is that of differences between successive draws: it holds what
    differs within a stratum and, on the safe side, what differs between neighbours. Bias is of the
    order 1/draws, far below it. An event that no draw has met is in neither of the two.
    Memory grows as a tile plus draws times the length of the sweep.

    Examples
    --------
    >>> apart = mixture_information_monte_carlo(
    ...     [[0.0], [100.0]], noise_variance=1.0, draws=10, seed=0, units="bits")
    >>> float(apart.value), float(apart.standard_error)
    (1.0, 0.0)
    """
    samples = read_samples(z, sample_dim=sample_dim, unit_dim=unit_dim)
    noise = read_noise_variance(noise_variance, samples, per=noise_per, source=z, unit_dim=unit_dim)
    shares = read_weights(weights, samples)
    classes = None if labels is None else read_classes(labels, samples)
    draws, seed = _whole_number(draws, "draws", 10), _whole_number(seed, "seed", 0)
    scale = nats_per(units)
    ceiling = entropy(shares if classes is None else classes.probabilities(shares))
    value, error = _sampled(samples, noise, shares, classes, draws, seed)
    target = "I(Z;X)" if labels is None else "I(Z;Y)"
    return wrap(
        MonteCarloInformation(
            noise.settle(value / scale, samples),
            noise.settle(error / scale, samples),
            samples.like(ceiling / scale),
        ),
        samples,
        estimator="mixture_information_monte_carlo",
        settings=_settings(noise, draws, seed, weights) | {"target": target},
        notes={
            "value": FieldNote(units, f"Monte-Carlo value of {target}"),
            "standard_error": FieldNote(units, f"standard error of {target}"),
            "ceiling": FieldNote(units, f"ceiling of {target}"),
        },
        extra_dims=() if noise.scalar else (noise.dim,),
        extra_coords=noise.coords,
    )


def mixture_entropy_monte_carlo(
    z: Any,
    *,
    noise_variance: Any,
    draws: int,
    seed: int,
    noise_per: NoisePer = "layer",
    weights: Any = None,
    units: Units = "nats",
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> Any:
    """Sample the differential entropy H(Z) of activations with additive Gaussian noise.

    Parameters
    ----------
    z, noise_variance, draws, seed, noise_per, weights, units, sample_dim, unit_dim
        As in :func:`mixture_information_monte_carlo`.

    Returns
    -------
    MonteCarloEntropy or xarray.Dataset
        ``value``: the noise's entropy H(Z|X), which is known, plus the sampled I(Z;X); and its
        ``standard_error``.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; the message names it and what was found.

    Notes
    -----
    The truth between the bounds of :func:`~infotheo.information.pairwise.mixture_entropy`.

    Examples
    --------
    >>> found = mixture_entropy_monte_carlo([[0.0], [0.0]], noise_variance=1.0, draws=10, seed=0)
    >>> round(float(found.value), 4)  # one Gaussian: ln(2 pi e) / 2
    1.4189
    """
    samples = read_samples(z, sample_dim=sample_dim, unit_dim=unit_dim)
    noise = read_noise_variance(noise_variance, samples, per=noise_per, source=z, unit_dim=unit_dim)
    shares = read_weights(weights, samples)
    draws, seed = _whole_number(draws, "draws", 10), _whole_number(seed, "seed", 0)
    scale = nats_per(units)
    value, error = _sampled(samples, noise, shares, None, draws, seed)
    value = value + noise.entropy(samples, shares)
    return wrap(
        MonteCarloEntropy(*(noise.settle(v / scale, samples) for v in (value, error))),
        samples,
        estimator="mixture_entropy_monte_carlo",
        settings=_settings(noise, draws, seed, weights),
        notes={
            "value": FieldNote(units, "Monte-Carlo value of H(Z)"),
            "standard_error": FieldNote(units, "standard error of H(Z)"),
        },
        extra_dims=() if noise.scalar else (noise.dim,),
        extra_coords=noise.coords,
    )


def _sampled(
    samples: Samples,
    noise: NoiseSweep,
    shares: np.ndarray,
    classes: Classes | None,
    draws: int,
    seed: int,
) -> tuple[Array, Array]:
    """Mean log ratio and its standard error, each (batch, sweep)."""
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


def _settings(noise: NoiseSweep, draws: int, seed: int, weights: Any) -> dict[str, Any]:
    return {
        "noise_variance": noise.setting,
        "noise_per": noise.per,
        "draws": draws,
        "seed": seed,
        "weighted": weights is not None,
    }


def _whole_number(value: Any, name: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} is {value!r}; expected a whole number >= {least}")
    if value < least:
        raise ValueError(f"{name} is {value}; expected a whole number >= {least}")
    return int(value)
