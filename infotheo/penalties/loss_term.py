"""Regularizers in a training: changes of the network, and terms of the loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypedDict

from torch import Tensor

from infotheo.penalties import regularizers as penalties
from infotheo.penalties import weight_regularizers
from infotheo.registry import Registry, bind

Penalty = Callable[[Mapping[str, Tensor], "Tensor | None", Tensor], Tensor]

# What a network regularizer changes: its keys are the settings that the network must take.


class Unchanged(TypedDict):
    """No setting of the network."""


class DroppedUnits(TypedDict):
    """Layer name → probability that a unit is dropped."""

    dropout: dict[str, float]


class NormalizedLayers(TypedDict):
    """Names of the layers that are normalised over the mini-batch."""

    batch_norm: list[str]


def baseline() -> Unchanged:
    """No regularizer."""
    return {}


def dropout(layer: str, *, rate: float = 0.5) -> DroppedUnits:
    """Drop units of the layer with probability ``rate`` while training."""
    return {"dropout": {layer: rate}}


def batch_normalization(layer: str) -> NormalizedLayers:
    """Normalise the layer's values over the mini-batch, before its activation."""
    return {"batch_norm": [layer]}


# Regularizers that are settings of the network rather than a term of the loss.
network_regularizers: Registry[Callable[..., Any]] = Registry(
    {"baseline": baseline, "dropout": dropout, "batch_norm": batch_normalization},
    kind="regularizer",
    context=("layer",),
)


def network_settings(name: str, layer: str | None, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the regularizer adds to the network's settings; nothing for a penalty."""
    if name not in network_regularizers:
        return {}
    return dict(bind(name, network_regularizers, settings, layer=layer)())


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
        weight_penalty = weight_regularizers[name]

        def weight_term(
            parameters: Mapping[str, Tensor], activations: Tensor | None, labels: Tensor
        ) -> Tensor:
            chosen = _weights(parameters, layer)
            return sum(
                (weight_penalty(weight, **settings) for weight in chosen[1:]),
                start=weight_penalty(chosen[0], **settings),
            )

        return weight_term
    activation_penalty = bind(name, penalties, settings, classes=classes)

    def activation_term(
        parameters: Mapping[str, Tensor], activations: Tensor | None, labels: Tensor
    ) -> Tensor:
        return activation_penalty(activations, labels)

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
