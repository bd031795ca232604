"""PlainNet: a residual network without shortcuts, so that nothing speaks for its invertibility."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from infotheo.networks.residual_units import residual_block
from infotheo.networks.resnet import staged_network

__all__ = ["plain_network"]


def plain_network(
    input_shape: Sequence[int], classes: int, *, depth: int = 32, width: int = 16
) -> nn.Sequential:
    """Build a network of the blocks of a residual one, each without the shortcut it goes around.

    Children are named as those of :func:`~infotheo.networks.resnet.residual_network`; a block is
    the sequence of ``body``, what would be the ``branch``, and ``activation``: no residual block.

    Parameters
    ----------
    input_shape
        Shape of one image, (channel, row, column).
    classes
        Number of outputs (logits).
    depth, width
        As in :func:`~infotheo.networks.resnet.residual_network`; the weights are as many.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    Notes
    -----
    Sources: He et al. (2016a), section 4.2; paper 4, section 5 (only L as the operator).

    Examples
    --------
    >>> network = plain_network((3, 32, 32), 10, depth=20)
    >>> sum(parameter.numel() for parameter in network.parameters())
    269722
    """
    return staged_network(input_shape, classes, depth, width, _block)


def _block(inputs: int, outputs: int, stride: int, first: bool) -> nn.Module:
    residual = residual_block(inputs, outputs, stride=stride, first=first)
    assert residual.activation is not None  # the original unit's ReLU
    return nn.Sequential(OrderedDict(body=residual.branch, activation=residual.activation))
