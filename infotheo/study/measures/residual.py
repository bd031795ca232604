"""The ratio of norms at the data of the residual blocks of one network, as papers 4 and 5 take it.

They conclude from :math:`|L(x)|/|x| < 1` that y = x + L(x) can be inverted. It does not follow: the
measure ``invertibility`` has what would license it, and the trial.
"""

from __future__ import annotations

import math
import warnings
from typing import Literal

import numpy as np
import xarray as xr
from torch import Tensor, nn

from infotheo.arrays.numbers import check_count
from infotheo.arrays.results import provenance
from infotheo.invertibility.residual_norms import ZeroNormWarning, norms_at_overflow
from infotheo.study.measures.blocks import (
    Quantities,
    choose_samples,
    label_quantities,
    largest,
    share,
)

__all__ = ["residual"]


def residual(
    network: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    *,
    samples: int = 128,
    reference: Literal["input", "shortcut"] = "input",
    seed: int = 0,
) -> xr.Dataset:
    r"""Ratio :math:`|L(x)|/|x|` of every residual block at the data, before its last activation.

    Parameters
    ----------
    network
        A module with residual blocks: modules with a ``branch``, and perhaps a ``shortcut`` and an
        ``activation``. Runs in evaluation mode and is left as it was.
    inputs
        (sample, …), on the network's device.
    labels
        (sample,) classes, by whose shares samples are chosen.
    samples
        How many of the inputs are looked at, chosen at random in the shares of the classes.
    reference
        What x is: the block's "input", or the "shortcut" 's output, after down-sampling.

    Returns
    -------
    xarray.Dataset
        Over ``block``: ``residual_norm_mean``, ``_q05``, ``_median`` and ``_q95`` over the samples;
        ``residual_norm_pooled``, of all samples as one tensor, which is what paper 5 takes of a
        batch; ``residual_norm_infinite``, the share of samples with x = 0 but not L(x). Of the
        network: ``residual_norm_largest``, the largest mean of a block, and ``blocks_claimed``, the
        share of blocks whose pooled ratio is below 1. NaN in a block where a norm is not finite, as
        activations overflow; those of the network then, too.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, the network has no residual block, or a weight is not
        finite; the message says which.

    Examples
    --------
    >>> import torch
    >>> class Block(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.branch = nn.Linear(2, 2, bias=False)
    ...         _ = nn.init.eye_(self.branch.weight).data.mul_(0.25)
    ...     def forward(self, x):
    ...         return torch.relu(x + self.branch(x))
    >>> measured = residual(nn.Sequential(Block()), torch.ones(4, 2), torch.zeros(4))
    >>> measured["residual_norm_mean"].values.tolist(), float(measured["blocks_claimed"])
    ([0.25], 1.0)
    """
    check_count(seed, "seed", least=0)
    x = choose_samples(network, inputs, labels, samples, 1, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZeroNormWarning)  # counted in the result
        norms, overflown = norms_at_overflow(
            network, x, reference=reference, quantiles=(0.05, 0.5, 0.95)
        )
    point = "input of the block" if reference == "input" else "its shortcut"
    ratio_name = f"|L(x)| / |x|, x: {point}"
    pooled, mean = norms["pooled"].values, norms["mean"].values
    infinite = np.where(overflown, math.nan, norms["infinite"].values / len(x))
    largest_mean, claimed = largest(mean), share(pooled < 1, pooled)
    if overflown.any():
        largest_mean = claimed = math.nan
    block_values: Quantities = {
        "residual_norm_mean": (mean, f"mean of {ratio_name}"),
        "residual_norm_pooled": (pooled, f"{ratio_name}, of all samples as one tensor"),
        "residual_norm_infinite": (infinite, "share of samples, x = 0"),
    }
    for name, values in zip(("q05", "median", "q95"), norms["quantiles"].values.T, strict=True):
        block_values[f"residual_norm_{name}"] = (values, f"{name} of {ratio_name}")
    network_values: Quantities = {
        "residual_norm_largest": (largest_mean, f"largest mean of a block of {ratio_name}"),
        "blocks_claimed": (claimed, "share of blocks with pooled ratio < 1"),
    }
    settings = {"samples": len(x), "reference": reference}
    names = norms["block"].values.tolist()
    return label_quantities(
        block_values, network_values, names, provenance("residual_norms", settings)
    )
