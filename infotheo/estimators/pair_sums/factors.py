r"""Factors of squared distances: what makes them the exponents of a mixture's divergences.

For two components of a Gaussian mixture at the squared distance :math:`D`, in noise of the variance
:math:`\sigma^2`, both divergences are multiples of D: :math:`e^{-\text{divergence}} = e^{f D}` with
the factor :math:`f = -1 / 2 \sigma^2` for Kullback-Leibler, and :math:`\alpha (1 - \alpha)` times
that for Chernoff of order :math:`\alpha`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from infotheo.arrays.samples import Array, to_numpy

__all__ = ["SAME", "Factors", "distinct_factors", "spread_over_variances"]

SAME = 1e-12  # relative difference of factors below which one exponential serves both


@dataclass(frozen=True, eq=False)
class Factors:
    """Factors of both divergences for every noise variance.

    Examples
    --------
    >>> factors = Factors.from_noise_variance(np.array([[0.125, 0.5]]), alpha=0.5)
    >>> factors.kl.tolist(), factors.chernoff_ratio
    ([[-4.0, -1.0]], 0.25)
    """

    kl: Array  # (batch or 1, sweep) float64: Kullback-Leibler's, negative
    chernoff_ratio: float  # Chernoff's factors over Kullback-Leibler's

    @classmethod
    def from_noise_variance(cls, noise_variance: Array, alpha: float) -> Factors:
        """Turn noise variances (batch or 1, sweep) into factors, with their gradient."""
        return cls(-0.5 / noise_variance, alpha * (1 - alpha))

    @cached_property
    def distinct(self) -> tuple[np.ndarray, np.ndarray]:
        """What :func:`distinct_factors` returns for them."""
        return distinct_factors(to_numpy(self.kl), self.chernoff_ratio)

    def detached(self) -> Factors:
        """Return the same factors without a gradient."""
        if not hasattr(self.kl, "detach"):
            return self
        return Factors(self.kl.detach(), self.chernoff_ratio)


def distinct_factors(kl: np.ndarray, chernoff_ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """Factors without repetitions, and where each (divergence, sweep) finds its factor.

    A variance's Kullback-Leibler divergence is, at alpha = 1/2, the Chernoff divergence of a
    quarter of it: sweeps by powers of two or four repeat themselves.

    Parameters
    ----------
    kl, chernoff_ratio
        As in :class:`Factors`.

    Returns
    -------
    factors
        (batch or 1, factor), the smallest first.
    index
        (2, sweep) into the last dimension of ``factors``, Chernoff before Kullback-Leibler.

    Examples
    --------
    >>> factors, index = distinct_factors(np.array([[-4.0, -1.0]]), 0.25)
    >>> factors.tolist(), index.tolist()
    ([[-0.25, -1.0, -4.0]], [[1, 0], [2, 1]])
    """
    factors = np.concatenate([chernoff_ratio * kl, kl], axis=1)  # (batch or 1, 2 sweep)
    index = np.empty(factors.shape[1], dtype=np.int64)
    distinct: list[int] = []
    for column in np.argsort(-factors[0], kind="stable"):
        if not distinct or np.any(np.abs(factors[:, column] / factors[:, distinct[-1]] - 1) > SAME):
            distinct.append(int(column))
        index[column] = len(distinct) - 1
    return factors[:, distinct], index.reshape(2, -1)


def spread_over_variances(sums: Array, index: np.ndarray, xp: Any) -> Array:
    """Turn sums (factor, batch, sample) into (2 [chernoff, kl], batch, sweep, sample)."""
    return xp.permute_dims(sums[index], (0, 2, 1, 3))
