"""The shape of an image and the first weights of layers, for all convolutional networks."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

__all__ = ["convolution", "linear_output", "read_image_shape"]


def read_image_shape(input_shape: Sequence[int], *, halvings: int = 0) -> tuple[int, int, int]:
    """Check the shape of one image and return (channel, row, column).

    Parameters
    ----------
    input_shape
        Shape of one sample.
    halvings
        How often its rows and columns must divide by two.

    Raises
    ------
    ValueError
        If it is no image, or does not divide.

    Examples
    --------
    >>> read_image_shape((784,))
    Traceback (most recent call last):
    ...
    ValueError: input_shape is (784,); expected an image (channel, row, column)
    """
    shape = tuple(int(length) for length in input_shape)
    if len(shape) != 3:
        raise ValueError(f"input_shape is {shape}; expected an image (channel, row, column)")
    channels, *sides = shape
    for side in sides:
        if side % 2**halvings:
            raise ValueError(
                f"input_shape is {shape}; expected rows and columns that divide by {2**halvings}, "
                f"as they are halved {halvings} times without losing a value"
            )
    return channels, sides[0], sides[1]


def convolution(
    inputs: int, outputs: int, *, size: int = 3, stride: int = 1, bias: bool = False
) -> nn.Conv2d:
    """Build a convolution that keeps the image's size (at stride 1), as He et al. (2015) start it.

    Examples
    --------
    >>> convolution(3, 16, stride=2)
    Conv2d(3, 16, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), bias=False)
    """
    layer = nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2, bias=bias)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def linear_output(inputs: int, classes: int) -> nn.Linear:
    """Build the layer of the logits: variance 1 / inputs, as no ReLU follows; biases 0."""
    layer = nn.Linear(inputs, classes)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
    nn.init.zeros_(layer.bias)
    return layer
