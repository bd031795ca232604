"""The multilayer perceptron of papers 1, 2 and 5."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor, nn

from infotheo.arrays.numbers import check_count
from infotheo.registry import Registry, lookup

activations: Registry[Callable[[], nn.Module]] = Registry(
    {
        "relu": nn.ReLU,
        "tanh": nn.Tanh,
        "sigmoid": nn.Sigmoid,
        "elu": nn.ELU,
        "softplus": nn.Softplus,
        "linear": nn.Identity,
        "leaky_relu": nn.LeakyReLU,
        "gelu": nn.GELU,
        "silu": nn.SiLU,
        "mish": nn.Mish,
        "selu": nn.SELU,
        "celu": nn.CELU,
        "softsign": nn.Softsign,
        "relu6": nn.ReLU6,
        "hardtanh": nn.Hardtanh,
        "hardsigmoid": nn.Hardsigmoid,
        "hardswish": nn.Hardswish,
    },
    kind="activation",
)


def _truncated_normal(weight: Tensor) -> Tensor:
    """Draw from a normal of deviation 1 / sqrt(fan-in), cut at two deviations."""
    deviation = weight.shape[1] ** -0.5
    return nn.init.trunc_normal_(weight, std=deviation, a=-2 * deviation, b=2 * deviation)


initializations: Registry[Callable[[Tensor], Tensor]] = Registry(
    {
        "glorot_uniform": nn.init.xavier_uniform_,
        "glorot_normal": nn.init.xavier_normal_,
        "he_normal": lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu"),
        "he_uniform": lambda weight: nn.init.kaiming_uniform_(weight, nonlinearity="relu"),
        "truncated_normal": _truncated_normal,
    },
    kind="initialization",
    positional=("weight",),
)


def multilayer_perceptron(
    input_shape: Sequence[int],
    classes: int,
    *,
    width: int = 100,
    hidden_layers: int = 5,
    widths: Sequence[int] | None = None,
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
    widths
        Units of each hidden layer in turn, instead of ``width`` and ``hidden_layers``: the network
        12-10-7-5-4-3-2 of Shwartz-Ziv and Tishby (2017) is ``[10, 7, 5, 4, 3]``.
    activation
        One of ``relu``, ``tanh``, ``sigmoid``, ``elu``, ``softplus``, ``linear``, ``leaky_relu``,
        ``gelu``, ``silu``, ``mish``, ``selu``, ``celu``, ``softsign``, ``relu6``, ``hardtanh``,
        ``hardsigmoid``, ``hardswish``, each as torch has it by default.
    initialization
        One of ``glorot_uniform``, ``glorot_normal``, ``he_normal``, ``he_uniform`` and, after
        Shwartz-Ziv and Tishby, ``truncated_normal``: deviation 1 / sqrt(fan-in), drawn again
        beyond two of them. Biases are 0.
    dropout
        Layer name → probability that a unit is dropped.
    batch_norm
        Names of the layers whose values are batch-normalised before the activation.

    Raises
    ------
    TypeError, ValueError
        For an unknown activation, initialization or layer name, or a width that is none.

    Examples
    --------
    >>> network = multilayer_perceptron((8,), 3, width=4, hidden_layers=2)
    >>> [name for name, _ in network.named_children()]
    ['hidden1', 'hidden2', 'output']
    """
    build_activation = lookup(activation, activations)
    initialize = lookup(initialization, initializations)
    dropout = dict(dropout or {})
    normalized = set(batch_norm or ())
    if widths is None:
        units = [check_count(width, "width")] * check_count(hidden_layers, "hidden_layers", least=0)
    else:
        units = _read_widths(widths)
    names = [f"hidden{number}" for number in range(1, len(units) + 1)]
    for name in sorted({*dropout, *normalized} - set(names)):
        raise ValueError(f"layer {name!r} is not in the network; its layers: {', '.join(names)}")
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if len(input_shape) > 1:
        layers["flatten"] = nn.Flatten()
    inputs = math.prod(input_shape)
    for name, width in zip(names, units, strict=True):
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


def _read_widths(widths: Sequence[int]) -> list[int]:
    if isinstance(widths, str) or not isinstance(widths, Sequence):
        raise TypeError(f"widths is {widths!r}; expected a list of whole numbers, one for a layer")
    return [check_count(width, f"widths[{number}]") for number, width in enumerate(widths)]
