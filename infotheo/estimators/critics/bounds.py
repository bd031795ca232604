"""Values of the variational bounds as pure functions of critic scores, with their spread.

Each bound is a smooth function of means over samples and over pairs. Its influence values, one for
each sample (as the first and as the second of pairs), sum to zero; their mean square over N is the
variance of the bound to first order, as the jack-knife's (Hoeffding 1948 for the pairs).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = [
    "Estimate",
    "PairScores",
    "donsker_varadhan",
    "info_nce",
    "log_normalizer",
    "nwj",
    "read_scores",
    "standard_error",
]


class PairScores(NamedTuple):
    """What the bounds need to know of a block of samples and all its pairs, (sample,) each."""

    joint: Tensor  # f(x_i, y_i)
    log_rows: Tensor  # ln of the mean over j != i of exp f(x_i, y_j)
    log_columns: Tensor  # ln of the mean over j != i of exp f(x_j, y_i)
    attention: Tensor  # sum over j of exp f(x_j, y_i) / sum_k exp f(x_j, y_k), self pair included
    log_size: Tensor  # ln of the block's number of samples


class Estimate(NamedTuple):
    """A bound's value (nats, scalar) and each sample's influence on it (sample,)."""

    value: Tensor
    influence: Tensor


def read_scores(scores: Tensor) -> PairScores:
    """Summarise the scores (n, n) of all pairs of a block, joint samples on the diagonal.

    Examples
    --------
    >>> summary = read_scores(torch.zeros(3, 3))
    >>> summary.log_rows.tolist(), summary.attention.tolist()
    ([0.0, 0.0, 0.0], [1.0, 1.0, 1.0])
    """
    scores = scores.double()
    n = len(scores)
    others = scores.clone().fill_diagonal_(-math.inf)
    return PairScores(
        scores.diagonal().clone(),
        torch.logsumexp(others, 1) - math.log(n - 1),
        torch.logsumexp(others, 0) - math.log(n - 1),
        torch.softmax(scores, 1).sum(0),
        torch.full((n,), math.log(n), dtype=scores.dtype, device=scores.device),
    )


def log_normalizer(scores: PairScores) -> Estimate:
    """Log of the mean of exp f over the product: 0 for the log density ratio."""
    value = _log_mean(scores.log_rows)
    rows, columns = (scores.log_rows - value).exp(), (scores.log_columns - value).exp()
    return Estimate(value, rows + columns - 2)


def donsker_varadhan(scores: PairScores) -> Estimate:
    """E_joint f - ln E_product exp f (Donsker & Varadhan 1983)."""
    log_mean, normalizer_influence = log_normalizer(scores)
    return Estimate(scores.joint.mean() - log_mean, _centre(scores.joint) - normalizer_influence)


def nwj(scores: PairScores) -> Estimate:
    """1 + E_joint f - E_product exp f (Nguyen, Wainwright & Jordan 2010, with f + 1 for f)."""
    log_mean, normalizer_influence = log_normalizer(scores)
    mean = log_mean.exp()
    return Estimate(
        1 + scores.joint.mean() - mean, _centre(scores.joint) - mean * normalizer_influence
    )


def info_nce(scores: PairScores) -> Estimate:
    """Mean of ln exp f(x_i, y_i) / mean_j exp f(x_i, y_j), over a block (van den Oord 2018)."""
    joint, rows, size = scores.joint, scores.log_rows, scores.log_size
    terms = joint - torch.logaddexp(joint - size, rows + torch.log1p(-torch.exp(-size)))
    return Estimate(terms.mean(), _centre(terms) - (scores.attention - 1))


def standard_error(influence: Tensor) -> Tensor:
    """Root of the sum of squared influences (sample,) over N."""
    n = len(influence)
    return (influence.square().sum() / (n * (n - 1))).sqrt()


def _log_mean(values: Tensor) -> Tensor:
    return torch.logsumexp(values, 0) - math.log(len(values))


def _centre(values: Tensor) -> Tensor:
    return values - values.mean()
