"""The multilayer perceptron of papers 1 and 2."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor, nn

from infotheo.registry import lookup

activations: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "elu": nn.ELU,
    "softplus": nn.Softplus,
    "linear": nn.Identity,
}

initializations: dict[str, Callable[[Tensor], Tensor]] = {
    "glorot_uniform": nn.init.xavier_uniform_,
    "glorot_normal": nn.init.xavier_normal_,
    "he_normal": lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu"),
    "he_uniform": lambda weight: nn.init.kaiming_uniform_(weight, nonlinearity="relu"),
}


def multilayer_perceptron(
    input_shape: Sequence[int],
    classes: int,
    *,
    width: int = 100,
    hidden_layers: int = 5,
    activation: str = "relu",
    initialization: str = "glorot_uniform",
    dropout: Mapping[str, float] | None = None,
    batch_norm: Sequence[str] | None = None,
) -> nn.Sequential:
    """Build a fully connected network with layers named ``hidden1`` … and ``output``.

    A hidden layer is itself a sequence: ``linear``, then ``batch_norm`` where asked for, then
    ``activation``, then ``dropout`` where asked for. ``hidden5`` therefore names what the next
    layer sees and ``hidden5.linear`` the values before the activation.

    Parameters
    ----------
    input_shape
        Shape of one sample; flattened when it has more than one dimension.
    classes
        Number of outputs (logits).
    width, hidden_layers
        Units of each hidden layer, and how many there are (paper 1: 100 and 5).
    activation
        One of ``relu``, ``tanh``, ``sigmoid``, ``elu``, ``softplus``, ``linear``.
    initialization
        One of ``glorot_uniform``, ``glorot_normal``, ``he_normal``, ``he_uniform``; biases are 0.
    dropout
        Layer name → probability that a unit is dropped.
    batch_norm
        Names of the layers whose values are batch-normalised before the activation.

    Raises
    ------
    ValueError
        For an unknown activation, initialization or layer name.

    Examples
    --------
    >>> network = multilayer_perceptron((8,), 3, width=4, hidden_layers=2)
    >>> [name for name, _ in network.named_children()]
    ['hidden1', 'hidden2', 'output']
    """
    build_activation = lookup(activation, activations, "activation")
    initialize = lookup(initialization, initializations, "initialization")
    dropout = dict(dropout or {})
    normalized = set(batch_norm or ())
    names = [f"hidden{number}" for number in range(1, hidden_layers + 1)]
    for name in sorted({*dropout, *normalized} - set(names)):
        raise ValueError(f"layer {name!r} is not in the network; its layers: {', '.join(names)}")
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if len(input_shape) > 1:
        layers["flatten"] = nn.Flatten()
    inputs = math.prod(input_shape)
    for name in names:
        parts: OrderedDict[str, nn.Module] = OrderedDict(linear=nn.Linear(inputs, width))
        if name in normalized:
            parts["batch_norm"] = nn.BatchNorm1d(width)
        parts["activation"] = build_activation()
        if name in dropout:
            parts["dropout"] = nn.Dropout(dropout[name])
        layers[name] = nn.Sequential(parts)
        inputs = width
    layers["output"] = nn.Linear(inputs, classes)
    network = nn.Sequential(layers)
    for module in network.modules():
        if isinstance(module, nn.Linear):
            initialize(module.weight)
            nn.init.zeros_(module.bias)
    return network
