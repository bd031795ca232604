"""Networks by name: a function of the sample's shape and the number of classes."""

from infotheo.networks.mlp import multilayer_perceptron

networks = {"mlp": multilayer_perceptron}

__all__ = ["multilayer_perceptron", "networks"]
