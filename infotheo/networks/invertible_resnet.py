"""The invertible residual network: branches that are contractions by their weights."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from infotheo.arrays.labels import check_open_unit
from infotheo.arrays.numbers import check_count
from infotheo.invertibility.inversion import invert_residual
from infotheo.networks.images import convolution
from infotheo.networks.invertible_base import InvertibleNetwork, invertible_network
from infotheo.networks.norm_bound import keep_below
from infotheo.networks.residual_units import ResidualBlock

__all__ = ["ContractiveBlock", "invertible_residual_network"]

ITERATIONS = 200  # enough for a contraction by 0.93 in single precision


class ContractiveBlock(ResidualBlock):
    """x + L(x) with a contraction L, undone by fixed-point iteration."""

    def inverse(self, y: Tensor) -> Tensor:
        """Return x from y = x + L(x), to 1e-6 of its length (float64: 1e-12), without gradient."""
        return invert_residual(self.branch, y, iterations=ITERATIONS).x


def invertible_residual_network(
    input_shape: Sequence[int],
    classes: int,
    *,
    blocks: Sequence[int] = (3, 3, 3),
    width: int | None = None,
    bottleneck: int = 16,
    contraction: float = 0.9,
) -> InvertibleNetwork:
    r"""Build a residual network each of whose blocks is invertible, named ``stage1.0`` and so on.

    Children, ``network.encode`` and ``network.inverse`` are those of
    :func:`~infotheo.networks.irevnet.reversible_network`.

    Parameters
    ----------
    input_shape
        Shape of one image, (channel, row, column).
    classes
        Number of outputs (logits).
    blocks
        How many each stage has. Before each stage rows and columns are halved.
    width
        Channels of the first stage: zeros are added to the four times as many channels of the
        halved image. ``None`` adds none.
    bottleneck
        Inner channels of the branches in the first stage; doubled from stage to stage.
    contraction
        What the Lipschitz constant of every branch is kept below, between 0 and 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or the image cannot be halved so often.

    Notes
    -----
    Source: Behrmann et al. (2019), Invertible residual networks. A branch is ELU, 3 x 3, ELU,
    1 x 1, ELU, 3 x 3 convolution, without batch norm and, in the first block, without the first
    ELU. Behrmann et al. divide the weights by a norm from a few power iterations, which lies below
    the true one; here the three norms are kept at the cube root of ``contraction`` by an upper
    bound of them (:mod:`infotheo.networks.norm_bound`), so that no training can break it, and
    :func:`~infotheo.lipschitz_bounds` proves it below 1 by default settings for every
    ``contraction`` up to 0.94. The price: each 3 x 3 convolution is kept to 0.87 to 0.93 of
    what it may (and, as its norm on small images is less than on large ones, to 0.7 on 4 x 4); and
    a step on two cores takes twice as long on 128 images of 32 x 32, five times on 64 of 16 x 16,
    the norms costing the same for any batch.

    Examples
    --------
    >>> import torch
    >>> network = invertible_residual_network((3, 8, 8), 10, blocks=[2], contraction=0.5).eval()
    >>> x = torch.ones(1, 3, 8, 8)
    >>> torch.allclose(network.inverse(network.encode(x)), x, atol=1e-5)
    True
    """
    check_count(bottleneck, "bottleneck")
    bound = check_open_unit(contraction, "contraction") ** (1 / 3)

    def block(channels: int, stage: int, number: int) -> nn.Module:
        inner = bottleneck * 2**stage
        sizes = [(channels, inner, 3), (inner, inner, 1), (inner, channels, 3)]
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for n, (inputs, outputs, size) in enumerate(sizes, start=1):
            if number or n > 1:
                layers[f"elu{n}"] = nn.ELU()
            layer = convolution(inputs, outputs, size=size, bias=True)
            layers[f"convolution{n}"] = keep_below(layer, bound)
        return ContractiveBlock(nn.Sequential(layers))

    return invertible_network(input_shape, classes, blocks, width, block)
