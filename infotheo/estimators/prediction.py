"""Information in a network's predicted class probabilities (papers 4 and 5)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np

from infotheo.arrays.conversion import is_labelled, read_array
from infotheo.arrays.labels import Classes, Units, nats_per, read_classes
from infotheo.arrays.numbers import check_count, check_switch
from infotheo.arrays.results import FieldNote, wrap
from infotheo.arrays.samples import Array, Samples, read_samples, to_numpy
from infotheo.estimators.shannon import entropy

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "IrrelevantInformation",
    "PredictionInformation",
    "fano_error_bound",
    "irrelevant_information",
    "prediction_information",
    "read_probabilities",
]

SUM_TOLERANCE = 1e-2  # of a row of probabilities: half precision over 1,000 classes stays below


class PredictionInformation(NamedTuple):
    """Result of :func:`prediction_information`."""

    value: Array
    ceiling: Array


class IrrelevantInformation(NamedTuple):
    """Result of :func:`irrelevant_information`."""

    value: Array


@overload
def prediction_information(
    probabilities: xr.DataArray,
    labels: Any = None,
    *,
    logits: bool = False,
    uniform_marginals: bool = False,
    units: Units = "nats",
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> xr.Dataset: ...


@overload
def prediction_information(
    probabilities: Any,
    labels: Any = None,
    *,
    logits: bool = False,
    uniform_marginals: bool = False,
    units: Units = "nats",
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> PredictionInformation: ...


def prediction_information(
    probabilities: Any,
    labels: Any = None,
    *,
    logits: bool = False,
    uniform_marginals: bool = False,
    units: Units = "nats",
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> PredictionInformation | xr.Dataset:
    r"""Information of the predicted class about the input, or about the true label.

    Parameters
    ----------
    probabilities
        Class probabilities (..., sample, class), or logits; leading dimensions are batch ones.
        Rows are scaled to sum to exactly one.
    labels
        Integer class labels (sample,) or one-hot rows: the information about the label. ``None``:
        about the input.
    logits
        Whether ``probabilities`` are logits.
    uniform_marginals
        Paper 4's assumption: label and prediction are uniform over the classes, ln C takes the
        place of the entropy of the mean prediction, and every label weighs the same.
    units
        "nats" or "bits".
    sample_dim, unit_dim
        Names of the two dimensions of a DataArray; the second is the class.

    Returns
    -------
    PredictionInformation or xarray.Dataset
        ``value``, and ``ceiling``: the smaller of ln C and ln N, or of ln C and H(Y); ln C with
        ``uniform_marginals``.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; the message names it and what was found.

    Notes
    -----
    :math:`I(X;\hat Y) = H(\frac1N \sum_k p(\cdot|x_k)) - \frac1N \sum_k H(p(\cdot|x_k))`, and
    :math:`I(Y;\hat Y)` is the plug-in value of the joint
    :math:`\pi(y, \hat y) = \frac1N \sum_{k: y_k = y} p(\hat y|x_k)`. A standard error for other
    samples of the same network: :func:`~infotheo.subsample_error`. Source: paper 4, section 2 and
    appendix A; paper 5.

    Examples
    --------
    >>> certain = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]
    >>> prediction_information(certain, [0, 0, 1, 1], units="bits").value
    np.float64(1.0)
    """
    samples = read_samples(
        probabilities, name="probabilities", sample_dim=sample_dim, unit_dim=unit_dim
    )
    uniform_marginals = check_switch(uniform_marginals, "uniform_marginals")
    p = read_probabilities(samples, logits)
    classes = None if labels is None else read_classes(labels, samples)
    scale = nats_per(units)
    value = _input_information(p, uniform_marginals, samples)
    ceiling = math.log(min(samples.size, samples.units))
    if classes is not None:
        value = _label_information(p, classes, uniform_marginals, samples)
        share = classes.probabilities()
        ceiling = min(math.log(samples.units), entropy(share))
    if uniform_marginals:
        ceiling = math.log(samples.units)
    target = "I(X;prediction)" if labels is None else "I(Y;prediction)"
    return wrap(
        PredictionInformation(samples.unflat(value) / scale, samples.like(ceiling / scale)),
        samples,
        estimator="prediction_information",
        settings={"logits": logits, "uniform_marginals": uniform_marginals, "target": target},
        notes={
            "value": FieldNote(units, target),
            "ceiling": FieldNote(units, f"ceiling of {target}"),
        },
    )


@overload
def irrelevant_information(
    probabilities: xr.DataArray,
    labels: Any,
    *,
    logits: bool = False,
    uniform_marginals: bool = False,
    units: Units = "nats",
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> xr.Dataset: ...


@overload
def irrelevant_information(
    probabilities: Any,
    labels: Any,
    *,
    logits: bool = False,
    uniform_marginals: bool = False,
    units: Units = "nats",
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> IrrelevantInformation: ...


def irrelevant_information(
    probabilities: Any,
    labels: Any,
    *,
    logits: bool = False,
    uniform_marginals: bool = False,
    units: Units = "nats",
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> IrrelevantInformation | xr.Dataset:
    """Information of the predicted class about the input that is not about its label.

    Parameters
    ----------
    probabilities, labels, logits, uniform_marginals, units, sample_dim, unit_dim
        As in :func:`prediction_information`; labels are needed.

    Returns
    -------
    IrrelevantInformation or xarray.Dataset
        ``value``: the information about the input less that about the label, >= 0 by the data
        processing inequality (with ``uniform_marginals``, if the labels are balanced).

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; the message names it and what was found.

    Notes
    -----
    Source: paper 4, section 2.

    Examples
    --------
    >>> certain_but_wrong = [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]
    >>> irrelevant_information(certain_but_wrong, [0, 0, 1, 1], units="bits").value
    np.float64(1.0)
    """
    samples = read_samples(
        probabilities, name="probabilities", sample_dim=sample_dim, unit_dim=unit_dim
    )
    uniform_marginals = check_switch(uniform_marginals, "uniform_marginals")
    p = read_probabilities(samples, logits)
    if labels is None:
        raise TypeError("labels is None; expected integer class labels or one-hot rows")
    classes = read_classes(labels, samples)
    scale = nats_per(units)
    about_input = _input_information(p, uniform_marginals, samples)
    value = about_input - _label_information(p, classes, uniform_marginals, samples)
    if not uniform_marginals:  # concavity of the entropy: below 0 is rounding
        value = samples.namespace.clip(value, 0.0, None)
    return wrap(
        IrrelevantInformation(samples.unflat(value) / scale),
        samples,
        estimator="irrelevant_information",
        settings={"logits": logits, "uniform_marginals": uniform_marginals},
        notes={"value": FieldNote(units, "I(X;prediction) - I(Y;prediction)")},
    )


def fano_error_bound(conditional_entropy: Any, classes: int) -> float | Array | xr.DataArray:
    """Lower bound of the error probability of any classifier, from H(Y|Z) in nats.

    Parameters
    ----------
    conditional_entropy
        H(Y|Z) in nats: a number or an array of any kind.
    classes
        Number of classes, more than two.

    Returns
    -------
    array
        max(0, (H(Y|Z) - ln 2) / ln(classes - 1)), of the caller's kind.

    Raises
    ------
    TypeError, ValueError
        If there are not more than two classes, or the entropy is outside [0, ln classes].

    Notes
    -----
    Source: Fano's inequality with the binary entropy of the error replaced by its bound ln 2;
    paper 4.

    Examples
    --------
    >>> round(fano_error_bound(math.log(10), 10), 4)
    0.7325
    """
    classes = check_count(classes, "classes", least=3)
    array = read_array(conditional_entropy, "conditional_entropy", "nats")
    if not (is_labelled(conditional_entropy) or isinstance(conditional_entropy, int | float)):
        conditional_entropy = array
    values = to_numpy(array)
    if values.dtype.kind not in "fiu":
        raise TypeError(f"conditional_entropy has dtype {values.dtype}; expected nats")
    bad = values[~((values >= 0) & (values <= math.log(classes) * (1 + 1e-9)))]
    if bad.size:
        raise ValueError(
            f"conditional_entropy is {bad.flat[0]}; expected nats between 0 and ln {classes} = "
            f"{math.log(classes):.4f}"
        )
    bound = (conditional_entropy - math.log(2)) / math.log(classes - 1)
    if isinstance(bound, int | float):
        return max(0.0, float(bound))
    return bound.clip(0.0)  # NumPy, torch and xarray alike


def read_probabilities(samples: Samples, logits: bool) -> Array:
    """Check and scale probabilities, or normalise logits, to (batch, sample, class) float64.

    Examples
    --------
    >>> read_probabilities(read_samples([[2.0, 2.0], [0.0, 0.0]]), logits=True)[0].tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    logits = check_switch(logits, "logits")
    xp, p = samples.namespace, samples.flat()
    if samples.units < 2:
        raise ValueError("probabilities has 1 class; expected at least 2 along the last dimension")
    if logits:
        p = xp.exp(p - xp.max(p, axis=-1, keepdims=True))
        return p / xp.sum(p, axis=-1, keepdims=True)
    smallest = float(to_numpy(xp.min(p)))
    if smallest < 0:
        raise ValueError(
            f"probabilities contains {smallest}; expected values >= 0 (or pass logits=True)"
        )
    total = xp.sum(p, axis=-1, keepdims=True)
    sums = to_numpy(total).ravel()
    sums = sums[np.abs(sums - 1) > SUM_TOLERANCE]
    if sums.size:
        raise ValueError(
            f"probabilities has a row that sums to {sums[0]:.6g}; expected 1 (or pass logits=True)"
        )
    return p / total


