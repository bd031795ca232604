"""The exit of every estimator: the caller's kind of result, which says where it comes from.

xarray is imported only to build a result for a caller who passed xarray.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from infotheo.arrays.samples import Samples, to_numpy
from infotheo.version import package_version

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["FieldNote", "provenance", "attach_attrs", "wrap"]

Result = TypeVar("Result", bound=NamedTuple)


class FieldNote(NamedTuple):
    """What a result variable says about itself when it leaves as xarray."""

    units: str
    long_name: str


def wrap(
    result: Result,
    samples: Samples,
    *,
    estimator: str,
    settings: Mapping[str, Any],
    notes: Mapping[str, FieldNote],
    extra_dims: Sequence[str] = (),
    extra_coords: Mapping[str, Any] | None = None,
) -> Result | xr.Dataset:
    """Return a named tuple of the caller's kind, or an ``xarray.Dataset`` if xarray came in.

    Both say where they come from in ``attrs``: estimator, settings, package version; and the
    named tuple the units of each field, which a Dataset has in each variable's ``attrs``.

    Parameters
    ----------
    result
        Named tuple of arrays: 0-d, or of shape (*batch, *extra). A ``None`` field is left out of
        the Dataset.
    samples
        What :func:`read_samples` returned.
    estimator, settings
        Provenance, written with the package version into the attrs of every variable.
    notes
        Units and long name of every field.
    extra_dims, extra_coords
        Names (and coordinates) of dimensions behind the leading ones.

    Examples
    --------
    >>> from infotheo.arrays.samples import read_samples
    >>> class Mean(NamedTuple):
    ...     value: Array
    >>> samples = read_samples([[0.0], [2.0]])
    >>> mean = wrap(Mean(samples.values.mean()), samples, estimator="mean", settings={}, notes={})
    >>> mean, mean.attrs["estimator"]
    (Mean(value=np.float64(1.0)), 'mean')
    """
    fields = {key: _without_negative_zero(value) for key, value in result._asdict().items()}
    origin = provenance(estimator, settings)
    if not samples.labelled:
        values = (v[()] if isinstance(v, np.ndarray) else v for v in fields.values())
        units = {key: note.units for key, note in notes.items()}
        return attach_attrs(type(result), tuple(values), {**origin, "units": units})
    import xarray

    dims = (*(samples.batch_dims or ()), *extra_dims)
    _check_names(samples, list(fields), extra_dims)
    variables = {}
    for key, value in fields.items():
        if value is None:
            continue
        attrs = {**notes[key]._asdict(), **origin}
        data = np.asarray(value)
        variables[key] = (dims[: data.ndim] if data.ndim else (), data, attrs)
    coords = {**samples.coords, **(extra_coords or {})}
    return xarray.Dataset(variables, coords=coords, attrs=origin)


def _without_negative_zero(value: Any) -> Any:
    """Turn -0.0, which the negative of a sum may be, into 0.0; all else stays bit by bit."""
    floating = str(getattr(value, "dtype", "")).removeprefix("torch.").startswith("float")
    return value + 0.0 if floating else value


def _check_names(samples: Samples, fields: Sequence[str], extra_dims: Sequence[str]) -> None:
    """Check that what came in does not bear the names of what the result adds."""
    taken = {*(samples.batch_dims or ()), *samples.coords}
    for name in (*fields, *extra_dims):
        if name in taken:
            raise ValueError(
                f"{name!r} names a dimension or coordinate of the samples, and a part of the "
                "result; expected another name (rename it)"
            )


def provenance(estimator: str, settings: Mapping[str, Any]) -> dict[str, str]:
    """Attributes that say where a result comes from.

    Examples
    --------
    >>> provenance("mean", {"k": 3})["settings"]
    '{"k": 3}'
    """
    return {
        "estimator": estimator,
        "settings": json.dumps(dict(settings), sort_keys=True, default=_to_lists),
        "infotheo_version": package_version(),
    }


def attach_attrs(kind: type[Result], values: tuple[Any, ...], attrs: Mapping[str, Any]) -> Result:
    """Return the named tuple ``kind(*values)`` with an attribute ``attrs``; equal to one without.

    Examples
    --------
    >>> class Mean(NamedTuple):
    ...     value: float
    >>> mean = attach_attrs(Mean, (2.0,), {"estimator": "mean"})
    >>> mean == Mean(2.0), mean.attrs
    (True, {'estimator': 'mean'})
    """
    result: Result = _subclass_with_attrs(kind)(*values)
    vars(result)["attrs"] = dict(attrs)
    return result


@cache
def _subclass_with_attrs(kind: type[Any]) -> type[Any]:
    """Subclass a named tuple, which has no room for attributes of its own."""

    def reduce(
        self: Any,
    ) -> tuple[Any, ...]:  # pickle finds the kind by its name, not this subclass
        return attach_attrs, (kind, tuple(self), self.attrs)

    body = {"__reduce__": reduce, "__doc__": kind.__doc__, "__module__": kind.__module__}
    return type(kind.__name__, (kind,), body)


def _to_lists(value: Any) -> Any:
    """Turn a setting that is an array into lists, for JSON."""
    return to_numpy(value).tolist()
