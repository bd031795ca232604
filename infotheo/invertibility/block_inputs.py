"""Visits of a network's residual blocks with what each receives, in one forward pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from torch import Tensor, nn

from infotheo.invertibility.taps import find_taps
from infotheo.modules.evaluation_mode import evaluation_mode

__all__ = ["visit_blocks"]

Result = TypeVar("Result")


def visit_blocks(
    network: nn.Module, inputs: Tensor, visit: Callable[[str, nn.Module, Tensor], Result]
) -> dict[str, Result]:
    """Call ``visit(name, block, x)`` as each residual block receives x, in evaluation mode.

    Nothing is kept but what the visits return: at no time more than the network itself holds in a
    forward pass, and what a visit takes.

    Parameters
    ----------
    network
        Any module with residual blocks (see :mod:`infotheo.invertibility.blocks`).
    inputs
        What it receives, (sample, …), on its device.
    visit
        Called in the order of computation; must not change x.

    Returns
    -------
    dict
        By the blocks' names, in the order of ``network.named_modules()``.

    Raises
    ------
    ValueError
        If there is no block, or one does not run exactly once on one tensor; the message names it.

    Examples
    --------
    >>> from torch import ones
    >>> class Block(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.branch = nn.Linear(2, 2)
    ...     def forward(self, x):
    ...         return x + self.branch(x)
    >>> visit_blocks(nn.Sequential(nn.ReLU(), Block()), ones(3, 2), lambda name, block, x: x.shape)
    {'1': torch.Size([3, 2])}
    """
    names = {tap.block: tap.name for tap in find_taps(network, None, None, "input")}
    results: dict[str, Result] = {}
    visiting: list[nn.Module] = []

    def visit_block(block: nn.Module, arguments: tuple[Any, ...]) -> None:
        if visiting:  # blocks within this one run as a part of its branch now: not their pass
            return
        name = names[block]
        if name in results:
            raise ValueError(f"block {name!r}: ran twice in one pass; expected once")
        if not arguments or not isinstance(arguments[0], Tensor) or arguments[0].ndim < 2:
            raise ValueError(f"block {name!r}: expected one tensor (sample, ...) as x")
        visiting.append(block)
        try:
            results[name] = visit(name, block, arguments[0])
        finally:
            visiting.pop()

    hooks = [block.register_forward_pre_hook(visit_block) for block in names]
    try:
        with evaluation_mode(network):
            network(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    for name in names.values():
        if name not in results:
            raise ValueError(f"block {name!r} was not run by the network; expected once")
    return {name: results[name] for name in names.values()}
