"""The angle between the weights of two output layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from infotheo.arrays.pairs import check_leading
from infotheo.arrays.results import FieldNote, wrap
from infotheo.arrays.samples import Array, check_dim_name, read_samples

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["DirectionAngle", "direction_angle"]


class DirectionAngle(NamedTuple):
    """Result of :func:`direction_angle`."""

    value: Array


def direction_angle(
    weights: Any, others: Any, *, unit_dim: str = "unit", class_dim: str = "class"
) -> DirectionAngle | xr.Dataset:
    r"""Angle between two output layers, in radians, as far as their predictions can tell.

    Parameters
    ----------
    weights
        (..., unit, class), the transpose of ``torch.nn.Linear.weight``; leading dimensions are
        batch ones.
    others
        Of the same shape, or without leading dimensions: shared by the batch.
    unit_dim, class_dim
        Names of the dimensions of DataArrays.

    Returns
    -------
    DirectionAngle or xarray.Dataset
        ``value``: 0 where one is a positive multiple of the other, pi where a negative one. NaN
        where the weights of all classes are equal.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; the message names it and what was found.

    Notes
    -----
    The mean over classes is taken off, as neither margins nor softmax feel it. Biases have no part
    in it. The angle is found from sum and difference of the unit vectors, which keeps its digits
    where it is small. Paper 5, section 3.2.

    Examples
    --------
    >>> float(direction_angle([[0.0, 1.0], [0.0, 0.0]], [[1.0, 3.0], [0.0, 0.0]]).value)
    0.0
    """
    check_dim_name(unit_dim, "unit_dim")
    check_dim_name(class_dim, "class_dim")
    names = ("weights", "others")
    first = read_samples(weights, name=names[0], sample_dim=unit_dim, unit_dim=class_dim, minimum=1)
    second = read_samples(others, name=names[1], sample_dim=unit_dim, unit_dim=class_dim, minimum=1)
    shapes = [(layer.size, layer.units) for layer in (first, second)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"others has shape {shapes[1]} (unit, class); expected {shapes[0]}, that of weights"
        )
    if first.units < 2:
        raise ValueError("weights has 1 column; expected at least 2 classes")
    check_leading(second, first, names)
    xp = first.namespace

    def unit(values: Array) -> Array:
        values = values - xp.mean(values, axis=-1, keepdims=True)
        flat = xp.reshape(values, (values.shape[0], -1))
        largest = xp.max(xp.abs(flat), axis=-1, keepdims=True)
        scaled = flat / xp.where(largest > 0, largest, xp.nan)
        return scaled / xp.sqrt(xp.sum(scaled**2, axis=-1, keepdims=True))

    u, v = unit(first.flat()), unit(first.like(second.flat()))
    difference, total = (xp.sqrt(xp.sum(vector**2, axis=-1)) for vector in (u - v, u + v))
    return wrap(
        DirectionAngle(first.unflat(2 * xp.atan2(difference, total))),
        first,
        estimator="direction_angle",
        settings={},
        notes={"value": FieldNote("rad", "angle between weights")},
    )
