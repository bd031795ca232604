"""Upper bounds of the Lipschitz constants of layers in evaluation mode, by type of layer.

``layer_norms`` is a plain dictionary: a type of module to a function of the layer, what it receives
(one sample) and the relative excess that a search may cause. Register a layer of your own with
``layer_norms[MyLayer] = lambda layer, x, tolerance: 1.0``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor, nn

from infotheo.invertibility.convolution_norm import convolution_norm

__all__ = ["LayerNormFunction", "layer_norms", "norm_function"]

LayerNormFunction = Callable[[nn.Module, Tensor, float], float]


def norm_function(layer: nn.Module) -> LayerNormFunction | None:
    """Return the function for a layer's type, or of the nearest parent with the same ``forward``.

    Examples
    --------
    >>> norm_function(nn.Tanh())(nn.Tanh(), torch.ones(1, 1), 0.01)
    1.0
    >>> norm_function(nn.Bilinear(1, 1, 1)) is None
    True
    """
    for parent in type(layer).__mro__:
        if parent in layer_norms and all(
            getattr(parent, name, None) is getattr(type(layer), name, None) for name in _CALLED
        ):
            return layer_norms[parent]
    return None


# what a call of a layer runs: a class that replaces one of them is another layer
_CALLED = ("__call__", "forward", "_call_impl", "_conv_forward", "_output_padding")


def _at_least(least: float, value: float) -> float:
    """Return the larger number, NaN if the second is."""
    return value if math.isnan(value) else max(least, value)


def _constant(norm: float) -> LayerNormFunction:
    return lambda layer, x, tolerance: norm


def _linear(layer: nn.Module, x: Tensor, tolerance: float) -> float:
    assert isinstance(layer, nn.Linear)
    return float(torch.linalg.matrix_norm(layer.weight.detach().double(), ord=2))


def _batch_norm(layer: nn.Module, x: Tensor, tolerance: float) -> float:
    assert isinstance(layer, nn.modules.batchnorm._BatchNorm)
    assert layer.running_var is not None  # read_branch has asked
    scale = torch.ones_like(layer.running_var) if layer.weight is None else layer.weight.detach()
    return float((scale.double().abs() / (layer.running_var.double() + layer.eps).sqrt()).max())


def _sample_norm(layer: nn.Module, x: Tensor, tolerance: float) -> float:
    # u / sqrt(|u|^2 / n + eps) of centred u has its steepest point at u = 0, 1 / sqrt(eps): finite,
    # and of little use; a group of one value is constant
    assert isinstance(layer, nn.LayerNorm | nn.GroupNorm)
    values = math.prod(
        layer.normalized_shape
        if isinstance(layer, nn.LayerNorm)
        else (layer.num_channels // layer.num_groups, *x.shape[2:])
    )
    if values == 1:
        return 0.0
    scale = 1.0 if layer.weight is None else float(layer.weight.detach().double().abs().max())
    return scale / math.sqrt(layer.eps) if layer.eps > 0 else math.inf


def _leaky(layer: nn.Module, x: Tensor, tolerance: float) -> float:
    assert isinstance(layer, nn.LeakyReLU)
    return _at_least(1.0, abs(layer.negative_slope))


def _parametric(layer: nn.Module, x: Tensor, tolerance: float) -> float:
    assert isinstance(layer, nn.PReLU)
    return _at_least(1.0, float(layer.weight.detach().abs().max()))


def _exponential(layer: nn.Module, x: Tensor, tolerance: float) -> float:
    assert isinstance(layer, nn.ELU)
    return _at_least(1.0, abs(layer.alpha))


def _continuous_exponential(layer: nn.Module, x: Tensor, tolerance: float) -> float:
    # exp(u / alpha) below 0, which grows without bound where alpha is negative
    assert isinstance(layer, nn.CELU)
    return 1.0 if layer.alpha > 0 else math.inf


def _softplus(layer: nn.Module, x: Tensor, tolerance: float) -> float:
    # a sigmoid's slope, and the identity beyond the threshold; it jumps there by
    # log(1 + exp(-threshold)) / |beta|, which is rounding from the default of 20 on
    assert isinstance(layer, nn.Softplus)
    return 1.0 if layer.threshold >= 20 and layer.beta != 0 else math.inf


def _softmax(layer: nn.Module, x: Tensor, tolerance: float) -> float:
    # diag(p) - p p^T: row sums of absolute values 2 p (1 - p)
    assert isinstance(layer, nn.Softmax)
    dim = layer.dim
    if dim is None:  # what torch takes then
        dim = 0 if x.ndim in (0, 1, 3) else 1
    if dim % x.ndim == 0:
        raise ValueError(
            f"branch: {type(layer).__name__}(dim={layer.dim}) mixes the samples of a batch; "
            "expected another dimension"
        )
    return 0.5


def _max_pool(layer: nn.Module, x: Tensor, tolerance: float) -> float:
    # |max a - max b|^2 is at most the sum of squared differences in the window, and a value counts
    # once for each window that it lies in
    assert isinstance(layer, nn.modules.pooling._MaxPoolNd)
    if not isinstance(layer(x), Tensor):
        raise ValueError(f"{type(layer).__name__}: found return_indices=True, expected one tensor")
    kernel, stride, padding, dilation = (
        _per_dimension(value, x.ndim - 2)
        for value in (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
    )
    windows = 1
    for d, (length, count) in enumerate(zip(x.shape[2:], layer(x).shape[2:], strict=True)):
        counts = [0] * length
        for window, tap in product(range(count), range(kernel[d])):
            position = window * stride[d] - padding[d] + tap * dilation[d]
            if 0 <= position < length:
                counts[position] += 1
        windows *= max(counts)
    return math.sqrt(windows)


def _average_pool(layer: nn.Module, x: Tensor, tolerance: float) -> float:
    # the same average in each dimension: the norm of a Kronecker product is the product of norms
    assert isinstance(layer, nn.AvgPool1d | nn.AvgPool2d | nn.AvgPool3d)
    kernel, stride, padding = (
        _per_dimension(value, x.ndim - 2)
        for value in (layer.kernel_size, layer.stride, layer.padding)
    )
    divisor = getattr(layer, "divisor_override", None)
    norm = 1.0 if divisor is None else 1 / abs(divisor)
    for d, length in enumerate(x.shape[2:]):
        along = nn.AvgPool2d(  # one dimension as two: nn.AvgPool1d takes no divisor
            (kernel[d], 1),
            (stride[d], 1),
            (padding[d], 0),
            layer.ceil_mode,
            layer.count_include_pad,
            divisor_override=None if divisor is None else 1,
        )
        columns = along(torch.eye(length, dtype=torch.float64)[:, None, :, None])
        norm *= float(torch.linalg.matrix_norm(columns[:, 0, :, 0], ord=2))
    return norm


def _adaptive_average(layer: nn.Module, x: Tensor, tolerance: float) -> float:
    norm = 1.0
    for size, length in zip(layer(x).shape[2:], x.shape[2:], strict=True):
        columns = nn.AdaptiveAvgPool1d(size)(torch.eye(length, dtype=torch.float64)[:, None])
        norm *= float(torch.linalg.matrix_norm(columns[:, 0], ord=2))
    return norm


def _per_dimension(value: int | tuple[int, ...], dims: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,) * dims


layer_norms: dict[type[nn.Module], LayerNormFunction] = {
    nn.Linear: _linear,
    **dict.fromkeys(
        (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d)
        + (nn.ConvTranspose3d,),
        convolution_norm,
    ),
    **dict.fromkeys((nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d), _batch_norm),
    **dict.fromkeys((nn.LayerNorm, nn.GroupNorm), _sample_norm),
    **dict.fromkeys((nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d), _max_pool),
    **dict.fromkeys((nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d), _average_pool),
    **dict.fromkeys(
        (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d), _adaptive_average
    ),
    nn.LeakyReLU: _leaky,
    nn.PReLU: _parametric,
    nn.ELU: _exponential,
    nn.CELU: _continuous_exponential,
    nn.Softplus: _softplus,
    nn.Softmax: _softmax,
    # the layers that move values about, drop none twice, and those of slope at most one
    **dict.fromkeys(
        (nn.Identity, nn.Flatten, nn.Unflatten, nn.PixelShuffle, nn.PixelUnshuffle)
        + (nn.ChannelShuffle, nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d)
        + (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)
        + (nn.ReLU, nn.ReLU6, nn.Tanh, nn.Softsign, nn.LogSigmoid)
        + (nn.Softshrink, nn.Tanhshrink, nn.Hardtanh),
        _constant(1.0),
    ),
    nn.Sigmoid: _constant(0.25),
    nn.Hardsigmoid: _constant(1 / 6),
    # largest slopes, rounded up
    nn.SELU: _constant(1.7581),
    nn.GELU: _constant(1.1291),
    nn.SiLU: _constant(1.0999),
    nn.Mish: _constant(1.0885),
    nn.Hardswish: _constant(1.5),
}
