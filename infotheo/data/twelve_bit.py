"""The 12-bit problem: all 4,096 binary inputs, labelled by a rule that no rotation changes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from infotheo.data.samples import checked_size, labelled_samples

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["twelve_bit", "twelve_bit_inputs", "twelve_bit_rule"]

_BITS = 12
_SAMPLES = 2**_BITS
_THRESHOLD = 7.75
# the icosahedron: its twelve vertices are the bits
_EDGES = (
    "0-1 0-3 0-5 0-10 0-11 1-2 1-3 1-4 1-11 2-3 2-4 2-8 2-9 3-8 3-10 "
    "4-6 4-9 4-11 5-6 5-7 5-10 5-11 6-7 6-9 6-11 7-8 7-9 7-10 8-9 8-10"
)
_ANTIPODES = "0-9 1-7 2-5 3-6 4-10 8-11"


def _vertex_products() -> np.ndarray:
    """Return (bit, bit): the scalar products of the vertices, unit vectors in space."""
    products = np.full((_BITS, _BITS), -1 / math.sqrt(5))
    for pairs, value in ((_EDGES, 1 / math.sqrt(5)), (_ANTIPODES, -1.0)):
        for pair in pairs.split():
            first, second = map(int, pair.split("-"))
            products[first, second] = products[second, first] = value
    np.fill_diagonal(products, 1.0)
    return products


def twelve_bit_inputs() -> np.ndarray:
    """Return all 4,096 inputs in counting order, (sample, unit) of 0 and 1, uint8.

    Returns
    -------
    numpy.ndarray
        Row n holds the binary digits of n, the most significant first.

    Examples
    --------
    >>> twelve_bit_inputs()[5]
    array([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1], dtype=uint8)
    """
    shifts = np.arange(_BITS - 1, -1, -1)
    return (np.arange(_SAMPLES)[:, np.newaxis] >> shifts & 1).astype(np.uint8)


def twelve_bit_rule(inputs: np.ndarray) -> np.ndarray:
    """Return the number that is compared with 7.75: positive differences are class 1.

    Parameters
    ----------
    inputs
        (..., unit) of 0 and 1, the 12 bits of each input.

    Returns
    -------
    numpy.ndarray
        (...,), float64: the sum of the bits, and 1.1 times the length of the sum of the vertices
        whose bits are 1.

    Raises
    ------
    ValueError
        If the last dimension is not 12.

    Notes
    -----
    The bits are the vertices of an icosahedron, so a relabelling of the bits by any of its 120
    symmetries changes nothing. The rule gives, bit for bit, the labels of the file that was
    published with R. Shwartz-Ziv, N. Tishby, "Opening the black box of deep neural networks via
    information" (2017): 2,118 ones of 4,096, the nearest of all values 0.11 from the threshold.

    Examples
    --------
    >>> int((twelve_bit_rule(twelve_bit_inputs()) > 7.75).sum())
    2118
    """
    bits = np.asarray(inputs, dtype=np.float64)
    if bits.ndim == 0 or bits.shape[-1] != _BITS:
        raise ValueError(f"inputs must have {_BITS} bits in their last dimension, got {bits.shape}")
    # P, the matrix of products, is 4 times a projection: x P x, the squared length of the sum of
    # the vertices, is |P x|² / 4, which rounding cannot make negative
    length = np.linalg.norm(bits @ _vertex_products(), axis=-1) / 2
    value: np.ndarray = bits.sum(-1) + 1.1 * length
    return value


def twelve_bit(
    *,
    train_size: int = 3277,
    validation_size: int = 0,
    split_seed: int = 0,
    gamma: float | None = None,
    label_seed: int = 0,
) -> xr.Dataset:
    """Return the 12-bit problem: all 4,096 inputs of twelve bits (0, 1) and their 2 classes.

    Parameters
    ----------
    train_size, validation_size
        Numbers of samples, drawn at random; the other ones, at least one, are the test set. The
        default is the usual 80 %. The validation set does not depend on ``train_size``, and a
        smaller training set is the beginning of a larger one.
    split_seed
        Seed of the division into parts.
    gamma
        None: class 1 where `twelve_bit_rule` exceeds 7.75. Otherwise the slope of a random rule:
        class 1 with probability 1 / (1 + exp(-gamma (rule - 7.75))).
    label_seed
        Seed of the random rule; the label of an input depends on it and ``gamma`` alone.

    Returns
    -------
    xarray.Dataset
        As `infotheo.data.samples.labelled_samples` describes, in the order train, validation,
        test; ``sample`` is the number that the input spells in binary.

    Raises
    ------
    ValueError
        If a size is out of range, or ``gamma`` is not a positive number.
    TypeError
        If a size or a seed is no whole number.

    Notes
    -----
    The inputs are equally likely, so with the sharp rule I(X;Y) = H(Y) = 0.6925629 nats
    (0.9991571 bits) over all of them. The networks see the bits as they are, as in the published
    experiments (R. Shwartz-Ziv, N. Tishby 2017; A. Saxe et al. 2018).

    Examples
    --------
    >>> data = twelve_bit()
    >>> dict(data.sizes), int(data["label"].sum()), int((data["split"] == 2).sum())
    ({'sample': 4096, 'unit': 12}, 2118, 819)
    """
    validation_size = checked_size("validation_size", validation_size, 0, _SAMPLES - 2)
    train_size = checked_size("train_size", train_size, 1, _SAMPLES - 1 - validation_size)
    split_seed = checked_size("split_seed", split_seed, 0, 2**63 - 1)
    label_seed = checked_size("label_seed", label_seed, 0, 2**63 - 1)
    inputs = twelve_bit_inputs()
    excess = twelve_bit_rule(inputs) - _THRESHOLD
    if gamma is None:
        labels = excess > 0
    else:
        # a logistic threshold for each input: the same draws at every slope
        draws = np.random.default_rng(label_seed).logistic(size=_SAMPLES)
        labels = _check_slope(gamma) * excess > draws
    order = np.random.default_rng(split_seed).permutation(_SAMPLES)
    validation, remaining = order[:validation_size], order[validation_size:]
    order = np.concatenate([remaining[:train_size], validation, remaining[train_size:]])
    return labelled_samples(
        inputs[order],
        labels[order].astype(np.int64),
        np.repeat([0, 1, 2], [train_size, validation_size, len(remaining) - train_size]),
        name="twelve_bit",
        classes=2,
        index=order,
        scale=1.0,
    )


def _check_slope(gamma: float) -> float:
    if isinstance(gamma, bool) or not isinstance(gamma, int | float | np.number):
        raise TypeError(f"gamma must be a number or None, got {gamma!r}")
    if not (math.isfinite(gamma) and gamma > 0):
        raise ValueError(f"gamma must be a positive number or None, got {gamma}")
    return float(gamma)
