"""Diagnostics of predictions after paper 5: the variance of probabilities, and Fano's bounds."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from infotheo.arrays.results import provenance
from infotheo.estimators.prediction import fano_error_bound, prediction_information
from infotheo.estimators.variance_diagnostic import prediction_variance

__all__ = ["diagnostics"]

HALVINGS = 60  # of [0, 1/2]: to the last bit


def diagnostics(logits: xr.DataArray) -> xr.Dataset:
    r"""Variance of the predicted probabilities, and Fano's lower bounds of the error.

    Parameters
    ----------
    logits
        (seed, sample, unit) with coordinate ``class`` (sample).

    Returns
    -------
    xarray.Dataset
        Over ``seed``: ``prediction_variance_diagnostic``, 2 (Var p(prediction) + Var
        p(prediction|x)) of paper 5, eq. 33, under the joint measure: no bound of I(X;prediction).
        ``fano_bound``: no less than this share of samples is predicted wrongly by who takes the
        most probable class, from I(Y;prediction) of that class; to be held against ``error``.
        ``fano_bound_sampled`` and ``prediction_sampled_error``: the same where the prediction is
        drawn from the probabilities, as in the measure ``prediction``, and the error then expected.

    Notes
    -----
    For more than two classes (H(Y|prediction) - ln 2) / ln(C - 1), :func:`~infotheo.
    fano_error_bound`; for two, where that is undefined, the error e <= 1/2 whose binary entropy is
    H(Y|prediction). The information of a drawn prediction does not bound the error of the most
    probable class: with p = 0.6 for the true one of two, that never errs, and the bound is 0.4.

    Examples
    --------
    >>> certain = xr.DataArray(
    ...     [[[9.0, 0.0], [9.0, 0.0], [0.0, 9.0], [9.0, 0.0]]],
    ...     dims=("seed", "sample", "unit"), coords={"class": ("sample", [0, 1, 1, 0])},
    ... )
    >>> diagnostics(certain)["fano_bound"].values.round(4)  # of an error of 0.25
    array([0.184])
    """
    logits = logits.transpose("seed", "sample", "unit")
    labels = logits["class"].values
    values = logits.values.astype(np.float64)
    classes = values.shape[-1]
    hard = np.eye(classes)[values.argmax(axis=-1)]
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    label_entropy = float(-np.sum(shares * np.log(shares)))
    bounds = {
        "fano_bound": prediction_information(hard, labels).value,
        "fano_bound_sampled": prediction_information(values, labels, logits=True).value,
    }
    highest = values.max(axis=-1, keepdims=True)
    p = np.exp(values - highest)
    p /= p.sum(axis=-1, keepdims=True)
    p_label = np.take_along_axis(p, labels[None, :, None], axis=-1)[..., 0]
    variables = {
        "prediction_variance_diagnostic": (
            prediction_variance(values, logits=True).value,
            "variance of predicted probabilities, no bound",
        ),
        "prediction_sampled_error": (
            1 - p_label.mean(axis=-1),
            "error of predictions drawn from p",
        ),
    }
    for name, information in bounds.items():
        unknown = np.clip(label_entropy - information, 0.0, label_entropy)  # below 0 is rounding
        drawn = " of predictions drawn from p" if name == "fano_bound_sampled" else ""
        bound = _least_error(unknown, classes)
        variables[name] = (bound, f"Fano's lower bound of the error{drawn}")
    origin = provenance("diagnostics", {})
    return xr.Dataset(
        {
            name: ("seed", array, {"units": "1", "long_name": long, **origin})
            for name, (array, long) in variables.items()
        },
        {"seed": logits["seed"]} if "seed" in logits.coords else {},
        origin,
    )


def _least_error(unknown: NDArray[np.float64], classes: int) -> NDArray[np.float64]:
    """Return the smallest error of who lacks so many nats about the label."""
    if classes > 2:
        return np.asarray(fano_error_bound(np.minimum(unknown, math.log(classes)), classes))
    low, high = np.zeros_like(unknown), np.full_like(unknown, 0.5)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        entropy = -middle * np.log(middle) - (1 - middle) * np.log1p(-middle)
        short = entropy < unknown
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return low
