"""A bound of the information in weights by the flatness of the loss (paper 3, proposition 5)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from infotheo.arrays.conversion import read_array, read_real
from infotheo.arrays.labels import Units, nats_per
from infotheo.arrays.numbers import check_number
from infotheo.arrays.results import FieldNote, wrap
from infotheo.arrays.samples import Array, is_labelled, read_samples, to_numpy
from infotheo.arrays.scaling import divide
from infotheo.weights.logarithm import log_or_minus_infinity
from infotheo.weights.parameters import Parameters, read_parameters

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["FlatMinimum", "flat_minimum_bound"]

ASYMMETRY = 1e-4  # of the largest entry: float32 second derivatives stay below


class FlatMinimum(NamedTuple):
    """Result of :func:`flat_minimum_bound`."""

    bound: Array
    information: Array | None
    alpha: Array | dict[str, Array] | None


def flat_minimum_bound(
    weights: Any,
    *,
    beta: float,
    diagonal: Any = None,
    hessian: Any = None,
    nuclear_norm: Any = None,
    batch_dims: int | Sequence[str] = 0,
    units: Units = "nats",
) -> FlatMinimum | xr.Dataset:
    r"""Bound the information I(w;D) in the weights at a minimum by the flatness of the loss.

    Parameters
    ----------
    weights
        The weights at the minimum: an array of any shape, a DataArray, or a mapping of names to
        arrays such as ``dict(module.named_parameters())``.
    beta
        Weight of the information in the loss, > 0 (paper 3, eq. 3).
    diagonal, hessian, nuclear_norm
        The loss's Hessian at the minimum, exactly one of: its diagonal, of the form of ``weights``
        (exact, or :func:`~infotheo.hessian_diagonal`); the whole matrix
        (*batch, K, K); its nuclear norm (*batch), which is the trace where no eigenvalue is
        negative (:func:`~infotheo.hessian_trace`).
    batch_dims
        How many leading dimensions of ``weights`` (or, of a DataArray, their names) are replicas.
    units
        "nats" or "bits".

    Returns
    -------
    FlatMinimum or xarray.Dataset
        ``bound`` (*batch). With the diagonal or the whole Hessian also ``alpha``, the noise of each
        weight that is best for the loss (of the form of ``weights``), and ``information``, the
        I(w;D) that it leaves, never above ``bound``; ``None`` otherwise. A weight that is 0 or has
        no curvature bears any noise: its ``alpha`` is infinite, ``information`` minus infinity.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or the diagonal has a negative entry: not a minimum.

    Notes
    -----
    :math:`\alpha_i = \beta / (2 w_i^2 H_{ii})` minimises
    :math:`\sum_i \alpha_i w_i^2 H_{ii} - \tfrac\beta2 \sum_i \ln\alpha_i`, and Jensen's inequality
    gives :math:`I(w;D) \le \tfrac12 K [\ln\|w\|^2 + \ln\|H\|_* - \ln(K^2\beta/2)]`, K = dim w.
    (The first display of the proposition has one K too many.) With ``diagonal`` the trace takes the
    place of the nuclear norm, which is what Jensen's inequality needs. Paper 3 writes the second
    order of the loss without Taylor's factor 1/2: pass half the curvature to have it; ``alpha``
    doubles and every information falls by K ln(2)/2, so the bound as printed still holds. The
    constant of I(w;D) is 0 as in :func:`~infotheo.weight_information`. Source:
    paper 3, proposition 5 and its proof.

    Examples
    --------
    >>> minimum = flat_minimum_bound([1.0, -2.0], beta=0.02, diagonal=[4.0, 1.0])
    >>> round(minimum.bound, 4), round(minimum.information, 4), minimum.alpha
    (np.float64(6.4378), np.float64(5.9915), array([0.0025, 0.0025]))
    """
    _check_one_curvature(diagonal=diagonal, hessian=hessian, nuclear_norm=nuclear_norm)
    beta = check_number(beta, "beta", positive=True)
    scale = nats_per(units)
    parameters = read_parameters(weights, name="weights", batch_dims=batch_dims)
    xp, count = parameters.samples.namespace, parameters.count

    curvature = None
    if hessian is not None:
        curvature, norm = _read_hessian(hessian, parameters)
    elif diagonal is not None:
        curvature = _read_diagonal(diagonal, parameters, batch_dims)
        norm = xp.sum(curvature, axis=-1)
    else:
        norm = _read_nuclear_norm(nuclear_norm, parameters)
    values, factors = divide(parameters.values, -1, xp)
    extreme = bool(np.any(factors != 1))
    squares = values**2
    bound = log_or_minus_infinity(xp.sum(squares, axis=-1), xp) + log_or_minus_infinity(norm, xp)
    factor = parameters.samples.like(factors)
    if extreme:
        bound = bound + 2 * xp.log(factor[..., 0])
    bound = count / 2 * (bound - math.log(count**2 * beta / 2))
    information = alpha = None
    if curvature is not None:
        terms = log_or_minus_infinity(squares, xp) + log_or_minus_infinity(curvature, xp)
        if extreme:
            terms = terms + 2 * xp.log(factor)
        information = xp.sum(terms - math.log(beta / 2), axis=-1) / (2 * scale)
        sharpness = 2 * squares * curvature
        free = sharpness == 0
        alpha = beta / xp.where(free, xp.ones_like(sharpness), sharpness)
        if extreme:
            with np.errstate(over="ignore", under="ignore"):  # infinite, as of a free weight
                alpha = alpha / factor / factor
        alpha = parameters.restore(xp.where(free, xp.full_like(alpha, math.inf), alpha))
    return wrap(
        FlatMinimum(bound / scale, information, alpha),
        parameters.samples,
        estimator="flat_minimum_bound",
        settings={"beta": beta, "weights": count},
        notes={
            "bound": FieldNote(units, "upper bound of I(w;D) at the minimum, constant 0"),
            "information": FieldNote(units, "I(w;D) with the best noise, constant 0"),
            "alpha": FieldNote("1", "noise variance of ln(w) that is best for the loss"),
        },
        extra_dims=parameters.weight_dims,
        extra_coords=parameters.weight_coords,
    )


def _check_one_curvature(**curvatures: Any) -> None:
    names = [name for name, value in curvatures.items() if value is not None]
    if len(names) != 1:
        raise TypeError(
            f"{' and '.join(names) or 'no curvature'} given; expected exactly one of "
            f"{', '.join(curvatures)}"
        )


def _read_diagonal(diagonal: Any, parameters: Parameters, batch_dims: int | Sequence[str]) -> Array:
    entries = read_parameters(diagonal, name="diagonal", batch_dims=batch_dims)
    shape, expected = _weight_shape(entries), _weight_shape(parameters)
    if shape != expected:
        raise ValueError(f"diagonal has {shape}; expected {expected}, one entry for each weight")
    smallest = float(to_numpy(entries.values).min())
    if smallest < 0:
        raise ValueError(
            f"diagonal contains {smallest}; expected values >= 0, as at a minimum (for an estimate "
            "with errors give nuclear_norm, for the bound alone)"
        )
    return parameters.samples.like(entries.values)


def _weight_shape(parameters: Parameters) -> tuple[int, ...] | dict[str, Any]:
    """Shape of the weights; their lengths by dimension, or their shapes by name."""
    restored = parameters.restore(parameters.values)
    if isinstance(restored, dict):
        return {key: tuple(part.shape) for key, part in restored.items()}
    shape = tuple(restored.shape)
    if not parameters.weight_dims:
        return shape
    lengths = shape[-len(parameters.weight_dims) :]
    return dict(zip(parameters.weight_dims, lengths, strict=True))


def _read_hessian(hessian: Any, parameters: Parameters) -> tuple[Array, Array]:
    """Return the diagonal (*batch, K) and the nuclear norm (*batch) of symmetric matrices."""
    plain = hessian.values if is_labelled(hessian) else hessian
    matrix = read_samples(plain, name="hessian", minimum=1)
    expected = (*parameters.samples.batch_shape, parameters.count, parameters.count)
    shape = tuple(matrix.values.shape)
    if shape != expected:
        raise ValueError(f"hessian has shape {shape}; expected {expected}, K = {parameters.count}")
    values = parameters.samples.like(matrix.values)
    xp = parameters.samples.namespace
    difference = float(to_numpy(xp.max(xp.abs(values - xp.matrix_transpose(values)))))
    if difference > ASYMMETRY * float(to_numpy(xp.max(xp.abs(values)))):
        raise ValueError(
            f"hessian is not symmetric (entries differ by {difference:.3g}); expected a Hessian"
        )
    curvature = xp.linalg.diagonal(values)
    smallest = float(to_numpy(curvature).min())
    if smallest < 0:
        raise ValueError(
            f"hessian has {smallest} on its diagonal; expected values >= 0, as at a minimum"
        )
    eigenvalues = xp.linalg.eigvalsh((values + xp.matrix_transpose(values)) / 2)
    return curvature, xp.sum(xp.abs(eigenvalues), axis=-1)


def _read_nuclear_norm(nuclear_norm: Any, parameters: Parameters) -> Array:
    nuclear_norm = read_array(nuclear_norm, "nuclear_norm", "real numbers")
    norm = read_real(nuclear_norm, "nuclear_norm", kinds="fiu")
    if norm.shape not in ((), parameters.samples.batch_shape):
        raise ValueError(
            f"nuclear_norm has shape {norm.shape}; expected a number or "
            f"{parameters.samples.batch_shape}, the batch dimensions of weights"
        )
    bad = norm[~((norm > 0) & np.isfinite(norm))]
    if bad.size:
        raise ValueError(f"nuclear_norm contains {bad.flat[0]}; expected finite values > 0")
    return parameters.samples.like(nuclear_norm)
