"""The layers of a network by their names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import nn


def require_layers(network: nn.Module, layers: Iterable[str]) -> None:
    """Check that the network has these layers.

    Raises
    ------
    ValueError
        For the first one it lacks; names those it has.
    TypeError
        For a text in the place of a list of names.

    Examples
    --------
    >>> require_layers(nn.Sequential(nn.ReLU()), ["0"])
    """
    if isinstance(layers, str):
        raise TypeError(f"layers: found the text {layers!r}, expected a list of names")
    names = [name for name, _ in network.named_modules() if name]
    for layer in layers:
        if layer not in names:
            raise ValueError(
                f"layer {layer!r} is not in the network; its layers: {', '.join(names)}"
            )


def require_distinct(layers: Sequence[str]) -> None:
    """Check that no layer is named twice.

    Raises
    ------
    ValueError
        For the first that is.

    Examples
    --------
    >>> require_distinct(["0", "1"])
    """
    for place, layer in enumerate(layers):
        if layer in layers[:place]:
            raise ValueError(f"layers: found {layer!r} twice, expected each name once")


def require_single_call(layer: str, called: bool) -> None:
    """Check, where a layer is called, that it was not ``called`` before in this pass.

    Raises
    ------
    ValueError
        If it was: there is no telling which of its outputs is meant.

    Examples
    --------
    >>> require_single_call("relu", called=False)
    """
    if called:
        raise ValueError(
            f"layer {layer!r} is called more than once in a pass, with an output each time; "
            "expected a module of its own at each place, such as nn.Identity after one of them"
        )
