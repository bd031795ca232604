"""The door for arrays: NumPy, torch or xarray in, validated arrays inside; ``results`` is the exit.

Kernels are written against the array-API namespace of what came in, so NumPy input never imports
torch, and torch input stays on its device and keeps its gradient.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device, is_numpy_array, is_torch_array, to_device

from infotheo.arrays.conversion import Array, as_writable, is_labelled, read_array, to_numpy
from infotheo.arrays.threads import map_in_threads
from infotheo.arrays.wording import describe

__all__ = [
    "Array",
    "ImageShapeWarning",
    "Samples",
    "check_dim_name",
    "is_labelled",
    "read_samples",
    "to_numpy",
]

FEW = 32  # samples: so few, in more batch elements than that, are rather rows of an image
EXTENT_BLOCK = 2**20  # values looked at by one thread at a time


class ImageShapeWarning(UserWarning):
    """Few samples under many leading dimensions: images, perhaps, with the samples first."""


@dataclass(frozen=True)
class Samples:
    """Validated input of an estimator: what the kernels see, and how to label what they return."""

    values: Array  # (*batch, sample, unit), float32 or float64, finite
    namespace: Any  # the array-API namespace of `values`
    sample_dim: str = "sample"
    batch_dims: tuple[str, ...] | None = None  # names of the leading dims; None: not xarray
    coords: Mapping[str, Any] = field(default_factory=dict)  # those on leading dims only
    sample_index: Any = None  # coordinates of the samples, if xarray brought some
    name: str = "z"  # the argument's, for messages

    @property
    def labelled(self) -> bool:
        """Whether the caller passed xarray and gets a Dataset back."""
        return self.batch_dims is not None

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Sizes of the leading dimensions."""
        return tuple(self.values.shape[:-2])

    @property
    def size(self) -> int:
        """Number of samples."""
        return int(self.values.shape[-2])

    @property
    def units(self) -> int:
        """Number of units."""
        return int(self.values.shape[-1])

    @cached_property
    def extent(self) -> tuple[float, float]:
        """Smallest and largest value; NaN if there is one."""
        values = self.values.detach() if is_torch_array(self.values) else self.values
        parts = [values]
        if is_numpy_array(values) and values.flags.c_contiguous:
            flat = values.reshape(-1)
            parts = [flat[i : i + EXTENT_BLOCK] for i in range(0, len(flat), EXTENT_BLOCK)]
        ends = map_in_threads(self._ends, parts, values)
        return float(np.min([low for low, _ in ends])), float(np.max([high for _, high in ends]))

    def _ends(self, part: Array) -> tuple[float, float]:
        return float(self.namespace.min(part)), float(self.namespace.max(part))

    def flat(self, dtype: str | None = "float64") -> Array:
        """Values as (batch, sample, unit), leading dimensions in one, in ``dtype`` if given."""
        values = self.values
        if dtype is not None:
            values = self.namespace.astype(values, getattr(self.namespace, dtype), copy=False)
        return self.namespace.reshape(values, (-1, self.size, self.units))

    def unflat(self, values: Array) -> Array:
        """Give an array of shape (batch, ...) its leading dimensions back."""
        shape = (*self.batch_shape, *values.shape[1:])
        return self.namespace.reshape(values, shape)

    def like(self, values: Any, dtype: str | None = "float64") -> Array:
        """Bring ``values`` to the namespace and device of the samples, with their gradient."""
        place = device(self.values)
        kind = None if dtype is None else getattr(self.namespace, dtype)
        if is_torch_array(values) and is_torch_array(self.values):  # asarray would detach
            values = to_device(values, place)
            return values if kind is None else self.namespace.astype(values, kind)
        plain = to_numpy(values)
        if is_torch_array(self.values):  # which takes no read-only array, nor one that runs back
            plain = as_writable(plain)
        return self.namespace.asarray(plain, dtype=kind, device=place)

    def check_aligned(self, array: Any, name: str) -> None:
        """Check that a DataArray has these samples: their dimension, and no other coordinates."""
        if not hasattr(array, "to_dataset"):
            raise TypeError(f"{name} is an xarray {type(array).__name__}; expected a DataArray")
        if self.sample_dim not in array.dims:
            raise ValueError(
                f"{name} has dimensions {tuple(array.dims)}; expected {describe(self.sample_dim)}"
            )
        index = array.indexes.get(self.sample_dim)
        if (
            index is not None
            and self.sample_index is not None
            and not index.equals(self.sample_index)
        ):
            raise ValueError(
                f"{name} has other coordinates along {self.sample_dim!r} than the samples; "
                "expected the same, in the same order"
            )


