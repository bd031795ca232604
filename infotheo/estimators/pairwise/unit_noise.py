"""A Gaussian mixture whose units carry noise of their own: the isotropic one in scaled units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from infotheo.arrays.labels import Classes
from infotheo.arrays.samples import Array, Samples, to_numpy
from infotheo.estimators.noise.sweep import NoiseSweep
from infotheo.estimators.pair_sums.distances import centred
from infotheo.estimators.pairwise.mixture import Bounds, Mixture, exponential_precision

__all__ = ["UnitNoiseMixture", "scaled_to_unit_noise"]


class UnitNoiseMixture:
    """Components around the samples whose noise differs from unit to unit, the same for all.

    Divided by the standard deviation of its noise, every unit has noise of variance 1: one
    isotropic mixture for each element of the sweep, or one for all if they differ by ratios only.
    """

    def __init__(self, samples: Samples, noise: NoiseSweep, alpha: float) -> None:
        self.samples, self.noise, self.alpha = samples, noise, alpha

    def bounds(self, shares: np.ndarray, classes: Classes | None) -> Bounds:
        """Bound what :meth:`infotheo.estimators.pairwise.mixture.Mixture.bounds` bounds."""
        xp = self.samples.namespace
        # what came in as float32 may be computed in it wherever that is harmless
        precision = exponential_precision(self.samples)
        parts = [
            Mixture(samples, noise, self.alpha, precision).bounds(shares, classes)
            for samples, noise in scaled_to_unit_noise(self.samples, self.noise)
        ]
        return Bounds(
            *(
                None if field[0] is None else xp.concat(field, axis=1)
                for field in zip(*parts, strict=True)
            )
        )


def scaled_to_unit_noise(
    samples: Samples, noise: NoiseSweep
) -> Iterator[tuple[Samples, NoiseSweep]]:
    """Yield samples in units of their noise with an isotropic noise, element by element.

    The scaled samples are float64, whatever came in: a cast after the division would cost bits.
    """
    xp, noise_variance = samples.namespace, noise.noise_variance  # (batch or 1, sweep, unit)
    x = centred(samples.flat(None), xp)
    ratios = _common_ratios(noise_variance, samples)
    if ratios is not None:
        yield _scaled(x, noise_variance[:, 0], samples), noise.as_layer(ratios)
        return
    for k in range(noise_variance.shape[1]):
        ones = xp.ones_like(noise_variance[:, k : k + 1, 0])
        yield _scaled(x, noise_variance[:, k], samples), noise.as_layer(ones)


def _scaled(x: Array, noise_variance: Array, samples: Samples) -> Samples:
    return replace(samples, values=samples.unflat(x / noise_variance[:, None, :] ** 0.5))


def _common_ratios(noise_variance: Array, samples: Samples) -> Array | None:
    """Ratios (batch or 1, sweep) of variances that have one profile to the first, or ``None``.

    A fraction of each unit's variance, swept, is such a case. A gradient knows no ratios: every
    variance is one of its own, so a differentiable sweep goes element by element.
    """
    if getattr(noise_variance, "requires_grad", False) or noise_variance.shape[1] == 1:
        return None
    variances = to_numpy(noise_variance)
    unit_ratios = variances / variances[:, :1]
    ratios = unit_ratios[..., 0]
    # rounding of two ratios; what a ratio is off by, the exponents of a pair are off by, relative
    if np.max(np.abs(unit_ratios - ratios[..., None]) / ratios[..., None]) > 1e-14:
        return None
    return samples.like(ratios)
