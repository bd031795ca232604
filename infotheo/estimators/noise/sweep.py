"""Noise variances as the caller gives them, opened for a kernel: one or many, and of what.

A deterministic network's I(Z;X) is infinite (or ln N); it is finite for Z = z(x) + N(0, variance).
The noise is the layer's, each unit's, or each unit's at each sample (multiplicative noise, paper
3), and any of them can be swept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np

from infotheo.arrays.conversion import read_array
from infotheo.arrays.labels import check_choice
from infotheo.arrays.samples import Array, Samples, is_labelled, to_numpy

__all__ = ["NoisePer", "NoiseSweep", "read_noise_variance", "unit_dim_among"]

NoisePer = Literal["layer", "unit", "sample"]
TINY = 1e-300  # the inverse of a smaller variance is not finite
EXPECTED = {
    "layer": "a number, a sweep (K,), or {batch_sweep}",
    "unit": "({units},), a sweep (K, {units}), or {batch_sweep} (noise_per='unit')",
    "sample": "({size}, {units}), {batch}, or with a sweep {batch_sweep} (noise_per='sample')",
}


@dataclass(frozen=True)
class NoiseSweep:
    """Noise variances opened for a kernel, and how the result names them."""

    noise_variance: Array  # (batch or 1, sweep), then by `per` (), (unit,), (sample, unit); float64
    scalar: bool  # no sweep dimension in the result
    setting: Any  # for provenance
    dim: str = "noise_variance"
    coords: dict[str, Any] = field(default_factory=dict)
    per: NoisePer = "layer"

    def settle(self, values: Array, samples: Samples) -> Array:
        """Shape a kernel's (batch, sweep) as the caller's (*batch) or (*batch, sweep)."""
        return samples.unflat(values[:, 0] if self.scalar else values)

    def as_layer(self, noise_variance: Array) -> NoiseSweep:
        """Return a sweep of the layer's variances (batch or 1, sweep) in the place of this one."""
        return replace(self, noise_variance=noise_variance, per="layer")

    def entropy(self, samples: Samples, shares: np.ndarray) -> Array:
        """Entropy of Z given the input, H(Z|X), in nats: (batch or 1, sweep)."""
        xp = samples.namespace
        constant = 2 * math.pi * math.e
        if float(to_numpy(self.noise_variance).max()) < 1e300:
            unit_entropy = 0.5 * xp.log(constant * self.noise_variance)
        else:
            unit_entropy = 0.5 * (math.log(constant) + xp.log(self.noise_variance))
        if self.per == "layer":
            return samples.units * unit_entropy
        sample_entropy = xp.sum(unit_entropy, axis=-1)
        if self.per == "unit":
            return sample_entropy
        return xp.matmul(sample_entropy, samples.like(shares))


def read_noise_variance(
    noise_variance: Any,
    samples: Samples,
    name: str = "noise_variance",
    *,
    per: NoisePer = "layer",
    source: Any = None,
    unit_dim: str = "unit",
) -> NoiseSweep:
    """Check a noise variance: of the layer, of each unit, or of each unit at each sample.

    A DataArray is aligned with xarray samples by the names of its dimensions; the one that is no
    dimension of the samples is the sweep and names it in the result.

    Parameters
    ----------
    noise_variance
        Positive numbers, by shape. ``per="layer"``: a number, a sweep (K,), or (*batch, K).
        ``"unit"``: (unit,), (K, unit) or (*batch, K, unit). ``"sample"``: (sample, unit),
        (*batch, sample, unit) or (*batch, K, sample, unit).
    samples
        The samples it goes with.
    name
        The argument's name, for messages.
    per
        What each variance belongs to.
    source
        What the samples were read from: if that is a DataArray, its coordinates are compared.
    unit_dim
        Name of the unit dimension of a DataArray.

    Raises
    ------
    TypeError
        If it is not numeric.
    ValueError
        If a variance is not positive and finite, or the shape fits none of these.

    Examples
    --------
    >>> from infotheo.arrays.samples import read_samples
    >>> sweep = read_noise_variance([0.1, 1.0], read_samples([[0.0], [1.0]]))
    >>> sweep.noise_variance.shape, sweep.scalar
    ((1, 2), False)
    >>> read_noise_variance([0.1], read_samples([[0.0], [1.0]]), per="unit").noise_variance.shape
    (1, 1, 1)
    """
    check_choice(per, get_args(NoisePer), "noise_per")
    labelled = is_labelled(noise_variance)
    if labelled and not hasattr(noise_variance, "to_dataset"):
        raise TypeError(
            f"{name} is an xarray {type(noise_variance).__name__}; expected a DataArray"
        )
    given_values = read_array(noise_variance, name, "positive numbers")
    checked = to_numpy(given_values)
    if checked.dtype.kind not in "fiu":
        raise TypeError(f"{name} has dtype {checked.dtype}; expected positive numbers")
    bad = checked[~(np.isfinite(checked) & (checked > 0))]
    if bad.size:
        raise ValueError(f"{name} contains {bad.flat[0]}; expected positive, finite numbers")
    if checked.size and float(checked.min()) < TINY:
        raise ValueError(f"{name} contains {checked.min()}; expected numbers above {TINY}")
    dim, coords = "noise_variance", {}
    if labelled and samples.labelled:
        source = noise_variance if source is None else source
        sample_dims = (samples.sample_dim, unit_dim_among(source.dims, unit_dim))
        reference_coords = {**source.coords, **samples.coords}
        values, per_batch, dim = _align(
            noise_variance, samples, reference_coords, sample_dims, per, name
        )
        others = {
            key: coord
            for key, coord in noise_variance.coords.items()
            if not set(coord.dims) & set(sample_dims)
        }
        coords = {key: others[key] for key in sorted(set(others) - set(samples.coords))}
        scalar = dim == ""
    else:
        values = samples.like(given_values)
        per_batch, scalar = _batch_and_sweep(checked.shape, samples, per, name)
        if per_batch or per != "layer":
            dim = "noise"  # the values do not fit on the sweep's own dimension
    trailing = _trailing(samples, per)
    batch = math.prod(samples.batch_shape) if per_batch else 1
    sweep = values.shape[values.ndim - len(trailing) - 1] if not scalar else 1
    opened = samples.namespace.reshape(samples.like(values), (batch, sweep, *trailing))
    if samples.labelled and per == "layer":
        batch_dims = (samples.batch_dims or ()) if per_batch else ()
        coords["noise_variance"] = (batch_dims if scalar else (*batch_dims, dim), to_numpy(values))
    setting = checked if per == "layer" and checked.ndim < 2 else "per batch element"
    if per != "layer":
        setting = f"per {per}"
    return NoiseSweep(opened, scalar, setting, dim, coords, per)


