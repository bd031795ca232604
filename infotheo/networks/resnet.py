"""The residual networks of He et al. for small images: ResNet-20, -32, -110 and their kin."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Literal

from torch import nn

from infotheo.arrays.numbers import check_count
from infotheo.networks.images import convolution, linear_output, read_image_shape
from infotheo.networks.residual_units import residual_block

__all__ = ["residual_network", "staged_network"]


def residual_network(
    input_shape: Sequence[int],
    classes: int,
    *,
    depth: int = 32,
    width: int = 16,
    unit: Literal[  # spelled out, as the plan reads it from here
        "original",
        "bn_after_addition",
        "relu_before_addition",
        "relu_only_preactivation",
        "full_preactivation",
    ] = "original",
    shortcut: Literal["padded", "projection"] = "padded",
) -> nn.Sequential:
    """Build a residual network whose blocks are named ``stage1.0``, ``stage1.1``, … ``stage3.4``.

    Its children are ``stem``, ``stage1`` to ``stage3``, for the pre-activation units ``final``
    (the activation after the last addition), ``features`` (the average over the image, one value
    for each of 4 x ``width`` channels) and ``output`` (the logits).

    Parameters
    ----------
    input_shape
        Shape of one image, (channel, row, column).
    classes
        Number of outputs (logits).
    depth
        Layers with weights, 6 n + 2: three stages of n blocks with two convolutions. 20, 32, 44,
        56 and 110 in the papers; 8 is the smallest.
    width
        Channels of the first stage; the second and the third halve the image and double them.
    unit
        One of the five units of paper 5's table 1.
    shortcut
        Where the shape changes: "padded" (option A, no parameters) or "projection" (option B).

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    Notes
    -----
    Sources: He et al. (2016a), Deep residual learning for image recognition, section 4.2; He et
    al. (2016b) for the units and the activations next to the first and the last of them. All
    weights of convolutions are normal of variance 2 / fan-in.

    Examples
    --------
    >>> network = residual_network((3, 32, 32), 10, depth=20)
    >>> sum(parameter.numel() for parameter in network.parameters())
    269722
    >>> [name for name, _ in network.named_children()]
    ['stem', 'stage1', 'stage2', 'stage3', 'features', 'output']
    """

    def block(inputs: int, outputs: int, stride: int, first: bool) -> nn.Module:
        return residual_block(
            inputs, outputs, stride=stride, unit=unit, shortcut=shortcut, first=first
        )

    final: OrderedDict[str, nn.Module] = OrderedDict()
    if unit == "full_preactivation":
        final["norm"] = nn.BatchNorm2d(4 * check_count(width, "width"))
    if unit in ("full_preactivation", "relu_only_preactivation"):
        final["relu"] = nn.ReLU()
    return staged_network(input_shape, classes, depth, width, block, nn.Sequential(final))


def staged_network(
    input_shape: Sequence[int],
    classes: int,
    depth: int,
    width: int,
    block: Callable[[int, int, int, bool], nn.Module],
    final: nn.Sequential | None = None,
) -> nn.Sequential:
    """Build stem, three stages of blocks, average and output around blocks of any kind.

    Parameters
    ----------
    input_shape, classes, depth, width
        As in :func:`residual_network`.
    block
        Makes one from its channels in and out, its stride, and whether it is the network's first.
    final
        What follows the last block; left out when empty.
    """
    channels, *_ = read_image_shape(input_shape)
    check_count(classes, "classes")
    check_count(width, "width")
    if check_count(depth, "depth", least=8) % 6 != 2:
        raise ValueError(
            f"depth is {depth}; expected 6 n + 2 (three stages of n blocks), such as 20, 32, 110"
        )
    stem = OrderedDict(
        convolution=convolution(channels, width), norm=nn.BatchNorm2d(width), relu=nn.ReLU()
    )
    layers: OrderedDict[str, nn.Module] = OrderedDict(stem=nn.Sequential(stem))
    inputs = width
    for stage in range(3):
        blocks = []
        for number in range((depth - 2) // 6):
            halves = stage > 0 and number == 0
            first = stage == number == 0
            blocks.append(block(inputs, width * 2**stage, 2 if halves else 1, first))
            inputs = width * 2**stage
        layers[f"stage{stage + 1}"] = nn.Sequential(*blocks)
    if final is not None and len(final):
        layers["final"] = final
    average = OrderedDict(pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten())
    layers["features"] = nn.Sequential(average)
    layers["output"] = linear_output(inputs, classes)
    return nn.Sequential(layers)
