"""What a regularizer does to training: nothing, a change of the network, or a penalty."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from infotheo.penalties import regularizers as penalties
from infotheo.penalties import weight_regularizers
from infotheo.registry import lookup

Penalty = Callable[[Mapping[str, Tensor], "Tensor | None", Tensor], Tensor]


def baseline() -> dict[str, Any]:
    """No regularizer."""
    return {}


def dropout(layer: str, *, rate: float = 0.5) -> dict[str, Any]:
    """Drop units of the layer with probability ``rate`` while training."""
    return {"dropout": {layer: rate}}


def batch_normalization(layer: str) -> dict[str, Any]:
    """Normalise the layer's values over the mini-batch, before its activation."""
    return {"batch_norm": [layer]}


# Regularizers that are settings of the network rather than a term of the loss.
network_regularizers: dict[str, Callable[..., dict[str, Any]]] = {
    "baseline": baseline,
    "dropout": dropout,
    "batch_norm": batch_normalization,
}


def network_settings(name: str, layer: str | None, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the regularizer adds to the network's settings; nothing for a penalty."""
    change = network_regularizers.get(name)
    if change is None:
        return {}
    takes_layer = "layer" in inspect.signature(change).parameters
    return change(**({"layer": layer} if takes_layer else {}), **settings)


def penalty(
    name: str, layer: str | None, settings: Mapping[str, Any], classes: int
) -> Penalty | None:
    """Return the loss term (parameters, activations, labels) → (replica,), or ``None``.

    Parameters
    ----------
    name
        A key of ``regularizers`` or ``weight_regularizers`` in :mod:`infotheo.penalties`, or a
        path ``"package.module:function"`` to a function ``(z, labels, **settings)``.
    layer
        The layer whose activations or weights are penalised; ``"all"`` for every weight.
    settings
        Keyword arguments of the penalty.
    classes
        Number of classes, given to a penalty that has such a keyword.

    Raises
    ------
    ValueError
        If the name is unknown, or the layer has no weights.
    """
    if name in network_regularizers:
        return None
    if name in weight_regularizers:
        of_weights = weight_regularizers[name]

        def weight_term(
            parameters: Mapping[str, Tensor], activations: Tensor | None, labels: Tensor
        ) -> Tensor:
            chosen = _weights(parameters, layer)
            return sum(
                (of_weights(weight, **settings) for weight in chosen[1:]),
                start=of_weights(chosen[0], **settings),
            )

        return weight_term
    of_activations = lookup(name, penalties, "regularizer")
    keywords = dict(settings)
    if "classes" in inspect.signature(of_activations).parameters:
        keywords.setdefault("classes", classes)

    def activation_term(
        parameters: Mapping[str, Tensor], activations: Tensor | None, labels: Tensor
    ) -> Tensor:
        return of_activations(activations, labels, **keywords)

    return activation_term


def penalises_activations(name: str) -> bool:
    """Whether the regularizer looks at a layer's activations during training."""
    return name not in network_regularizers and name not in weight_regularizers


def _weights(parameters: Mapping[str, Tensor], layer: str | None) -> list[Tensor]:
    """Weight matrices (replica, out, in, …) of the layer, biases and scales left out."""
    chosen = [
        value.flatten(2)
        for name, value in parameters.items()
        if name.endswith("weight")
        and value.ndim > 2
        and (layer == "all" or name.startswith(f"{layer}."))
    ]
    if not chosen:
        raise ValueError(f"layer {layer!r} has no weights to penalise")
    return chosen
