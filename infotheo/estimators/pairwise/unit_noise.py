"""A Gaussian mixture whose units carry noise of their own: the isotropic one in scaled units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from infotheo.arrays.labels import Classes
from infotheo.arrays.samples import Array, Samples, to_numpy
from infotheo.estimators.noise.sweep import NoiseSweep
from infotheo.estimators.pair_sums.distances import centred
from infotheo.estimators.pairwise.mixture import Mixture

__all__ = ["UnitNoiseMixture", "scaled_to_unit_noise"]


class UnitNoiseMixture:
    """Components around the samples whose noise differs from unit to unit, the same for all.

    Divided by the standard deviation of its noise, every unit has noise of variance 1: one
    isotropic mixture for each element of the sweep, or one for all if they differ by factors only.
    """

    def __init__(self, samples: Samples, noise: NoiseSweep, alpha: float) -> None:
        self.samples, self.noise, self.alpha = samples, noise, alpha

    def bounds(
        self, shares: np.ndarray, classes: Classes | None
    ) -> tuple[Array, Array, Array | None, Array | None]:
        """Give what :meth:`infotheo.estimators.pairwise.mixture.Mixture.bounds` gives."""
        xp = self.samples.namespace
        parts = []
        for samples, noise in scaled_to_unit_noise(self.samples, self.noise):
            mixture = Mixture(samples, noise, self.alpha)
            # what came in as float32 may be computed in it wherever that is harmless
            mixture.single = self.samples.values.dtype == xp.float32
            parts.append(mixture.bounds(shares, classes))
        lower, upper, within_lower, within_upper = (
            None if part[0] is None else xp.concat(part, axis=1)
            for part in zip(*parts, strict=True)
        )
        return lower, upper, within_lower, within_upper


def scaled_to_unit_noise(
    samples: Samples, noise: NoiseSweep
) -> Iterator[tuple[Samples, NoiseSweep]]:
    """Yield samples in units of their noise with an isotropic noise, element by element.

    The scaled samples are float64, whatever came in: a cast after the division would cost bits.
    """
    xp, variances = samples.namespace, noise.values  # (batch or 1, sweep, unit)
    x = centred(samples.flat(None), xp)
    factors = _common_factors(variances, samples)
    if factors is not None:
        yield _scaled(x, variances[:, 0], samples), replace(noise, values=factors, per="layer")
        return
    for k in range(variances.shape[1]):
        ones = xp.ones_like(variances[:, k : k + 1, 0])
        yield _scaled(x, variances[:, k], samples), replace(noise, values=ones, per="layer")


def _scaled(x: Array, variances: Array, samples: Samples) -> Samples:
    return replace(samples, values=samples.unflat(x / variances[:, None, :] ** 0.5))


def _common_factors(variances: Array, samples: Samples) -> Array | None:
    """Factors (batch or 1, sweep) by which variances that have one profile differ, or ``None``.

    A fraction of each unit's variance, swept, is such a case. A gradient knows no factors: every
    variance has its own, so a differentiable sweep goes element by element.
    """
    if getattr(variances, "requires_grad", False) or variances.shape[1] == 1:
        return None
    found: Any = to_numpy(variances)
    ratios = found / found[:, :1]
    factors = ratios[..., 0]
    # rounding of two factors; what a ratio is off by, the exponents of a pair are off by, relative
    if np.max(np.abs(ratios - factors[..., None]) / factors[..., None]) > 1e-14:
        return None
    return samples.like(factors)
