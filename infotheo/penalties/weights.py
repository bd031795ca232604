"""Penalties on weights and, for the output layer, on the size of the true label's logit."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from infotheo.penalties.class_deviations import check_activations, membership
from infotheo.registry import Registry

__all__ = ["absolute_weights", "logit_penalty", "squared_weights", "weight_regularizers"]


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


weight_regularizers: Registry[Callable[..., Tensor]] = Registry(
    {"L1W": absolute_weights, "L2W": squared_weights},
    kind="regularizer",
    positional=("weights",),
)


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
    features = check_activations(features, "features")
    if output_weights.ndim < 2 or output_weights.shape[-2] != features.shape[-1]:
        raise ValueError(
            f"output_weights must have shape (..., {features.shape[-1]}, class) to go with "
            f"features {tuple(features.shape)}, got {tuple(output_weights.shape)}"
        )
    one_hot, _ = membership(features, labels, output_weights.shape[-1])
    columns = torch.linalg.vector_norm(output_weights, dim=-2)  # (..., class)
    label_norms = (one_hot @ columns[..., None]).squeeze(-1)  # (..., sample)
    sizes: Tensor = label_norms * torch.linalg.vector_norm(features, dim=-1)
    return sizes.mean(-1)
