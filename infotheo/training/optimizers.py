"""Optimisers by name; all work element by element, so replicas never mix.

``weight_decay`` adds ``weight_decay`` × parameter to every parameter's gradient, biases and the
scales and shifts of batch normalization included, as torch does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from infotheo.arrays.numbers import check_number
from infotheo.registry import Registry

Optimizer = torch.optim.Optimizer


def adam(
    parameters: Iterable[Tensor],
    learning_rate: float = 1e-4,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> Optimizer:
    """Adam (Kingma & Ba 2015); the weight decay is part of the gradient, not decoupled."""
    return torch.optim.Adam(
        parameters,
        lr=learning_rate,
        betas=(beta1, beta2),
        eps=epsilon,
        weight_decay=check_number(weight_decay, "weight_decay"),
        fused=True,
    )


def momentum(
    parameters: Iterable[Tensor],
    learning_rate: float = 0.01,
    *,
    momentum: float = 0.9,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> Optimizer:
    """Stochastic gradient descent with momentum."""
    return torch.optim.SGD(
        parameters,
        lr=learning_rate,
        momentum=momentum,
        nesterov=nesterov,
        weight_decay=check_number(weight_decay, "weight_decay"),
        fused=True,
    )


def sgd(
    parameters: Iterable[Tensor], learning_rate: float = 0.01, *, weight_decay: float = 0.0
) -> Optimizer:
    """Plain stochastic gradient descent."""
    return torch.optim.SGD(
        parameters,
        lr=learning_rate,
        weight_decay=check_number(weight_decay, "weight_decay"),
        fused=True,
    )


def rmsprop(
    parameters: Iterable[Tensor],
    learning_rate: float = 1e-4,
    *,
    decay: float = 0.9,
    epsilon: float = 1e-8,
) -> Optimizer:
    """RMSProp (Tieleman & Hinton 2012)."""
    return torch.optim.RMSprop(parameters, lr=learning_rate, alpha=decay, eps=epsilon, foreach=True)


optimizers: Registry[Callable[..., Optimizer]] = Registry(
    {"adam": adam, "momentum": momentum, "sgd": sgd, "rmsprop": rmsprop},
    kind="optimizer",
    positional=("parameters", "learning_rate"),
)


def state_arrays(optimizer: Optimizer) -> dict[str, Tensor]:
    """Return the optimiser's tensors by the names ``"<parameter number>.<quantity>"``."""
    return {
        f"{number}.{quantity}": value
        for number, quantities in optimizer.state_dict()["state"].items()
        for quantity, value in quantities.items()
        if isinstance(value, Tensor)
    }


def restore(optimizer: Optimizer, arrays: dict[str, Tensor]) -> None:
    """Put back what :func:`state_arrays` took."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in arrays.items():
        number, _, quantity = name.partition(".")
        state.setdefault(int(number), {})[quantity] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
