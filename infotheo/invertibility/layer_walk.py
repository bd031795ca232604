"""The upper bound of a branch: one sample followed through its layers, whose norms multiply."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from infotheo.invertibility.blocks import block_parts, is_residual_block, require_sum
from infotheo.invertibility.inputs import NotFiniteError
from infotheo.invertibility.layer_norms import norm_function
from infotheo.invertibility.singular_values import largest_singular_values, linearize

__all__ = ["LayerBound", "LayerWalk", "UnknownNormError"]

CONVOLUTION_STEPS = 12  # a product with one sample costs a hundredth of one with a batch


class UnknownNormError(ValueError):
    """No bound of a layer's Lipschitz constant is known."""


class LayerBound(NamedTuple):
    """One layer's share of :func:`lipschitz_bounds`."""

    name: str
    kind: str
    upper: float
    iterated: float


class LayerWalk:
    """Follows one sample through the layers and multiplies their norms."""

    def __init__(self, tolerance: float, generator: torch.Generator) -> None:
        self.tolerance = tolerance
        self.generator = generator
        self.layers: list[LayerBound] = []

    def follow(self, module: nn.Module, x: Tensor, name: str) -> tuple[float, float, Tensor]:
        """Return the upper bound, its estimate by iteration, and the module's output."""
        if _has_hooks(module):
            _refuse_changed(module, x, name)
        function = norm_function(module)
        if function is not None:
            return self._follow_layer(module, x, name, function(module, x, self.tolerance))
        if type(module).forward is nn.Sequential.forward:
            upper = estimate = 1.0
            for child, layer in module.named_children():
                above, estimated, x = self.follow(layer, x, _path(name, child))
                upper, estimate = upper * above, estimate * estimated
            return upper, estimate, x
        if is_residual_block(module):
            return self._follow_block(module, x, name)
        raise UnknownNormError(
            f"branch: the norm of layer {name or 'itself'!r} ({type(module).__name__}) is not "
            "known; expected nn.Sequential of known layers, or register "
            f"infotheo.invertibility.layer_norms[{type(module).__name__}] = lambda layer, x, "
            "tolerance: its Lipschitz constant"
        )

    def _follow_layer(
        self, layer: nn.Module, x: Tensor, name: str, upper: float
    ) -> tuple[float, float, Tensor]:
        output = layer(x.clone())
        if not 0 <= upper < float("inf"):
            raise NotFiniteError(
                f"branch: layer {name or 'itself'!r} ({type(layer).__name__}) has norm {upper} "
                f"({layer.extra_repr()}); expected finite weights, and settings with a bound"
            )
        iterated = upper
        if isinstance(layer, nn.modules.conv._ConvNd):
            _, push, pull = linearize(layer, x)
            start = torch.randn(x.shape, generator=self.generator).to(x)
            steps = CONVOLUTION_STEPS
            iterated = float(largest_singular_values(push, pull, start, steps)[0])
        self.layers.append(LayerBound(name, type(layer).__name__, upper, iterated))
        return upper, iterated, output

    def _follow_block(self, block: nn.Module, x: Tensor, name: str) -> tuple[float, float, Tensor]:
        output = require_sum(block, x, name)
        parts = block_parts(block)
        upper, estimate, summed = self.follow(parts.branch, x, _path(name, "branch"))
        if parts.shortcut is None:
            upper, estimate, summed = upper + 1, estimate + 1, summed + x
        else:
            above, estimated, skipped = self.follow(parts.shortcut, x, _path(name, "shortcut"))
            upper, estimate, summed = upper + above, estimate + estimated, summed + skipped
        if parts.activation is not None:
            above, estimated, _ = self.follow(parts.activation, summed, _path(name, "activation"))
            upper, estimate = upper * above, estimate * estimated
        return upper, estimate, output


def _refuse_changed(module: nn.Module, x: Tensor, name: str) -> None:
    """Refuse a module whose hooks, or a ``forward`` of the instance, change what it puts out.

    Hooks that only look, and those of torch's former spectral and weight norm, put out the same.
    """
    output = module(x.clone())
    plain = type(module).forward(module, x.clone())
    tolerance = 1e3 * torch.finfo(x.dtype).eps  # kernels may sum in another order
    if (
        not isinstance(output, Tensor)
        or not isinstance(plain, Tensor)
        or output.shape != plain.shape
        or not torch.allclose(
            output,
            plain,
            rtol=tolerance,
            atol=tolerance * float(plain.abs().max()),
            equal_nan=True,
        )
    ):
        raise ValueError(
            f"branch: layer {name or 'itself'!r} ({type(module).__name__}) puts out something else "
            "than its forward computes; expected no hooks that change values, and no forward of "
            "the instance"
        )


def _has_hooks(module: nn.Module) -> bool:
    """Whether something of the caller's runs with a call of this module."""
    every = torch.nn.modules.module
    hooks = (
        module._forward_hooks,
        module._forward_pre_hooks,
        every._global_forward_hooks,
        every._global_forward_pre_hooks,
    )
    return any(hooks) or "forward" in vars(module)


def _path(name: str, child: str) -> str:
    return f"{name}.{child}" if name else child
