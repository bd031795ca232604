"""A penalty of the activations of a layer."""

from torch import Tensor


def energy(z: Tensor, labels: Tensor, *, target: float = 0.0) -> Tensor:
    """Mean squared distance of the activations z (..., sample, unit) from a target.

    Leading dimensions are networks trained together: each gets its own value, (...).
    """
    return (z - target).square().mean((-2, -1))
