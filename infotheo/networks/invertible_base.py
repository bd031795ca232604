"""Networks that can be run backwards up to the pooling: layers with an ``inverse`` in sequence."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol, cast

from torch import Tensor, nn

from infotheo.arrays.numbers import check_count
from infotheo.networks.images import linear_output, read_image_shape

__all__ = [
    "InvertibleNetwork",
    "InvertibleSequence",
    "SpaceToDepth",
    "ZeroChannels",
    "invertible_network",
]


class _Invertible(Protocol):
    def __call__(self, x: Tensor) -> Tensor: ...

    def inverse(self, y: Tensor) -> Tensor: ...


class SpaceToDepth(nn.PixelUnshuffle):
    """Halve an image without losing a value: each 2 x 2 square becomes four channels."""

    def __init__(self) -> None:
        super().__init__(2)

    def inverse(self, y: Tensor) -> Tensor:
        """Return x (sample, channel, row, column) from four times the channels, exactly."""
        return nn.functional.pixel_shuffle(y, 2)


class ZeroChannels(nn.ZeroPad3d):
    """Add channels of zeros behind those of an image."""

    def __init__(self, channels: int) -> None:
        super().__init__((0, 0, 0, 0, 0, channels))  # the last pair is the channels'
        self.channels = channels

    def inverse(self, y: Tensor) -> Tensor:
        """Return the image without the added channels, whatever they hold."""
        return y[:, : y.shape[1] - self.channels]


class InvertibleSequence(nn.Sequential):
    """Invertible modules one after the other."""

    def inverse(self, y: Tensor) -> Tensor:
        """Return the x that the modules make y of."""
        for module in reversed(self):
            y = cast(_Invertible, module).inverse(y)
        return y


class InvertibleNetwork(nn.Sequential):
    """A classifier whose first children, those with an ``inverse``, can be run backwards.

    Inverses run in the mode the network is in: switch to evaluation with ``network.eval()``, as a
    batch norm in training mode treats every batch differently.
    """

    def invertible(self) -> list[_Invertible]:
        """Return the children up to the first without an inverse."""
        names = list(self._modules)
        first = next(n for n, child in enumerate(self) if not hasattr(child, "inverse"))
        return [cast(_Invertible, self._modules[name]) for name in names[:first]]

    def encode(self, x: Tensor) -> Tensor:
        """Return what the invertible part makes of images x: as many values, or more (zeros)."""
        for module in self.invertible():
            x = module(x)
        return x

    def inverse(self, z: Tensor) -> Tensor:
        """Return the images that :meth:`encode` makes z of.

        Channels that began as zeros are left out of what is returned: where z was not made by
        :meth:`encode`, encoding the result need not give z.
        """
        for module in reversed(self.invertible()):
            z = module.inverse(z)
        return z


def invertible_network(
    input_shape: Sequence[int],
    classes: int,
    blocks: Sequence[int],
    width: int | None,
    block: Callable[[int, int, int], nn.Module],
) -> InvertibleNetwork:
    """Build halving, stages of blocks, average and output around invertible blocks of any kind.

    Parameters
    ----------
    input_shape, classes
        Shape of one image, (channel, row, column), and number of logits.
    blocks
        How many each stage has. Before each stage rows and columns are halved, channels
        multiplied by four.
    width
        Channels of the first stage, zeros added to those there are; ``None`` adds none.
    block
        Makes one from its channels, its stage and its number in the network, both from 0.
    """
    if isinstance(blocks, str) or not isinstance(blocks, Sequence) or not len(blocks):
        raise ValueError(f"blocks is {blocks!r}; expected a list of whole numbers, one for a stage")
    counts = [check_count(count, f"blocks[{stage}]") for stage, count in enumerate(blocks)]
    channels = 4 * read_image_shape(input_shape, halvings=len(counts))[0]
    check_count(classes, "classes")
    layers: OrderedDict[str, nn.Module] = OrderedDict(halving1=SpaceToDepth())
    if width is not None and check_count(width, "width", least=channels) > channels:
        layers["zeros"] = ZeroChannels(width - channels)
        channels = width
    number = 0
    for stage, count in enumerate(counts):
        if stage:
            layers[f"halving{stage + 1}"] = SpaceToDepth()
            channels *= 4
        layers[f"stage{stage + 1}"] = InvertibleSequence(
            *(block(channels, stage, number + offset) for offset in range(count))
        )
        number += count
    layers["final"] = nn.Sequential(OrderedDict(norm=nn.BatchNorm2d(channels), relu=nn.ReLU()))
    average = OrderedDict(pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten())
    layers["features"] = nn.Sequential(average)
    layers["output"] = linear_output(channels, classes)
    return InvertibleNetwork(layers)
