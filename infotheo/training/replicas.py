"""Many networks of one architecture as one: every parameter carries a leading replica dimension.

There are three methods to evaluate them. A network made of known layers in sequence takes batched
matrix products. Any other module goes through ``torch.vmap``, which needs nothing of its author;
but a vmap of convolutions is a grouped convolution, which a CPU computes slowly: there they run
one after another, as a single replica always does, and so each replica's graph is gone before the
next one's is built.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.modules.conv import _ConvNd

from infotheo.modules.layers import require_layers
from infotheo.training.random_streams import Masks, generator
from infotheo.training.replica_layers import MaskedDropout, is_known_sequence, replace_layers

__all__ = ["Method", "Replicas"]

Method = Literal["products", "vmap", "one by one"]


def _choose_method(network: nn.Module, replicas: int, device: torch.device) -> Method:
    """Choose by what was measured: ``python benchmarks/training.py --only methods``."""
    if type(network) is nn.Sequential and is_known_sequence(network):
        return "products"
    convolves = any(isinstance(module, _ConvNd) for module in network.modules())
    return "one by one" if replicas == 1 or (convolves and device.type == "cpu") else "vmap"


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
    method
        How to evaluate them: "vmap" or "one by one" for any module, "products" for known layers
        in sequence; ``None`` chooses the quickest.

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
        *,
        method: Method | None = None,
    ):
        self.seeds = list(seeds)
        self.device = device
        modules = [_initialize(build, seed) for seed in self.seeds]
        self._method = method or _choose_method(modules[0], len(self.seeds), device)
        self._template = replace_layers(copy.deepcopy(modules[0]), self._method == "products")
        self._template.to(device)
        parameters, buffers = stack_module_state(modules)
        frozen = {name for name, value in modules[0].named_parameters() if not value.requires_grad}
        self.parameters = {
            name: value.detach().to(device).requires_grad_()
            for name, value in parameters.items()
            if name not in frozen
        }
        constant = {name: parameters[name].detach() for name in frozen}
        self.buffers = {name: value.to(device) for name, value in (constant | buffers).items()}
        self._modules = dict(self._template.named_modules())
        self._dropouts = {
            name: module
            for name, module in self._modules.items()
            if isinstance(module, MaskedDropout)
        }
        self._layers = [] if layer is None else [layer]
        require_layers(modules[0], self._layers)

    def __len__(self) -> int:
        return len(self.seeds)

    def parts(self) -> list[tuple[slice, Replicas]]:
        """Return what to differentiate at a time: a place among the replicas and those there.

        Either all of them or each by itself, whose parameters share memory with the whole.
        """
        if self._method != "one by one" or len(self) == 1:
            return [(slice(None), self)]
        parts = []
        for index, seed in enumerate(self.seeds):
            place = slice(index, index + 1)
            part = copy.copy(self)
            part.seeds = [seed]
            part.parameters = {
                name: value.detach()[place].requires_grad_()
                for name, value in self.parameters.items()
            }
            part.buffers = {name: value[place] for name, value in self.buffers.items()}
            parts.append((place, part))
        return parts

    def __call__(self, inputs: Tensor, masks: Masks | None = None) -> tuple[Tensor, Tensor | None]:
        """Return logits (replica, sample, class) and the captured layer's output, if any.

        ``inputs`` is (replica, sample, …). With ``masks`` the networks run in training mode
        (dropout, batch statistics), without in evaluation mode.
        """
        self._template.train(masks is not None)
        state = {**self.parameters, **self.buffers}
        if masks is not None:
            for name, module in self._dropouts.items():
                shape = (inputs.shape[1], *self._unit_shape(module, inputs))
                state[f"{name}.mask"] = masks.draw(shape, module.rate)
        logits, *captured = self._apply(state, inputs, self._layers)
        return logits, captured[0] if captured else None

    @torch.no_grad()
    def layer_outputs(
        self, layers: Sequence[str], inputs: Tensor, *, chunk: int = 1000
    ) -> dict[str, Tensor]:
        """Return what layers put out in evaluation mode for inputs that all replicas share.

        Parameters
        ----------
        layers
            Names of modules.
        inputs
            (sample, …).
        chunk
            How many samples at a time.

        Returns
        -------
        dict
            Layer → (replica, sample, unit) on the CPU; further dimensions are flattened.

        Raises
        ------
        ValueError
            If there is no such layer.
        """
        require_layers(self._template, layers)
        self._template.eval()
        state = {**self.parameters, **self.buffers}
        parts = []
        for part in torch.split(inputs, chunk):
            shared = part.to(self.device).expand(len(self), *part.shape)
            captured = self._apply(state, shared, layers)[1:]
            parts.append([output.reshape(*output.shape[:2], -1).cpu() for output in captured])
        return {
            layer: torch.cat(outputs, dim=1)
            for layer, outputs in zip(layers, zip(*parts, strict=True), strict=True)
        }

    def _apply(
        self, state: dict[str, Tensor], inputs: Tensor, layers: Sequence[str]
    ) -> tuple[Tensor, ...]:
        """Return the logits and the layers' outputs, each with a leading replica dimension."""
        if self._method == "products":
            return self._run(state, inputs, layers)
        if self._method == "vmap":
            return tuple(vmap(lambda single, x: self._run(single, x, layers))(state, inputs))
        if len(inputs) == 1:  # views, whose gradients need no memory of their own
            squeezed = {name: value.squeeze(0) for name, value in state.items()}
            return tuple(out.unsqueeze(0) for out in self._run(squeezed, inputs[0], layers))
        replicas = [
            self._run({name: value[index] for name, value in state.items()}, x, layers)
            for index, x in enumerate(inputs)
        ]
        return tuple(torch.stack(outputs) for outputs in zip(*replicas, strict=True))

    def _run(
        self, state: dict[str, Tensor], inputs: Tensor, layers: Sequence[str]
    ) -> tuple[Tensor, ...]:
        with self._capture(layers) as captured:
            logits = functional_call(self._template, state, (inputs,))
        for layer in layers:
            if layer not in captured:
                raise ValueError(f"layer {layer!r} took no part in the network's output")
        return (logits, *(captured[layer] for layer in layers))

    @contextmanager
    def _capture(self, layers: Sequence[str]) -> Iterator[dict[str, Tensor]]:
        captured: dict[str, Tensor] = {}
        hooks = [
            self._modules[layer].register_forward_hook(
                lambda module, arguments, output, layer=layer: captured.update({layer: output})
            )
            for layer in layers
        ]
        try:
            yield captured
        finally:
            for hook in hooks:
                hook.remove()

    def _unit_shape(self, module: MaskedDropout, inputs: Tensor) -> tuple[int, ...]:
        """Shape of one sample where this dropout stands, from a trial run the first time."""
        if module.shape is None:
            with torch.no_grad():
                self(inputs)
            self._template.train()
        assert module.shape is not None
        # (replica, sample, unit) in stacked layers, (sample, unit) as a single network sees it
        return module.shape[2:] if self._method == "products" else module.shape[1:]


def _initialize(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Build a network from this seed alone, leaving torch's own generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(generator(seed, "initialization").initial_seed())
        return build()
