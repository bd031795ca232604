"""Other representations of the same function: identical and comparable output networks.

A layer's representation z is replaced by Q(z - m) through the layer's own weights, and the next
layer's weights undo it. Arrays of weights are (..., in, out) as in paper 1.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from array_api_compat import array_namespace

from infotheo.arrays.labels import check_choice
from infotheo.arrays.numbers import check_number
from infotheo.arrays.samples import Array, to_numpy
from infotheo.networks.affine_layers import AffineLayer, convert_like, open_layer, real_values

__all__ = ["TransformedLayers", "comparable_output_network", "identical_output_network"]

Activation = Literal["relu", "linear"]


class TransformedLayers(NamedTuple):
    """The two layers after the transformation, of the kinds that went in."""

    layer: Any
    next_layer: Any


def identical_output_network(
    layer: Any,
    next_layer: Any,
    q: Any,
    m: Any = None,
    activation: Activation = "relu",
    *,
    max_condition: float | None = None,
) -> TransformedLayers:
    r"""Transform a layer's representation to Q(z - m) without changing the network's output.

    Parameters
    ----------
    layer, next_layer
        The layer whose representation changes and the one that reads it: ``torch.nn.Linear``, or
        pairs (weight, bias) of arrays of any kind with weights (..., in, out) as in paper 1 (the
        transpose of ``torch.nn.Linear.weight``) and biases (..., out) or ``None``. Leading
        dimensions are replicas. Never modified.
    q
        Nonsingular matrix (unit, unit), or (..., unit, unit) with one for each replica.
    m
        Shift (unit,) or (..., unit); ``None`` for none. A layer without bias gets one if m is
        given.
    activation
        What follows ``layer``: "linear" (nothing) allows any nonsingular ``q`` and any ``m``
        (theorem 1), "relu" only a permuted positive diagonal ``q`` and no ``m`` (theorem 2).
    max_condition
        The largest condition number of ``q`` with activation "linear"; outputs agree to about that
        many roundings. ``None``: the square root of 1 / precision of the layers' dtype (7e7 in
        double, 3e3 in single precision).

    Returns
    -------
    TransformedLayers
        New ``layer`` and ``next_layer`` of the kind, dtype and device that went in. Computed in
        float64 and rounded once.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; if ``q`` is singular or too ill-conditioned; if the
        layer is followed by a ReLU and ``q`` or ``m`` is not what theorem 2 allows.

    Notes
    -----
    :math:`\tilde W_l = W_l Q^T`, :math:`\tilde b_l = Q (b_l - m)`, :math:`\tilde W_{l+1} = Q^{-T}
    W_{l+1}`, :math:`\tilde b_{l+1} = b_{l+1} + W_{l+1}^T m`. Source: paper 1, theorems 1 and 2.

    Examples
    --------
    >>> first, last = (np.array([[1.0, -1.0]]), np.zeros(2)), (np.array([[1.0], [2.0]]), None)
    >>> changed = identical_output_network(first, last, [[0, 10], [1, 0]])
    >>> changed.layer[0], changed.next_layer[0]
    (array([[-10.,   1.]]), array([[0.2],
           [1. ]]))
    """
    check_choice(activation, get_args(Activation), "activation")
    matrix, shift = _read_affine_map(q, m)
    opened = open_layer(layer, "layer"), open_layer(next_layer, "next_layer")
    if max_condition is None:
        max_condition = max(float(part.limits.eps) for part in opened) ** -0.5
    largest = check_number(max_condition, "max_condition", positive=True)
    if activation == "relu":
        _require_theorem_2(matrix, shift)
        shift = None
    else:
        _require_condition(matrix, largest)
    return _transform(*opened, matrix, shift)


def comparable_output_network(
    layer: Any, next_layer: Any, q: Any, m: Any = None
) -> TransformedLayers:
    """Transform two layers as if nothing nonlinear stood between them, whatever does.

    Parameters
    ----------
    layer, next_layer, m
        As in :func:`identical_output_network`.
    q
        Any nonsingular matrix (unit, unit), or (..., unit, unit); see
        :mod:`infotheo.networks.transforms` for those of paper 1.

    Returns
    -------
    TransformedLayers
        New ``layer`` and ``next_layer``. With a ReLU between them the network's output changes;
        the paper then trains the weights of ``next_layer`` again and reports the error.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or ``q`` is singular in double precision.

    Notes
    -----
    Source: paper 1, section 3.2 and table 3.

    Examples
    --------
    >>> from torch import nn
    >>> first, last = nn.Linear(3, 2), nn.Linear(2, 1)
    >>> comparable_output_network(first, last, [[0.5, 1.0], [1.0, 0.25]]).layer
    Linear(in_features=3, out_features=2, bias=True)
    """
    matrix, shift = _read_affine_map(q, m)
    opened = open_layer(layer, "layer"), open_layer(next_layer, "next_layer")
    _require_condition(matrix, 1 / float(np.finfo(np.float64).eps))
    return _transform(*opened, matrix, shift)


def _transform(
    first: AffineLayer, second: AffineLayer, q: np.ndarray, m: np.ndarray | None
) -> TransformedLayers:
    """Put Q and m into the first layer and their inverse into the second."""
    units = int(first.weight.shape[-1])
    if second.weight.shape[-2] != units:
        raise ValueError(
            f"next_layer takes {second.weight.shape[-2]} inputs; expected {units}, the outputs of "
            "layer (plain weights are (in, out))"
        )
    replicas = tuple(int(length) for length in first.weight.shape[:-2])
    if tuple(second.weight.shape[:-2]) != replicas:
        raise ValueError(
            f"next_layer has replicas {tuple(second.weight.shape[:-2])}; expected {replicas} as "
            "layer has"
        )
    for name, values, shape in (("q", q, (units, units)), ("m", m, (units,))):
        if values is not None and values.shape not in (shape, (*replicas, *shape)):
            raise ValueError(
                f"{name} has shape {values.shape}; expected {shape}"
                + (f" or {(*replicas, *shape)}" if replicas else "")
            )
    xp = array_namespace(first.weight)
    transposed = xp.matrix_transpose(convert_like(q, first.weight))
    bias = first.bias
    if m is not None:
        shift = convert_like(m, first.weight)
        bias = -shift if bias is None else bias - shift
        bias = xp.broadcast_to(bias, (*replicas, units))
    if bias is not None:
        bias = (bias[..., None, :] @ transposed)[..., 0, :]
    xp = array_namespace(second.weight)
    columns = xp.matrix_transpose(convert_like(q, second.weight))
    columns = xp.broadcast_to(columns, (*replicas, units, units))
    next_bias = second.bias
    if m is not None:
        shifted = (convert_like(m, second.weight)[..., None, :] @ second.weight)[..., 0, :]
        next_bias = shifted if next_bias is None else next_bias + shifted
    return TransformedLayers(
        _rebuild(first, first.weight @ transposed, bias),
        _rebuild(second, xp.linalg.solve(columns, second.weight), next_bias),
    )


def _rebuild(layer: AffineLayer, weight: Array, bias: Array | None) -> Any:
    """Return the layer with new weights, or refuse what its dtype cannot hold."""
    for values in (weight, bias):
        largest = 0.0 if values is None else float(abs(to_numpy(values)).max())
        if not largest <= float(layer.limits.max):
            raise ValueError(
                f"q and m make weights as large as {largest:.3g}; expected at most "
                f"{float(layer.limits.max):.3g}, the range of the layer's dtype"
            )
    return layer.rebuild(weight, bias)


def _read_affine_map(q: Any, m: Any) -> tuple[np.ndarray, np.ndarray | None]:
    matrix = real_values(q, "q")
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2] or matrix.size == 0:
        raise ValueError(f"q has shape {matrix.shape}; expected a square matrix (unit, unit)")
    return matrix, None if m is None else real_values(m, "m")


def _require_theorem_2(q: np.ndarray, m: np.ndarray | None) -> None:
    """Refuse all but permuted positive diagonals and no shift."""
    nonzero = q != 0
    one_entry = (nonzero.sum(-1) == 1).all() and (nonzero.sum(-2) == 1).all()
    if not one_entry or (q < 0).any():
        problem = "a negative entry" if one_entry else "rows or columns without exactly one entry"
        raise ValueError(
            f"q has {problem}; expected a permuted positive diagonal matrix: after a ReLU nothing "
            "else keeps the output (paper 1, theorem 2; see comparable_output_network)"
        )
    if m is not None and (m != 0).any():
        raise ValueError(
            f"m contains {m[m != 0][0]}; expected None or zeros: after a ReLU a shift changes the "
            "output (paper 1, theorem 2; see comparable_output_network)"
        )


def _require_condition(q: np.ndarray, largest: float) -> None:
    number = float(np.max(np.linalg.cond(q)))
    if not number <= largest:
        raise ValueError(
            f"q has condition number {number:.3g}; expected a nonsingular matrix, at most "
            f"{largest:.3g}"
        )