def _entropy(p: Array, xp: Any) -> Array:
    """Entropy (nats) along the last dimension, with a finite gradient at 0."""
    return -xp.sum(p * xp.log(xp.where(p > 0, p, xp.ones_like(p))), axis=-1)


def _input_information(p: Array, uniform: bool, samples: Samples) -> Array:
    xp = samples.namespace
    marginal = math.log(samples.units) if uniform else _entropy(xp.mean(p, axis=1), xp)
    value = marginal - xp.mean(_entropy(p, xp), axis=1)
    return xp.clip(value, 0.0, None)  # rounding only


def _label_information(p: Array, classes: Classes, uniform: bool, samples: Samples) -> Array:
    """I(Y;prediction) = H(mean prediction) - sum_y p(y) H(mean prediction of class y)."""
    xp = samples.namespace
    shares = classes.probabilities()
    if uniform:
        shares = np.full(classes.count, 1 / classes.count)
    within: Array = 0.0
    for members, share in zip(classes.members(), shares, strict=True):
        class_rows = xp.take(p, samples.like(members, "int64"), axis=1)
        within = within + float(share) * _entropy(xp.mean(class_rows, axis=1), xp)
    marginal = math.log(samples.units) if uniform else _entropy(xp.mean(p, axis=1), xp)
    return xp.clip(marginal - within, 0.0, None)  # rounding only
