"""CR and cw-CR: squared covariances between units."""

from __future__ import annotations

import torch
from torch import Tensor

from infotheo.penalties.class_deviations import check_activations, class_deviations


def _squared_covariances(rows: Tensor) -> Tensor:
    """Sum over ordered pairs i != j of c_ij^2, C the Gram matrix of ``rows``' columns: (...)."""
    samples, units = rows.shape[-2:]
    if samples < units:  # C and the smaller rows rows^T have the same Frobenius norm
        gram = rows @ rows.mT
        return gram.square().sum((-2, -1)) - rows.square().sum(-2).square().sum(-1)
    return 2 * (rows.mT @ rows).tril(-1).square().sum((-2, -1))


def covariance_penalty(
    z: Tensor,
    labels: object = None,
    *,
    classes: int | None = None,
    normalized: bool = True,
) -> Tensor:
    """CR (DeCov): mean squared covariance over the distinct pairs of units.

    Parameters
    ----------
    z
        Activations (..., sample, unit).
    labels, classes
        Not used; taken so that all penalties are called alike.
    normalized
        False: the sum over ordered pairs instead of the mean.

    Returns
    -------
    torch.Tensor
        Penalty (...), in units of activation^4; 0 for one sample or one unit. With more units
        than samples it is a difference of sums, rounded to about 1e-7 of the variances squared.

    Notes
    -----
    Paper 2, table 1; paper 1, table 5 (not normalised).

    Examples
    --------
    >>> z = torch.tensor([[0.0, 0.0], [2.0, 4.0]])  # c_12 = 2
    >>> print(f"{covariance_penalty(z):.3f}")
    4.000
    """
    z = check_activations(z)
    samples, units = z.shape[-2:]
    rows = (z - z.mean(-2, keepdim=True)) / samples**0.5
    pairs = max(units * (units - 1), 1)
    return _squared_covariances(rows) / (pairs if normalized else 1)


def class_wise_covariance_penalty(
    z: Tensor,
    labels: object = None,
    *,
    classes: int | None = None,
    normalized: bool = True,
) -> Tensor:
    """cw-CR: the squared covariances within each class, averaged over classes.

    Parameters
    ----------
    z
        Activations (..., sample, unit).
    labels
        Integer classes (sample,) or (..., sample).
    classes
        Number of classes K, labels 0..K-1. None: the distinct labels of each mini-batch, found
        by looking at the values (an accelerator has to be waited for).
    normalized
        False: the sum over classes and ordered pairs instead of the mean.

    Returns
    -------
    torch.Tensor
        Penalty (...), in units of activation^4. A class with fewer than 2 samples adds nothing.

    Raises
    ------
    ValueError
        If labels are missing, of another length or outside 0..K-1.
    TypeError
        If labels are not integers.

    Notes
    -----
    Paper 2, table 1; paper 1, table 5 (not normalised).

    Examples
    --------
    >>> z = torch.tensor([[0.0, 0.0], [2.0, 4.0], [1.0, 5.0], [1.0, 7.0]])
    >>> labels = torch.tensor([0, 0, 1, 1])  # c_12 = 2 in class 0, and 0 in class 1
    >>> print(f"{class_wise_covariance_penalty(z, labels):.3f}")
    2.000
    """
    z = check_activations(z)
    deviations = class_deviations(z, labels, classes)
    rows, one_hot = deviations.rows, deviations.one_hot
    samples, units = z.shape[-2:]
    if units > 1 and samples <= one_hot.shape[-1] * units:
        # one Gram matrix of samples, its same-class blocks kept, costs less than K covariances
        gram = rows @ rows.mT * (one_hot @ one_hot.mT)  # (..., sample, sample)
        variances = one_hot.mT @ rows.square()  # (..., class, unit)
        total = gram.square().sum((-2, -1)) - variances.square().sum((-2, -1))
    else:
        total = sum(
            (
                2 * (rows.mT @ (rows * member[..., None])).tril(-1).square().sum((-2, -1))
                for member in one_hot.unbind(-1)
            ),
            start=torch.zeros((), dtype=z.dtype, device=z.device),
        )
    return total / (max(units * (units - 1), 1) * deviations.classes) if normalized else total
