"""Bounds of a layer's or a network's information by its weight noise alone (paper 3, section 5)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from infotheo.arrays.conversion import is_labelled, read_array
from infotheo.arrays.labels import Units, nats_per
from infotheo.arrays.numbers import check_count, check_number
from infotheo.arrays.results import FieldNote, wrap
from infotheo.arrays.samples import Array
from infotheo.arrays.wording import describe
from infotheo.weights.information import read_alpha

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "MultilayerInformation",
    "UniformInformation",
    "multilayer_information_bound",
    "uniform_dual_information",
]


class UniformInformation(NamedTuple):
    """Result of :func:`uniform_dual_information`."""

    lower: Array
    upper: Array


class MultilayerInformation(NamedTuple):
    """Result of :func:`multilayer_information_bound`."""

    value: Array
    per_layer: Array


def uniform_dual_information(
    alpha: Any, outputs: int, *, slack: float = 1.0, units: Units = "nats"
) -> UniformInformation | xr.Dataset:
    r"""Range of I(z;x) + TC(z) of a layer whose weights all have the same noise, for any input.

    Parameters
    ----------
    alpha
        Variance of ln(w), > 0, shared by the layer: a number or an array of any shape and kind; the
        ``shared_alpha`` of :func:`~infotheo.weight_information` is one.
    outputs
        Number of outputs, dim z.
    slack
        What ``upper`` adds for each output, c, >= 0. The paper has c <= 1 and of order 1/inputs.
    units
        "nats" or "bits".

    Returns
    -------
    UniformInformation or xarray.Dataset
        ``lower`` = outputs · g(alpha) and ``upper`` = outputs · (g(alpha) + slack), of the shape
        of ``alpha``.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; the message names it and what was found.

    Notes
    -----
    :math:`g(\alpha) = -\tfrac12 \ln(1 - e^{-\alpha})`, which falls with :math:`\alpha` and so rises
    with the information in the weights, :math:`\alpha = \exp(-2 I(W;D) / \dim W)` (the proposition
    prints the opposite sign and leaves out the 2). Both ends are for inputs that are uncorrelated
    and to which proposition 6 applies. ``lower`` needs inputs of mean 0 besides: the proof bounds
    :math:`Cov(x)` by :math:`E x^2` from above only, and inputs with a mean far from 0 carry less.
    ``upper`` needs :math:`-\tfrac12 E_x \ln(\hat w^2 \cdot x^2 / \hat w^2 \cdot E x^2)` <= slack
    for each output, which few or sparse inputs break;
    :func:`~infotheo.dual_information` has the value itself. Source: paper 3,
    proposition 7.

    Examples
    --------
    >>> bounds = uniform_dual_information(0.6931471805599453, outputs=10)  # g = ln(2) / 2
    >>> round(bounds.lower, 4), round(bounds.upper, 4)
    (np.float64(3.4657), np.float64(13.4657))
    """
    if not is_labelled(alpha):
        alpha = read_array(alpha, "alpha")
    noise = read_alpha(alpha, batch_dims=getattr(alpha, "ndim", 0))
    width, slack = check_count(outputs, "outputs"), check_number(slack, "slack")
    gain = _gain(noise.values, noise.samples.namespace)[..., 0]
    scale = nats_per(units)
    return wrap(
        UniformInformation(width * gain / scale, width * (gain + slack) / scale),
        noise.samples,
        estimator="uniform_dual_information",
        settings={"outputs": width, "slack": slack},
        notes={
            "lower": FieldNote(units, "least I(z;x) + TC(z) of the layer"),
            "upper": FieldNote(units, "most I(z;x) + TC(z) of the layer"),
        },
    )


def multilayer_information_bound(
    alphas: Any,
    outputs: Sequence[int],
    *,
    slack: float = 1.0,
    units: Units = "nats",
) -> MultilayerInformation | xr.Dataset:
    r"""Upper bound of a network's I(z_L;x): the narrowest of its layers' bounds.

    Parameters
    ----------
    alphas
        Shared noise of each weight matrix, first to last.
    outputs
        Number of outputs of each weight matrix (its rows in z = Wx), in the same order.
    slack, units
        As in :func:`uniform_dual_information`.

    Returns
    -------
    MultilayerInformation or xarray.Dataset
        ``value``, the bound, and ``per_layer`` (layer,), the bounds of which it is the least.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; the message names it and what was found.

    Notes
    -----
    :math:`I(z_L;x) \le \min_k \dim(z_k) [g(\alpha^k) + 1]` with :math:`z_k` the layer behind
    :math:`W^k`: each layer is bounded by proposition 7, under its conditions, and nonlinearities
    and later layers only lose information. The corollary's indices leave open whether
    :math:`\dim(z_k)` counts a matrix's inputs or outputs; its proof counts outputs, and inputs
    would be wrong. Source: paper 3, corollary 5.1.

    Examples
    --------
    >>> round(multilayer_information_bound([0.1, 2.0], [50, 10]).value, 4)
    np.float64(10.7271)
    """
    noise = read_alpha(alphas, name="alphas")
    if read_array(outputs, "outputs", "one whole number for each layer").ndim != 1:
        raise TypeError(f"outputs is {describe(outputs)}; expected one whole number for each layer")
    widths = [check_count(width, f"outputs[{k}]") for k, width in enumerate(outputs)]
    if len(widths) != noise.count:
        raise ValueError(f"outputs has {len(widths)} layers; expected {noise.count} as alphas has")
    slack = check_number(slack, "slack")
    xp = noise.samples.namespace
    per_layer = noise.samples.like(widths) * (_gain(noise.values, xp) + slack) / nats_per(units)
    return wrap(
        MultilayerInformation(xp.min(per_layer), per_layer),
        noise.samples,
        estimator="multilayer_information_bound",
        settings={"outputs": widths, "slack": slack},
        notes={
            "value": FieldNote(units, "upper bound of I(z_L;x)"),
            "per_layer": FieldNote(units, "upper bound of what passes each layer"),
        },
        extra_dims=noise.weight_dims,
        extra_coords=noise.weight_coords,
    )


def _gain(alpha: Array, xp: Any) -> Array:
    """Return g(alpha), accurate for the smallest and the largest noise."""
    small = alpha < math.log(2)
    below = xp.log(-xp.expm1(-xp.where(small, alpha, 1.0)))
    above = xp.log1p(-xp.exp(-xp.where(small, 1.0, alpha)))
    return -xp.where(small, below, above) / 2
