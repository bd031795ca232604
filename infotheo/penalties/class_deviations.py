"""Class membership of a mini-batch's samples and their deviations from the class means.

Everything keeps leading dimensions (replicas) and checks shapes and dtypes only, label values only
where they lie on the CPU, so that nothing in a training step waits for an accelerator.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["ClassDeviations", "check_activations", "class_deviations", "membership"]

_INTEGER_KINDS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


class ClassDeviations(NamedTuple):
    """Samples less their class mean, over the square root of the class size.

    With rows scaled so, the covariance of class k is the Gram matrix of its rows.
    """

    rows: Tensor  # (..., sample, unit)
    one_hot: Tensor  # (..., sample, class)
    classes: Tensor | int  # (...) or a number: what class-wise sums are divided by


def check_activations(z: Tensor, name: str = "z") -> Tensor:
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


def _check_labels(labels: object, z: Tensor, classes: int | None) -> Tensor:
    """Return integer labels (..., sample) beside ``z``; on the CPU also check their range."""
    if labels is None:
        raise ValueError("labels are needed by a class-wise penalty, got None")
    index = torch.as_tensor(labels, device=z.device)
    if index.dtype not in _INTEGER_KINDS:
        raise TypeError(f"labels must be integers, got {index.dtype}")
    if index.shape not in (z.shape[-2:-1], z.shape[:-1]):
        raise ValueError(
            f"labels must have shape {tuple(z.shape[-2:-1])} or {tuple(z.shape[:-1])} "
            f"to go with z {tuple(z.shape)}, got {tuple(index.shape)}"
        )
    if classes is not None and index.device.type == "cpu":
        low, high = int(index.min()), int(index.max())
        if low < 0 or high >= classes:
            raise ValueError(f"labels must lie in 0..{classes - 1}, got {low}..{high}")
    return index.long()


def membership(z: Tensor, labels: object, classes: int | None) -> tuple[Tensor, Tensor | int]:
    """Return the one-hot labels (..., sample, class) and the number of classes to average over."""
    index = _check_labels(labels, z, classes)
    if classes is None:
        values, index = torch.unique(index, return_inverse=True)
        width = values.numel()
    else:
        width = classes
    one_hot = index[..., None] == torch.arange(width, device=z.device)
    present = one_hot.any(-2).sum(-1) if classes is None else classes
    return one_hot.to(z.dtype), present


def class_deviations(z: Tensor, labels: object, classes: int | None) -> ClassDeviations:
    """Return the deviations of ``z`` (..., sample, unit) from its class means, class-scaled.

    Parameters
    ----------
    z
        Activations (..., sample, unit).
    labels
        Integer classes (sample,) or (..., sample).
    classes
        Number of classes, labels 0 to one less; None: the distinct labels of each mini-batch.

    Raises
    ------
    ValueError
        If labels are missing, of another length or out of range.
    TypeError
        If labels are not integers.

    Examples
    --------
    >>> z = torch.tensor([[0.0], [2.0], [4.0], [0.0], [7.0]])
    >>> deviations = class_deviations(z, torch.tensor([0, 1, 1, 0, 2]), 3)
    >>> print(f"{deviations.rows.square().sum():.3f}")  # variances 0, 1, none for one sample
    1.000
    """
    one_hot, present = membership(z, labels, classes)
    counts = one_hot.sum(-2)  # (..., class)
    means = one_hot.mT @ z / counts.clamp(min=1)[..., None]  # (..., class, unit)
    # one sample has no spread: its class gets scale 0, so neither value nor gradient
    scale = torch.where(counts > 1, counts.clamp(min=1).rsqrt(), 0.0)
    rows = (z - one_hot @ means) * (one_hot @ scale[..., None])
    return ClassDeviations(rows, one_hot, present)
