"""The residual units of He et al. (2016b), figure 4: activation(shortcut(x) + branch(x))."""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal, get_args

from torch import Tensor, nn

from infotheo.arrays.labels import check_choice
from infotheo.networks.images import convolution

__all__ = ["ResidualBlock", "Shortcut", "Unit", "residual_block"]

Unit = Literal[
    "original",
    "bn_after_addition",
    "relu_before_addition",
    "relu_only_preactivation",
    "full_preactivation",
]
Shortcut = Literal["padded", "projection"]

# the order of the branch's parts, and what follows the addition
_PARTS: dict[str, tuple[str, str]] = {
    "original": ("convolution norm relu convolution norm", "relu"),
    "bn_after_addition": ("convolution norm relu convolution", "norm relu"),
    "relu_before_addition": ("convolution norm relu convolution norm relu", ""),
    "relu_only_preactivation": ("relu convolution norm relu convolution norm", ""),
    "full_preactivation": ("norm relu convolution norm relu convolution", ""),
}


class ResidualBlock(nn.Module):
    """``activation(shortcut(x) + branch(x))``; no shortcut or activation means the identity."""

    def __init__(
        self,
        branch: nn.Module,
        shortcut: nn.Module | None = None,
        activation: nn.Module | None = None,
    ):
        super().__init__()
        self.branch = branch
        self.shortcut = shortcut
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, shaped as the branch's."""
        output: Tensor = (x if self.shortcut is None else self.shortcut(x)) + self.branch(x)
        if self.activation is not None:
            output = self.activation(output)
        return output


def residual_block(
    inputs: int,
    outputs: int,
    *,
    stride: int = 1,
    unit: Unit = "original",
    shortcut: Shortcut = "padded",
    first: bool = False,
) -> ResidualBlock:
    """Build one of the five units with two 3 x 3 convolutions.

    Parameters
    ----------
    inputs, outputs
        Channels.
    stride
        Of the first convolution and the shortcut.
    unit
        In which order convolution, batch norm, ReLU and addition come.
    shortcut
        Where the shape changes: "padded" takes every ``stride``-th value and adds channels of
        zeros (option A), "projection" is a 1 x 1 convolution with batch norm (option B).
    first
        Whether it is the network's first: what a pre-activation unit does before its first
        convolution has then been done by the stem, for the shortcut, too.

    Notes
    -----
    Source: He et al. (2016b), Identity mappings in deep residual networks, figure 4 and appendix;
    paper 5, table 1. In the paper's terms L is ``branch``.

    Examples
    --------
    >>> block = residual_block(4, 8, stride=2, unit="bn_after_addition")
    >>> list(dict(block.branch.named_children())), list(dict(block.activation.named_children()))
    (['convolution1', 'norm1', 'relu1', 'convolution2'], ['norm', 'relu'])
    >>> residual_block(4, 4).shortcut is None
    True
    """
    check_choice(unit, get_args(Unit), "unit")
    check_choice(shortcut, get_args(Shortcut), "shortcut")
    branch_parts, final_parts = (parts.split() for parts in _PARTS[unit])
    if first:
        branch_parts = branch_parts[branch_parts.index("convolution") :]
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = inputs
    for part in branch_parts:
        number = 1 + sum(name.startswith(part) for name in layers)
        if part == "convolution":
            part_stride = stride if number == 1 else 1
            layers[f"{part}{number}"] = convolution(channels, outputs, stride=part_stride)
            channels = outputs
        else:
            layers[f"{part}{number}"] = _elementwise(part, channels)
    final = OrderedDict((part, _elementwise(part, outputs)) for part in final_parts)
    skip = None
    if inputs != outputs or stride != 1:
        skip = {"padded": _padded, "projection": _projection}[shortcut](inputs, outputs, stride)
    return ResidualBlock(nn.Sequential(layers), skip, nn.Sequential(final) if final else None)


def _elementwise(part: str, channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels) if part == "norm" else nn.ReLU()


def _padded(inputs: int, outputs: int, stride: int) -> nn.Module:
    if outputs < inputs:
        raise ValueError(
            f"shortcut is 'padded', from {inputs} to {outputs} channels; expected at least as many"
        )
    # a window of one value averages nothing; the last pair of the padding is the channels'
    zeros = nn.ZeroPad3d((0, 0, 0, 0, 0, outputs - inputs))
    return nn.Sequential(OrderedDict(subsample=nn.AvgPool2d(1, stride), zeros=zeros))


def _projection(inputs: int, outputs: int, stride: int) -> nn.Module:
    return nn.Sequential(
        OrderedDict(
            convolution=convolution(inputs, outputs, size=1, stride=stride),
            norm=nn.BatchNorm2d(outputs),
        )
    )
