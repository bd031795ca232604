"""Scale and offset of a fitted critic, set on the validation part, where it was not fitted."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from infotheo.estimators.critics.objectives import all_pairs

__all__ = ["Criterion", "best_scale", "clipped_normalizer"]

Criterion = Literal["dv", "infonce", "logistic"]
LARGEST = 4.0
HALVINGS = 20  # of an interval, of scales or of offsets: to 1e-6 of it


def best_scale(scores: Tensor, criterion: Criterion) -> Tensor:
    """Scale t in [0, 4] at which t·f does best on all pairs of a validation part.

    A critic that learned its training part by heart scores too boldly elsewhere; t < 1 takes that
    back, and t = 0 says that it knows nothing. Each criterion is concave in t.

    Parameters
    ----------
    scores
        Of all pairs (fold, n, n), joint samples on the diagonal.
    criterion
        Donsker-Varadhan, InfoNCE, or the likelihood of a discriminator with logit t·f.

    Returns
    -------
    Tensor
        (fold,)

    Examples
    --------
    >>> scores = torch.tensor([[[1.0, 0.0], [0.0, -1.0]]])
    >>> best_scale(scores, "dv").item()
    0.0
    """
    low = torch.zeros(len(scores), dtype=scores.dtype, device=scores.device)
    high = torch.full_like(low, LARGEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        rising = _slope(scores, middle, criterion) > 0
        low, high = torch.where(rising, middle, low), torch.where(rising, high, middle)
    return torch.where(low > 0, middle, 0.0)


def _slope(scores: Tensor, scale: Tensor, criterion: Criterion) -> Tensor:
    """Return the derivative of the criterion by the scale, (fold,)."""
    scaled = scores * scale[:, None, None]
    joint = torch.diagonal(scores, dim1=-2, dim2=-1)
    others = ~torch.eye(scores.shape[-1], dtype=torch.bool, device=scores.device)
    if criterion == "infonce":
        weights = torch.softmax(scaled, -1) / scores.shape[-1]
        return joint.mean(-1) - (weights * scores).sum((-2, -1))
    if criterion == "dv":
        flat = scaled.masked_fill(~others, -math.inf).flatten(1)
        weights = torch.softmax(flat, -1).view_as(scores)
        return joint.mean(-1) - (weights * scores).sum((-2, -1))
    misses = torch.sigmoid(-torch.diagonal(scaled, dim1=-2, dim2=-1))
    weights = torch.sigmoid(scaled) * others / others.sum()
    return (misses * joint).mean(-1) - (weights * scores).sum((-2, -1))


def clipped_normalizer(scores: Tensor, largest: float) -> Tensor:
    """Offset c at which exp(f - c), f - c clipped at ± ``largest``, has mean 1 over other pairs.

    The log of the mean of exp f alone may hang on one pair.

    Parameters
    ----------
    scores
        Of all pairs (fold, n, n), joint samples on the diagonal.
    largest
        Where scores are clipped, > 0.

    Returns
    -------
    Tensor
        (fold,)

    Examples
    --------
    >>> round(clipped_normalizer(torch.full((1, 3, 3), 2.0), 5.0).item(), 4)
    2.0
    """
    low, high = scores.amin((-2, -1)), _log_mean(scores)  # all at least 1; mean 1 before clipping
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        settled = (scores - middle[:, None, None]).clamp(-largest, largest)
        small = _log_mean(settled) > 0  # the offset is too small
        low, high = torch.where(small, middle, low), torch.where(small, high, middle)
    return (low + high) / 2


def _log_mean(scores: Tensor) -> Tensor:
    rows = all_pairs(scores).log_rows
    return torch.logsumexp(rows, -1) - math.log(rows.shape[-1])
