"""Pairwise-distance bounds of the entropy of a Gaussian mixture, and of I(Z;X) and I(Z;Y).

The N activations of a layer, each blurred by Gaussian noise, are an N-component mixture. Replacing
the mixture's integral by the components' pairwise divergences bounds its entropy from above
(Kullback-Leibler) and from below (Chernoff); Kolchinsky & Tracey, Entropy 19, 361 (2017).
"""

from __future__ import annotations

import math
import warnings
from typing import Any, NamedTuple

import numpy as np

from infotheo.arrays import Array, FieldNote, Samples, read_samples, to_numpy, wrap
from infotheo.information.mixture import Mixture
from infotheo.information.noise import read_noise_variance
from infotheo.validation import Units, check_open_unit, nats_per, read_classes, read_weights

__all__ = [
    "MixtureEntropy",
    "PairwiseInformation",
    "SaturationWarning",
    "mixture_entropy",
    "pairwise_information",
]

SATURATED = 0.99  # of the ceiling: the sample, not the representation, sets the result


class SaturationWarning(UserWarning):
    """The lower bound nearly reaches ln N: too few samples, or too little noise, to tell."""


class PairwiseInformation(NamedTuple):
    """Bounds and estimates of :func:`pairwise_information`."""

    lower: Array
    upper: Array
    kl: Array
    chernoff: Array
    ceiling: Array


class MixtureEntropy(NamedTuple):
    """Bounds of :func:`mixture_entropy`."""

    lower: Array
    upper: Array


