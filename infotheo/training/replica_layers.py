"""Layers that know of replicas: a leading dimension on weights, values and dropout masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

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
    """Dropout by masks that the trainer draws from each replica's own stream, one for each call.

    Parameters
    ----------
    rate
        Probability that a unit is dropped.

    Attributes
    ----------
    calls
        Since the pass through the network began.
    shapes
        Of the inputs of each call, recorded in a trial pass; ``None`` in any other.
    masked
        Whether masks are handed in; else they come from torch's global generator.
    """

    def __init__(self, rate: float):
        super().__init__()
        self.rate = self.p = rate  # p: a network may hand it to torch's function
        self.calls = 0
        self.shapes: list[tuple[int, ...]] | None = None
        self.masked = True

    def mask_names(self, count: int) -> list[str]:
        """Return the names of the buffers that hold the masks of so many calls."""
        names = [f"mask{call}" for call in range(count)]
        for name in names:
            if name not in self._buffers:
                self.register_buffer(name, torch.ones(()), persistent=False)
        return names

    def forward(self, inputs: Tensor) -> Tensor:
        """Multiply by the mask of this call while training."""
        if not self.training:
            return inputs
        if self.shapes is not None:
            self.shapes.append(tuple(inputs.shape))
            return inputs
        if not self.masked:
            return dropout(inputs, self.rate)
        mask = self._buffers.get(f"mask{self.calls}")
        self.calls += 1
        if mask is None or mask.shape != inputs.shape:
            drawn = f"a mask of {tuple(mask.shape)}" if mask is not None else "no mask"
            raise ValueError(
                f"dropout: call {self.calls} of a pass got inputs of {tuple(inputs.shape)}, but "
                f"{drawn} was drawn for it; expected the same calls for all batches of a size"
            )
        return inputs * mask.to(inputs.dtype)


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


def is_known_sequence(module: nn.Module) -> bool:
    """Whether every part is known, so that no ``forward`` of a user's runs on stacked tensors."""
    if type(module) is nn.Sequential:
        return all(is_known_sequence(child) for child in module)
    if type(module) is nn.BatchNorm1d:
        return module.affine and module.track_running_stats and module.momentum is not None
    return type(module) in (nn.Linear, nn.Dropout, *_ELEMENTWISE)


def replace_layers(
    module: nn.Module, stacked: bool, replaced: dict[nn.Module, MaskedDropout] | None = None
) -> nn.Module:
    """Swap the layers that need to know of replicas, in place; keeps every name.

    A module that stands at several places is ``replaced`` by one that does too.
    """
    replaced = {} if replaced is None else replaced
    if getattr(module, "inplace", False):
        # a captured output must stay what its layer put out
        setattr(module, "inplace", False)  # noqa: B010
    for name, child in module._modules.items():  # named_children leaves out repeated ones
        if child is None:
            continue
        if isinstance(child, nn.Dropout) and type(child).forward is nn.Dropout.forward:
            if child not in replaced:
                replaced[child] = MaskedDropout(child.p)
            module._modules[name] = replaced[child]
        elif stacked and type(child) is nn.Linear:
            child.__class__ = _Linear
        elif stacked and type(child) is nn.BatchNorm1d:
            child.__class__ = _BatchNorm
        else:
            replace_layers(child, stacked, replaced)
    return module
