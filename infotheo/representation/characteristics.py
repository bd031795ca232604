"""Statistical characteristics of a representation (paper 1 table 1, paper 2 table 5).

Averages "over positive activations" are pairwise complete: a pair of units is compared over the
samples in which both are positive. All pairs at once are masked Gram products, with M = [Z > 0].
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np
from array_api_compat import device

from infotheo.arrays.labels import Classes, read_classes
from infotheo.arrays.numbers import check_switch
from infotheo.arrays.results import FieldNote, wrap
from infotheo.arrays.samples import Array, Samples, read_samples
from infotheo.arrays.scaling import divide
from infotheo.estimators.pair_sums.distances import centred
from infotheo.representation.moments import masked_second_moments

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Characteristics", "characteristics"]

TILE = 2**22  # elements of a temporary array: 32 MiB of float64


class Characteristics(NamedTuple):
    """Result of :func:`characteristics`; class-wise fields are ``None`` without labels."""

    activation_amplitude: Array
    covariance: Array
    correlation: Array
    class_wise_correlation: Array | None
    variance: Array
    normalized_class_wise_variance: Array | None
    sparsity: Array
    dead_unit: Array
    stable_rank: Array
    rank: Array
    rank_tolerance: Array
    left_out_pairs: Array
    left_out_correlation_pairs: Array
    left_out_class_wise_pairs: Array | None
    left_out_units: Array


NOTES = {
    "activation_amplitude": FieldNote("activation", "mean activation amplitude"),
    "covariance": FieldNote("activation^2", "mean absolute covariance of two units"),
    "correlation": FieldNote("1", "mean absolute correlation of two units"),
    "class_wise_correlation": FieldNote("1", "mean absolute correlation within a class"),
    "variance": FieldNote("activation^2", "mean variance of a unit"),
    "normalized_class_wise_variance": FieldNote("1", "class-wise variance, ranges scaled to 10"),
    "sparsity": FieldNote("1", "fraction of exact zeros"),
    "dead_unit": FieldNote("1", "fraction of units that are always zero"),
    "stable_rank": FieldNote("1", "stable rank of the covariance"),
    "rank": FieldNote("1", "numerical rank of the covariance"),
    "rank_tolerance": FieldNote("activation^2", "smallest eigenvalue that counts for the rank"),
    "left_out_pairs": FieldNote("1", "pairs of units with fewer than 2 common samples"),
    "left_out_correlation_pairs": FieldNote("1", "pairs of units without a correlation"),
    "left_out_class_wise_pairs": FieldNote("1", "pairs without a correlation, summed over classes"),
    "left_out_units": FieldNote("1", "units with fewer than 2 samples for a variance"),
}


@overload
def characteristics(
    z: xr.DataArray,
    labels: Any = None,
    *,
    positive_only: bool = True,
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> xr.Dataset: ...


@overload
def characteristics(
    z: Any,
    labels: Any = None,
    *,
    positive_only: bool = True,
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> Characteristics: ...


def characteristics(
    z: Any,
    labels: Any = None,
    *,
    positive_only: bool = True,
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> Characteristics | xr.Dataset:
    """Measure amplitude, covariance, correlation, variance, sparsity and rank of a representation.

    Parameters
    ----------
    z
        Activations (..., sample, unit); leading dimensions are batch dimensions.
    labels
        Integer class labels (sample,) or one-hot rows, at least two samples of each class.
        ``None``: the class-wise fields are ``None`` (absent from a Dataset).
    positive_only
        Take amplitude, covariance, correlations and variance over positive activations, as the
        papers do; for a pair of units, over the samples in which both are positive. ``False``:
        over all samples. The other fields always use all samples.
    sample_dim, unit_dim
        Names of the two dimensions of a DataArray.

    Returns
    -------
    Characteristics or xarray.Dataset
        - ``activation_amplitude``: mean of ``|z|``.
        - ``covariance``, ``correlation``: mean of ``|c_ij|`` and ``|rho_ij|`` over pairs of units.
        - ``class_wise_correlation``: the same within each class, averaged over the classes in
          which any pair has a correlation.
        - ``variance``: mean over units of their variance.
        - ``normalized_class_wise_variance``: each unit's range mapped to [0, 10], then its variance
          within a class, averaged over classes and units (0 for a constant unit).
        - ``sparsity``, ``dead_unit``: fraction of exact zeros; of units zero for every sample.
        - ``stable_rank``: squared Frobenius over squared spectral norm of the covariance of all
          activations, 0 if that is zero; ``rank``: its eigenvalues above ``rank_tolerance`` =
          max(samples, units) times the float64 epsilon times the largest one.
        - ``left_out_...``: pairs (i < j) and units that an average had to leave out: fewer than two
          samples or, for a correlation, a variance of zero.

        (Co)variances are population values (divided by the count). An average from which everything
        was left out is NaN. All computations are float64.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or a class has one sample.

    Notes
    -----
    Source: paper 1, table 1 and section 2; paper 2, table 5.

    Examples
    --------
    >>> result = characteristics([[0.0, 1.0, 1.0], [0.0, 2.0, 3.0], [0.0, 0.0, 2.0]])
    >>> float(result.correlation), int(result.left_out_pairs), round(float(result.sparsity), 3)
    (1.0, 2, 0.444)
    """
    positive_only = check_switch(positive_only, "positive_only")
    samples = read_samples(z, sample_dim=sample_dim, unit_dim=unit_dim)
    classes = None if labels is None else read_classes(labels, samples)
    if classes is not None:
        _refuse_single(classes)
    x, xp = samples.flat(None), samples.namespace
    parts = [
        _measure(xp.astype(x[part], xp.float64, copy=False), classes, positive_only, samples)
        for part in _chunks(x)
    ]
    fields = {}
    for name, field_values in parts[0].items():
        joined = None if field_values is None else xp.concat([part[name] for part in parts], axis=0)
        fields[name] = None if joined is None else samples.unflat(joined)
    return wrap(
        Characteristics(**fields),
        samples,
        estimator="characteristics",
        settings={"positive_only": positive_only, "class_wise": labels is not None},
        notes=NOTES,
    )


def _chunks(x: Array) -> Iterator[slice]:
    """Slices of the batch whose Gram matrices and activations fill one temporary array."""
    step = max(1, TILE // (x.shape[2] * max(x.shape[1], x.shape[2])))
    for start in range(0, x.shape[0], step):
        yield slice(start, start + step)


def _refuse_single(classes: Classes) -> None:
    counts = np.bincount(classes.codes)
    if counts.min() < 2:
        label = classes.labels[counts.argmin()]
        raise ValueError(
            f"labels has 1 sample of class {label}; expected at least 2 of each for class-wise "
            "characteristics"
        )


def _measure(
    x: Array, classes: Classes | None, positive_only: bool, samples: Samples
) -> dict[str, Array | None]:
    """Every characteristic of a slice of the batch (batch, sample, unit), each (batch,)."""
    xp = samples.namespace
    scaled, factors = divide(x, 1, xp)  # unit by unit: correlations do not change
    pairs = masked_second_moments(scaled, positive_only, xp)
    if np.any(factors != 1):
        unit = samples.like(factors)  # (batch, 1, unit)
        with np.errstate(over="ignore", under="ignore"):  # refused below
            pairs = pairs._replace(
                covariance=pairs.covariance * unit * xp.matrix_transpose(unit),
                variance=pairs.variance * unit[:, 0] * unit[:, 0],
            )
    zeros = xp.astype(x == 0, xp.float64)
    measured: dict[str, Array | None] = {
        "activation_amplitude": _amplitude(x, positive_only, xp),
        "covariance": _mean_over(xp.abs(pairs.covariance), pairs.counted, xp),
        "correlation": _mean_over(xp.abs(pairs.correlation), pairs.correlated, xp),
        "variance": _mean_over(pairs.variance, pairs.varied, xp),
        "sparsity": xp.mean(zeros, axis=(1, 2)),
        "dead_unit": xp.mean(xp.min(zeros, axis=1), axis=1),
        "left_out_pairs": _count_left_out(pairs.counted, xp),
        "left_out_correlation_pairs": _count_left_out(pairs.correlated, xp),
        "left_out_units": xp.sum(xp.astype(~pairs.varied, xp.int64), axis=1),
        "class_wise_correlation": None,
        "normalized_class_wise_variance": None,
        "left_out_class_wise_pairs": None,
        **_ranks(x, xp),
    }
    for name in ("covariance", "variance", "rank_tolerance"):
        if bool(xp.any(xp.isinf(measured[name]))):
            low, high = samples.extent
            raise ValueError(
                f"z has values as large as {max(abs(low), abs(high)):.3g}, whose {name} float64 "
                "does not hold; expected z in other units"
            )
    if classes is not None:
        measured.update(_class_wise(scaled, classes, positive_only, samples))
    return measured


def _amplitude(x: Array, positive_only: bool, xp: Any) -> Array:
    counted = (x > 0) if positive_only else xp.ones_like(x, dtype=xp.bool)
    scaled, factors = divide(xp.abs(x), (1, 2), xp)
    mean = _mean_over(scaled, counted, xp)
    return mean if np.all(factors == 1) else mean * xp.asarray(factors[:, 0, 0], device=device(x))


def _mean_over(values: Array, counted: Array, xp: Any) -> Array:
    """Mean over all but the first dimension where ``counted``; NaN where nothing is."""
    axes = tuple(range(1, len(values.shape)))
    number = xp.sum(xp.astype(counted, xp.float64), axis=axes)
    total = xp.sum(xp.where(counted, values, xp.zeros_like(values)), axis=axes)
    mean = total / xp.where(number > 0, number, xp.ones_like(number))
    return xp.where(number > 0, mean, xp.full_like(mean, float("nan")))


def _count_left_out(counted: Array, xp: Any) -> Array:
    """Pairs i < j that a symmetric (batch, unit, unit) mask with a false diagonal leaves out."""
    units = counted.shape[-1]
    return (units * (units - 1) - xp.sum(xp.astype(counted, xp.int64), axis=(1, 2))) // 2


def _ranks(x: Array, xp: Any) -> dict[str, Array]:
    """Stable and numerical rank of the covariance of all activations."""
    x, factors = divide(x, (1, 2), xp)
    x = centred(x, xp)
    covariance = xp.matmul(xp.matrix_transpose(x), x) / x.shape[1]
    eigenvalues = xp.linalg.eigvalsh(covariance)  # (batch, unit), ascending
    largest = eigenvalues[:, -1]
    tolerance = max(x.shape[1:]) * float(np.finfo(np.float64).eps) * largest
    frobenius = xp.sum(eigenvalues * eigenvalues, axis=1)
    varies = largest > 0
    spectral = xp.where(varies, largest * largest, xp.ones_like(largest))
    counted = eigenvalues > tolerance[:, None]
    if np.any(factors != 1):
        factor = xp.asarray(factors[:, 0, 0], device=device(x))
        with np.errstate(over="ignore", under="ignore"):  # refused where the result is put together
            tolerance = tolerance * factor * factor
    return {
        "stable_rank": xp.where(varies, frobenius / spectral, xp.zeros_like(largest)),
        "rank": xp.sum(xp.astype(counted, xp.int64), axis=1),
        "rank_tolerance": tolerance,
    }


def _class_wise(
    x: Array, classes: Classes, positive_only: bool, samples: Samples
) -> dict[str, Array | None]:
    """Class-wise correlation and variance, averaged over classes."""
    xp = samples.namespace
    low = xp.min(x, axis=1, keepdims=True)
    extent = xp.max(x, axis=1, keepdims=True) - low
    scale = xp.where(extent > 0, 10 / xp.where(extent > 0, extent, extent + 1), extent)
    correlations, variances, left_out_pairs = [], [], []
    for members in classes.members():
        class_samples = xp.take(x, samples.like(members, "int64"), axis=1)
        pairs = masked_second_moments(class_samples, positive_only, xp)
        correlations.append(_mean_over(xp.abs(pairs.correlation), pairs.correlated, xp))
        left_out_pairs.append(_count_left_out(pairs.correlated, xp))
        mapped = centred((class_samples - low) * scale, xp)
        variances.append(xp.mean(mapped * mapped, axis=(1, 2)))
    class_correlations = xp.stack(correlations, axis=1)  # (batch, class), NaN where no pair has one
    return {
        "class_wise_correlation": _mean_over(class_correlations, ~xp.isnan(class_correlations), xp),
        "normalized_class_wise_variance": xp.mean(xp.stack(variances, axis=1), axis=1),
        "left_out_class_wise_pairs": xp.sum(xp.stack(left_out_pairs, axis=1), axis=1),
    }
