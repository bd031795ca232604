"""Layers that know of replicas: a leading dimension on weights, values and dropout masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["MaskedDropout", "is_known_sequence", "replace_layers"]


class _LinearFunction(torch.autograd.Function):
    """Batched x Wᵀ + b; its weight gradient comes out in the weight's own memory layout."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        # (replica, sample, in), (replica, out, in), (replica, out) -> (replica, sample, out)
        ctx.save_for_backward(inputs, weight)
        return torch.baddbmm(bias.unsqueeze(1), inputs, weight.mT)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        inputs, weight = ctx.saved_tensors
        inputs_gradient = torch.bmm(gradient, weight) if ctx.needs_input_grad[0] else None
        return inputs_gradient, torch.bmm(gradient.mT, inputs), gradient.sum(1)


_multiply: Callable[[Tensor, Tensor, Tensor], Tensor] = _LinearFunction.apply


class _Linear(nn.Linear):
    """Linear layer whose weight is (replica, out, in)."""

    def forward(self, inputs: Tensor) -> Tensor:
        if self.bias is None:
            return torch.bmm(inputs, self.weight.mT)
        return _multiply(inputs, self.weight, self.bias)


class _BatchNorm(nn.BatchNorm1d):
    """Batch normalisation of (replica, sample, unit), statistics per replica."""

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training:
            if inputs.shape[1] < 2:
                raise ValueError("batch normalization needs batches of two samples, found one")
            variance, mean = torch.var_mean(inputs, dim=1, correction=0)
            if self.running_mean is not None and self.running_var is not None:
                samples = inputs.shape[1]
                assert self.momentum is not None  # is_known_sequence has seen to it
                with torch.no_grad():
                    self.running_mean.lerp_(mean, self.momentum)
                    self.running_var.lerp_(variance * (samples / (samples - 1)), self.momentum)
        else:
            assert self.running_mean is not None
            assert self.running_var is not None
            mean, variance = self.running_mean, self.running_var
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return torch.addcmul((self.bias - mean * scale).unsqueeze(1), inputs, scale.unsqueeze(1))


class MaskedDropout(nn.Module):
    """Dropout by a mask that the trainer draws from each replica's own stream."""

    mask: Tensor

    def __init__(self, rate: float):
        super().__init__()
        self.rate = rate
        self.shape: tuple[int, ...] | None = None  # of the inputs, learned in a trial run
        self.register_buffer("mask", torch.ones(()), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Multiply by the mask while training."""
        if self.shape is None:
            self.shape = tuple(inputs.shape)
        return inputs * self.mask if self.training else inputs


_ELEMENTWISE = (
    nn.ReLU,
    nn.Tanh,
    nn.Sigmoid,
    nn.ELU,
    nn.Softplus,
    nn.Identity,
    nn.LeakyReLU,
    nn.GELU,
)


_OTHER_DROPOUTS = (
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
)


def is_known_sequence(module: nn.Module) -> bool:
    """Whether every part is known, so that no ``forward`` of a user's runs on stacked tensors."""
    if type(module) is nn.Sequential:
        return all(is_known_sequence(child) for child in module)
    if type(module) is nn.BatchNorm1d:
        return module.affine and module.track_running_stats and module.momentum is not None
    return type(module) in (nn.Linear, nn.Dropout, *_ELEMENTWISE)


def replace_layers(module: nn.Module, stacked: bool) -> nn.Module:
    """Swap the layers that need to know of replicas, in place; keeps every name.

    Raises
    ------
    ValueError
        For a kind of dropout whose masks cannot be drawn for it.
    """
    if getattr(module, "inplace", False):
        # a captured output must stay what its layer put out
        setattr(module, "inplace", False)  # noqa: B010
    for name, child in module.named_children():
        if isinstance(child, _OTHER_DROPOUTS):
            raise ValueError(
                f"layer {name!r} is {type(child).__name__}, whose masks a replica cannot draw from "
                "its own stream; expected Dropout"
            )
        if isinstance(child, nn.Dropout):
            setattr(module, name, MaskedDropout(child.p))
        elif stacked and type(child) is nn.Linear:
            child.__class__ = _Linear
        elif stacked and type(child) is nn.BatchNorm1d:
            child.__class__ = _BatchNorm
        else:
            replace_layers(child, stacked)
    return module
