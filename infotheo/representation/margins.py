"""Margins of a linear output layer, sample by sample."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from infotheo.arrays.conversion import read_array, read_real
from infotheo.arrays.labels import read_classes
from infotheo.arrays.pairs import check_leading
from infotheo.arrays.results import FieldNote, wrap
from infotheo.arrays.samples import Array, Samples, check_dim_name, is_labelled, read_samples
from infotheo.arrays.scaling import divide
from infotheo.arrays.wording import describe

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Margins", "margins"]


class Margins(NamedTuple):
    """Result of :func:`margins`."""

    margin: Array
    geometric: Array
    normalized: Array
    layer_norm: Array
    feature_norm: Array


def margins(
    features: Any,
    weights: Any,
    labels: Any,
    *,
    biases: Any = None,
    sample_dim: str = "sample",
    unit_dim: str = "unit",
    class_dim: str = "class",
) -> Margins | xr.Dataset:
    r"""Margins of the true class over the best other class, sample by sample.

    Parameters
    ----------
    features
        What the output layer receives, (..., sample, unit); leading dimensions are batch ones.
    weights
        The output layer's weights (unit, class) as the papers write them, the transpose of
        ``torch.nn.Linear.weight``; shared by the batch, or (*batch, unit, class). For a single
        logit give two columns, 0 and w.
    labels
        True classes (sample,), integers that number the columns of ``weights`` from 0, or one-hot
        rows.
    biases
        The output layer's biases (class,) or (*batch, class); default: none.
    sample_dim, unit_dim, class_dim
        Names of the dimensions of DataArrays.

    Returns
    -------
    Margins or xarray.Dataset
        For each sample (*batch, sample): ``margin``, the logit of the true class less the largest
        other, negative where the sample is misclassified and 0 at a tie; ``geometric``, the
        distance of the feature to the nearest boundary of its class, in units of the features and
        negative (the largest distance by which a boundary is missed) where it is misclassified;
        ``normalized``, ``margin`` over the product of the scales below, which does not change when
        weights or features are multiplied by a number. For each batch element: ``layer_norm``, the
        spectral norm of the weights; ``feature_norm``, the root mean square norm of the features.
        To normalise by a whole network, divide ``margin`` by the product of its layers' norms.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; the message names it and what was found.

    Notes
    -----
    :math:`\min_{j \ne y} (f_y - f_j)` and :math:`\min_{j \ne y} (f_y - f_j) / \|w_y - w_j\|_2`.
    Where two classes have the same weights there is no boundary between them: that class counts
    with plus or minus infinity by the sign of the difference of the biases, with 0 if it is 0.
    ``normalized`` is infinite or 0 / 0 = 0 where all weights or features are 0. Paper 5, section
    3.2, asks for a margin that does not scale with weights and data; Bartlett et al. 2017 divide by
    spectral norms.

    Examples
    --------
    >>> result = margins([[3.0, 1.0], [0.0, 2.0]], [[1.0, 0.0], [0.0, 1.0]], [0, 0])
    >>> result.margin, result.geometric.round(4)
    (array([ 2., -2.]), array([ 1.4142, -1.4142]))
    """
    check_dim_name(class_dim, "class_dim")
    samples = read_samples(features, name="features", sample_dim=sample_dim, unit_dim=unit_dim)
    columns = _read_columns(weights, samples, unit_dim, class_dim)  # (batch or 1, unit, class)
    count = int(columns.shape[-1])
    classes = read_classes(labels, samples)
    if classes.labels.dtype.kind == "U":
        raise TypeError(
            f"labels are text ({describe(str(classes.labels[0]))}); expected integers that number "
            "the columns of weights"
        )
    low, high = int(classes.labels[0]), int(classes.labels[-1])
    if low < 0 or high >= count:
        raise ValueError(
            f"labels contains {low if low < 0 else high}; expected 0 to {count - 1}, the columns "
            "of weights"
        )
    xp = samples.namespace
    # in scaled features and weights, whose logits and norms neither overflow nor vanish
    values, feature_scales = divide(samples.flat(), (1, 2), xp)
    columns, column_scales = divide(columns, (1, 2), xp)
    unscaled = [np.ones_like(feature_scales), np.ones_like(column_scales)]
    shift = None if biases is None else _read_biases(biases, samples, count, class_dim)
    if shift is not None and bool(
        xp.any(shift != 0)
    ):  # which have a scale of their own: tiny products beside them stay
        unscaled = [np.minimum(feature_scales, 1.0), np.minimum(column_scales, 1.0)]
    small, small_column = (samples.like(part) for part in unscaled)  # (batch or 1, 1, 1)
    factor = samples.like(feature_scales / unscaled[0])
    column_factor = samples.like(column_scales / unscaled[1])
    logits = (values * small) @ (columns * small_column)
    if shift is not None:
        logits = logits + shift[:, None, :] / factor / column_factor

    members_by_class = classes.members()
    margin_parts, geometric_parts = [], []
    for label, members in zip(classes.labels.tolist(), members_by_class, strict=True):
        class_logits = logits[:, samples.like(members, "int64")]
        others = [j for j in range(count) if j != label]
        leads = class_logits[..., label, None] - class_logits[..., others]
        directions = columns[..., label, None] - columns[..., others]
        margin_parts.append(xp.min(leads, axis=-1))
        distances = _ratio(leads, _norm(directions, xp)[:, None, :], xp)
        geometric_parts.append(xp.min(distances, axis=-1))
    order = np.argsort(np.concatenate(members_by_class), kind="stable")
    margin, distance = (
        xp.concat(parts, axis=1)[:, samples.like(order, "int64")]
        for parts in (margin_parts, geometric_parts)
    )
    batch = int(values.shape[0])
    layer = xp.broadcast_to(xp.linalg.matrix_norm(columns, ord=2), (batch,))
    feature = _root(xp.mean(xp.sum(values**2, axis=-1), axis=-1), xp)
    normalized = _ratio(margin, (layer * feature)[:, None], xp)
    if any(np.any(part != 1) for part in (feature_scales, column_scales)):
        with np.errstate(over="ignore", under="ignore"):  # refused below
            normalized = normalized / small[..., 0] / small_column[..., 0]
            distance = distance / small_column[..., 0] * factor[..., 0]
            margin = margin * factor[..., 0] * column_factor[..., 0]
            layer = layer * samples.like(column_scales)[:, 0, 0]
            feature = feature * samples.like(feature_scales)[:, 0, 0]
        if not bool(xp.all(xp.isfinite(margin))) or not bool(xp.all(xp.isfinite(feature))):
            raise ValueError(
                f"features as large as {float(feature_scales.max()):.3g} have margins or norms, "
                f"with weights as large as {float(column_scales.max()):.3g}, that float64 does not "
                "hold; expected features in other units"
            )
    margin, distance, normalized, layer, feature = map(
        samples.unflat, (margin, distance, normalized, layer, feature)
    )
    return wrap(
        Margins(margin, distance, normalized, layer, feature),
        samples,
        estimator="margins",
        settings={"classes": count, "biases": biases is not None},
        notes={
            "margin": FieldNote("1", "logit of the true class less the largest other"),
            "geometric": FieldNote("1", "signed distance to the nearest decision boundary"),
            "normalized": FieldNote("1", "margin over layer norm and feature norm"),
            "layer_norm": FieldNote("1", "spectral norm of the output weights"),
            "feature_norm": FieldNote("1", "root mean square norm of the features"),
        },
        extra_dims=(samples.sample_dim,),
        extra_coords=_sample_coords(features, samples),
    )


def _norm(vectors: Array, xp: Any) -> Array:
    """Length of vectors along the second to last dimension."""
    return _root(xp.sum(vectors**2, axis=-2), xp)


def _root(squares: Array, xp: Any) -> Array:
    """Square root with gradient 0 at 0."""
    positive = squares > 0
    return xp.where(positive, xp.sqrt(xp.where(positive, squares, 1.0)), 0.0)


def _ratio(values: Array, scale: Array, xp: Any) -> Array:
    """Divide, with 0 / 0 = 0 and x / 0 infinite by the sign of x, without warnings."""
    zero = scale == 0
    divided = values / xp.where(zero, 1.0, scale)
    limits = xp.where(values == 0, 0.0, xp.where(values > 0, math.inf, -math.inf))
    return xp.where(zero, xp.astype(limits, divided.dtype), divided)


def _read_columns(weights: Any, samples: Samples, unit_dim: str, class_dim: str) -> Array:
    columns = read_samples(
        weights, name="weights", sample_dim=unit_dim, unit_dim=class_dim, minimum=1
    )
    if columns.size != samples.units:
        raise ValueError(
            f"weights has shape {tuple(columns.values.shape)}; expected ({samples.units}, class), "
            "one row for each unit of features (torch.nn.Linear stores the transpose)"
        )
    if columns.units < 2:
        raise ValueError(
            "weights has 1 column; expected at least 2 classes (for one logit: columns 0 and w)"
        )
    check_leading(columns, samples, ("features", "weights"))
    return samples.like(columns.flat())


def _read_biases(biases: Any, samples: Samples, count: int, class_dim: str) -> Array:
    """Return biases as (batch or 1, class)."""
    if is_labelled(biases):
        if class_dim not in biases.dims:
            raise ValueError(f"biases has dimensions {biases.dims}; expected {describe(class_dim)}")
        biases = biases.transpose(..., class_dim).values
    biases = read_array(biases, "biases", "real numbers")
    values = read_real(biases, "biases", kinds="fiu")
    expected = (*samples.batch_shape, count)
    if values.shape not in ((count,), expected):
        raise ValueError(f"biases has shape {values.shape}; expected ({count},) or {expected}")
    if not np.isfinite(values).all():
        raise ValueError(
            f"biases contains {values[~np.isfinite(values)][0]}; expected finite values only"
        )
    return samples.namespace.reshape(samples.like(biases), (-1, count))


def _sample_coords(features: Any, samples: Samples) -> dict[str, Any]:
    """Coordinates of a DataArray that lie on its sample dimension."""
    if not samples.labelled:
        return {}
    dims = {*(samples.batch_dims or ()), samples.sample_dim}
    return {
        name: coord
        for name, coord in features.coords.items()
        if samples.sample_dim in coord.dims and set(coord.dims) <= dims
    }
