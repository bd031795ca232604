"""Differentiable penalties on a layer's mini-batch activations.

Activations are (..., sample, unit); leading dimensions (replicas) stay in the result. Statistics
over samples divide by the number of samples, over pairs of units by the number of distinct pairs
(paper 2, table 1), so one loss weight means the same at any width. ``normalized=False`` gives the
plain sums of paper 1, table 5. Only shapes and dtypes are checked, and labels where they lie on
the CPU: nothing waits for an accelerator, and a diverging replica spoils only its own result.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from infotheo.class_deviations import activations_of, class_deviations, membership
from infotheo.weight_penalties import logit_penalty, weight_regularizers

__all__ = ["logit_penalty", "regularizers", "weight_regularizers"]


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
    z = activations_of(z)
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
    z = activations_of(z)
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
    >>> variance_penalty(torch.tensor([[0.0, 0.0], [2.0, 4.0]]))  # variances 1 and 4
    tensor(2.5000)
    """
    z = activations_of(z)
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
    >>> z = torch.tensor([[0.0], [2.0], [5.0], [5.0]])
    >>> class_wise_variance_penalty(z, torch.tensor([0, 0, 1, 1]))  # variances 1 and 0
    tensor(0.5000)
    """
    z = activations_of(z)
    deviations = class_deviations(z, labels, classes)
    total = deviations.rows.square().sum((-2, -1))
    return total / (z.shape[-1] * deviations.classes) if normalized else total


def amplitude_penalty(
    z: Tensor,
    labels: object = None,
    *,
    classes: int | None = None,
    normalized: bool = True,
) -> Tensor:
    """L1R: mean over samples and units of the absolute activation.

    Parameters
    ----------
    z
        Activations (..., sample, unit).
    labels, classes
        Not used; taken so that all penalties are called alike.
    normalized
        False: the sum instead of the mean.

    Returns
    -------
    torch.Tensor
        Penalty (...), in units of activation.

    Notes
    -----
    Paper 1, table 5 (the sum), divided by the number of terms as paper 2 divides the others.

    Examples
    --------
    >>> amplitude_penalty(torch.tensor([[0.0, 1.0], [-3.0, 0.0]]))
    tensor(1.)
    """
    total = activations_of(z).abs()
    return total.mean((-2, -1)) if normalized else total.sum((-2, -1))


def _ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Divide, with 0 / 0 = 0: both vanish where all activations are 0, and so must the gradient."""
    return numerator / torch.where(denominator == 0, torch.ones_like(denominator), denominator)


def _stable_rank(matrices: Tensor) -> Tensor:
    """Return ``|Z|_F^2 / |Z|_2^2`` of each (..., sample, unit) matrix by its singular values."""
    # the decomposition refuses NaN for the whole batch: let the spoiled replica alone be NaN
    finite = matrices.isfinite().all(-1).all(-1)
    safe = torch.where(finite[..., None, None], matrices, torch.zeros_like(matrices))
    largest = torch.linalg.svdvals(safe)[..., 0]
    return _ratio(matrices.square().sum((-2, -1)), largest.square())


def rank_penalty(
    z: Tensor,
    labels: object = None,
    *,
    classes: int | None = None,
    normalized: bool = True,
    exact: bool = False,
) -> Tensor:
    """RR: stable rank of the activation matrix, or its cheaper lower bound for training.

    Parameters
    ----------
    z
        Activations (..., sample, unit).
    labels, classes, normalized
        Not used (a stable rank has nothing to normalise); taken so that all penalties are
        called alike.
    exact
        True: ``|Z|_F^2 / |Z|_2^2`` by singular values. False: ``|Z|_F^2 / (|Z|_1 |Z|_inf)``,
        with the largest absolute column sum and row sum.

    Returns
    -------
    torch.Tensor
        Penalty (...), a pure number; 0 with gradient 0 where every activation is 0.

    Notes
    -----
    Paper 1, eqs. 7 (exact) and 9; the gradient of the latter is eq. 10.

    Examples
    --------
    >>> rank_penalty(torch.eye(3)), rank_penalty(torch.eye(3), exact=True)
    (tensor(3.), tensor(3.))
    """
    z = activations_of(z)
    if exact:
        return _stable_rank(z)
    size = z.abs()
    return _ratio(z.square().sum((-2, -1)), size.sum(-2).amax(-1) * size.sum(-1).amax(-1))


def class_wise_rank_penalty(
    z: Tensor,
    labels: object = None,
    *,
    classes: int | None = None,
    normalized: bool = True,
    exact: bool = False,
) -> Tensor:
    """cw-RR: `rank_penalty` of each class's samples, summed over classes.

    Parameters
    ----------
    z
        Activations (..., sample, unit).
    labels, classes
        As in `class_wise_covariance_penalty`, with the same errors.
    normalized, exact
        As in `rank_penalty`.

    Returns
    -------
    torch.Tensor
        Penalty (...), a pure number. A class with fewer than 2 samples, or whose activations
        are all 0, adds nothing.

    Notes
    -----
    Paper 1, table 5 and eq. 9.

    Examples
    --------
    >>> class_wise_rank_penalty(torch.eye(4), torch.tensor([0, 0, 1, 1]))
    tensor(4.)
    """
    z = activations_of(z)
    one_hot, _ = membership(z, labels, classes)
    if exact:
        by_class = one_hot.mT[..., None] * z[..., None, :, :]  # (..., class, sample, unit)
        ranks = _stable_rank(by_class)
    else:
        size = z.abs()
        squares = (one_hot.mT @ z.square().sum(-1, keepdim=True)).squeeze(-1)  # (..., class)
        columns = (one_hot.mT @ size).amax(-1)  # (..., class)
        rows = (one_hot * size.sum(-1, keepdim=True)).amax(-2)  # (..., class)
        ranks = _ratio(squares, columns * rows)
    return torch.where(one_hot.sum(-2) > 1, ranks, torch.zeros_like(ranks)).sum(-1)


regularizers: dict[str, Callable[..., Tensor]] = {
    "CR": covariance_penalty,
    "cw-CR": class_wise_covariance_penalty,
    "VR": variance_penalty,
    "cw-VR": class_wise_variance_penalty,
    "L1R": amplitude_penalty,
    "RR": rank_penalty,
    "cw-RR": class_wise_rank_penalty,
}