def read_samples(
    z: Any,
    *,
    name: str = "z",
    sample_dim: str = "sample",
    unit_dim: str = "unit",
    minimum: int = 2,
) -> Samples:
    """Check an array of samples and open it for a kernel.

    Parameters
    ----------
    z
        Array (..., sample, unit): NumPy, torch, anything ``np.asarray`` takes, or a DataArray with
        the dimensions ``sample_dim`` and ``unit_dim`` anywhere. Never modified.
    name
        The argument's name, for messages.
    sample_dim, unit_dim
        Names of the two dimensions of a DataArray; ``unit_<layer>`` stands for ``unit`` where it is
        the only one of the kind.
    minimum
        The fewest samples that the estimator can use.

    Raises
    ------
    TypeError
        If the dtype is not real and numeric.
    ValueError
        If a dimension is missing or empty, there are too few samples, or a value is not finite.

    Warns
    -----
    ImageShapeWarning
        If two or more leading dimensions hold more batch elements than there are samples, and these
        are at most 32 or as many as the units: so look feature maps (sample, channel, row, column).

    Examples
    --------
    >>> samples = read_samples([[0, 1], [2, 3], [4, 5]])
    >>> samples.values.dtype, samples.size, samples.units
    (dtype('float64'), 3, 2)
    """
    check_dim_name(sample_dim, "sample_dim")
    check_dim_name(unit_dim, "unit_dim")
    batch_dims: tuple[str, ...] | None = None
    coords: dict[str, Any] = {}
    sample_index = None
    if is_labelled(z):
        if not hasattr(z, "to_dataset") or not hasattr(z, "dims"):
            raise TypeError(
                f"{name} is an xarray {type(z).__name__}; expected a DataArray (pick one variable)"
            )
        if unit_dim not in z.dims:  # one of several layers, as dump_activations names them
            matches = [dim for dim in z.dims if str(dim).startswith(f"{unit_dim}_")]
            unit_dim = matches[0] if len(matches) == 1 else unit_dim
        missing = [dim for dim in (sample_dim, unit_dim) if dim not in z.dims]
        if missing:
            raise ValueError(
                f"{name} has dimensions {tuple(z.dims)}; expected {describe(missing[0])} among "
                "them "
                "(or name yours with sample_dim, unit_dim)"
            )
        z = z.transpose(..., sample_dim, unit_dim)
        batch_dims = tuple(z.dims[:-2])
        coords = {k: c for k, c in z.coords.items() if set(c.dims) <= set(batch_dims)}
        sample_index = z.indexes.get(sample_dim)
        z = z.values
    values, namespace = _cast_to_floating(z, name)
    _check_shape(values.shape, name, minimum)
    if batch_dims is None and minimum > 1:
        _warn_if_images(values.shape, name)
    samples = Samples(values, namespace, sample_dim, batch_dims, coords, sample_index, name)
    if not all(map(math.isfinite, samples.extent)):
        raise ValueError(
            f"{name} contains {_describe_first_bad(values)}; expected finite values only"
        )
    return samples


def check_dim_name(dim: Any, name: str) -> None:
    """Check the name of a dimension.

    Examples
    --------
    >>> check_dim_name(["sample"], "sample_dim")
    Traceback (most recent call last):
    ...
    TypeError: sample_dim is ['sample']; expected the name of a dimension
    """
    if not isinstance(dim, str):
        raise TypeError(f"{name} is {describe(dim)}; expected the name of a dimension")


def _cast_to_floating(z: Any, name: str) -> tuple[Array, Any]:
    """Cast to float32 (half precision, bool) or float64 (integers); keep float32 and float64."""
    z = read_array(z, name, "real numbers (..., sample, unit)")
    if not is_torch_array(z) and z.dtype.kind not in "fiub":
        raise TypeError(f"{name} has dtype {z.dtype}; expected real numbers")
    namespace = array_namespace(z)
    if namespace.isdtype(z.dtype, "complex floating"):
        raise TypeError(f"{name} has dtype {z.dtype}; expected real numbers")
    if z.dtype in (namespace.float32, namespace.float64):
        return z, namespace
    half = namespace.isdtype(z.dtype, "real floating") and z.dtype.itemsize < 4
    small = half or namespace.isdtype(z.dtype, "bool")
    return namespace.astype(z, namespace.float32 if small else namespace.float64), namespace


def _check_shape(shape: Sequence[int], name: str, minimum: int) -> None:
    lengths = tuple(int(length) for length in shape)
    if len(lengths) < 2:
        raise ValueError(
            f"{name} has shape {lengths}; expected (..., sample, unit): for one unit use "
            f"{name}[:, None]"
        )
    if 0 in lengths:
        raise ValueError(f"{name} is empty (shape {lengths}); expected samples and units")
    if lengths[-2] < minimum:
        raise ValueError(
            f"{name} has {lengths[-2]} sample(s) (shape {lengths}); expected at least {minimum} "
            "along the second to last dimension"
        )


def _warn_if_images(shape: Sequence[int], name: str) -> None:
    """Warn where the samples seem to come first, as those of a convolutional layer do."""
    *leading, size, units = (int(length) for length in shape)
    few = size <= FEW or size == units
    if len(leading) > 1 and few and math.prod(leading) > size:
        warnings.warn(
            f"{name} of shape {(*leading, size, units)} is read as {math.prod(leading)} batch "
            f"elements of {size} samples with {units} units; if its first dimension counts the "
            f"samples, pass {name}.reshape(len({name}), -1); a DataArray names its dimensions",
            ImageShapeWarning,
            stacklevel=4,
        )


def _describe_first_bad(values: Array) -> str:
    numbers = to_numpy(values)
    index = tuple(int(i) for i in np.argwhere(~np.isfinite(numbers))[0])
    return f"{numbers[index]} at index {index}"
