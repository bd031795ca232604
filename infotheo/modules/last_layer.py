"""Features that a network decides by: the input of its last linear layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from infotheo.modules.evaluation_mode import evaluation_mode

__all__ = ["last_layer_features"]


def last_layer_features(
    network: nn.Module, inputs: Tensor, *, batch_size: int = 256
) -> tuple[Tensor, nn.Linear]:
    """Return what the linear layer that a network calls last receives, and that layer.

    Parameters
    ----------
    network
        Any module that calls a ``torch.nn.Linear``. Runs in evaluation mode, without gradients,
        and is left as it was.
    inputs
        (sample, ...), on the network's device.
    batch_size
        How many of them pass through it at a time.

    Returns
    -------
    tuple
        Features (sample, unit), and the layer.

    Raises
    ------
    ValueError
        If the network calls no linear layer, or not one row for each sample.

    Examples
    --------
    >>> network = nn.Sequential(nn.Flatten(), nn.ReLU(), nn.Linear(4, 3))
    >>> features, layer = last_layer_features(network, torch.tensor([[[-1.0, 2.0], [3.0, -4.0]]]))
    >>> features, layer is network[2]
    (tensor([[0., 2., 3., 0.]]), True)
    """
    last: list[tuple[nn.Linear, Tensor]] = []

    def keep(layer: nn.Module, received: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, nn.Linear)
        last[:] = [(layer, received[0])]  # of earlier layers nothing is kept

    handles = [
        module.register_forward_pre_hook(keep)
        for module in network.modules()
        if isinstance(module, nn.Linear)
    ]
    parts = []
    try:
        with evaluation_mode(network):
            for part in torch.split(inputs, batch_size):
                last.clear()
                network(part)
                if not last:
                    raise ValueError(
                        f"network ({type(network).__name__}) calls no torch.nn.Linear layer, so it "
                        "has no features before one"
                    )
                layer, features = last[0]
                if features.ndim != 2 or len(features) != len(part):
                    raise ValueError(
                        f"network ({type(network).__name__}): its last linear layer received shape "
                        f"{tuple(features.shape)}; expected ({len(part)}, unit), one row for each "
                        "sample"
                    )
                parts.append(features.clone())
    finally:
        for handle in handles:
            handle.remove()
    return torch.cat(parts), layer
