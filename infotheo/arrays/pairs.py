"""The door for two arrays of samples that belong together, row by row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from infotheo.arrays.samples import Samples, is_labelled, read_samples

__all__ = ["check_leading", "read_paired"]


def read_paired(
    x: Any,
    y: Any,
    *,
    names: tuple[str, str] = ("x", "y"),
    sample_dim: str = "sample",
    unit_dim: str = "unit",
    minimum: int = 2,
) -> tuple[Samples, Samples]:
    """Check two arrays with the same samples and open them for a kernel.

    Parameters
    ----------
    x
        Samples (..., sample, unit); decides the namespace, the device and the result's kind.
    y
        Samples (..., sample, unit) with the leading dimensions of ``x``, or with none: then shared
        by the batch. Brought to the namespace and device of ``x``, with its gradient.
    names
        The arguments' names, for messages.
    sample_dim, unit_dim
        Names of the two dimensions of a DataArray.
    minimum
        The fewest samples that the estimator can use.

    Returns
    -------
    tuple of Samples
        Both with the leading dimensions of ``x``.

    Raises
    ------
    TypeError, ValueError
        As :func:`~infotheo.arrays.samples.read_samples`; and if the numbers of samples, the leading
        dimensions or the coordinates of the samples differ.

    Examples
    --------
    >>> x, y = read_paired([[[0.0], [1.0]], [[2.0], [3.0]]], [[4.0], [5.0]])
    >>> y.values.shape
    (2, 2, 1)
    >>> read_paired([[0.0], [1.0]], [[0.0], [1.0], [2.0]])
    Traceback (most recent call last):
    ...
    ValueError: y has 3 samples, x has 2; expected one row of y for each row of x
    """
    first, second = names
    samples = read_samples(x, name=first, sample_dim=sample_dim, unit_dim=unit_dim, minimum=minimum)
    other = read_samples(y, name=second, sample_dim=sample_dim, unit_dim=unit_dim, minimum=minimum)
    if other.size != samples.size:
        raise ValueError(
            f"{second} has {other.size} samples, {first} has {samples.size}; expected one row of "
            f"{second} for each row of {first}"
        )
    if is_labelled(x) and is_labelled(y):
        other = _align(x, y, samples, other, names)
    check_leading(other, samples, names)
    values = samples.like(other.values, None)
    if other.batch_shape != samples.batch_shape:
        shape = (*samples.batch_shape, other.size, other.units)
        values = samples.namespace.broadcast_to(values, shape)
    return samples, replace(samples, values=values)


def check_leading(other: Samples, samples: Samples, names: tuple[str, str]) -> None:
    """Check that ``other`` has the leading dimensions of ``samples``, or none.

    Raises
    ------
    ValueError
        If it does not; ``names`` are those of ``samples`` and ``other``.

    Examples
    --------
    >>> batch, one = read_samples([[[1.0], [2.0]]]), read_samples([[1.0], [2.0]])
    >>> check_leading(batch, one, ("x", "weights"))
    Traceback (most recent call last):
    ...
    ValueError: weights has leading dimensions (1,), x (); expected those of x, or none
    """
    first, second = names
    dims, other_dims = samples.batch_dims, other.batch_dims
    if dims and other_dims and dims != other_dims:
        raise ValueError(
            f"{second} has leading dimensions {other_dims}, {first} {dims}; expected those of "
            f"{first}, or none"
        )
    if other.batch_shape not in ((), samples.batch_shape):
        raise ValueError(
            f"{second} has leading dimensions {other.batch_shape}, {first} {samples.batch_shape}; "
            f"expected those of {first}, or none"
        )


def _align(x: Any, y: Any, samples: Samples, other: Samples, names: tuple[str, str]) -> Samples:
    """Order the leading dimensions of labelled ``y`` as in ``x``; refuse other coordinates."""
    first, second = names
    dims, other_dims = samples.batch_dims or (), other.batch_dims or ()
    if other_dims and set(other_dims) != set(dims):
        raise ValueError(
            f"{second} has leading dimensions {other_dims}, {first} {dims}; expected the same "
            "names, or none"
        )
    for dim in (samples.sample_dim, *other_dims):
        if dim in x.indexes and dim in y.indexes and not x.indexes[dim].equals(y.indexes[dim]):
            raise ValueError(
                f"{second} and {first} have different coordinates along {dim!r}; expected the same"
            )
    order = [other_dims.index(dim) for dim in dims] if other_dims else []
    values = np.transpose(other.values, (*order, len(order), len(order) + 1))
    return replace(other, values=values, batch_dims=dims if other_dims else ())
