"""Networks by name: a function of the sample's shape and the number of classes."""

from collections.abc import Callable

from torch import nn

from infotheo.networks.invertible_resnet import invertible_residual_network
from infotheo.networks.irevnet import reversible_network
from infotheo.networks.mlp import multilayer_perceptron
from infotheo.networks.plain import plain_network
from infotheo.networks.resnet import residual_network
from infotheo.registry import Registry

networks: Registry[Callable[..., nn.Module]] = Registry(
    {
        "invertible_resnet": invertible_residual_network,
        "irevnet": reversible_network,
        "mlp": multilayer_perceptron,
        "plain": plain_network,
        "resnet": residual_network,
    },
    kind="network",
    positional=("input_shape", "classes"),
)

__all__ = [
    "invertible_residual_network",
    "multilayer_perceptron",
    "networks",
    "plain_network",
    "residual_network",
    "reversible_network",
]
