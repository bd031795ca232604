"""Noise variances of the pairwise bounds, chosen from the data: a fraction of their variance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from infotheo.arrays.conversion import read_real
from infotheo.arrays.labels import check_choice
from infotheo.arrays.results import provenance
from infotheo.arrays.samples import Array, Samples, read_samples, to_numpy
from infotheo.arrays.scaling import divide
from infotheo.estimators.noise.sweep import TINY, unit_dim_among
from infotheo.estimators.pair_sums.distances import centred

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["relative_noise_variance", "require_representable", "settle_variances"]


def relative_noise_variance(
    z: Any,
    fraction: Any,
    *,
    per: Literal["layer", "unit"] = "layer",
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> Array | xr.DataArray:
    """Noise variance as a fraction of the variance of the units: of their mean, or of each.

    Scale-free: a network whose activations were only squashed does not look compressed.

    Parameters
    ----------
    z
        Samples (..., sample, unit).
    fraction
        A positive number, or 1-D for a sweep.
    per
        "layer": a fraction of the mean of the units' variances. "unit": of each unit's own, for
        ``noise_per="unit"``.
    sample_dim, unit_dim
        Names of the two dimensions of a DataArray.

    Returns
    -------
    array
        ``fraction`` times the population variance of a unit, in the squared unit of ``z``, averaged
        over the units unless ``per="unit"``; ready for
        :func:`~infotheo.pairwise_information`.
        Without leading dimensions a scalar or (K,); with them (*batch, K), K = 1 for a number; and
        a last dimension (unit) with ``per="unit"``. For xarray a DataArray with the leading
        dimensions and, for a sweep, the dimension ``relative_noise_variance`` whose coordinate is
        the fraction.

    Raises
    ------
    ValueError
        If a fraction is not positive, or every unit of a batch element is constant, or, with
        ``per="unit"``, any of them.

    Examples
    --------
    >>> float(relative_noise_variance([[0.0, 0.0], [2.0, 4.0]], 0.1))
    0.25
    >>> relative_noise_variance([[0.0, 0.0], [2.0, 4.0]], 0.1, per="unit").tolist()
    [0.1, 0.4]
    """
    samples = read_samples(z, sample_dim=sample_dim, unit_dim=unit_dim)
    check_choice(per, ("layer", "unit"), "per")
    xp = samples.namespace
    fractions = read_real(fraction, "fraction", "positive numbers", kinds="fiu")
    if fractions.ndim > 1 or fractions.size == 0:
        raise ValueError(f"fraction has shape {fractions.shape}; expected a number or (K,)")
    bad = fractions[~(np.isfinite(fractions) & (fractions > 0))]
    if bad.size:
        raise ValueError(f"fraction contains {bad.flat[0]}; expected positive, finite numbers")
    x, factors = divide(samples.flat(), (1, 2) if per == "layer" else 1, xp)
    x = centred(x, xp)
    variance = xp.mean(x * x, axis=1)  # (batch, unit)
    if per == "layer":
        variance = xp.mean(variance, axis=1)
    _refuse_constant(variance, samples)
    if np.any(factors != 1):
        square = samples.like(factors[:, 0, 0] if per == "layer" else factors[:, 0])
        with np.errstate(over="ignore", under="ignore"):  # refused below
            variance = variance * square * square
        require_representable(variance, samples)
    sweep = samples.like(np.atleast_1d(fractions))[None, :]
    trailing: tuple[str, ...] = ()
    if per == "layer":
        values = variance[:, None] * sweep
    else:
        values = variance[:, None, :] * sweep[..., None]
        trailing = (unit_dim_among(z.dims if samples.labelled else (), unit_dim),)
    return settle_variances(
        values,
        samples,
        fractions.ndim == 0,
        "relative_noise_variance",
        {"fraction": fractions},
        trailing,
    )


def require_representable(variance: Array, samples: Samples) -> None:
    """Refuse a variance that float64 does not hold: that of values beyond 1e154 or below 1e-150.

    Raises
    ------
    ValueError
        If a variance is infinite, or so small that its inverse is.
    """
    values = to_numpy(variance)
    if not np.all((values >= TINY) & np.isfinite(values)):
        low, high = samples.extent
        raise ValueError(
            f"z has values as large as {max(abs(low), abs(high)):.3g}, whose variance is beyond "
            f"{TINY:g} to {np.finfo(np.float64).max:.3g}; expected z in other units"
        )


def _refuse_constant(variance: Array, samples: Samples) -> None:
    """Refuse a variance 0 of a batch element (batch,), or of one of its units (batch, unit)."""
    constant = np.argwhere(to_numpy(variance) <= 0)
    if not len(constant):
        return
    element, *units = constant[0]
    index = tuple(int(i) for i in np.unravel_index(element, samples.batch_shape or (1,)))
    where = f" of batch element {index}" if samples.batch_shape else ""
    if units:
        raise ValueError(
            f"z is constant in unit {units[0]}{where}: its variance is 0; expected units that vary "
            "(leave it out, it carries nothing, or take per='layer')"
        )
    raise ValueError(
        f"z is constant: every unit{where} has variance 0; expected at least one unit that "
        "varies (or pass an absolute noise_variance)"
    )


def settle_variances(
    values: Array,
    samples: Samples,
    scalar: bool,
    name: str,
    coords: Mapping[str, Any],
    trailing: tuple[str, ...] = (),
) -> Array | xr.DataArray:
    """Return (batch, K) variances, or (batch, K, unit) with ``trailing``, in the caller's kind."""
    values = samples.unflat(values)
    if not samples.labelled:
        return values[0] if scalar and not samples.batch_shape else values
    import xarray as xr

    dims = samples.batch_dims or ()
    labels = {**samples.coords}
    if "fraction" in coords:
        labels[name] = coords["fraction"] if scalar else (name, coords["fraction"])
    swept = () if scalar else (name,)
    return xr.DataArray(
        values.squeeze(len(dims)) if scalar else values,
        dims=(*dims, *swept, *trailing),
        coords=labels,
        name="noise_variance",
        attrs={
            "units": "activation^2",
            "long_name": name.replace("_", " "),
            **provenance(name, coords),
        },
    )
