"""Samples and noise brought to a scale at which squares neither overflow nor underflow.

Points times s and variances times s^2 are the same question. A power of two for s changes no digit,
so what was in the range before keeps its bytes; nothing is done to it.
"""

from __future__ import annotations

import math
from dataclasses import replace

from infotheo.arrays.samples import Array, Samples, to_numpy
from infotheo.estimators.noise.sweep import TINY, NoiseSweep

__all__ = ["to_moderate_scale"]

# Base 10 logarithms: beyond them a square, or the inverse of a variance, may leave the range of the
# dtype in which products are made.
POINTS = {"float64": 140, "float32": 15}
VARIANCES = {"float64": 280, "float32": 30}
LARGEST = 990  # exponent of two that scaled points keep below: their differences are finite


def to_moderate_scale(samples: Samples, noise: NoiseSweep) -> tuple[Samples, NoiseSweep]:
    """Scale extreme samples and their noise so that the middle of the variances is about 1.

    Samples far from each other by this measure may have infinite squared distances, which is right:
    the information depends on none of them.

    Raises
    ------
    ValueError
        If the samples are so large, and the noise so small, that no scale holds both.

    Examples
    --------
    >>> from infotheo.arrays.samples import read_samples
    >>> from infotheo.estimators.noise.sweep import read_noise_variance
    >>> samples = read_samples([[0.0], [2.0**511]])
    >>> samples, noise = to_moderate_scale(samples, read_noise_variance(2.0**1022, samples))
    >>> samples.values.tolist(), noise.noise_variance.tolist()
    ([[0.0], [1.0]], [[1.0]])
    """
    variances = to_numpy(noise.noise_variance)
    smallest, largest = float(variances.min()), float(variances.max())
    extent = max(map(abs, samples.extent))
    dtype = "float32" if samples.values.dtype == samples.namespace.float32 else "float64"
    limit = VARIANCES[dtype]
    if extent < 10.0 ** POINTS[dtype] and 10.0**-limit < smallest and largest < 10.0**limit:
        return samples, noise
    exponent = round((math.log2(smallest) + math.log2(largest)) / 4)
    exponent = max(exponent, math.frexp(extent)[1] - LARGEST)
    if math.log2(smallest) - 2 * exponent < math.log2(TINY):
        raise ValueError(
            f"z is up to {extent:.3g} in size and noise_variance down to {smallest:.3g}; expected "
            "values and noise that fit into float64 together (divide z by a constant)"
        )
    xp = samples.namespace
    # in float64: float32 could lose what is small
    values = _times_power_of_two(xp.astype(samples.values, xp.float64), -exponent)
    noise_variance = _times_power_of_two(noise.noise_variance, -2 * exponent)
    return replace(samples, values=values), replace(noise, noise_variance=noise_variance)


def _times_power_of_two(values: Array, exponent: int) -> Array:
    """Multiply by 2^exponent, in two steps: the power alone may be out of range."""
    half = exponent // 2
    return values * 2.0**half * 2.0 ** (exponent - half)
