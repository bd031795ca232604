"""VR and cw-VR: variances of units."""

from __future__ import annotations

from torch import Tensor

from infotheo.penalties.class_deviations import check_activations, class_deviations


def variance_penalty(
    z: Tensor,
    labels: object = None,
    *,
    classes: int | None = None,
    normalized: bool = True,
) -> Tensor:
    """VR: mean over units of the variance over samples.

    Parameters
    ----------
    z
        Activations (..., sample, unit).
    labels, classes
        Not used; taken so that all penalties are called alike.
    normalized
        False: the sum over units instead of the mean.

    Returns
    -------
    torch.Tensor
        Penalty (...), in units of activation^2; 0 for one sample.

    Notes
    -----
    Paper 2, table 1; paper 1, table 5 (not normalised).

    Examples
    --------
    >>> import torch
    >>> variance_penalty(torch.tensor([[0.0, 0.0], [2.0, 4.0]]))  # variances 1 and 4
    tensor(2.5000)
    """
    z = check_activations(z)
    total = (z - z.mean(-2, keepdim=True)).square().sum((-2, -1)) / z.shape[-2]
    return total / z.shape[-1] if normalized else total


def class_wise_variance_penalty(
    z: Tensor,
    labels: object = None,
    *,
    classes: int | None = None,
    normalized: bool = True,
) -> Tensor:
    """cw-VR: mean over classes and units of the variance within the class.

    Parameters
    ----------
    z
        Activations (..., sample, unit).
    labels, classes
        As in `class_wise_covariance_penalty`, with the same errors.
    normalized
        False: the sum over classes and units instead of the mean.

    Returns
    -------
    torch.Tensor
        Penalty (...), in units of activation^2. A class with fewer than 2 samples adds nothing.

    Notes
    -----
    Paper 2, table 1; paper 1, table 5 (not normalised).

    Examples
    --------
    >>> import torch
    >>> z = torch.tensor([[0.0], [2.0], [5.0], [5.0]])
    >>> class_wise_variance_penalty(z, torch.tensor([0, 0, 1, 1]))  # variances 1 and 0
    tensor(0.5000)
    """
    z = check_activations(z)
    deviations = class_deviations(z, labels, classes)
    total = deviations.rows.square().sum((-2, -1))
    return total / (z.shape[-1] * deviations.classes) if normalized else total