def pairwise_information(
    z: Any,
    labels: Any = None,
    *,
    noise_variance: Any,
    alpha: float = 0.5,
    weights: Any = None,
    units: Units = "nats",
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> Any:
    r"""Bound I(Z;X), or I(Z;Y) with labels, of activations with additive Gaussian noise.

    Parameters
    ----------
    z
        Activations (..., sample, unit); leading dimensions are batch dimensions.
    labels
        Integer class labels (sample,) or one-hot rows (sample, class), shared by the batch.
        ``None``: the information about the input, I(Z;X).
    noise_variance
        Variance of the noise, in the squared unit of ``z``: a number, a sweep (K,) that becomes
        the last dimension of the result, or (*batch, K), see
        :func:`~infotheo.information.noise.relative_noise_variance`. A DataArray is aligned by name.
    alpha
        Order of the Chernoff divergence, in (0, 1); 1/2 is the tightest here.
    weights
        Probabilities p(x) of the samples (sample,), up to scale. Default: uniform.
    units
        "nats" or "bits".
    sample_dim, unit_dim
        Names of the two dimensions of a DataArray.

    Returns
    -------
    PairwiseInformation or xarray.Dataset
        ``lower`` and ``upper`` are rigorous for the mixture, within [0, ceiling]. ``kl`` and
        ``chernoff`` use one divergence on both terms of I(Z;Y): estimates, not bounds (for I(Z;X)
        they are the upper and the lower bound). ``ceiling`` is a scalar: ln N (with weights, their
        entropy) or H(Y). A sweep's dimension is named ``noise_variance`` in a Dataset. Results are
        float64; for float32 input they agree with exact float64 arithmetic to 1e-4 nats.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; the message names it and what was found.

    Warns
    -----
    SaturationWarning
        If a lower bound of I(Z;X) is within 1 % of its ceiling.

    Notes
    -----
    With divergences :math:`D_{ij}` and weights :math:`c_i`, a bound of I(Z;X) is
    :math:`-\sum_i c_i \ln \sum_j c_j e^{-D_{ij}}`, and a class's share is subtracted for I(Z;Y).
    Source: Kolchinsky & Tracey 2017, eq. 10, 19 and 21; paper 1, section 5. Gradients flow to
    torch input; where a bound is clipped, use ``kl`` or ``chernoff`` as a penalty. Memory grows as
    N times the tile width, unless a gradient is recorded.

    Examples
    --------
    >>> bounds = pairwise_information([[0.0], [0.0], [0.5], [0.5]], noise_variance=0.1)
    >>> round(bounds.lower, 4), round(bounds.upper, 4)
    (np.float64(0.1441), np.float64(0.4412))
    """
    samples = read_samples(z, sample_dim=sample_dim, unit_dim=unit_dim)
    noise = read_noise_variance(noise_variance, samples)
    alpha = check_open_unit(alpha, "alpha")
    shares = read_weights(weights, samples)
    classes = None if labels is None else read_classes(labels, samples)
    scale = nats_per(units)

    mixture = Mixture(samples, noise, alpha)
    lower, upper, within_lower, within_upper = mixture.bounds(shares, classes)
    _warn_if_saturated(lower, _entropy(shares), samples)
    if classes is None:
        ceiling = _entropy(shares)
        kl, chernoff = upper, lower
    else:
        ceiling = _entropy(classes.probabilities(shares))
        kl, chernoff = upper - within_upper, lower - within_lower
        lower, upper = lower - within_upper, upper - within_lower
    xp = samples.namespace

    def settled(values: Array) -> Array:
        return noise.settle(values / scale, samples)

    result = PairwiseInformation(  # only I(Z;Y), of two kinds of bounds, is clipped beyond rounding
        lower=settled(xp.clip(lower, 0.0, ceiling)),
        upper=settled(xp.clip(upper, 0.0, ceiling)),
        kl=settled(kl),
        chernoff=settled(chernoff),
        ceiling=samples.like(ceiling / scale),
    )
    target = "I(Z;X)" if labels is None else "I(Z;Y)"
    ceiling_name = "entropy of the samples, ln N" if labels is None else "label entropy H(Y)"
    return wrap(
        result,
        samples,
        estimator="pairwise_information",
        settings={
            "noise_variance": noise.setting,
            "alpha": alpha,
            "weighted": weights is not None,
            "target": target,
        },
        notes={
            "lower": FieldNote(units, f"lower bound of {target}"),
            "upper": FieldNote(units, f"upper bound of {target}"),
            "kl": FieldNote(units, f"Kullback-Leibler estimate of {target}"),
            "chernoff": FieldNote(units, f"Chernoff estimate of {target}"),
            "ceiling": FieldNote(units, f"ceiling of {target}: {ceiling_name}"),
        },
        extra_dims=() if noise.scalar else (noise.dim,),
        extra_coords=noise.coords,
    )


def mixture_entropy(
    z: Any,
    *,
    noise_variance: Any,
    alpha: float = 0.5,
    weights: Any = None,
    units: Units = "nats",
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> Any:
    """Bound the differential entropy H(Z) of activations with additive Gaussian noise.

    Parameters
    ----------
    z, noise_variance, alpha, weights, units, sample_dim, unit_dim
        As in :func:`pairwise_information`.

    Returns
    -------
    MixtureEntropy or xarray.Dataset
        ``lower`` and ``upper``: the noise's entropy plus the bounds of I(Z;X); may be negative.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; the message names it and what was found.

    Notes
    -----
    Source: Kolchinsky & Tracey 2017, eq. 10.

    Examples
    --------
    >>> bounds = mixture_entropy([[0.0], [0.0]], noise_variance=1.0)
    >>> round(bounds.lower, 4), round(bounds.upper, 4)  # one Gaussian: ln(2 pi e) / 2
    (np.float64(1.4189), np.float64(1.4189))
    """
    samples = read_samples(z, sample_dim=sample_dim, unit_dim=unit_dim)
    noise = read_noise_variance(noise_variance, samples)
    alpha = check_open_unit(alpha, "alpha")
    shares = read_weights(weights, samples)
    scale = nats_per(units)
    bounds = Mixture(samples, noise, alpha).bounds(shares, None)[:2]
    of_noise = samples.units / 2 * samples.namespace.log(2 * math.pi * math.e * noise.values)
    return wrap(
        MixtureEntropy(*(noise.settle((of_noise + b) / scale, samples) for b in bounds)),
        samples,
        estimator="mixture_entropy",
        settings={
            "noise_variance": noise.setting,
            "alpha": alpha,
            "weighted": weights is not None,
        },
        notes={
            "lower": FieldNote(units, "lower bound of H(Z)"),
            "upper": FieldNote(units, "upper bound of H(Z)"),
        },
        extra_dims=() if noise.scalar else (noise.dim,),
        extra_coords=noise.coords,
    )


def _entropy(probabilities: np.ndarray) -> float:
    """Shannon entropy in nats."""
    p = probabilities[probabilities > 0]
    return float(-np.sum(p * np.log(p)))


def _warn_if_saturated(lower: Array, ceiling: float, samples: Samples) -> None:
    saturated = int(np.sum(to_numpy(lower) >= SATURATED * ceiling))
    if saturated and ceiling > 0:
        warnings.warn(
            f"lower bound of I(Z;X) within 1% of its ceiling {ceiling:.4g} nats (ln N, N = "
            f"{samples.size}) in {saturated} of {math.prod(lower.shape)} values: take more samples "
            "or a larger noise_variance",
            SaturationWarning,
            stacklevel=3,
        )
