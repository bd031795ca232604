"""Pairwise-distance bounds of the entropy of a Gaussian mixture, and of I(Z;X) and I(Z;Y).

The N activations of a layer, each blurred by Gaussian noise, are an N-component mixture. Replacing
the mixture's integral by the components' pairwise divergences bounds its entropy from above
(Kullback-Leibler) and from below (Chernoff); Kolchinsky & Tracey, Entropy 19, 361 (2017).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np

from infotheo.arrays.labels import Units, check_open_unit, nats_per, read_classes, read_weights
from infotheo.arrays.results import FieldNote, wrap
from infotheo.arrays.samples import Array, read_samples
from infotheo.estimators.noise.scale import to_moderate_scale
from infotheo.estimators.noise.sweep import NoisePer, read_noise_variance
from infotheo.estimators.pairwise.mixture import Mixture, MixtureKernel
from infotheo.estimators.pairwise.per_sample_noise import SampleNoiseMixture
from infotheo.estimators.pairwise.result import (
    PairwiseInformation,
    SaturationWarning,
    mark_saturated,
    wrap_information,
)
from infotheo.estimators.pairwise.unit_noise import UnitNoiseMixture
from infotheo.estimators.shannon import entropy

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "MixtureEntropy",
    "PairwiseInformation",
    "SaturationWarning",
    "input_and_label_information",
    "mixture_entropy",
    "pairwise_information",
]

_KERNELS: dict[NoisePer, type[MixtureKernel]] = {
    "layer": Mixture,
    "unit": UnitNoiseMixture,
    "sample": SampleNoiseMixture,
}


class MixtureEntropy(NamedTuple):
    """Bounds of :func:`mixture_entropy`."""

    lower: Array
    upper: Array


def pairwise_information(
    z: Any,
    labels: Any = None,
    *,
    noise_variance: Any,
    noise_per: NoisePer = "layer",
    alpha: float = 0.5,
    weights: Any = None,
    units: Units = "nats",
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> PairwiseInformation | xr.Dataset:
    r"""Bound I(Z;X), or I(Z;Y) with labels, of activations with additive Gaussian noise.

    Parameters
    ----------
    z
        Activations (..., sample, unit); leading dimensions are batch dimensions.
    labels
        Integer class labels (sample,) or one-hot rows (sample, class), shared by the batch.
        ``None``: the information about the input, I(Z;X).
    noise_variance
        Variance of the noise, in the squared unit of ``z``. A DataArray is aligned by the names of
        its dimensions, in any order; the one that ``z`` does not have is the sweep.
    noise_per
        What a noise variance belongs to, and so which shapes it may have. "layer": a number, a
        sweep (K,) that becomes the last dimension of the result, or (*batch, K), see
        :func:`~infotheo.relative_noise_variance`. "unit": the same with a last
        dimension (unit). "sample": (sample, unit), (*batch, sample, unit) or
        (*batch, K, sample, unit), as of multiplicative noise.
    alpha
        Order of the Chernoff divergence, in (0, 1). 1/2 is the tightest where all samples have
        the same noise; with ``noise_per="sample"`` it may be another.
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
        entropy) or H(Y). ``saturated`` tells where the lower bound of I(Z;X) is within 1 % of its
        ceiling (in a Dataset a coordinate of the bounds): there the sample's size speaks, not the
        representation. A sweep's dimension is named ``noise_variance`` in a Dataset (``noise``
        where the values do not fit on it). Results are float64 and agree with exact differences
        in float64 to 1e-4 nats, for float32, float16 and bfloat16 input too.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; the message names it and what was found.

    Warns
    -----
    SaturationWarning
        If a lower bound of I(Z;X) is within 1 % of its ceiling; once for a call.

    Notes
    -----
    A deterministic network has no finite I(Z;X) (ln N for a sample of N): the noise is part of the
    question, not of the network. The bounds speak of the sample as it is, and so have
    no standard error. Rows resampled with replacement are duplicates and carry less: judge scatter
    by subsamples or by training seeds.

    With divergences :math:`D_{ij}` and weights :math:`c_i`, a bound of I(Z;X) is
    :math:`-\sum_i c_i \ln \sum_j c_j e^{-D_{ij}}`, and a class's share is subtracted for I(Z;Y).
    For noise of the layer
    :math:`D_{ij} = \lVert z_i - z_j \rVert^2 / 2\sigma^2` (Kullback-Leibler, the upper bound) and
    :math:`\alpha(1 - \alpha)` times it (Chernoff, the lower); noise per unit scales the units
    first. With variances :math:`s_{ik}` of sample i and unit k, and
    :math:`v_k = (1-\alpha) s_{ik} + \alpha s_{jk}`, they are

    .. math::
        \tfrac12 \sum_k \left[ \ln\frac{s_{jk}}{s_{ik}} + \frac{s_{ik}}{s_{jk}} - 1
        + \frac{(z_{ik} - z_{jk})^2}{s_{jk}} \right], \qquad
        \tfrac12 \sum_k \left[ \alpha(1-\alpha) \frac{(z_{ik} - z_{jk})^2}{v_k}
        + \ln\frac{v_k}{s_{ik}^{1-\alpha} s_{jk}^{\alpha}} \right].

    Source: Kolchinsky & Tracey 2017, eq. 10, 19 and 21; paper 1, section 5, which does not state
    its noise variance: report how a conclusion moves with it. Gradients flow to torch input; where
    a bound is clipped, use ``kl`` or ``chernoff`` as a penalty. Memory grows as N times the tile
    width (with a gradient, too, unless each sample has a noise of its own); time as N * N * d, by
    matrix products except for the Chernoff divergence with ``noise_per="sample"``, which goes unit
    by unit and takes a hundred times as long. Calls of at least 10**8 pairs (the batch times N * N)
    of at most 32 units, on the host, with equal weights and no gradient, take loops compiled for
    them, five times as fast: batch layers of few units over seeds and epochs. The first such call
    on a machine compiles for some seconds. :func:`~infotheo.mixture_information_monte_carlo`
    samples the value between the bounds.

    Examples
    --------
    >>> bounds = pairwise_information([[0.0], [0.0], [0.5], [0.5]], noise_variance=0.1)
    >>> round(bounds.lower, 4), round(bounds.upper, 4)
    (np.float64(0.1441), np.float64(0.4412))
    """
    about_input, about_label = input_and_label_information(
        z,
        labels,
        noise_variance=noise_variance,
        noise_per=noise_per,
        alpha=alpha,
        weights=weights,
        units=units,
        sample_dim=sample_dim,
        unit_dim=unit_dim,
    )
    bounds: PairwiseInformation | xr.Dataset
    bounds = about_input if labels is None else about_label
    return bounds


@overload
def input_and_label_information(
    z: xr.DataArray,
    labels: None,
    *,
    noise_variance: Any,
    noise_per: NoisePer = "layer",
    alpha: float = 0.5,
    weights: Any = None,
    units: Units = "nats",
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> tuple[xr.Dataset, None]: ...


@overload
def input_and_label_information(
    z: xr.DataArray,
    labels: Any,
    *,
    noise_variance: Any,
    noise_per: NoisePer = "layer",
    alpha: float = 0.5,
    weights: Any = None,
    units: Units = "nats",
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> tuple[xr.Dataset, xr.Dataset]: ...


@overload
def input_and_label_information(
    z: Any,
    labels: Any,
    *,
    noise_variance: Any,
    noise_per: NoisePer = "layer",
    alpha: float = 0.5,
    weights: Any = None,
    units: Units = "nats",
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> tuple[PairwiseInformation, PairwiseInformation | None]: ...


def input_and_label_information(
    z: Any,
    labels: Any,
    *,
    noise_variance: Any,
    noise_per: NoisePer = "layer",
    alpha: float = 0.5,
    weights: Any = None,
    units: Units = "nats",
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> tuple[PairwiseInformation | xr.Dataset, PairwiseInformation | xr.Dataset | None]:
    """Bound I(Z;X) and, with labels, I(Z;Y) from the same pass over all pairs.

    Parameters
    ----------
    z, labels, noise_variance, noise_per, alpha, weights, units, sample_dim, unit_dim
        As in :func:`pairwise_information`.

    Returns
    -------
    tuple
        What :func:`pairwise_information` returns without labels, and with them (or ``None``).

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; the message names it and what was found.

    Examples
    --------
    >>> about_input, about_label = input_and_label_information(
    ...     [[0.0], [0.0], [0.5], [0.5]], [0, 0, 1, 1], noise_variance=0.1)
    >>> round(about_input.upper, 4), round(about_label.upper, 4)
    (np.float64(0.4412), np.float64(0.4412))
    """
    samples = read_samples(z, sample_dim=sample_dim, unit_dim=unit_dim)
    noise = read_noise_variance(noise_variance, samples, per=noise_per, source=z, unit_dim=unit_dim)
    alpha = check_open_unit(alpha, "alpha")
    shares = read_weights(weights, samples)
    classes = None if labels is None else read_classes(labels, samples)
    nats_per(units)  # refuses what is no unit before the work

    scaled = to_moderate_scale(samples, noise)
    with np.errstate(over="ignore"):  # infinitely far is far
        mixture = _KERNELS[noise.per](*scaled, alpha)
        lower, upper, within_lower, within_upper = mixture.bounds(shares, classes)
    ceiling = entropy(shares)
    saturated = mark_saturated(lower, ceiling, samples, "I(Z;X)" if classes is None else "I(Z;Y)")
    settings = {"alpha": alpha, "weighted": weights is not None}

    def wrapped(
        values: PairwiseInformation, target: str, ceiling_name: str
    ) -> PairwiseInformation | xr.Dataset:
        notes = (target, ceiling_name, units)
        return wrap_information(values, samples, noise, settings | {"target": target}, notes)

    values = PairwiseInformation(lower, upper, upper, lower, ceiling, saturated)
    about_input = wrapped(values, "I(Z;X)", "entropy of the samples, ln N")
    if classes is None:
        return about_input, None
    values = PairwiseInformation(
        lower=lower - within_upper,
        upper=upper - within_lower,
        kl=upper - within_upper,
        chernoff=lower - within_lower,
        ceiling=entropy(classes.probabilities(shares)),
        saturated=saturated,
    )
    return about_input, wrapped(values, "I(Z;Y)", "label entropy H(Y)")


def mixture_entropy(
    z: Any,
    *,
    noise_variance: Any,
    noise_per: NoisePer = "layer",
    alpha: float = 0.5,
    weights: Any = None,
    units: Units = "nats",
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> MixtureEntropy | xr.Dataset:
    """Bound the differential entropy H(Z) of activations with additive Gaussian noise.

    Parameters
    ----------
    z, noise_variance, noise_per, alpha, weights, units, sample_dim, unit_dim
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
    noise = read_noise_variance(noise_variance, samples, per=noise_per, source=z, unit_dim=unit_dim)
    alpha = check_open_unit(alpha, "alpha")
    shares = read_weights(weights, samples)
    scale = nats_per(units)
    scaled = to_moderate_scale(samples, noise)
    with np.errstate(over="ignore"):
        bounds = _KERNELS[noise.per](*scaled, alpha).bounds(shares, None)[:2]
    noise_entropy = noise.entropy(samples, shares)
    return wrap(
        MixtureEntropy(*(noise.settle((noise_entropy + b) / scale, samples) for b in bounds)),
        samples,
        estimator="mixture_entropy",
        settings={
            "noise_variance": noise.setting,
            "noise_per": noise.per,
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
