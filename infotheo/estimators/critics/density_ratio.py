"""Information about a nuisance from the logit of a discriminator (paper 3, section 6.2)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from infotheo.arrays.labels import Units, is_one_hot, nats_per
from infotheo.arrays.numbers import check_seed, check_switch
from infotheo.arrays.results import FieldNote, wrap
from infotheo.arrays.samples import Array
from infotheo.estimators.critics.bounds import Estimate, PairScores, donsker_varadhan
from infotheo.estimators.critics.critic import Architecture
from infotheo.estimators.critics.fitting import Settings
from infotheo.estimators.critics.folds import cross_fitting_folds
from infotheo.estimators.critics.held_out import HeldOut, combine_folds, score_batch, stack_batch
from infotheo.estimators.critics.objectives import logistic_objective
from infotheo.estimators.critics.targets import read_target
from infotheo.estimators.critics.trust import effective_share, warn_if_few_matter

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["DensityRatioInformation", "density_ratio_information"]


class DensityRatioInformation(NamedTuple):
    """Result of :func:`density_ratio_information`."""

    value: Array
    lower: Array
    standard_error: Array
    per_fold: Array
    ceiling: Array


def density_ratio_information(
    z: Any,
    nuisance: Any,
    *,
    folds: int = 5,
    seed: int,
    architecture: Architecture = "separable",
    hidden: int = 64,
    embedding: int = 32,
    learning_rate: float = 1e-3,
    weight_decay: float = 2.0,
    batch_size: int = 128,
    max_steps: int = 2000,
    units: Units = "nats",
    sample_dim: str = "sample",
    unit_dim: str = "unit",
    progress: bool = False,
) -> DensityRatioInformation | xr.Dataset:
    r"""Estimate I(z;n), how much a representation still tells about a nuisance.

    Parameters
    ----------
    z
        Independent samples (..., sample, unit); leading dimensions are batch dimensions, done one
        by one.
    nuisance
        n of each sample: integers (sample,) or one-hot rows (sample, class), which the batch
        shares, or a vector (..., sample, unit), such as an occlusion's mask.
    folds
        Each is held out once; of the others, 4/5 of the samples fit a discriminator and 1/5 stop
        it.
    seed
        Of folds, initial weights and the order of samples: the same seed, the same bytes.
    architecture, hidden, embedding, learning_rate, weight_decay, batch_size, max_steps
        Of the discriminators, as in
        :func:`~infotheo.variational_information`.
    units
        "nats" or "bits".
    sample_dim, unit_dim
        Names of the two dimensions of a DataArray.
    progress
        Whether to show how far the fit is.

    Returns
    -------
    DensityRatioInformation or xarray.Dataset
        ``value``: mean logit of the held-out joint samples, an estimate, no bound: it may be
        negative where z and n are independent. ``lower``: Donsker-Varadhan value of the same
        logits, a lower bound in expectation but for the logarithm of a mean. ``standard_error`` of
        ``value``: the larger of two, the discriminators given (standard deviation of the held-out
        logits over the root of N, with the offsets' as if all folds erred together) and the spread
        over folds over the root of ``folds``. ``per_fold``: ``value`` of each fold, a new last
        dimension ``fold``. ``ceiling``, a scalar: H(n) of a discrete nuisance, else ln N. Nothing
        is clipped to it. No gradient flows.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; the message names it and what was found.

    Warns
    -----
    VariationalWarning
        If fewer than a tenth of the samples matter in the product term of ``lower``.

    Notes
    -----
    A discriminator D(z, n) tells joint samples (label 1) from samples of the product of the
    marginals (label 0), both kinds weighing the same, so that

    .. math:: \ln\frac{D}{1 - D} = \ln\frac{p(z|n)}{p(z)}, \qquad
              I(z;n) = E_{p(z,n)} \ln\frac{D}{1 - D}.

    The product's samples are all pairs of different samples of a batch; for a discrete nuisance
    each z meets every class in its share of the training part, with no shuffling. The logit is
    scaled by the factor in [0, 4] that makes the validation part likeliest, 0 where nothing held up
    there, offset so that the ratio's mean over the product is 1 there, and clipped at ± ln of half
    the number of validation samples, at most
    ln 512. Network, fit and splits are those of
    :func:`~infotheo.variational_information`. Where the information is large,
    ``value`` is too small by the clip. Source: paper 3, section 6.2, whose discriminator is printed
    with its two classes exchanged.

    Examples
    --------
    >>> import numpy as np
    >>> stream = np.random.default_rng(0)
    >>> n = np.arange(200) % 2
    >>> z = stream.normal(size=(200, 2)) + 4 * n[:, None]  # nearly ln 2 = 0.693
    >>> result = density_ratio_information(z, n, seed=0, max_steps=100)
    >>> bool(0.5 < result.lower and result.value < result.ceiling + 3 * result.standard_error)
    True
    """
    progress = check_switch(progress, "progress")
    samples, target = read_target(
        z,
        nuisance,
        names=("z", "nuisance"),
        discrete=is_one_hot(nuisance, "nuisance"),
        sample_dim=sample_dim,
        unit_dim=unit_dim,
    )
    settings = Settings(
        architecture, hidden, embedding, learning_rate, weight_decay, batch_size, max_steps
    )
    seed = check_seed(seed)
    parts = cross_fitting_folds(samples.size, folds, seed, target.codes)
    scale = nats_per(units)
    label = "discriminators" if progress else None
    values, lowers, errors, effective = [], [], [], 1.0
    for held_out in score_batch(
        samples, target, parts, logistic_objective, "logistic", settings, seed=seed, label=label
    ):
        values.append(combine_folds(mean_logit, held_out))
        lowers.append(combine_folds(donsker_varadhan, held_out))
        within = torch.hypot(values[-1].standard_error, offset_error(held_out))
        between = values[-1].per_fold.std() / math.sqrt(len(parts))
        errors.append(torch.maximum(within, between))
        effective = min(effective, effective_share([part.scores for part in held_out]))
    warn_if_few_matter(effective, samples.size)
    entropy = target.entropy()
    ceiling = math.log(samples.size) if entropy is None else entropy
    result = DensityRatioInformation(
        value=stack_batch([estimate.value for estimate in values], samples) / scale,
        lower=stack_batch([estimate.value for estimate in lowers], samples) / scale,
        standard_error=stack_batch(errors, samples) / scale,
        per_fold=stack_batch([estimate.per_fold for estimate in values], samples) / scale,
        ceiling=samples.like(ceiling / scale),
    )
    return wrap(
        result,
        samples,
        estimator="density_ratio_information",
        settings={
            "folds": folds,
            "seed": seed,
            "discrete_nuisance": target.classes is not None,
            **vars(settings),
        },
        notes={
            "value": FieldNote(units, "density-ratio estimate of I(z;n)"),
            "lower": FieldNote(units, "Donsker-Varadhan lower bound of I(z;n)"),
            "standard_error": FieldNote(units, "standard error of value, discriminators given"),
            "per_fold": FieldNote(units, "density-ratio estimate of I(z;n) of each fold"),
            "ceiling": FieldNote(units, "ceiling of I(z;n)"),
        },
        extra_dims=("fold",),
    )


def offset_error(held_out: list[HeldOut]) -> torch.Tensor:
    """Return the standard error of the offsets, as if those of all folds erred together."""
    sizes = [len(part.scores.joint) for part in held_out]
    errors = [part.offset_error * size for part, size in zip(held_out, sizes, strict=True)]
    return torch.stack(errors).sum() / sum(sizes)


def mean_logit(scores: PairScores) -> Estimate:
    """Mean log ratio of the joint samples."""
    value = scores.joint.mean()
    return Estimate(value, scores.joint - value)
