"""Noise variances of the pairwise bounds: read what the caller gives, or choose from the data.

A deterministic network's I(Z;X) is infinite (or ln N); it is finite for Z = z(x) + N(0, variance).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from infotheo.arrays import Array, Samples, is_labelled, read_samples, to_numpy
from infotheo.information.distances import centred

__all__ = ["NoiseSweep", "read_noise_variance", "relative_noise_variance", "settle_variances"]


@dataclass(frozen=True)
class NoiseSweep:
    """Noise variances opened for a kernel, and how the result names them."""

    values: Array  # (batch or 1, sweep) float64, in the samples' namespace
    scalar: bool  # no sweep dimension in the result
    setting: Any  # for provenance
    dim: str = "noise_variance"
    coords: dict[str, Any] = field(default_factory=dict)

    def settle(self, values: Array, samples: Samples) -> Array:
        """Shape a kernel's (batch, sweep) as the caller's (*batch) or (*batch, sweep)."""
        return samples.unflat(values[:, 0] if self.scalar else values)


def read_noise_variance(
    noise_variance: Any, samples: Samples, name: str = "noise_variance"
) -> NoiseSweep:
    """Check a noise variance: a number, a 1-D sweep, or a sweep (*batch, K) for each batch element.

    A DataArray is aligned with xarray samples by the names of its dimensions; the one that is no
    leading dimension of the samples is the sweep and names it in the result.

    Raises
    ------
    TypeError
        If it is not numeric.
    ValueError
        If a variance is not positive and finite, or the shape fits none of the three.

    Examples
    --------
    >>> sweep = read_noise_variance([0.1, 1.0], read_samples([[0.0], [1.0]]))
    >>> sweep.values.shape, sweep.scalar
    ((1, 2), False)
    """
    batch = samples.batch_shape
    given = noise_variance
    labelled = is_labelled(given)
    dim, coords = "noise_variance", {}
    if labelled and samples.labelled:
        given, dim = _align(given, samples, name)
        kept = set(noise_variance.coords) - set(samples.coords)
        coords = {k: noise_variance.coords[k] for k in sorted(kept)}
    elif labelled:
        given = given.values
    checked = to_numpy(given)
    if checked.dtype.kind not in "fiu":
        raise TypeError(f"{name} has dtype {checked.dtype}; expected positive numbers")
    bad = checked[~(np.isfinite(checked) & (checked > 0))]
    if bad.size:
        raise ValueError(f"{name} contains {bad.flat[0]}; expected positive, finite numbers")
    per_batch = bool(batch) and checked.ndim == len(batch) + 1 and checked.shape[:-1] == batch
    if checked.size == 0 or not (checked.ndim < 2 or per_batch):
        raise ValueError(
            f"{name} has shape {checked.shape}; expected a number, a sweep (K,), or {(*batch, 'K')}"
        )
    values = samples.like(given if not isinstance(given, int | float) else checked)
    values = samples.namespace.reshape(values, (-1, checked.shape[-1] if checked.ndim else 1))
    scalar = checked.ndim == 0 or dim == ""
    if samples.labelled:
        if not labelled and per_batch:
            dim = "noise"
        dims: tuple[str, ...] = (*(samples.batch_dims or ()), dim) if per_batch else (dim,)
        shown = checked
        if scalar:
            dims, shown = dims[:-1], checked[..., 0] if checked.ndim else checked
        coords["noise_variance"] = (dims, shown)
    setting = "per batch element" if checked.ndim > 1 else checked
    return NoiseSweep(values, scalar, setting, dim, coords)


def _align(noise: Any, samples: Samples, name: str) -> tuple[np.ndarray, str]:
    """Order a DataArray's dimensions as (*batch, sweep), or (sweep,) if no leading one is shared.

    The second result is the sweep's name, empty if there is none.
    """
    leading = samples.batch_dims or ()
    sweep = [dim for dim in noise.dims if dim not in leading]
    if len(sweep) > 1 or samples.sample_dim in sweep:
        raise ValueError(
            f"{name} has dimensions {tuple(noise.dims)}; expected those of {tuple(leading)} and at "
            "most one more, the sweep"
        )
    for dim in set(noise.dims) - set(sweep):
        length = samples.batch_shape[leading.index(dim)]
        same = noise.sizes[dim] == length and (
            dim not in noise.coords
            or dim not in samples.coords
            or np.array_equal(noise.coords[dim], samples.coords[dim])
        )
        if not same:
            raise ValueError(
                f"{name} differs from the samples along {dim!r} ({noise.sizes[dim]} values, "
                f"samples {length}); expected the same coordinates"
            )
    shared = [dim for dim in leading if dim in noise.dims]
    values = noise.transpose(*shared, *sweep).values
    if not sweep and not shared:
        return values, ""
    if not sweep:
        values = values[..., None]
    if shared:
        index = tuple(slice(None) if dim in shared else None for dim in leading)
        values = np.broadcast_to(values[index], (*samples.batch_shape, values.shape[-1]))
    return values, sweep[0] if sweep else ""


def relative_noise_variance(
    z: Any, fraction: Any, *, sample_dim: str = "sample", unit_dim: str = "unit"
) -> Any:
    """Noise variance as a fraction of the mean variance of the units.

    Scale-free: a network whose activations were only squashed does not look compressed.

    Parameters
    ----------
    z
        Samples (..., sample, unit).
    fraction
        A positive number, or 1-D for a sweep.
    sample_dim, unit_dim
        Names of the two dimensions of a DataArray.

    Returns
    -------
    array
        ``fraction`` times the population variance of a unit, averaged over the units, in the
        squared unit of ``z``; ready for
        :func:`~infotheo.information.pairwise.pairwise_information`.
        Without leading dimensions a scalar or (K,); with them (*batch, K), K = 1 for a number. For
        xarray a DataArray with the leading dimensions and, for a sweep, the dimension
        ``relative_noise_variance`` whose coordinate is the fraction.

    Raises
    ------
    ValueError
        If a fraction is not positive, or every unit of a batch element is constant.

    Examples
    --------
    >>> float(relative_noise_variance([[0.0, 0.0], [2.0, 4.0]], 0.1))
    0.25
    """
    samples = read_samples(z, sample_dim=sample_dim, unit_dim=unit_dim)
    xp = samples.namespace
    fractions = to_numpy(fraction)
    if fractions.dtype.kind not in "fiu":
        raise TypeError(f"fraction has dtype {fractions.dtype}; expected positive numbers")
    if fractions.ndim > 1 or fractions.size == 0:
        raise ValueError(f"fraction has shape {fractions.shape}; expected a number or (K,)")
    bad = fractions[~(np.isfinite(fractions) & (fractions > 0))]
    if bad.size:
        raise ValueError(f"fraction contains {bad.flat[0]}; expected positive, finite numbers")
    x = centred(samples.flat(), xp)
    variance = xp.mean(x * x, axis=(1, 2))  # (batch,)
    _refuse_constant(variance, samples)
    values = variance[:, None] * samples.like(np.atleast_1d(fractions))[None, :]
    return settle_variances(
        values, samples, fractions.ndim == 0, "relative_noise_variance", {"fraction": fractions}
    )


def _refuse_constant(variance: Array, samples: Samples) -> None:
    constant = np.flatnonzero(to_numpy(variance) <= 0)
    if constant.size:
        index = tuple(int(i) for i in np.unravel_index(constant[0], samples.batch_shape or (1,)))
        where = f" of batch element {index}" if samples.batch_shape else ""
        raise ValueError(
            f"z is constant: every unit{where} has variance 0; expected at least one unit that "
            "varies (or pass an absolute noise_variance)"
        )


def settle_variances(
    values: Array, samples: Samples, scalar: bool, name: str, coords: dict[str, Any]
) -> Any:
    """Return (batch, K) variances in the caller's kind."""
    values = samples.unflat(values)
    if not samples.labelled:
        settled = values[0] if scalar and not samples.batch_shape else values
        return settled
    import xarray

    dims = samples.batch_dims or ()
    labels = {**samples.coords}
    if "fraction" in coords:
        labels[name] = coords["fraction"] if scalar else (name, coords["fraction"])
    return xarray.DataArray(
        values[..., 0] if scalar else values,
        dims=dims if scalar else (*dims, name),
        coords=labels,
        name="noise_variance",
        attrs={"units": "activation^2", "long_name": name.replace("_", " ")},
    )
