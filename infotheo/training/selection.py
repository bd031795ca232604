"""The choice of a loss weight by the error on validation data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


def choose_loss_weight(loss_weights: Sequence[float], validation_error: ArrayLike) -> float:
    """Return the loss weight with the smallest validation error, averaged over seeds.

    Parameters
    ----------
    loss_weights
        The grid.
    validation_error
        (loss weight, seed), fractions; NaN where a network diverged, which rules its weight out.

    Raises
    ------
    ValueError
        If networks diverged at every weight.

    Notes
    -----
    Of equal errors the smaller weight wins.

    Examples
    --------
    >>> choose_loss_weight([0.1, 1.0, 10.0], [[0.03, 0.03], [0.02, 0.03], [np.nan, 0.01]])
    1.0
    """
    errors = np.asarray(validation_error, dtype=np.float64)
    # errors are fractions in single precision: what differs by less is the same number of samples
    mean = errors.mean(axis=1).round(7)
    if np.isnan(mean).all():
        raise ValueError(
            "weight: training diverged at every loss weight of the grid "
            f"{list(loss_weights)}; give smaller ones"
        )
    order = np.argsort(loss_weights, kind="stable")
    return float(loss_weights[order[np.nanargmin(mean[order])]])
