"""Weights of any shape, or one number for each weight: flattened for a formula, and put back."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from infotheo.arrays.conversion import read_array
from infotheo.arrays.samples import Array, Samples, check_dim_name, is_labelled, read_samples
from infotheo.arrays.wording import describe

__all__ = ["Parameters", "read_parameters"]


@dataclasses.dataclass(frozen=True)
class Parameters:
    """One number for each weight, and how to label and shape what a formula returns for them."""

    samples: Samples  # (*batch, 1, weight): the door's view of them
    restore: Callable[[Array], Array | dict[str, Array]]  # (*batch, weight) to what came in
    weight_dims: tuple[str, ...] = ()  # names of the summed dimensions of a DataArray
    weight_coords: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def values(self) -> Array:
        """The numbers as (*batch, weight), in float64."""
        namespace = self.samples.namespace
        return namespace.astype(self.samples.values[..., 0, :], namespace.float64, copy=False)

    @property
    def count(self) -> int:
        """Number of weights, K = dim(w)."""
        return self.samples.units


def read_parameters(values: Any, *, name: str, batch_dims: int | Sequence[str] = 0) -> Parameters:
    """Check one number for each weight of a network or layer.

    Parameters
    ----------
    values
        An array of any shape, a DataArray, or a mapping of names to arrays (such as
        ``dict(module.named_parameters())``). Never modified.
    name
        The argument's name, for messages.
    batch_dims
        How many leading dimensions (or, of a DataArray, which) count replicas or epochs and stay;
        all others count weights.

    Raises
    ------
    TypeError
        If the numbers are not real, or labelled and not a DataArray.
    ValueError
        If there are none, one is not finite, or the batch dimensions do not fit.

    Examples
    --------
    >>> parameters = read_parameters({"a": [[1.0, 2.0]], "b": [3.0]}, name="alpha")
    >>> parameters.count, parameters.restore(2 * parameters.values)["b"]
    (3, array([6.]))
    """
    if not isinstance(values, Mapping) or is_labelled(values):
        return _read_array(values, name, batch_dims)
    if not values:
        raise ValueError(f"{name} is an empty mapping; expected at least one array")
    labelled = [key for key, value in values.items() if is_labelled(value)]
    if labelled:
        raise TypeError(
            f"{name}[{labelled[0]!r}] is labelled; expected arrays in a mapping, or one DataArray"
        )
    parts = {key: _read_array(part, f"{name}[{key!r}]", batch_dims) for key, part in values.items()}
    first = next(iter(parts.values())).samples
    for key, part in parts.items():
        if part.samples.batch_shape != first.batch_shape:
            raise ValueError(
                f"{name}[{key!r}] has batch dimensions {part.samples.batch_shape}; expected "
                f"{first.batch_shape} as the first array has"
            )
    joined = first.namespace.concat([first.like(part.values) for part in parts.values()], axis=-1)
    ends = np.cumsum([part.count for part in parts.values()]).tolist()

    def restore(flat: Array) -> dict[str, Array]:
        return {
            key: part.restore(flat[..., end - part.count : end])
            for (key, part), end in zip(parts.items(), ends, strict=True)
        }

    return Parameters(dataclasses.replace(first, values=joined[..., None, :]), restore)


def _read_array(values: Any, name: str, batch_dims: int | Sequence[str]) -> Parameters:
    batch_names: tuple[str, ...] | None = None
    weight_dims: tuple[str, ...] = ()
    coords: dict[str, Any] = {}
    if is_labelled(values):
        values, count = _move_batch_first(values, name, batch_dims)
        batch_names, weight_dims = tuple(values.dims[:count]), tuple(values.dims[count:])
        coords = dict(values.coords)
        values = values.values
    elif not isinstance(batch_dims, int):
        raise TypeError(
            f"batch_dims is {describe(batch_dims)}; expected a number of leading dimensions "
            f"(names go with a DataArray)"
        )
    else:
        values, count = read_array(values, name), batch_dims
    shape = tuple(int(length) for length in values.shape)
    if not 0 <= count <= len(shape):
        raise ValueError(
            f"batch_dims is {describe(count)}; expected "
            f"0 to {len(shape)}, the dimensions of {name} {shape}"
        )
    if math.prod(shape) == 0:
        raise ValueError(f"{name} is empty (shape {shape}); expected at least one weight")
    batch_shape, weight_shape = shape[:count], shape[count:]
    rows = values.reshape((*batch_shape, 1, math.prod(weight_shape)))
    samples = read_samples(rows, name=name, minimum=1)
    leading = set(batch_names or ())
    batch_coords = {key: coord for key, coord in coords.items() if set(coord.dims) <= leading}
    return Parameters(
        dataclasses.replace(samples, batch_dims=batch_names, coords=batch_coords),
        lambda flat: flat.reshape((*batch_shape, *weight_shape)),
        weight_dims,
        {key: coord for key, coord in coords.items() if key not in batch_coords},
    )


def _move_batch_first(values: Any, name: str, batch_dims: int | Sequence[str]) -> tuple[Any, int]:
    """Return a DataArray with its batch dimensions in front, and how many there are."""
    if not hasattr(values, "to_dataset"):
        raise TypeError(
            f"{name} is an xarray {type(values).__name__}; expected a DataArray (pick one variable)"
        )
    if isinstance(batch_dims, int):
        return values, batch_dims
    names: list[Any] = [batch_dims]
    if isinstance(batch_dims, list | tuple | set | frozenset):
        names = list(batch_dims)
    for dim in names:
        check_dim_name(dim, "batch_dims")
    for dim in names:
        if dim not in values.dims:
            raise ValueError(
                f"{name} has dimensions {tuple(values.dims)}; expected "
                f"{describe(dim)} of batch_dims "
                "among them"
            )
    return values.transpose(*names, ...), len(names)
