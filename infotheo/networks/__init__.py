"""Networks by name: a function of the sample's shape and the number of classes."""

from collections.abc import Callable
from typing import Any

from infotheo.networks.invertible_resnet import invertible_residual_network
from infotheo.networks.irevnet import reversible_network
from infotheo.networks.mlp import multilayer_perceptron
from infotheo.networks.plain import plain_network
from infotheo.networks.resnet import residual_network

networks: dict[str, Callable[..., Any]] = {
    "invertible_resnet": invertible_residual_network,
    "irevnet": reversible_network,
    "mlp": multilayer_perceptron,
    "plain": plain_network,
    "resnet": residual_network,
}

__all__ = [
    "invertible_residual_network",
    "multilayer_perceptron",
    "networks",
    "plain_network",
    "residual_network",
    "reversible_network",
]
