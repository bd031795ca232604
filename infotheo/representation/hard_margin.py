"""The multi-class hard-margin support vector machine, exactly."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from infotheo.arrays.labels import check_choice, read_classes
from infotheo.arrays.numbers import check_count
from infotheo.arrays.results import FieldNote, provenance, wrap
from infotheo.arrays.samples import Array, Samples, check_dim_name, read_samples, to_numpy
from infotheo.arrays.scaling import divide
from infotheo.representation.separation import separation

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "HardMargin",
    "HardMarginWarning",
    "NotSeparableError",
    "UndecidedSeparationError",
    "hard_margin",
]

PRECISION = 1e-6  # relative gap between the bounds of a margin that is called exact


class NotSeparableError(ValueError):
    """No linear function separates the classes by a margin that float64 can tell from none."""


class UndecidedSeparationError(RuntimeError):
    """The working set reached its limit before the classes were separated or shown inseparable."""


class HardMarginWarning(UserWarning):
    """The margin is known less precisely than to six digits; ``gap`` says how precisely."""


class HardMargin(NamedTuple):
    """Result of :func:`hard_margin`."""

    margin: Array
    weights: Array
    biases: Array
    classes: Array
    support: Array
    gap: Array


def hard_margin(
    features: Any,
    labels: Any,
    *,
    bias: bool = True,
    most_constraints: int = 3000,
    sample_dim: str = "sample",
    unit_dim: str = "unit",
    class_dim: str = "class",
) -> HardMargin | xr.Dataset:
    r"""Widest margin by which linear functions separate the classes: the hard-margin SVM.

    Parameters
    ----------
    features
        Samples (..., sample, unit); leading dimensions are batch ones.
    labels
        Classes (sample,), integers or one-hot rows, at least two of them.
    bias
        Whether the functions have biases, which do not count in the norm; without them the
        boundaries pass through the origin. For biases that count, as in the limit of gradient
        descent on a layer with biases, append a unit that is 1 and take ``bias=False``.
    most_constraints
        Largest working set of constraints (a sample and another class); time grows with its cube.
    sample_dim, unit_dim, class_dim
        Names of the dimensions of DataArrays; the last one is of the result.

    Returns
    -------
    HardMargin or xarray.Dataset
        Of each batch element: ``margin``, in units of the features, for two classes the distance
        of the nearest samples to the boundary, for more a lower bound of it (see Notes);
        ``weights`` (unit, class) and ``biases`` (class,), centred over classes, such that the
        logit of the true class leads by at least 1; ``support``, how many samples carry it;
        ``gap``, 1 - lower / upper bound of the margin, 0 up to rounding where it is exact.
        ``classes`` are the labels of the columns. Float64, on the device of the features, without
        gradient.

    Raises
    ------
    NotSeparableError
        If the classes cannot be separated by more than 1e-7 of the features' root mean square
        distance from their mean (from the origin without biases); a ValueError.
    UndecidedSeparationError
        If ``most_constraints`` do not suffice; a RuntimeError.
    TypeError, ValueError
        If an argument is not as described; the message names it and what was found.

    Warns
    -----
    HardMarginWarning
        If ``gap`` is above 1e-6, as for margins of less than 1e-5 of the features' scale.

    Notes
    -----
    :math:`\min \frac12 \sum_j \|w_j\|^2` subject to
    :math:`(w_y - w_j)^T x + b_y - b_j \ge 1` for every sample and :math:`j \ne y` (Crammer and
    Singer 2001, without slack), and ``margin`` is :math:`1 / (\sqrt2\, \|W\|_F)`: as
    :math:`\|w_y - w_j\| \le \sqrt2\, \|W\|_F`, no sample is nearer to a boundary of its class, and
    with two classes equality holds. Paper 5, claim 2.2 and section 3.2; gradient descent on the
    cross-entropy of a linear layer converges to its direction as 1 / log t (Soudry et al. 2018,
    theorem 7).

    The dual is the shortest convex combination of the constraints' vectors, found by an
    interior-point method on a growing working set. Any such combination bounds the margin from
    above and any separating weights do from below, so that ``gap`` is proof, and so is a
    combination of length 0 of non-separability.

    Examples
    --------
    >>> widest = hard_margin([[0.0, 0.0], [2.0, 0.0], [3.0, 5.0]], [0, 1, 1])
    >>> round(float(widest.margin), 9), int(widest.support)
    (1.0, 2)
    >>> try:
    ...     hard_margin([[0.0], [1.0], [2.0]], [0, 1, 0])
    ... except NotSeparableError:
    ...     print("not separable")
    not separable
    """
    check_dim_name(class_dim, "class_dim")
    samples = read_samples(features, name="features", sample_dim=sample_dim, unit_dim=unit_dim)
    classes = read_classes(labels, samples)
    check_choice(bias, (True, False), "bias")
    most_constraints = check_count(most_constraints, "most_constraints")
    if classes.count < 2:
        raise ValueError(
            f"labels has 1 class ({classes.labels[0]}); expected at least 2 to separate"
        )
    separations = []
    for index, values in enumerate(to_numpy(samples.flat())):
        element = "" if samples.batch_shape == () else f" (batch element {index})"
        values, factors = divide(values, (0, 1), np)
        result = separation(values, classes.codes, bias=bias, most_constraints=most_constraints)
        if (factor := float(factors[0, 0])) != 1:
            with np.errstate(over="ignore", under="ignore"):  # refused below
                result = result._replace(
                    lower=result.lower * factor,
                    upper=result.upper * factor,
                    weights=result.weights / factor,
                )
            if not np.isfinite(result.weights).all() or not np.isfinite(result.upper):
                raise ValueError(
                    f"features{element} are so extreme (largest {factor:.3g}) that float64 does "
                    "not hold the margin or its weights; expected features in other units"
                )
        if result.lower <= 0:
            bound = f"the margin is at most {result.upper:.3g}"
            if not result.settled:
                raise UndecidedSeparationError(
                    f"features{element}: {bound} after most_constraints={most_constraints}; "
                    "expected fewer samples, or more constraints, "
                    "to tell whether linear functions separate the classes of labels"
                )
            raise NotSeparableError(
                f"features{element}: no linear functions separate the {classes.count} classes of "
                f"labels: {bound}"
            )
        separations.append(result)
    lower = np.array([result.lower for result in separations])
    upper = np.array([result.upper for result in separations])
    gap = np.maximum(0.0, 1 - lower / upper)  # rounding
    if gap.max() > PRECISION:
        warnings.warn(
            f"hard_margin: the margin {lower[gap.argmax()]:.3g} is known to {gap.max():.1g} of "
            "itself; it is small against the features, or most_constraints was reached",
            HardMarginWarning,
            stacklevel=2,
        )

    def stack_field(name: str) -> Array:
        values = np.stack([getattr(result, name) for result in separations])
        return samples.unflat(samples.like(values))

    support = samples.like(np.array([result.support.sum() for result in separations]), "int64")
    settings = {"bias": bias, "classes": classes.count}
    weights, biases = stack_field("weights"), stack_field("biases")
    labelled = samples.labelled
    wrapped = wrap(
        HardMargin(
            samples.unflat(samples.like(lower)),
            None if labelled else weights,
            None if labelled else biases,
            None if labelled else _labels_like(samples, classes.labels),
            samples.unflat(support),
            samples.unflat(samples.like(gap)),
        ),
        samples,
        estimator="hard_margin",
        settings=settings,
        notes=NOTES,
    )
    if isinstance(wrapped, HardMargin):
        return wrapped
    units = {unit_dim: features[unit_dim]} if unit_dim in getattr(features, "coords", ()) else {}
    origin = provenance("hard_margin", settings)
    leading = samples.batch_dims or ()
    return wrapped.assign_coords({class_dim: classes.labels, **units}).assign(
        weights=((*leading, unit_dim, class_dim), weights, NOTES["weights"]._asdict() | origin),
        biases=((*leading, class_dim), biases, NOTES["biases"]._asdict() | origin),
    )


def _labels_like(samples: Samples, labels: np.ndarray) -> Array:
    """Bring labels to the kind of the samples; text stays with NumPy."""
    return labels if labels.dtype.kind == "U" else samples.like(labels, None)


NOTES = {
    "margin": FieldNote("1", "hard margin, in units of the features"),
    "weights": FieldNote("1", "weights of the hard-margin SVM"),
    "biases": FieldNote("1", "biases of the hard-margin SVM"),
    "classes": FieldNote("1", "labels of the columns"),
    "support": FieldNote("1", "samples that carry the hard margin"),
    "gap": FieldNote("1", "relative gap between the bounds of the margin"),
}
