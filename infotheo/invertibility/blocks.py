"""The protocol of a residual block: activation(shortcut(x) + branch(x)), by attribute names."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from infotheo.invertibility.inputs import require_finite

__all__ = ["BlockParts", "block_parts", "is_residual_block", "require_sum"]


class BlockParts(NamedTuple):
    """The parts of a residual block; no shortcut or activation means the identity."""

    branch: nn.Module
    shortcut: nn.Module | None
    activation: nn.Module | None


def is_residual_block(module: nn.Module) -> bool:
    """Whether a module has a ``branch`` that is a module of its own.

    Examples
    --------
    >>> is_residual_block(nn.ReLU())
    False
    """
    return isinstance(getattr(module, "branch", None), nn.Module)


def block_parts(block: nn.Module) -> BlockParts:
    """Return ``block.branch`` and, where it has them, ``block.shortcut``, ``block.activation``."""
    optional = {name: getattr(block, name, None) for name in ("shortcut", "activation")}
    for name, part in optional.items():
        if part is not None and not isinstance(part, nn.Module):
            raise TypeError(
                f"{type(block).__name__}.{name} is a {type(part).__name__}; expected a "
                "torch.nn.Module or None"
            )
    branch = block.branch
    assert isinstance(branch, nn.Module)  # what is_residual_block asked for
    return BlockParts(branch, **optional)


def require_sum(block: nn.Module, x: Tensor, name: str) -> Tensor:
    """Check on data that a block is the sum its attributes promise, and return what it puts out.

    Raises
    ------
    ValueError
        If it is not; :class:`~infotheo.invertibility.inputs.NotFiniteError` if it cannot be told,
        as what the parts put out is not finite.
    """
    parts = block_parts(block)
    skipped = x.clone() if parts.shortcut is None else parts.shortcut(x.clone())
    expected = skipped + parts.branch(x.clone())
    if parts.activation is not None:
        expected = parts.activation(expected)
    require_finite(expected, f"block {name!r} ({type(block).__name__}): what it puts out")
    output: Tensor = block(x.clone())
    tolerance = 1e3 * torch.finfo(x.dtype).eps  # the block may add up in another order
    if output.shape != expected.shape or not torch.allclose(
        output, expected, rtol=tolerance, atol=tolerance * float(expected.abs().max())
    ):
        raise ValueError(
            f"block {name!r} ({type(block).__name__}) does not put out activation(shortcut(x) + "
            "branch(x)), as its attributes promise"
        )
    return output
