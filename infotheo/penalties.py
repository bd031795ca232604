"""Differentiable penalties on a layer's mini-batch activations, its weights and its logits.

Activations are (..., sample, unit); leading dimensions (replicas) stay in the result. Statistics
over samples divide by the number of samples, over pairs of units by the number of distinct pairs
(paper 2, table 1), so one loss weight means the same at any width. ``normalized=False`` gives the
plain sums of paper 1, table 5. Only shapes and dtypes are checked, and labels where they lie on
the CPU: nothing waits for an accelerator, and a diverging replica spoils only its own result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["logit_penalty", "regularizers", "weight_regularizers"]

_INTEGER_KINDS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


class _ClassDeviations(NamedTuple):
    """Samples less their class mean, over the square root of the class size.

    With rows scaled so, the covariance of class k is the Gram matrix of its rows.
    """

    rows: Tensor  # (..., sample, unit)
    one_hot: Tensor  # (..., sample, class)
    classes: Tensor | int  # (...) or a number: what class-wise sums are divided by


def _activations(z: Tensor, name: str = "z") -> Tensor:
    """Return ``z`` in at least single precision after checking its shape and dtype."""
    if not isinstance(z, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {type(z).__name__}")
    if z.ndim < 2 or 0 in z.shape[-2:]:
        raise ValueError(
            f"{name} must have shape (..., sample, unit) with at least one of each, "
            f"got {tuple(z.shape)}"
        )
    if z.is_complex() or z.dtype == torch.bool:
        raise TypeError(f"{name} must hold real numbers, got {z.dtype}")
    return z if z.dtype in (torch.float32, torch.float64) else z.float()


def _checked_labels(labels: object, z: Tensor, classes: int | None) -> Tensor:
    """Return integer labels (..., sample) beside ``z``; on the CPU also check their range."""
    if labels is None:
        raise ValueError("labels are needed by a class-wise penalty, got None")
    index = torch.as_tensor(labels, device=z.device)
    if index.dtype not in _INTEGER_KINDS:
        raise TypeError(f"labels must be integers, got {index.dtype}")
    if index.ndim not in (1, z.ndim - 1) or index.shape not in (z.shape[-2:-1], z.shape[:-1]):
        raise ValueError(
            f"labels must have shape {tuple(z.shape[-2:-1])} or {tuple(z.shape[:-1])} "
            f"to go with z {tuple(z.shape)}, got {tuple(index.shape)}"
        )
    if classes is not None and index.device.type == "cpu":
        low, high = int(index.min()), int(index.max())
        if low < 0 or high >= classes:
            raise ValueError(f"labels must lie in 0..{classes - 1}, got {low}..{high}")
    return index.long()


def _membership(z: Tensor, labels: object, classes: int | None) -> tuple[Tensor, Tensor | int]:
    """Return the one-hot labels (..., sample, class) and the number of classes to average over."""
    index = _checked_labels(labels, z, classes)
    if classes is None:
        values, index = torch.unique(index, return_inverse=True)
        width = values.numel()
    else:
        width = classes
    one_hot = index[..., None] == torch.arange(width, device=z.device)
    present = one_hot.any(-2).sum(-1) if classes is None else classes
    return one_hot.to(z.dtype), present


def _class_deviations(z: Tensor, labels: object, classes: int | None) -> _ClassDeviations:
    one_hot, present = _membership(z, labels, classes)
    counts = one_hot.sum(-2)  # (..., class)
    means = one_hot.mT @ z / counts.clamp(min=1)[..., None]  # (..., class, unit)
    # one sample has no spread: its class gets scale 0, so neither value nor gradient
    scale = torch.where(counts > 1, counts.clamp(min=1).rsqrt(), 0.0)
    rows = (z - one_hot @ means) * (one_hot @ scale[..., None])
    return _ClassDeviations(rows, one_hot, present)


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
    z = _activations(z)
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
    z = _activations(z)
    deviations = _class_deviations(z, labels, classes)
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
    z = _activations(z)
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
    z = _activations(z)
    deviations = _class_deviations(z, labels, classes)
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
    total = _activations(z).abs()
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
    z = _activations(z)
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
    z = _activations(z)
    one_hot, _ = _membership(z, labels, classes)
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


def absolute_weights(weights: Tensor) -> Tensor:
    """L1W: sum (not mean) of ``|w|`` over a layer's weights (..., in, out).

    Examples
    --------
    >>> absolute_weights(torch.tensor([[1.0, -2.0]]))
    tensor(3.)
    """
    return weights.abs().sum((-2, -1))


def squared_weights(weights: Tensor) -> Tensor:
    """L2W: sum (not mean) of ``w^2`` over a layer's weights (..., in, out).

    Examples
    --------
    >>> squared_weights(torch.tensor([[1.0, -2.0]]))
    tensor(5.)
    """
    return weights.square().sum((-2, -1))


weight_regularizers: dict[str, Callable[[Tensor], Tensor]] = {
    "L1W": absolute_weights,
    "L2W": squared_weights,
}


def logit_penalty(features: Tensor, output_weights: Tensor, labels: object) -> Tensor:
    r"""Mean over samples of ``|w_y|_2 |F(x)|_2``, w_y the output weights of the true label.

    Parameters
    ----------
    features
        What the output layer receives, (..., sample, unit).
    output_weights
        Weights of the output layer, (..., unit, class).
    labels
        Integer classes (sample,) or (..., sample).

    Returns
    -------
    torch.Tensor
        Penalty (...), to be multiplied by the papers' :math:`\alpha_2`.

    Raises
    ------
    ValueError
        If the shapes do not fit or a label has no column of weights.

    Notes
    -----
    Paper 4, eq. 7.

    Examples
    --------
    >>> logit_penalty(torch.tensor([[3.0, 4.0]]), 2 * torch.eye(2), torch.tensor([1]))
    tensor(10.)
    """
    features = _activations(features, "features")
    if output_weights.ndim < 2 or output_weights.shape[-2] != features.shape[-1]:
        raise ValueError(
            f"output_weights must have shape (..., {features.shape[-1]}, class) to go with "
            f"features {tuple(features.shape)}, got {tuple(output_weights.shape)}"
        )
    one_hot, _ = _membership(features, labels, output_weights.shape[-1])
    columns = torch.linalg.vector_norm(output_weights, dim=-2)  # (..., class)
    of_label = (one_hot @ columns[..., None]).squeeze(-1)  # (..., sample)
    return (of_label * torch.linalg.vector_norm(features, dim=-1)).mean(-1)
