"""Monte-Carlo values of H(Z), I(Z;X) and I(Z;Y): the truth between the pairwise bounds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from infotheo.arrays.labels import Units, nats_per, read_classes, read_weights
from infotheo.arrays.numbers import check_count, check_seed
from infotheo.arrays.results import FieldNote, wrap
from infotheo.arrays.samples import Array, Samples, read_samples, to_numpy
from infotheo.estimators.noise.sweep import NoisePer, NoiseSweep, read_noise_variance
from infotheo.estimators.pairwise.sampling import sampled_information
from infotheo.estimators.shannon import entropy

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "MonteCarloEntropy",
    "MonteCarloInformation",
    "mixture_entropy_monte_carlo",
    "mixture_information_monte_carlo",
]

LARGEST_DEVIATIONS = 1e16  # of the noise: beside more it is lost in rounding


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
) -> MonteCarloInformation | xr.Dataset:
    r"""Sample I(Z;X), or I(Z;Y) with labels: the value that the pairwise bounds enclose.

    Parameters
    ----------
    z, labels, noise_variance, noise_per, weights, units, sample_dim, unit_dim
        As in :func:`~infotheo.pairwise_information`.
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
    _refuse_extreme(samples, noise)
    shares = read_weights(weights, samples)
    classes = None if labels is None else read_classes(labels, samples)
    draws, seed = check_count(draws, "draws", least=10), check_seed(seed)
    scale = nats_per(units)
    ceiling = entropy(shares if classes is None else classes.probabilities(shares))
    value, error = sampled_information(samples, noise, shares, classes, draws, seed)
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
) -> MonteCarloEntropy | xr.Dataset:
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
    The truth between the bounds of :func:`~infotheo.mixture_entropy`.

    Examples
    --------
    >>> entropy = mixture_entropy_monte_carlo([[0.0], [0.0]], noise_variance=1.0, draws=10, seed=0)
    >>> round(float(entropy.value), 4)  # one Gaussian: ln(2 pi e) / 2
    1.4189
    """
    samples = read_samples(z, sample_dim=sample_dim, unit_dim=unit_dim)
    noise = read_noise_variance(noise_variance, samples, per=noise_per, source=z, unit_dim=unit_dim)
    _refuse_extreme(samples, noise)
    shares = read_weights(weights, samples)
    draws, seed = check_count(draws, "draws", least=10), check_seed(seed)
    scale = nats_per(units)
    value, error = sampled_information(samples, noise, shares, None, draws, seed)
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


def _settings(noise: NoiseSweep, draws: int, seed: int, weights: Any) -> dict[str, Any]:
    return {
        "noise_variance": noise.setting,
        "noise_per": noise.per,
        "draws": draws,
        "seed": seed,
        "weighted": weights is not None,
    }


def _refuse_extreme(samples: Samples, noise: NoiseSweep) -> None:
    """Refuse samples so far apart that a draw is its sample, as float64 rounds it."""
    low, high = samples.extent
    smallest = float(to_numpy(noise.noise_variance).min())
    if high - low > LARGEST_DEVIATIONS * math.sqrt(smallest):
        raise ValueError(
            f"z has values {high - low:.3g} apart beside a noise_variance of {smallest:.3g}; "
            f"expected at most {LARGEST_DEVIATIONS:g} standard deviations (beyond, draws round to "
            "their samples, and the information is that of distinct points)"
        )
