"""Many networks of one architecture as one: every parameter carries a leading replica dimension.

There are three methods to evaluate them. A network made of known layers in sequence takes batched
matrix products. Any other module goes through ``torch.vmap``, which needs nothing of its author;
but a vmap of convolutions is a grouped convolution, which a CPU computes slowly: there they run
one after another, as a single replica always does, and so each replica's graph is gone before the
next one's is built. So do modules that ``vmap`` cannot batch, and those that draw at random in
their ``forward``: torch's generator is set from each replica's stream before its pass. A trial
pass tells which these are.
"""

from __future__ import annotations

import copy
import logging
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.modules.conv import _ConvNd

from infotheo.modules.layers import require_distinct, require_layers, require_single_call
from infotheo.training.forward_draws import recorded_draws, refuse_other_generators
from infotheo.training.random_streams import Masks, generator
from infotheo.training.replica_layers import MaskedDropout, is_known_sequence, replace_layers

__all__ = ["Method", "Replicas"]

_logger = logging.getLogger(__name__)

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
        in sequence; ``None`` chooses the quickest. Where "vmap" cannot, it is "one by one".

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
        self._tried: dict[tuple[int, ...] | None, dict[str, list[tuple[int, ...]]]] = {}
        self._layers = [] if layer is None else [layer]
        require_layers(modules[0], self._layers)

    def __len__(self) -> int:
        return len(self.seeds)

    def try_batch(self, inputs: Tensor) -> None:
        """Find out by trial passes how these networks can be evaluated, before any is trained.

        Parameters
        ----------
        inputs
            (sample, …) of a mini-batch; of each size that there will be.

        Raises
        ------
        ValueError
            If the networks draw at random in evaluation mode, or from another generator than
            torch's global one; and what a network raises for such a batch.
        """
        shared = inputs.to(self.device).expand(len(self), *inputs.shape)
        self._try_evaluation(shared)
        self._mask_shapes(shared)

    def parts(self) -> list[tuple[slice, Replicas]]:
        """Return what to differentiate at a time: a place among the replicas and those there.

        Either all of them or each by itself, whose parameters share memory with the whole. Try a
        batch before: it may turn out that they must go one by one.
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
        state = {**self.parameters, **self.buffers}
        if masks is None:
            self._try_evaluation(inputs)
        else:
            for name, shapes in self._mask_shapes(inputs).items():
                dropout = self._dropouts[name]
                for mask, shape in zip(dropout.mask_names(len(shapes)), shapes, strict=True):
                    state[f"{name}.{mask}"] = masks.draw(shape, dropout.rate)
        self._template.train(masks is not None)
        logits, *captured = self._apply(state, inputs, self._layers, masks)
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
        require_distinct(layers)
        state = {**self.parameters, **self.buffers}
        parts = []
        for part in torch.split(inputs, chunk):
            shared = part.to(self.device).expand(len(self), *part.shape)
            self._try_evaluation(shared)
            self._template.eval()
            captured = self._apply(state, shared, layers)[1:]
            parts.append([output.reshape(*output.shape[:2], -1).cpu() for output in captured])
        return {
            layer: torch.cat(outputs, dim=1)
            for layer, outputs in zip(layers, zip(*parts, strict=True), strict=True)
        }

    def _apply(
        self,
        state: dict[str, Tensor],
        inputs: Tensor,
        layers: Sequence[str],
        masks: Masks | None = None,
    ) -> tuple[Tensor, ...]:
        """Return the logits and the layers' outputs, each with a leading replica dimension."""
        if self._method == "products":
            return self._run(state, inputs, layers)
        if self._method == "vmap":
            return tuple(vmap(lambda single, x: self._run(single, x, layers))(state, inputs))
        if len(inputs) == 1:  # views, whose gradients need no memory of their own
            squeezed = {name: value.squeeze(0) for name, value in state.items()}
            with masks.seeding_torch(0) if masks else nullcontext():
                return tuple(out.unsqueeze(0) for out in self._run(squeezed, inputs[0], layers))
        replicas = []
        for index, x in enumerate(inputs):
            with masks.seeding_torch(index) if masks else nullcontext():
                single = {name: value[index] for name, value in state.items()}
                replicas.append(self._run(single, x, layers))
        return tuple(torch.stack(outputs) for outputs in zip(*replicas, strict=True))

    def _run(
        self, state: dict[str, Tensor], inputs: Tensor, layers: Sequence[str]
    ) -> tuple[Tensor, ...]:
        for dropout in self._dropouts.values():
            dropout.calls = 0
        with self._capture(layers) as captured:
            logits = functional_call(self._template, state, (inputs,))
        for layer in layers:
            if layer not in captured:
                raise ValueError(f"layer {layer!r} took no part in the network's output")
            self._require_rows(layer, captured[layer], inputs)
        return (logits, *(captured[layer] for layer in layers))

    def _require_rows(self, layer: str, output: object, inputs: Tensor) -> None:
        leading = 2 if self._method == "products" else 1  # (replica, sample) or (sample)
        if isinstance(output, Tensor) and output.shape[:leading] == inputs.shape[:leading]:
            return
        described = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise ValueError(
            f"layer {layer!r}: expected one tensor with {inputs.shape[leading - 1]} samples "
            f"first, found {described}"
        )

    @contextmanager
    def _capture(self, layers: Sequence[str]) -> Iterator[dict[str, Tensor]]:
        captured: dict[str, Tensor] = {}

        def keep(layer: str, output: Tensor) -> None:
            require_single_call(layer, layer in captured)
            # a known layer leaves it as it is; any other may work in place on it
            copied = isinstance(output, Tensor) and self._method != "products"
            captured[layer] = output.clone() if copied else output

        hooks = [
            self._modules[layer].register_forward_hook(
                lambda module, arguments, output, layer=layer: keep(layer, output)
            )
            for layer in layers
        ]
        try:
            yield captured
        finally:
            for hook in hooks:
                hook.remove()

    def _try_evaluation(self, inputs: Tensor) -> None:
        """Try a pass in evaluation mode the first time, with two samples of each replica's."""
        if self._method == "products" or None in self._tried:
            return
        self._template.eval()
        if functions := self._try(inputs[:, :2]):
            raise ValueError(
                f"network draws at random in evaluation mode ({', '.join(dict.fromkeys(functions))}"
                "); expected outputs that follow from its inputs there: draw where self.training"
            )
        self._tried[None] = {}

    def _mask_shapes(self, inputs: Tensor) -> dict[str, list[tuple[int, ...]]]:
        """Return the shapes of each dropout's masks, one for each call, from a trial pass."""
        key = tuple(inputs.shape[1:])
        if key not in self._tried:
            self._template.train()
            for dropout in self._dropouts.values():
                dropout.shapes = []
            draws = []
            try:
                draws = self._try(inputs)
                # (replica, sample, unit) in stacked layers, (sample, unit) in a single network
                first = 1 if self._method == "products" else 0
                shapes = {
                    name: [shape[first:] for shape in dropout.shapes or ()]
                    for name, dropout in self._dropouts.items()
                }
            finally:
                for dropout in self._dropouts.values():
                    dropout.shapes = None
                    dropout.masked = dropout.masked and not draws
            self._tried[key] = {} if draws else shapes
        return self._tried[key]

    @torch.no_grad()
    def _try(self, inputs: Tensor) -> list[str]:
        """Run the networks and forget the results; return the functions that drew at random."""
        state = {name: value.clone() for name, value in self.buffers.items()}
        state |= self.parameters
        if self._method == "products":
            self._run(state, inputs, [])
            return []
        single = {name: value[0] for name, value in state.items()}
        with refuse_other_generators(), recorded_draws(self.device) as draws:
            self._run(single, inputs[0], [])
        if draws.with_generator:
            raise ValueError(
                f"network draws from a generator of its own ({draws.with_generator[0]}); expected "
                "torch's global one, which is set from each replica's seed"
            )
        if draws.functions:
            if self.device.type not in ("cpu", "cuda"):
                raise ValueError(
                    f"network draws at random ({draws.functions[0]}) on {self.device.type}; "
                    "expected device cpu or cuda, whose generators are set from each replica's seed"
                )
            self._method = "one by one"
        elif self._method == "vmap":
            recorded = {name: copy.copy(dropout.shapes) for name, dropout in self._dropouts.items()}
            try:
                vmap(lambda one, x: self._run(one, x, []))(state, inputs)
            except Exception as error:  # a single network has run: it is vmap that cannot
                _logger.info("networks run one by one: %s", " ".join(str(error).split()))
                self._method = "one by one"
            for name, shapes in recorded.items():
                self._dropouts[name].shapes = shapes
        return draws.functions


def _initialize(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Build a network from this seed alone, leaving all global generators as they were."""
    start = generator(seed, "initialization").initial_seed()
    before = np.random.get_state(), random.getstate()  # noqa: NPY002
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(start)
        np.random.seed(start % 2**32)  # noqa: NPY002
        random.seed(start)
        try:
            return build()
        finally:
            np.random.set_state(before[0])  # noqa: NPY002
            random.setstate(before[1])
