"""Certainty of an estimate of dependence: a test against independence, and a standard error.

Both work with any estimator here. Neither draws samples with replacement: repeated rows have
distance 0 and fall into one cell, so a bootstrap misleads neighbour, pairwise and binned estimates.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from infotheo.arrays.conversion import read_array
from infotheo.arrays.numbers import check_count, check_seed
from infotheo.arrays.random_streams import numpy_generator
from infotheo.arrays.results import FieldNote, wrap
from infotheo.arrays.samples import Array, Samples, is_labelled, read_samples, to_numpy
from infotheo.arrays.wording import describe

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["PermutationTest", "SubsampleError", "permutation_test", "subsample_error"]


class PermutationTest(NamedTuple):
    """Result of :func:`permutation_test`."""

    value: Array
    p_value: Array
    null: Array

    def __repr__(self) -> str:
        count = int(np.shape(self.null)[-1])
        return (
            f"{type(self).__name__}(value={self.value!r}, p_value={self.p_value!r}, "
            f"null=<{count} permutations>)"
        )


class SubsampleError(NamedTuple):
    """Result of :func:`subsample_error`."""

    value: Array
    standard_error: Array


def permutation_test(
    estimator: Callable[..., tuple[Any, ...] | xr.Dataset],
    x: Any,
    y: Any,
    *,
    seed: int,
    permutations: int = 199,
    field: str = "value",
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> PermutationTest | xr.Dataset:
    """Test independence of x and y by how often shuffling y gives as large an estimate.

    Parameters
    ----------
    estimator
        Called as ``estimator(x, y)``; returns a named tuple or an ``xarray.Dataset``. Give options
        with ``functools.partial`` or a lambda.
    x
        Samples (..., sample, unit).
    y
        Labels (sample,), or samples (..., sample, unit).
    seed
        Of the permutations: the same seed, the same result.
    permutations
        How many; the smallest p-value is 1 / (permutations + 1).
    field
        Which field of the result to compare.
    sample_dim, unit_dim
        Names of the two dimensions of a DataArray.

    Returns
    -------
    PermutationTest or xarray.Dataset
        ``value`` for the data; ``p_value``, (b + 1) / (permutations + 1) with b the permutations
        whose estimate is not below it, never 0; ``null``, the estimates under independence, a new
        last dimension ``permutation``. The spread of ``null`` is no error bar of ``value``: see
        :func:`subsample_error`.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or the estimator refuses its input.

    Notes
    -----
    Exact for independent samples, whatever the estimator: under independence all orders are equally
    likely (Phipson & Smyth 2010 for the ones added). Not valid for time series or repeated
    measurements. The estimator's warnings are passed on for the data, not for the permutations.

    Examples
    --------
    >>> from infotheo import gaussian_information
    >>> x = np.arange(20.0)[:, None]
    >>> round(float(permutation_test(gaussian_information, x, -x**3, seed=0).p_value), 3)
    0.005
    """
    _check_estimator(estimator)
    check_count(permutations, "permutations")
    samples = read_samples(x, name="x", sample_dim=sample_dim, unit_dim=unit_dim)
    estimate = _read_field(_call(estimator, x, y), field)
    stream = numpy_generator(check_seed(seed), "permutations")
    null = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(permutations):
            shuffled = _take_rows(
                y, stream.permutation(samples.size), "y", samples, keep_coords=True
            )
            null.append(_read_field(estimator(x, shuffled), field))
    stacked = np.stack(null, axis=-1)
    # equal but for the order of summation counts as equal, which can only raise p
    slack = 1e-9 * (1 + np.abs(estimate))
    b = np.sum(stacked >= (estimate - slack)[..., None], axis=-1)
    result = PermutationTest(estimate, (b + 1) / (permutations + 1), stacked)
    return wrap(
        PermutationTest(*(_to_caller(v, samples) for v in result)),
        samples,
        estimator="permutation_test",
        settings={
            "of": _estimator_name(estimator),
            "field": field,
            "permutations": permutations,
            "seed": seed,
        },
        notes={
            "value": FieldNote("as the estimator's", f"{field} for the data"),
            "p_value": FieldNote("1", "probability of at least this value under independence"),
            "null": FieldNote("as the estimator's", f"{field} under independence (shuffled)"),
        },
        extra_dims=("permutation",),
    )


def subsample_error(
    estimator: Callable[..., tuple[Any, ...] | xr.Dataset],
    *arrays: Any,
    seed: int,
    pieces: int = 10,
    repeats: int = 5,
    field: str = "value",
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> SubsampleError | xr.Dataset:
    r"""Estimate the standard error of an estimate from its spread over disjoint parts of the data.

    Parameters
    ----------
    estimator
        Called as ``estimator(*arrays)``; returns a named tuple or an ``xarray.Dataset``.
    *arrays
        Samples (..., sample, unit), or labels (sample,); the first one is of samples.
    seed
        Of the partitions: the same seed, the same result.
    pieces
        Parts of each partition; every one must be large enough for the estimator.
    repeats
        Random partitions to average over.
    field
        Which field of the result to look at.
    sample_dim, unit_dim
        Names of the two dimensions of a DataArray.

    Returns
    -------
    SubsampleError or xarray.Dataset
        ``value`` for all data and its ``standard_error``, itself uncertain by about a quarter for
        ten pieces.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or the estimator refuses a part.

    Notes
    -----
    The variance of an average over samples falls as 1/N, so the variance between parts of N/n
    samples, over n, is that of the whole; Holmes & Nemenman, Phys. Rev. E 100, 022404 (2019). Sound
    for neighbour, Gaussian and variational estimates of independent samples. It measures spread,
    not bias: an estimate that is wrong for its dimension is wrong with a small standard error. Not
    sound where the value itself is set by the sample size (pairwise bounds near ln N, binned
    information of distinct inputs), or is cut at its ceiling: there, use several seeds. The
    estimator's warnings are passed on for all data, not for the parts.

    Examples
    --------
    >>> from infotheo import gaussian_information
    >>> x, noise = np.random.default_rng(0).normal(size=(2, 2000, 1))
    >>> result = subsample_error(gaussian_information, x, x + noise, seed=0)
    >>> round(float(result.standard_error), 3)  # in truth sqrt(0.5 / 2000) = 0.016
    0.015
    """
    _check_estimator(estimator)
    check_count(pieces, "pieces", least=2)
    check_count(repeats, "repeats")
    if not arrays:
        raise TypeError("no arrays given; expected the estimator's samples")
    samples = read_samples(arrays[0], name="arrays[0]", sample_dim=sample_dim, unit_dim=unit_dim)
    if samples.size < 2 * pieces:
        raise ValueError(
            f"pieces is {pieces} for {samples.size} samples; expected at least 2 samples in each"
        )
    estimate = _read_field(_call(estimator, *arrays), field)
    stream = numpy_generator(check_seed(seed), "partitions")
    variances = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(repeats):
            parts = np.array_split(stream.permutation(samples.size), pieces)
            values = [
                _read_field(
                    estimator(
                        *(
                            _take_rows(array, part, f"arrays[{i}]", samples)
                            for i, array in enumerate(arrays)
                        )
                    ),
                    field,
                )
                for part in parts
            ]
            variances.append(np.var(np.stack(values), axis=0, ddof=1))
    error = np.sqrt(np.mean(variances, axis=0) / pieces)
    return wrap(
        SubsampleError(*(_to_caller(v, samples) for v in (estimate, error))),
        samples,
        estimator="subsample_error",
        settings={
            "of": _estimator_name(estimator),
            "field": field,
            "pieces": pieces,
            "repeats": repeats,
            "seed": seed,
        },
        notes={
            "value": FieldNote("as the estimator's", f"{field} for all data"),
            "standard_error": FieldNote("as the estimator's", f"standard error of {field}"),
        },
    )


def _check_estimator(estimator: Any) -> None:
    module = hasattr(estimator, "forward") and hasattr(estimator, "parameters")
    if not callable(estimator) or module:
        raise TypeError(f"estimator is {describe(estimator)}; expected a function of samples")


def _call(estimator: Callable[..., Any], *arrays: Any) -> Any:
    """Call the estimator; a call that is no call at all (too many arguments) names it."""
    try:
        return estimator(*arrays)
    except TypeError as error:
        if error.__traceback__ is None or error.__traceback__.tb_next is not None:
            raise  # from within the estimator
        raise TypeError(
            f"estimator is {describe(estimator)}; expected a function of {len(arrays)} arrays "
            f"({error})"
        ) from error


def _estimator_name(estimator: Callable[..., Any]) -> str:
    return getattr(getattr(estimator, "func", estimator), "__name__", type(estimator).__name__)


def _read_field(result: Any, field: str) -> np.ndarray:
    fields = list(result.data_vars) if is_labelled(result) else list(getattr(result, "_fields", ()))
    if not isinstance(field, str) or field not in fields:
        if not fields:
            raise TypeError(
                f"estimator returned {describe(result)}; expected a named tuple or a Dataset"
            )
        raise ValueError(f"field is {describe(field)}; expected one of the estimator's: {fields}")
    values = result[field] if is_labelled(result) else getattr(result, field)
    if values is None:
        raise ValueError(f"field is {field!r}, which this estimator leaves empty (None)")
    return np.asarray(to_numpy(values), dtype=np.float64)


def _take_rows(
    array: Any, index: np.ndarray, name: str, samples: Samples, *, keep_coords: bool = False
) -> Any:
    """Take samples of an array of any kind; a shuffled one keeps the coordinates' places."""
    dim = samples.sample_dim
    if is_labelled(array):
        if dim not in array.dims:
            raise ValueError(f"{name} has dimensions {tuple(array.dims)}; expected {describe(dim)}")
        rows = array.isel({dim: index})
        if keep_coords:
            sample_coords = {key: c for key, c in array.coords.items() if dim in c.dims}
            rows = rows.drop_vars(list(sample_coords)).assign_coords(sample_coords)
        return rows
    frame = hasattr(array, "iloc")  # pandas: by position, whatever its index says
    if not hasattr(array, "shape"):
        array = read_array(array, name)
    if not array.shape:
        raise ValueError(f"{name} has shape (); expected {samples.size} samples")
    axis = 0 if array.ndim == 1 else array.ndim - 2
    if array.shape[axis] != samples.size:
        raise ValueError(
            f"{name} has shape {tuple(array.shape)}; expected {samples.size} samples along "
            f"dimension {axis}"
        )
    if frame:
        rows = array.iloc[index]
        return rows.set_axis(array.index) if keep_coords else rows
    leading = (slice(None),) * axis
    if type(array).__module__.startswith("torch"):
        import torch  # the caller's array is one already

        return array[(*leading, torch.as_tensor(index, device=array.device))]
    return array[(*leading, index)]


def _to_caller(values: np.ndarray, samples: Samples) -> Array:
    return samples.like(values)
