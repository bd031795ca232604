"""Networks by name: a function of the sample's shape and the number of classes."""

from infotheo.networks.irevnet import reversible_network
from infotheo.networks.mlp import multilayer_perceptron
from infotheo.networks.plain import plain_network
from infotheo.networks.resnet import residual_network

networks = {
    "irevnet": reversible_network,
    "mlp": multilayer_perceptron,
    "plain": plain_network,
    "resnet": residual_network,
}

__all__ = [
    "multilayer_perceptron",
    "networks",
    "plain_network",
    "residual_network",
    "reversible_network",
]
