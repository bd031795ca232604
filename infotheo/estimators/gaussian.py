"""Mutual information of jointly Gaussian samples, in closed form from their covariances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from infotheo.arrays.labels import Units, check_choice, nats_per
from infotheo.arrays.pairs import read_paired
from infotheo.arrays.results import FieldNote, wrap
from infotheo.arrays.samples import Array, Samples, to_numpy
from infotheo.estimators.covariance import (
    DependenceWarning,
    centre_columns,
    expected_log_determinant,
    independent_columns,
    warn_if_dependent,
)

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["DependenceWarning", "GaussianInformation", "gaussian_information"]


class GaussianInformation(NamedTuple):
    """Result of :func:`gaussian_information`."""

    value: Array
    standard_error: Array


def gaussian_information(
    x: Any,
    y: Any,
    *,
    correction: Literal["wishart"] | None = "wishart",
    units: Units = "nats",
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> GaussianInformation | xr.Dataset:
    r"""Estimate I(X;Y) as if X and Y were jointly Gaussian: what their covariances show.

    Parameters
    ----------
    x
        Samples (..., sample, unit); leading dimensions are batch dimensions.
    y
        Samples (..., sample, unit) with the leading dimensions of ``x``, or with none.
    correction
        "wishart" subtracts the exact bias for Gaussian samples, about
        :math:`d_x d_y / 2N`; the value can then be below 0 by chance. ``None``: the plug-in value.
    units
        "nats" or "bits".
    sample_dim, unit_dim
        Names of the two dimensions of a DataArray.

    Returns
    -------
    GaussianInformation or xarray.Dataset
        ``value``; ``standard_error`` as it is for Gaussian samples, too small for heavier tails. No
        ceiling: the information of continuous variables has none.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; or if the samples are no more than the independent units
        of both together, where any data depend exactly.

    Warns
    -----
    DependenceWarning
        If a linear function of x equals one of y to rounding: the value is infinite.

    Notes
    -----
    With canonical correlations :math:`\rho_i`, :math:`I = -\frac12 \sum_i \ln(1 - \rho_i^2)`,
    computed from QR factors of the centred samples and of the part of one that is not explained by
    the other. Constant units and those that are linear functions of others are left out: they
    change nothing. The bias is the mean of log determinants of Wishart matrices (sums of digammas).
    The variance is :math:`\sum_i \rho_i^2 / \nu + d_x d_y / 2\nu^2`, :math:`\nu = N - 1`, by
    the delta method and, where nothing depends, from the chi-squared limit; the sum of
    :math:`\rho_i^2` has its mean under independence subtracted. Gradients flow to torch input, on
    its device.

    If x and y are each Gaussian but not jointly, this is a lower bound; otherwise it is neither.

    Examples
    --------
    >>> x = np.array([[1.0], [2.0], [3.0], [4.0]])
    >>> y = np.array([[1.0], [3.0], [2.0], [4.0]])  # correlation 0.8
    >>> round(gaussian_information(x, y, correction=None).value, 4)  # -ln(1 - 0.8^2) / 2
    np.float64(0.5108)
    """
    check_choice(correction, (None, "wishart"), "correction")
    scale = nats_per(units)
    samples, other = read_paired(x, y, sample_dim=sample_dim, unit_dim=unit_dim)
    a, b = samples.flat(), other.flat()
    estimates = [_estimate_pair(a[i], b[i], samples, correction) for i in range(a.shape[0])]
    values, errors, infinite = zip(*estimates, strict=True)
    warn_if_dependent(infinite, "a linear function of x equals one of y")
    xp = samples.namespace
    return wrap(
        GaussianInformation(*(samples.unflat(xp.stack(v)) / scale for v in (values, errors))),
        samples,
        estimator="gaussian_information",
        settings={"correction": correction},
        notes={
            "value": FieldNote(units, "Gaussian estimate of I(X;Y)"),
            "standard_error": FieldNote(units, "standard error for Gaussian samples"),
        },
    )


def _estimate_pair(
    x: Array, y: Array, samples: Samples, correction: str | None
) -> tuple[Array, Array, bool]:
    """Value, standard error and whether the dependence is exact, of (sample, unit) arrays."""
    xp, freedom = samples.namespace, samples.size - 1
    p, q = (_basis(z, samples) for z in (x, y))
    width_x, width_y = (0 if basis is None else int(basis.shape[1]) for basis in (p, q))
    if p is None or q is None:  # constant
        zero = 0 * (xp.sum(x) + xp.sum(y))
        return zero, zero, False
    if width_x + width_y > freedom:
        raise ValueError(
            f"x and y have {width_x} + {width_y} independent units and {samples.size} samples; "
            f"expected more than {width_x + width_y} samples"
        )
    if width_x < width_y:
        p, q = q, p
    shared = xp.matmul(xp.matrix_transpose(p), q)
    rest = q - xp.matmul(p, shared)  # what p does not explain of q: singular values sqrt(1 - rho^2)
    smallest = float(np.linalg.svd(to_numpy(rest), compute_uv=False)[-1])
    infinite = smallest < 10 * samples.size * 2.0**-52
    excess = xp.sum(shared * shared) - width_x * width_y / freedom
    excess = xp.where(excess > 0, excess, xp.zeros_like(excess))
    error = xp.sqrt(excess / freedom + width_x * width_y / (2 * freedom**2))
    if infinite:
        return samples.like(np.inf), error, True
    factor = xp.linalg.qr(rest)[1]
    value = -xp.sum(xp.log(xp.abs(xp.linalg.diagonal(factor))))
    if correction is not None:
        joint = expected_log_determinant(freedom, width_x + width_y)
        marginals = (expected_log_determinant(freedom, width) for width in (width_x, width_y))
        value = value - (sum(marginals) - joint) / 2
    return value, error, False


def _basis(z: Array, samples: Samples) -> Array | None:
    """Orthonormal basis (sample, rank) of the centred samples; None where all is constant."""
    columns = centre_columns(z, samples.namespace)
    independent = independent_columns(to_numpy(columns))
    if not len(independent):
        return None
    independent = samples.like(independent, "int64")
    return samples.namespace.linalg.qr(samples.namespace.take(columns, independent, axis=1))[0]
