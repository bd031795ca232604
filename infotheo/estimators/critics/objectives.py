"""Objectives of a critic, to maximise, on a batch of joint samples and of other pairs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

__all__ = [
    "Contrast",
    "Objective",
    "all_pairs",
    "class_pairs",
    "contrastive_objective",
    "logistic_objective",
]


class Contrast(NamedTuple):
    """Scores of joint samples beside scores of pairs from the product of the marginals."""

    joint: Tensor  # (fold, n): f(x_i, y_i)
    log_rows: Tensor  # (fold, n): ln of the mean of exp f(x_i, y) over other y
    log_columns: Tensor  # (fold, n): ln of the mean of exp f(x, y_i) over other x
    product: Tensor  # (fold, n, m): scores; minus infinity for a self pair
    share: Tensor | float  # of product scores, weights that sum to one over m


Objective = Callable[[Contrast], Tensor]  # (fold,)


def all_pairs(scores: Tensor) -> Contrast:
    """Contrast each sample with all others: scores (fold, n, n) with f(x_i, y_i) on the diagonal.

    Examples
    --------
    >>> contrast = all_pairs(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    >>> contrast.joint.tolist(), contrast.log_rows.tolist(), contrast.log_columns.tolist()
    ([[1.0, 4.0]], [[2.0, 3.0]], [[3.0, 2.0]])
    """
    n = scores.shape[-1]
    self_pairs = torch.eye(n, dtype=torch.bool, device=scores.device)
    others = scores.masked_fill(self_pairs, -math.inf)
    count = math.log(n - 1)
    return Contrast(
        torch.diagonal(scores, dim1=-2, dim2=-1),
        torch.logsumexp(others, -1) - count,
        torch.logsumexp(others, -2) - count,
        others,
        1 / (n - 1),
    )


def class_pairs(scores: Tensor, codes: Tensor, shares: Tensor) -> Contrast:
    """Contrast each sample with all classes in their shares: the product's mean over y is exact.

    Parameters
    ----------
    scores
        Of each sample with each class (fold, n, class).
    codes
        Class of each sample (fold, n).
    shares
        Probability of each class (fold, class), all positive.
    """
    columns = torch.logsumexp(scores, 1) - math.log(scores.shape[1])  # (fold, class)
    return Contrast(
        torch.gather(scores, 2, codes.unsqueeze(2)).squeeze(2),
        torch.logsumexp(scores + shares.log().unsqueeze(1), -1),
        torch.gather(columns, 1, codes),
        scores,
        shares.unsqueeze(1),
    )


def contrastive_objective(pairs: Contrast) -> Tensor:
    """Mean of Donsker-Varadhan and symmetric InfoNCE (fold,), in nats; 0 for a constant critic.

    InfoNCE learns fast where the information is large, but leaves a factor of the ratio open;
    Donsker-Varadhan settles it.
    """
    joint, rows, columns = pairs[:3]
    n = joint.shape[-1]
    product_term = torch.logsumexp(rows, -1) - math.log(n)
    log_terms, log_others = joint - math.log(n), math.log1p(-1 / n)
    softmax = torch.logaddexp(log_terms, rows + log_others) + torch.logaddexp(
        log_terms, columns + log_others
    )
    return joint.mean(-1) - 0.5 * product_term - 0.25 * softmax.mean(-1)


def logistic_objective(pairs: Contrast) -> Tensor:
    """Log-likelihood of a discriminator with this logit (fold,), both kinds of pairs weighing one.

    The best logit is ln p(x, y) / (p(x) p(y)). 2 ln 2 is added: a constant critic has 0.
    """
    product = (softplus(pairs.product) * pairs.share).sum(-1)
    return 2 * math.log(2) - softplus(-pairs.joint).mean(-1) - product.mean(-1)