def unit_dim_among(dims: tuple[str, ...], unit_dim: str) -> str:
    """Name of the unit dimension: ``unit_<layer>`` stands for ``unit`` where it is the only one.

    Examples
    --------
    >>> unit_dim_among(("sample", "unit_hidden1"), "unit")
    'unit_hidden1'
    """
    unit_dims = [dim for dim in dims if str(dim).startswith(f"{unit_dim}_")]
    return unit_dims[0] if unit_dim not in dims and len(unit_dims) == 1 else unit_dim


def _trailing(samples: Samples, per: NoisePer) -> tuple[int, ...]:
    """Shape of one element of the sweep."""
    return {"layer": (), "unit": (samples.units,), "sample": (samples.size, samples.units)}[per]


def _batch_and_sweep(
    shape: tuple[int, ...], samples: Samples, per: NoisePer, name: str
) -> tuple[bool, bool]:
    """Tell from a shape alone whether there is one value for each batch element, and no sweep."""
    batch, trailing = samples.batch_shape, _trailing(samples, per)
    leading = shape[: len(shape) - len(trailing)]
    if 0 not in shape and shape[len(leading) :] == trailing:
        if not leading:
            return False, True
        if len(leading) == len(batch) + 1 and leading[:-1] == batch:
            return bool(batch), False
        if per == "sample" and leading == batch:  # the shape of z itself
            return True, True
        if per != "sample" and len(leading) == 1:
            return False, False
    expected = EXPECTED[per].format(
        size=samples.size,
        units=samples.units,
        batch=(*batch, *trailing),
        batch_sweep=(*batch, "K", *trailing),
    )
    raise ValueError(f"{name} has shape {shape}; expected {expected}")


def _align(
    noise: Any,
    samples: Samples,
    reference_coords: Mapping[str, Any],
    sample_dims: tuple[str, str],
    per: NoisePer,
    name: str,
) -> tuple[np.ndarray, bool, str]:
    """Order a DataArray's dimensions as ([*batch], [sweep], *trailing).

    The second result tells whether leading dimensions are there, the third is the sweep's name,
    empty if there is none.
    """
    leading = samples.batch_dims or ()
    trailing = sample_dims[len(sample_dims) - len(_trailing(samples, per)) :]
    sweep = [dim for dim in noise.dims if dim not in (*leading, *sample_dims)]
    misplaced = [dim for dim in sample_dims if (dim in noise.dims) != (dim in trailing)]
    if len(sweep) > 1 or misplaced or 0 in noise.shape:
        needed = f", {' and '.join(map(repr, trailing))}" if trailing else ""
        raise ValueError(
            f"{name} has dimensions {dict(noise.sizes)}; expected, with noise_per={per!r}, those "
            f"of {tuple(leading)}{needed} and at most one more, the sweep, none empty"
        )
    sizes = dict(zip((*leading, *sample_dims), samples.values.shape, strict=True))
    for dim in set(noise.dims) - set(sweep):
        same = noise.sizes[dim] == sizes[dim] and (
            dim not in noise.coords
            or dim not in reference_coords
            or np.array_equal(noise.coords[dim], reference_coords[dim])
        )
        if not same:
            raise ValueError(
                f"{name} differs from the samples along {dim!r} ({noise.sizes[dim]} values, "
                f"samples {sizes[dim]}); expected the same coordinates"
            )
    shared = [dim for dim in leading if dim in noise.dims]
    values = noise.transpose(*shared, *sweep, *trailing).values
    if shared:
        index = tuple(slice(None) if dim in shared else None for dim in leading)
        values = values[index]
        values = np.broadcast_to(values, (*samples.batch_shape, *values.shape[len(leading) :]))
    return values, bool(shared), sweep[0] if sweep else ""
