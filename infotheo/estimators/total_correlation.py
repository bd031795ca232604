"""Total correlation: how much the units of a representation say about each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from infotheo.arrays.labels import Units, check_choice, nats_per
from infotheo.arrays.numbers import check_switch
from infotheo.arrays.results import FieldNote, wrap
from infotheo.arrays.samples import Array, Samples, read_samples, to_numpy
from infotheo.estimators.covariance import (
    centre_columns,
    expected_log_determinant,
    independent_columns,
    warn_if_dependent,
)
from infotheo.estimators.neighbors.information import (
    check_neighbors,
    product_terms,
    scale_together,
    standardize_space,
    warn_if_doubtful,
)
from infotheo.estimators.neighbors.search import find_nearest
from infotheo.estimators.neighbors.trust import describe_doubt, is_mostly_repeated, joint_trial

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["TotalCorrelation", "total_correlation"]


class TotalCorrelation(NamedTuple):
    """Result of :func:`total_correlation`."""

    value: Array
    ceiling: Array | None
    standard_error: Array | None


def total_correlation(
    z: Any,
    *,
    method: Literal["gaussian", "neighbors"] = "gaussian",
    correction: Literal["wishart"] | None = "wishart",
    k: int = 3,
    algorithm: Literal["ksg1", "ksg2"] = "ksg1",
    standardize: Literal["units"] | None = None,
    check_trust: bool = True,
    units: Units = "nats",
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> TotalCorrelation | xr.Dataset:
    r"""Estimate the total correlation of the units, :math:`\sum_i H(z_i) - H(z)`.

    Parameters
    ----------
    z
        Samples (..., sample, unit); leading dimensions are batch dimensions.
    method
        "gaussian": from the covariance, as if z were Gaussian, with gradients; "neighbors":
        Kraskov's estimators, in few dimensions, without.
    correction
        For "gaussian": "wishart" subtracts the exact bias for Gaussian samples, about
        :math:`d (d - 1) / 4N`; the value can then be below 0 by chance.
    k, algorithm, check_trust
        For "neighbors", as in :func:`~infotheo.neighbor_information`.
    standardize
        For "neighbors": "units" divides every unit by its standard deviation beforehand.
    units
        "nats" or "bits".
    sample_dim, unit_dim
        Names of the two dimensions of a DataArray.

    Returns
    -------
    TotalCorrelation or xarray.Dataset
        ``value``. "gaussian": ``standard_error`` for Gaussian samples (too small for heavier tails)
        and no ceiling. "neighbors": ``ceiling``, the most that the estimator can return,
        :math:`(d - 1)(\psi(N) - \psi(k))` without repeated points, and no standard error: see
        :func:`~infotheo.subsample_error`. What is missing is ``None``, or left out of
        a Dataset.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; or, for "gaussian", if the samples are no more than the
        units, where any data depend exactly.

    Warns
    -----
    DependenceWarning
        If a unit is a linear function of others to rounding: the Gaussian value is infinite.
    NeighborTrustWarning
        As in :func:`~infotheo.neighbor_information`; the trial is made with
        Gaussian samples of the correlations of z, or, where these hold less than 0.5 nats, of 1 nat
        between the two units of most variance.

    Notes
    -----
    Gaussian: :math:`-\frac12 \ln \det R`, R the correlation matrix, with variance
    :math:`\sum_{i<j} R_{ij}^2 / \nu + d (d - 1) / 4 \nu^2`, :math:`\nu = N - 1`. Neighbours: eq. 23
    and 24 of Kraskov, Stoegbauer & Grassberger 2004. Constant units add nothing. For a linear layer
    with multiplicative noise, :func:`~infotheo.dual_information` (paper 3, prop. 6)
    gives I(z;x) + TC(z) in closed form: the sum needs no samples
    of z, this function none of the weights.

    Examples
    --------
    >>> z = np.array([[1.0, 1.0], [2.0, 3.0], [3.0, 2.0], [4.0, 4.0]])  # correlation 0.8
    >>> round(total_correlation(z, correction=None).value, 4)  # -ln(1 - 0.8^2) / 2
    np.float64(0.5108)
    """
    check_choice(method, ("gaussian", "neighbors"), "method")
    check_choice(correction, (None, "wishart"), "correction")
    check_choice(algorithm, ("ksg1", "ksg2"), "algorithm")
    check_choice(standardize, (None, "units"), "standardize")
    check_trust = check_switch(check_trust, "check_trust")
    scale = nats_per(units)
    samples = read_samples(z, sample_dim=sample_dim, unit_dim=unit_dim)
    result: TotalCorrelation
    settings: dict[str, Any] = {"method": method}
    if method == "gaussian":
        gaussian_estimates = [_estimate_gaussian(a, samples, correction) for a in samples.flat()]
        values, errors, infinite = zip(*gaussian_estimates, strict=True)
        warn_if_dependent(infinite, "a unit of z is a linear function of others")
        stack = samples.namespace.stack
        value, error = (samples.unflat(stack(v)) / scale for v in (values, errors))
        result = TotalCorrelation(value, None, error)
        settings["correction"] = correction
    else:
        k = check_neighbors(k, samples.size)
        arrays = [
            scale_together(standardize_space(a, standardize))[0] for a in to_numpy(samples.flat())
        ]
        neighbor_estimates = [
            _estimate_neighbors(a, k, algorithm == "ksg2", check_trust) for a in arrays
        ]
        numbers, ceilings, reasons = zip(*neighbor_estimates, strict=True)
        warn_if_doubtful(reasons)
        value, ceiling = (
            samples.unflat(samples.like(np.array(v))) / scale for v in (numbers, ceilings)
        )
        result = TotalCorrelation(value, ceiling, None)
        settings |= {"k": k, "algorithm": algorithm, "standardize": standardize}
    return wrap(
        result,
        samples,
        estimator="total_correlation",
        settings=settings,
        notes={
            "value": FieldNote(units, f"total correlation, {method}"),
            "ceiling": FieldNote(units, "most that the estimator can return"),
            "standard_error": FieldNote(units, "standard error for Gaussian samples"),
        },
    )


def _estimate_gaussian(
    z: Array, samples: Samples, correction: str | None
) -> tuple[Array, Array, bool]:
    """Value, standard error and whether the dependence is exact, of (sample, unit)."""
    xp, freedom = samples.namespace, samples.size - 1
    columns = centre_columns(z, xp)
    varying = np.flatnonzero(np.any(to_numpy(columns) != 0, axis=0))
    width = len(varying)
    if width > freedom:
        raise ValueError(
            f"z has {width} units that vary and {samples.size} samples; expected more than {width} "
            "samples"
        )
    if width < 2:
        zero = 0 * xp.sum(z)
        return zero, zero, False
    columns = xp.take(columns, samples.like(varying, "int64"), axis=1)
    correlation = xp.matmul(xp.matrix_transpose(columns), columns)
    pairs = width * (width - 1) / 2
    excess = (xp.sum(correlation * correlation) - width) / 2 - pairs / freedom
    excess = xp.where(excess > 0, excess, xp.zeros_like(excess))
    error = xp.sqrt(excess / freedom + pairs / (2 * freedom**2))
    if len(independent_columns(to_numpy(columns))) < width:
        return samples.like(np.inf), error, True
    factor = xp.linalg.qr(columns)[1]
    value = -xp.sum(xp.log(xp.abs(xp.linalg.diagonal(factor))))
    if correction is not None:
        alone = width * expected_log_determinant(freedom, 1)
        value = value - (alone - expected_log_determinant(freedom, width)) / 2
    return value, error, False


def _estimate_neighbors(
    z: np.ndarray, k: int, rectangle: bool, check_trust: bool
) -> tuple[float, float, str | None]:
    """Value, ceiling and the first reason for doubt, if asked for."""
    from scipy.special import digamma

    size = len(z)
    spaces = [column[:, None] for column in z.T]
    neighborhoods = find_nearest(spaces, k, rectangle=rectangle)
    terms = product_terms(neighborhoods, k, size, rectangle)
    digamma_order = np.mean(digamma(neighborhoods.order))
    ceiling = float((len(spaces) - 1) * (digamma(size) - digamma_order))
    if rectangle:
        constant = neighborhoods.sides == 0
        spread = np.maximum((~constant).sum(axis=0) - 1, 0)
        ceiling -= float(np.mean(spread / neighborhoods.order))

    def trial(spaces: Sequence[np.ndarray], queries: np.ndarray) -> np.ndarray:
        trial_neighborhoods = find_nearest(spaces, k, queries=queries, rectangle=rectangle)
        return product_terms(trial_neighborhoods, k, size, rectangle)

    reason = None
    if check_trust and len(spaces) > 1:
        names = [f"unit {unit}" for unit in range(len(spaces))]
        reason = describe_doubt(spaces, names, neighborhoods, terms, k, ceiling)
        if not is_mostly_repeated(neighborhoods):
            reason = reason or joint_trial(z, trial)
    return float(terms.mean()), ceiling, reason
