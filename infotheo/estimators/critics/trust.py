"""Warnings where the scores of held-out samples do not bear the bound computed from them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch

from infotheo.estimators.critics.bounds import PairScores

__all__ = ["VariationalWarning", "effective_share", "warn_if_few_matter", "warn_if_near_ceiling"]

NEAR = 0.9  # of the ceiling of InfoNCE
EFFECTIVE = 0.1  # share of the samples that should matter in the mean of exp f over the product


class VariationalWarning(UserWarning):
    """A variational bound cannot be trusted: few pairs decide it, or its ceiling does."""


def effective_share(folds: Sequence[PairScores]) -> float:
    """Share of the held-out samples that matter in the mean of exp f over the product.

    The effective sample size (sum of a)² / sum of a² over N, of each sample's part in that mean, as
    the first and as the second of pairs.

    Examples
    --------
    >>> from infotheo.estimators.critics.bounds import read_scores
    >>> effective_share([read_scores(torch.zeros(4, 4))])
    1.0
    """
    parts = [torch.softmax(s.log_rows, 0) + torch.softmax(s.log_columns, 0) for s in folds]
    part = torch.cat(parts)
    return float(part.sum() ** 2 / (len(part) * part.square().sum()))


def warn_if_few_matter(share: float, size: int, *, stacklevel: int = 3) -> None:
    """Warn if few samples decide the product term of Donsker-Varadhan and NWJ."""
    if share < EFFECTIVE:
        warnings.warn(
            f"the mean of exp f over the product rests on {share * size:.0f} of {size} samples "
            "(effective): the bound is unsteady, or its logarithm too small and the bound too "
            'large; take more samples, or bound="infonce"',
            VariationalWarning,
            stacklevel=stacklevel,
        )


def warn_if_near_ceiling(value: float, ceiling: float, *, stacklevel: int = 3) -> None:
    """Warn if InfoNCE comes near its ceiling, both in nats."""
    if value > NEAR * ceiling:
        warnings.warn(
            f"InfoNCE of {value:.4g} nats near its ceiling {ceiling:.4g} (ln of the samples "
            "contrasted at once): take more samples, fewer folds, or another bound",
            VariationalWarning,
            stacklevel=stacklevel,
        )
