"""Samples that residual blocks are measured on, and the labelled result of their measures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor, nn

from infotheo.arrays.numbers import check_count
from infotheo.arrays.subsets import random_subset
from infotheo.invertibility.blocks import is_residual_block
from infotheo.invertibility.inputs import read_tensor, require_module
from infotheo.modules.evaluation_mode import require_finite_weights

__all__ = ["Quantities", "choose_samples", "label_quantities", "largest", "share"]

Quantities = dict[str, tuple[Any, str]]  # name: values and long name


def choose_samples(
    network: nn.Module, inputs: Tensor, labels: Tensor, samples: int, minimum: int, seed: int
) -> Tensor:
    """Check what every measure of blocks gets, and return the samples to look at.

    They are chosen at random, in the shares of the classes where there is a label for each.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, the network has no residual block, or a weight is not
        finite; the message names it.
    """
    modules = require_module(network, "network").modules()
    if not any(is_residual_block(module) for module in modules):
        raise ValueError(
            f"network ({type(network).__name__}) has no residual block, a module with a module "
            "'branch', whose |L| could be measured"
        )
    require_finite_weights(network, "network")
    check_count(samples, "samples", least=minimum)
    x = read_tensor(inputs, "inputs", minimum=minimum)
    classes = labels.cpu().numpy() if isinstance(labels, Tensor) and len(labels) == len(x) else None
    chosen = random_subset(len(x), samples, seed, "blocks", classes)
    return x if len(chosen) == len(x) else x[torch.from_numpy(chosen).to(x.device)]


def largest(values: NDArray[np.float64]) -> float:
    """Return the largest value that is defined, or NaN."""
    return math.nan if np.isnan(values).all() else float(np.nanmax(values))


def share(hits: NDArray[np.bool_], values: NDArray[np.generic]) -> float:
    """Share of those whose value is defined; NaN if none is."""
    count = np.sum(~np.isnan(values))
    return float(np.sum(hits) / count) if count else math.nan


def label_quantities(
    block_values: Quantities,
    network_values: Quantities,
    names: list[str],
    origin: dict[str, str],
) -> xr.Dataset:
    """Label the variables over ``block`` and those of the whole network."""
    variables: dict[str, Any] = {}
    for dims, quantities in ((("block",), block_values), ((), network_values)):
        for name, (values, long) in quantities.items():
            variables[name] = (dims, values, {"units": "1", "long_name": long, **origin})
    return xr.Dataset(variables, {"block": names}, origin)
