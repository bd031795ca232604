"""Results of the pairwise bounds: clipped, in the caller's kind and units, saturation marked."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from infotheo.arrays.labels import Units, nats_per
from infotheo.arrays.results import FieldNote, wrap
from infotheo.arrays.samples import Array, Samples, to_numpy
from infotheo.estimators.noise.sweep import NoiseSweep

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["PairwiseInformation", "SaturationWarning", "mark_saturated", "wrap_information"]

SATURATED = 0.99  # of the ceiling: the sample, not the representation, sets the result


class SaturationWarning(UserWarning):
    """The lower bound nearly reaches ln N: too few samples, or too little noise, to tell."""


class PairwiseInformation(NamedTuple):
    """Bounds and estimates of :func:`pairwise_information`."""

    lower: Array
    upper: Array
    kl: Array
    chernoff: Array
    ceiling: Array
    saturated: Array


def wrap_information(
    values: PairwiseInformation,
    samples: Samples,
    noise: NoiseSweep,
    settings: dict[str, Any],
    notes: tuple[str, str, Units],
) -> PairwiseInformation | xr.Dataset:
    """Clip a kernel's bounds in nats, and return them in the caller's kind, shape and units."""
    target, ceiling_name, units = notes
    xp, scale, ceiling = samples.namespace, nats_per(units), values.ceiling
    saturated = noise.settle(values.saturated, samples)
    saturated_note = FieldNote("1", "lower bound of I(Z;X) within 1 % of its ceiling")
    extra_dims = () if noise.scalar else (noise.dim,)
    coords = noise.coords
    if samples.labelled:  # a property of every bound at once: it travels with each of them
        dims = (*(samples.batch_dims or ()), *extra_dims)
        coords = {**coords, "saturated": (dims, saturated, saturated_note._asdict())}
    result = PairwiseInformation(  # only I(Z;Y), of two kinds of bounds, is clipped beyond rounding
        lower=noise.settle(xp.clip(values.lower, 0.0, ceiling) / scale, samples),
        upper=noise.settle(xp.clip(values.upper, 0.0, ceiling) / scale, samples),
        kl=noise.settle(values.kl / scale, samples),
        chernoff=noise.settle(values.chernoff / scale, samples),
        ceiling=samples.like(ceiling / scale),
        saturated=None if samples.labelled else saturated,
    )
    return wrap(
        result,
        samples,
        estimator="pairwise_information",
        settings={"noise_variance": noise.setting, "noise_per": noise.per, **settings},
        notes={
            "lower": FieldNote(units, f"lower bound of {target}"),
            "upper": FieldNote(units, f"upper bound of {target}"),
            "kl": FieldNote(units, f"Kullback-Leibler estimate of {target}"),
            "chernoff": FieldNote(units, f"Chernoff estimate of {target}"),
            "ceiling": FieldNote(units, f"ceiling of {target}: {ceiling_name}"),
            "saturated": saturated_note,
        },
        extra_dims=extra_dims,
        extra_coords=coords,
    )


def mark_saturated(lower: Array, ceiling: float, samples: Samples, target: str) -> Array:
    """Tell where the lower bound of I(Z;X) is near its ceiling, and warn once if it is anywhere.

    The warning names the information that was asked for, ``target``, and points to who
    called the function that called the caller.
    """
    saturated = (lower >= SATURATED * ceiling) & (ceiling > 0)
    count = int(np.sum(to_numpy(saturated)))
    if count:
        consequence = "" if target == "I(Z;X)" else f"bounds of {target} rest on those of I(Z;X): "
        warnings.warn(
            f"{consequence}lower bound of I(Z;X) within 1% of its ceiling {ceiling:.4g} nats "
            f"(ln N, N = {samples.size}) in {count} of {math.prod(lower.shape)} values: take "
            "more samples or a larger noise_variance",
            SaturationWarning,
            stacklevel=4,
        )
    return saturated
