"""Margins of the last layer of one network, and the widest that its features would allow."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from infotheo.arrays.numbers import check_count
from infotheo.arrays.random_streams import torch_seed
from infotheo.arrays.results import provenance
from infotheo.invertibility.inputs import NotFiniteError, read_tensor, require_module
from infotheo.invertibility.layer_walk import LayerWalk, UnknownNormError
from infotheo.modules.evaluation_mode import evaluation_mode, require_finite_weights
from infotheo.modules.last_layer import last_layer_features
from infotheo.representation.direction_angle import direction_angle
from infotheo.representation.hard_margin import (
    HardMarginWarning,
    NotSeparableError,
    UndecidedSeparationError,
    hard_margin,
)
from infotheo.representation.margins import margins as sample_margins

__all__ = ["margins"]

# denser in the tails: the few samples that are nearly misclassified are what margins are about
QUANTILES = np.array([0, 1, 2, *range(5, 100, 5), 98, 99, 100]) / 100
NAMED = {"min": 0.0, "q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}
CONVOLUTION_EXCESS = 0.02  # of the bound of a convolution's norm
KINDS = {
    "margin": "distance to the nearest boundary",
    "margin_relative": "distance to the nearest boundary over the features' rms norm",
    "margin_normalized": "logit margin over the layer's norm and the features' rms norm",
    "margin_network": "logit margin over the product of all layers' norms and the inputs' rms norm",
}
SINGLE = {
    "margin_negative": "share of samples with a margin below 0",
    "margin_layer_norm": "spectral norm of the last layer's weights",
    "margin_feature_norm": "root mean square norm of the last layer's features",
    "margin_network_norm": "product of all layers' norms",
    "hard_margin": "widest margin of the features",
    "hard_margin_relative": "widest margin of the features over their rms norm",
    "hard_margin_gap": "relative gap between the bounds of the widest margin",
    "hard_margin_support": "share of samples that carry the widest margin",
    "margin_separable": "whether linear functions separate the features (NaN: undecided)",
}


def margins(
    network: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    *,
    samples: int = 1000,
    svm: bool = True,
    bias: bool = True,
    most_constraints: int = 1500,
    network_norm: bool = True,
    seed: int = 0,
) -> xr.Dataset:
    r"""Margins of the last linear layer, as they are and at best.

    Parameters
    ----------
    network
        A module that calls a ``torch.nn.Linear``, of which the last one counts; a single output is
        the logit of class 1 against 0. Runs in evaluation mode and is left as it was.
    inputs, labels
        (sample, ...) and (sample,), on the network's device. Theory speaks of training samples.
    samples
        How many of them are looked at, chosen at random.
    svm
        Whether to look for the widest margin of the features.
    bias, most_constraints
        As in :func:`~infotheo.hard_margin`: with ``bias=False`` and a last layer without biases it
        is what gradient descent converges to.
    network_norm
        Whether to multiply the norms of all layers.
    seed
        Of the choice of samples.

    Returns
    -------
    xarray.Dataset
        Of each kind of margin ``_mean``, ``_min``, ``_q05``, ``_q25``, ``_q50``, ``_q75`` and
        ``_q95`` over the samples, all as in :func:`~infotheo.margins`:

        ``margin``
            Signed distance to the nearest boundary, in units of the features.
        ``margin_relative``
            The same over the root mean square norm of the features.
        ``margin_normalized``
            Logit margin over the layer's spectral norm and that norm of the features.
        ``margin_network``
            Logit margin over ``margin_network_norm`` and the root mean square norm of the inputs;
            NaN where a layer's norm is not known (the attribute ``unknown`` says which).

        ``margin_distribution``: 25 quantiles of ``margin_relative`` over ``quantile``, 0 to 1.
        ``margin_negative``, ``margin_layer_norm``, ``margin_feature_norm``,
        ``margin_network_norm``. ``margin_separable``: 1 or 0, NaN where it was not found out;
        ``hard_margin``, ``hard_margin_relative``, ``hard_margin_gap``, ``hard_margin_support``
        (share of samples) and ``margin_angle``, the angle (radians) between the layer's weights
        and those of the widest margin: NaN where the features are not separable. All are NaN where
        the features are not finite.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or a weight is not finite; the message says which.

    Notes
    -----
    Paper 5, claim 2.2 and section 3.2. For more than two classes ``hard_margin`` may be less than
    the least ``margin``: it is the widest of a bound of it.

    Examples
    --------
    >>> network = nn.Linear(2, 2, bias=False)
    >>> _ = network.weight.data.copy_(torch.tensor([[-1.0, 0.0], [1.0, 0.0]]))
    >>> x = torch.tensor([[-1.0, -1.0], [2.0, 2.0]])
    >>> measured = margins(network, x, torch.tensor([0, 1]))
    >>> float(measured["margin_min"]), round(float(measured["margin_angle"]) / math.pi, 6)
    (1.0, 0.25)
    """
    require_finite_weights(require_module(network, "network"), "network")
    count = check_count(samples, "samples", least=2)
    generator = torch.Generator().manual_seed(
        torch_seed(check_count(seed, "seed", least=0), "samples of margins")
    )
    x = read_tensor(inputs, "inputs", minimum=2)
    if not isinstance(labels, Tensor) or labels.shape != (len(x),):
        given = tuple(labels.shape) if isinstance(labels, Tensor) else type(labels).__name__
        raise ValueError(f"labels: found {given}; expected a tensor of shape ({len(x)},)")
    chosen = torch.randperm(len(x), generator=generator)[:count].sort().values.to(x.device)
    x, truth = x[chosen], labels[chosen].cpu().numpy()

    features, layer = last_layer_features(network, x)
    z = features.double().cpu().numpy()
    weights, biases = _weights_and_biases(layer)
    single = dict.fromkeys(SINGLE, math.nan)
    kinds = {kind: np.full(len(z), math.nan) for kind in KINDS}
    angle, unknown = math.nan, ""
    if np.isfinite(z).all():
        layer_margins = sample_margins(z, weights, truth, biases=biases)
        scale = float(layer_margins.feature_norm)
        kinds["margin"] = layer_margins.geometric
        kinds["margin_relative"] = _divide(layer_margins.geometric, scale)
        kinds["margin_normalized"] = layer_margins.normalized
        single["margin_negative"] = float(np.mean(layer_margins.margin < 0))
        single["margin_layer_norm"] = float(layer_margins.layer_norm)
        single["margin_feature_norm"] = scale
        if network_norm:
            norm, unknown = _network_norm(network, x[:1])
            input_norm = float(x.double().flatten(1).square().sum(1).mean().sqrt())
            single["margin_network_norm"] = norm
            kinds["margin_network"] = _divide(layer_margins.margin, norm * input_norm)
        if svm:
            widest, angle = _widest_margin(z, truth, weights, bias, most_constraints)
            single |= widest
            single["hard_margin_relative"] = single["hard_margin"] / scale if scale else math.nan
    settings = {
        "samples": len(x), "svm": svm, "bias": bias, "most_constraints": most_constraints,
        "network_norm": network_norm, "seed": seed,
    }  # fmt: skip
    return _label(single, kinds, angle, unknown, provenance("margins", settings))


def _weights_and_biases(layer: nn.Linear) -> tuple[np.ndarray, np.ndarray]:
    """Weights (unit, class) and biases (class,) of a layer, two columns for a single logit."""
    weights = layer.weight.detach().double().cpu().numpy().T
    biases = (
        np.zeros(weights.shape[1]) if layer.bias is None
        else layer.bias.detach().double().cpu().numpy()
    )  # fmt: skip
    if weights.shape[1] == 1:
        return np.column_stack([0 * weights, weights]), np.append(0.0, biases)
    return weights, biases


def _divide(values: np.ndarray, scale: float) -> np.ndarray:
    """Divide; NaN where the scale is 0 or unknown."""
    return values / scale if scale > 0 else np.full_like(values, math.nan)


def _network_norm(network: nn.Module, x: Tensor) -> tuple[float, str]:
    """Multiply the norms of all layers; NaN, and why, where one is not known."""
    walk = LayerWalk(CONVOLUTION_EXCESS, torch.Generator().manual_seed(torch_seed(0, "directions")))
    try:
        with evaluation_mode(network):
            return walk.follow(network, x, "")[0], ""
    except (UnknownNormError, NotFiniteError) as unknown:
        return math.nan, str(unknown)


def _widest_margin(
    z: np.ndarray, truth: np.ndarray, weights: np.ndarray, bias: bool, most_constraints: int
) -> tuple[dict[str, float], float]:
    """Whether the features can be separated, how widely, and how far the layer points from that."""
    present = np.unique(truth)
    if len(present) < 2:
        return {}, math.nan
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HardMarginWarning)  # the gap is in the result
            hard = hard_margin(z, truth, bias=bias, most_constraints=most_constraints)
    except NotSeparableError:
        return {"margin_separable": 0.0}, math.nan
    except UndecidedSeparationError:
        return {}, math.nan
    widest = {
        "margin_separable": 1.0,
        "hard_margin": float(hard.margin),
        "hard_margin_gap": float(hard.gap),
        "hard_margin_support": float(hard.support) / len(z),
    }
    return widest, float(direction_angle(weights[:, present], hard.weights).value)


def _label(
    single: dict[str, float],
    kinds: dict[str, np.ndarray],
    angle: float,
    unknown: str,
    origin: dict[str, str],
) -> xr.Dataset:
    variables: dict[str, Any] = {}
    for kind, values in kinds.items():
        attrs = {"units": "1", **origin}
        # quantiles that are samples: an infinite margin (no boundary) has no mean with another
        for name, at in NAMED.items():
            value = np.quantile(values, at, method="inverted_cdf")
            variables[f"{kind}_{name}"] = ((), value, {**attrs, "long_name": KINDS[kind]})
        with np.errstate(invalid="ignore"):
            mean = values.mean()
        variables[f"{kind}_mean"] = ((), mean, {**attrs, "long_name": f"mean {KINDS[kind]}"})
    for name, value in single.items():
        variables[name] = ((), value, {"units": "1", "long_name": SINGLE[name], **origin})
    turned = {"units": "rad", "long_name": "angle of the last layer's weights to the widest margin"}
    variables["margin_angle"] = ((), angle, {**turned, **origin})
    spread = np.quantile(kinds["margin_relative"], QUANTILES, method="inverted_cdf")
    distribution = {"units": "1", "long_name": KINDS["margin_relative"], **origin}
    variables["margin_distribution"] = (("quantile",), spread, distribution)
    result = xr.Dataset(variables, {"quantile": QUANTILES}, origin)
    result["margin_network_norm"].attrs["unknown"] = unknown
    return result
