"""Measures of one residual block beyond its ratio of norms, with L(x) computed once."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from infotheo.arrays.random_streams import torch_seed
from infotheo.invertibility.blocks import block_parts, require_sum
from infotheo.invertibility.inputs import (
    branch_outputs,
    random_samples,
    read_branch,
    require_finite,
)
from infotheo.invertibility.inversion import Inversion, iterate
from infotheo.invertibility.layer_walk import LayerWalk, UnknownNormError
from infotheo.invertibility.lipschitz import jacobian_norms
from infotheo.invertibility.pair_quotients import largest_pair_quotient
from infotheo.modules.evaluation_mode import evaluation_mode

__all__ = ["BlockMeasures", "measure_block", "relative_error", "undefined_measures"]

CHECKED = 2  # samples on which a block must be the sum that its attributes promise


class BlockMeasures(NamedTuple):
    """What :func:`measure_block` found; numbers are NaN where something was left out."""

    lower: float
    upper: float
    upper_estimate: float
    pairs: float
    jacobian: Tensor  # (sample,)
    unknown: str  # which layer has no known norm: then `upper` is NaN
    inversion: Inversion | None
    error: Tensor  # (sample that was inverted,) |x found - x| / |x|
    left_out: str  # why there is no inversion
    not_finite: str = ""  # which value is not finite: then nothing is known


def measure_block(
    block: nn.Module,
    x: Tensor,
    *,
    name: str = "",
    iterations: int,
    tolerance: float,
    inverted_samples: int,
    jacobian_iterations: int,
    tolerance_of_norms: float,
    seed: int,
) -> BlockMeasures:
    """Bound the Lipschitz constant of L, and invert x + L(x), before a block's last activation.

    Parameters
    ----------
    block
        A residual block (see :mod:`infotheo.invertibility.blocks`).
    x
        What it receives, (sample, …), at least two samples; not modified.
    name
        Of the block, for messages.
    iterations, tolerance
        Of the inversion, as in :func:`~infotheo.invert_residual`; it starts at y.
    inverted_samples
        How many samples, chosen at random by ``seed``, are inverted.
    jacobian_iterations, tolerance_of_norms, seed
        ``iterations``, ``tolerance`` and ``seed`` of :func:`~infotheo.lipschitz_bounds`.

    Raises
    ------
    ValueError
        If the block is not the sum that it promises to be, or mixes samples;
        :class:`~infotheo.invertibility.inputs.NotFiniteError` if a value is not finite.
    """
    branch, shortcut, _ = block_parts(block)
    read_branch(branch)
    require_finite(x, "x")
    generator = torch.Generator().manual_seed(torch_seed(seed, "directions"))
    with evaluation_mode(block):
        require_sum(block, x[:CHECKED], name)
        outputs = branch_outputs(branch, x)
        pairs = largest_pair_quotient(x.flatten(1), outputs.flatten(1))
        left_out = _reason_not_inverted(shortcut, x, outputs)
        true, branch_values = (
            random_samples(values, inverted_samples, seed, "inversion") for values in (x, outputs)
        )
        y = true if left_out else true + branch_values
        del outputs, branch_values  # the largest of what is held
        jacobian, confirmed = jacobian_norms(branch, x, jacobian_iterations, generator)
        bounds, unknown = _upper(branch, x[:1], tolerance_of_norms, generator)
        inversion = None if left_out else iterate(branch, y, y, iterations, tolerance)
    error = torch.full((0,), math.nan, dtype=torch.float64)
    if inversion is not None:
        error = relative_error(inversion.x, true)
    return BlockMeasures(
        max(pairs, confirmed), *bounds, pairs, jacobian, unknown, inversion, error, left_out
    )


def undefined_measures(reason: str) -> BlockMeasures:
    """Return what there is to say of a block whose values overflow: NaN, and why."""
    none = torch.full((1,), math.nan, dtype=torch.float64)
    unknown = (math.nan,) * 4
    return BlockMeasures(*unknown, none, "", None, none, "", reason)


def _upper(
    branch: nn.Module, x: Tensor, tolerance: float, generator: torch.Generator
) -> tuple[tuple[float, float], str]:
    """Return the bound and its estimate, or NaN and which layer's norm is not known."""
    try:
        upper, estimate, _ = LayerWalk(tolerance, generator).follow(branch, x, "")
    except UnknownNormError as unknown:
        return (math.nan, math.nan), str(unknown)
    return (upper, estimate), ""


def _reason_not_inverted(shortcut: nn.Module | None, x: Tensor, outputs: Tensor) -> str:
    """Say why y = x + L(x) is not what the block solves; empty if it is."""
    if x.shape != outputs.shape:
        return f"input {tuple(x.shape[1:])} and output {tuple(outputs.shape[1:])} differ in shape"
    if shortcut is not None and not isinstance(shortcut, nn.Identity):
        return f"the shortcut is no identity ({type(shortcut).__name__})"
    return ""


def relative_error(estimate: Tensor, true: Tensor) -> Tensor:
    """|estimate - true| / |true| of each sample; 0 where they agree, even at 0; NaN stays NaN.

    Examples
    --------
    >>> relative_error(torch.tensor([[3.0], [0.0]]), torch.tensor([[2.0], [0.0]])).tolist()
    [0.5, 0.0]
    """
    difference, length = (
        torch.linalg.vector_norm(values.flatten(1), dim=1, dtype=torch.float64)
        for values in (estimate - true, true)
    )
    return torch.where(difference == 0, 0.0, difference / length)
