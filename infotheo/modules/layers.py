"""The layers of a network by their names."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn


def require_layers(network: nn.Module, layers: Iterable[str]) -> None:
    """Check that the network has these layers.

    Raises
    ------
    ValueError
        For the first one it lacks; names those it has.

    Examples
    --------
    >>> require_layers(nn.Sequential(nn.ReLU()), ["0"])
    """
    names = [name for name, _ in network.named_modules() if name]
    for layer in layers:
        if layer not in names:
            raise ValueError(
                f"layer {layer!r} is not in the network; its layers: {', '.join(names)}"
            )
