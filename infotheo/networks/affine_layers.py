"""A linear layer opened for arithmetic, whether a torch module or a pair of arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, SupportsFloat

import numpy as np
import torch
from array_api_compat import array_namespace, device
from torch import nn

from infotheo.arrays.conversion import Array, is_labelled, read_array, read_real

__all__ = ["AffineLayer", "convert_like", "open_layer", "real_values"]


class _Limits(Protocol):
    """Limits of a dtype, as torch and NumPy describe them."""

    @property
    def eps(self) -> SupportsFloat: ...  # the spacing next to 1

    @property
    def max(self) -> SupportsFloat: ...


class AffineLayer(NamedTuple):
    """A layer opened: weight (..., in, out) and bias (..., out) in float64, and the way back."""

    weight: Array
    bias: Array | None
    limits: _Limits  # of its dtype
    rebuild: Callable[[Array, Array | None], Any]


def real_values(values: Any, name: str) -> np.ndarray:
    """Check real, finite numbers and return them in float64 on the host.

    Examples
    --------
    >>> real_values([[1, 2]], "q")
    array([[1., 2.]])
    """
    array = read_real(values, name, kinds="fiu")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} contains {array[~np.isfinite(array)][0]}; expected finite values")
    return array.astype(np.float64)


def convert_like(values: Array, weight: Array) -> Array:
    """Bring float64 values to the kind and device of a weight."""
    return array_namespace(weight).asarray(values, device=device(weight))


def open_layer(layer: Any, name: str) -> AffineLayer:
    """Open ``torch.nn.Linear``, or a pair (weight, bias) of arrays with weights (..., in, out).

    Raises
    ------
    TypeError, ValueError
        If it is neither, or its arrays are not real and finite or do not fit each other.

    Examples
    --------
    >>> tuple(open_layer(nn.Linear(3, 2), "layer").weight.shape)
    (3, 2)
    """
    if isinstance(layer, nn.Linear):
        return _open_linear(layer)
    if not isinstance(layer, tuple | list) or len(layer) != 2:
        raise TypeError(
            f"{name} is a {type(layer).__name__}; expected torch.nn.Linear or a pair (weight, bias)"
        )
    weight, bias = layer
    return _open_pair(weight, bias, name)


def _open_linear(layer: nn.Linear) -> AffineLayer:
    def rebuild(weight: Array, bias: Array | None) -> nn.Linear:
        # drawing initial weights would move the caller's random state
        skip_init: Callable[..., nn.Linear] = nn.utils.skip_init
        new = skip_init(
            nn.Linear,
            layer.in_features,
            layer.out_features,
            bias=bias is not None,
            device=layer.weight.device,
            dtype=layer.weight.dtype,
        )
        with torch.no_grad():
            new.weight.copy_(weight.mT)
            if bias is not None:
                new.bias.copy_(bias)
        new.weight.requires_grad_(layer.weight.requires_grad)
        return new.train(layer.training)

    bias = None if layer.bias is None else layer.bias.detach().double()
    limits = torch.finfo(layer.weight.dtype)
    return AffineLayer(layer.weight.detach().double().mT, bias, limits, rebuild)


def _open_pair(weight: Any, bias: Any, name: str) -> AffineLayer:
    for part, part_name in ((weight, "weight"), (bias, "bias")):
        if part is not None:
            real_values(part, f"the {part_name} of {name}")
    if weight is None:
        raise ValueError(f"the weight of {name} has shape None; expected (..., in, out)")
    plain_weight = read_array(weight, f"the weight of {name}")
    if plain_weight.ndim < 2 or 0 in plain_weight.shape:
        raise ValueError(
            f"the weight of {name} has shape {tuple(plain_weight.shape)}; expected (..., in, out)"
        )
    kind = plain_weight.dtype
    plain_bias = None if bias is None else read_array(bias, f"the bias of {name}")
    expected = (*plain_weight.shape[:-2], plain_weight.shape[-1])
    if plain_bias is not None and tuple(plain_bias.shape) != expected:
        raise ValueError(
            f"the bias of {name} has shape {tuple(plain_bias.shape)}; expected {tuple(expected)} "
            "to go with its weight (..., in, out)"
        )
    xp = array_namespace(plain_weight)
    dtype = xp.float64 if xp.isdtype(kind, "integral") else kind

    def rebuild(new: Array, new_bias: Array | None) -> tuple[Any, Any]:
        new = xp.astype(new, dtype)
        if new_bias is not None:
            new_bias = xp.astype(new_bias, dtype)
        if is_labelled(weight):
            new = weight.copy(data=new)
        if new_bias is not None and is_labelled(bias):
            new_bias = bias.copy(data=new_bias)
        return new, new_bias

    if plain_bias is not None:
        plain_bias = convert_like(plain_bias, plain_weight)
        plain_bias = xp.astype(plain_bias, xp.float64)
    return AffineLayer(xp.astype(plain_weight, xp.float64), plain_bias, xp.finfo(dtype), rebuild)
