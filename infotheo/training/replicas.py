"""Many networks of one architecture as one: every parameter carries a leading replica dimension.

A network made of known layers in sequence is evaluated by batched matrix products; any other
module goes through ``torch.vmap``, which is slower but needs nothing of its author.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from infotheo.networks.layers import require_layers
from infotheo.training.streams import Masks, generator


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
        to_inputs = torch.bmm(gradient, weight) if ctx.needs_input_grad[0] else None
        return to_inputs, torch.bmm(gradient.mT, inputs), gradient.sum(1)


class _Linear(nn.Linear):
    """Linear layer whose weight is (replica, out, in)."""

    def forward(self, inputs: Tensor) -> Tensor:
        if self.bias is None:
            return torch.bmm(inputs, self.weight.mT)
        return _LinearFunction.apply(inputs, self.weight, self.bias)


class _BatchNorm(nn.BatchNorm1d):
    """Batch normalisation of (replica, sample, unit), statistics per replica."""

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training:
            if inputs.shape[1] < 2:
                raise ValueError("batch normalization needs batches of two samples, found one")
            variance, mean = torch.var_mean(inputs, dim=1, correction=0)
            if self.running_mean is not None and self.running_var is not None:
                samples = inputs.shape[1]
                with torch.no_grad():
                    self.running_mean.lerp_(mean, self.momentum)  # type: ignore[arg-type]
                    self.running_var.lerp_(
                        variance * (samples / (samples - 1)),
                        self.momentum,  # type: ignore[arg-type]
                    )
        else:
            mean, variance = self.running_mean, self.running_var  # type: ignore[assignment]
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return torch.addcmul((self.bias - mean * scale).unsqueeze(1), inputs, scale.unsqueeze(1))


class _MaskedDropout(nn.Module):
    """Dropout by a mask that the trainer draws from each replica's own stream."""

    def __init__(self, rate: float):
        super().__init__()
        self.rate = rate
        self.shape: tuple[int, ...] | None = None  # of the inputs, learned in a trial run
        self.register_buffer("mask", torch.ones(()), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        if self.shape is None:
            self.shape = tuple(inputs.shape)
        return inputs * self.mask if self.training else inputs  # type: ignore[operator]


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


def _in_sequence(module: nn.Module) -> bool:
    """Whether every part is known, so that no ``forward`` of a user's runs on stacked tensors."""
    if type(module) is nn.Sequential:
        return all(_in_sequence(child) for child in module)
    if type(module) is nn.BatchNorm1d:
        return module.affine and module.track_running_stats and module.momentum is not None
    return type(module) in (nn.Linear, nn.Dropout, *_ELEMENTWISE)


def _replace(module: nn.Module, in_sequence: bool) -> nn.Module:
    """Swap the layers that need to know of replicas, in place; keeps every name."""
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
            setattr(module, name, _MaskedDropout(child.p))
        elif in_sequence and type(child) is nn.Linear:
            child.__class__ = _Linear
        elif in_sequence and type(child) is nn.BatchNorm1d:
            child.__class__ = _BatchNorm
        else:
            _replace(child, in_sequence)
    return module


class Replicas:
    """Networks of one architecture, one for each seed, evaluated together.

    Parameters
    ----------
    build
        Makes one network; called once for each seed with torch's generator set from that seed.
    seeds
        One for each replica; a seed may occur more than once (the same initial weights).
    device
        Where the parameters live.
    layer
        Name of a module whose output is returned beside the logits, or ``None``.

    Attributes
    ----------
    parameters, buffers
        Name → tensor with a leading replica dimension.

    Raises
    ------
    ValueError
        If ``layer`` is not a module of the network.
    """

    def __init__(
        self,
        build: Callable[[], nn.Module],
        seeds: Sequence[int],
        device: torch.device,
        layer: str | None = None,
    ):
        self.seeds = list(seeds)
        self.device = device
        modules = [_initialized(build, seed) for seed in self.seeds]
        self._in_sequence = type(modules[0]) is nn.Sequential and _in_sequence(modules[0])
        self._template = _replace(copy.deepcopy(modules[0]), self._in_sequence).to(device)
        parameters, buffers = stack_module_state(modules)
        frozen = {name for name, value in modules[0].named_parameters() if not value.requires_grad}
        self.parameters = {
            name: value.detach().to(device).requires_grad_()
            for name, value in parameters.items()
            if name not in frozen
        }
        constant = {name: parameters[name].detach() for name in frozen}
        self.buffers = {name: value.to(device) for name, value in (constant | buffers).items()}
        self._dropouts = {
            name: module
            for name, module in self._template.named_modules()
            if isinstance(module, _MaskedDropout)
        }
        self._captured: list[Tensor] = []
        self._captures = layer is not None
        if layer is not None:
            require_layers(modules[0], [layer])
            dict(self._template.named_modules())[layer].register_forward_hook(
                lambda module, arguments, output: self._captured.append(output)
            )

    def __len__(self) -> int:
        return len(self.seeds)

    def _state(self) -> dict[str, Tensor]:
        return {**self.parameters, **self.buffers}

    def __call__(self, inputs: Tensor, masks: Masks | None = None) -> tuple[Tensor, Tensor | None]:
        """Return logits (replica, sample, class) and the captured layer's output, if any.

        ``inputs`` is (replica, sample, …). With ``masks`` the networks run in training mode
        (dropout, batch statistics), without in evaluation mode.
        """
        self._template.train(masks is not None)
        state = self._state()
        if masks is not None:
            for name, module in self._dropouts.items():
                shape = (inputs.shape[1], *self._unit_shape(module, inputs))
                state[f"{name}.mask"] = masks.draw(shape, module.rate)
        return self._apply(state, inputs)

    def _apply(self, state: dict[str, Tensor], inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        self._captured.clear()
        if self._in_sequence:
            logits = functional_call(self._template, state, (inputs,))
            return logits, self._captured[-1] if self._captures else None

        def single(own_state: dict[str, Tensor], own_inputs: Tensor) -> tuple[Tensor, ...]:
            logits = functional_call(self._template, own_state, (own_inputs,))
            return (logits, self._captured[-1]) if self._captures else (logits,)

        outputs = vmap(single)(state, inputs)
        self._captured.clear()
        return outputs[0], outputs[1] if self._captures else None

    def _unit_shape(self, module: _MaskedDropout, inputs: Tensor) -> tuple[int, ...]:
        """Shape of one sample where this dropout stands, from a trial run the first time."""
        if module.shape is None:
            with torch.no_grad():
                self(inputs)
            self._template.train()
        assert module.shape is not None
        # (replica, sample, unit) in sequence, (sample, unit) as seen from inside vmap
        return module.shape[2:] if self._in_sequence else module.shape[1:]


def _initialized(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Build a network from this seed alone, leaving torch's own generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(generator(seed, "initialization").initial_seed())
        return build()
