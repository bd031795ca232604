"""Variance of predicted probabilities, which paper 5 takes for a bound of their information."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from infotheo.arrays.labels import check_choice
from infotheo.arrays.results import FieldNote, wrap
from infotheo.arrays.samples import Array, read_samples
from infotheo.estimators.prediction import read_probabilities

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["PredictionVariance", "prediction_variance"]

ProbabilityMeasure = Literal["joint", "uniform"]


class PredictionVariance(NamedTuple):
    """Result of :func:`prediction_variance`."""

    value: Array
    marginal: Array
    conditional: Array


def prediction_variance(
    probabilities: Any,
    *,
    logits: bool = False,
    measure: ProbabilityMeasure = "joint",
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> PredictionVariance | xr.Dataset:
    r"""Twice the variances of p(prediction) and p(prediction|x): a diagnostic, not a bound.

    Parameters
    ----------
    probabilities
        Class probabilities (..., sample, class), or logits; leading dimensions are batch ones.
    logits
        Whether ``probabilities`` are logits.
    measure
        Over what the variance is taken: "joint", pairs of a sample and a prediction as often as
        the network makes them; "uniform", every pair as often. The paper does not say.
    sample_dim, unit_dim
        Names of the two dimensions of a DataArray; the second is the class.

    Returns
    -------
    PredictionVariance or xarray.Dataset
        ``value`` = 2 (``marginal`` + ``conditional``) of each batch element: squared
        probabilities, pure numbers. High where some predictions are certain and others are not.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; the message names it and what was found.

    Notes
    -----
    :math:`2 (Var\,p(\hat y) + Var\,p(\hat y|x))`, the right side of paper 5, appendix A, eq. 33.
    It is printed as an upper bound of :math:`I(X;\hat Y)` and is none: a balanced binary label
    predicted with certainty has ln 2 = 0.69 nats, and the value is 0 under the joint and 1/2 under
    the uniform measure. :func:`infotheo.prediction_information` has the information itself.

    Examples
    --------
    >>> certain = [[1.0, 0.0], [0.0, 1.0]]
    >>> prediction_variance(certain).value, prediction_variance(certain, measure="uniform").value
    (np.float64(0.0), np.float64(0.5))
    """
    check_choice(measure, get_args(ProbabilityMeasure), "measure")
    samples = read_samples(
        probabilities, name="probabilities", sample_dim=sample_dim, unit_dim=unit_dim
    )
    p = read_probabilities(samples, logits)  # (batch, sample, class)
    xp = samples.namespace
    mean = xp.mean(p, axis=1)  # (batch, class)
    if measure == "joint":
        pair_weights, class_weights = p / samples.size, mean
    else:
        class_weights = xp.full_like(mean, 1 / samples.units)
        pair_weights = xp.full_like(p, 1 / (samples.size * samples.units))
    marginal = _variance(mean, class_weights, (-1,), xp)
    conditional = _variance(p, pair_weights, (-2, -1), xp)
    return wrap(
        PredictionVariance(
            samples.unflat(2 * (marginal + conditional)),
            samples.unflat(marginal),
            samples.unflat(conditional),
        ),
        samples,
        estimator="prediction_variance",
        settings={"logits": logits, "measure": measure},
        notes={
            "value": FieldNote("1", "2 (Var p(prediction) + Var p(prediction|x)), not a bound"),
            "marginal": FieldNote("1", "variance of p(prediction)"),
            "conditional": FieldNote("1", "variance of p(prediction|x)"),
        },
    )


def _variance(values: Array, weights: Array, axes: tuple[int, ...], xp: Any) -> Array:
    """Variance of values under weights that sum to one, about the mean and so never negative."""
    mean = xp.sum(weights * values, axis=axes, keepdims=True)
    return xp.sum(weights * (values - mean) ** 2, axis=axes)
