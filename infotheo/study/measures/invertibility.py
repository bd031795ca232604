"""Bounds of the residual branches L of one network, and the inversion of its blocks y = x + L(x).

A bound of L's Lipschitz constant below 1 proves it ("licensed"); a fixed-point iteration tries it
on samples whose x is known ("inverted").
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr
from torch import Tensor, nn

from infotheo.arrays.labels import check_open_unit
from infotheo.arrays.numbers import check_count
from infotheo.arrays.results import provenance
from infotheo.invertibility.block_inputs import visit_blocks
from infotheo.invertibility.block_measures import (
    BlockMeasures,
    measure_block,
    relative_error,
    undefined_measures,
)
from infotheo.invertibility.inputs import NotFiniteError, random_samples
from infotheo.invertibility.inversion import InversionWarning
from infotheo.modules.evaluation_mode import evaluation_mode
from infotheo.study.measures.blocks import (
    Quantities,
    choose_samples,
    label_quantities,
    largest,
    share,
)

__all__ = ["invertibility"]


def invertibility(
    network: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    *,
    samples: int = 128,
    jacobian_iterations: int = 3,
    norm_tolerance: float = 0.02,
    inverted_samples: int = 32,
    iterations: int = 64,
    residual_tolerance: float = 1e-5,
    reconstruction_tolerance: float = 1e-3,
    seed: int = 0,
) -> xr.Dataset:
    r"""Lipschitz bounds of every residual branch L, and the inversion of its block.

    Parameters
    ----------
    network, inputs, labels, samples
        As in the measure ``residual``; at least two samples.
    jacobian_iterations, norm_tolerance, seed
        ``iterations``, ``tolerance`` and ``seed`` of :func:`~infotheo.lipschitz_bounds`; the
        seed is also that of the choice of samples.
    inverted_samples
        On how many of the samples, chosen at random, the inversion is tried.
    iterations, residual_tolerance
        ``iterations`` and ``tolerance`` of :func:`~infotheo.invert_residual`: a contraction of
        constant c needs about log(tolerance) / log(c), so these reach c = 0.83.
    reconstruction_tolerance
        Largest :math:`|\hat x - x| / |x|` at which a sample counts as reconstructed.

    Returns
    -------
    xarray.Dataset
        Over ``block``, NaN where something cannot be said, and everywhere in a block where a value
        overflows (the attribute ``not_finite`` of ``lipschitz_lower`` says which):

        ``lipschitz_lower``, ``lipschitz_upper``, ``lipschitz_upper_estimate``, ``lipschitz_pairs``
            As in :func:`~infotheo.lipschitz_bounds`. The upper ones are NaN for a branch with a
            layer of unknown norm; the attribute ``unknown`` names it.
        ``lipschitz_jacobian``, ``lipschitz_jacobian_median``
            Largest and median over the samples of the Jacobian's :math:`|J v|`.
        ``inversion_converged``, ``inversion_residual``
            Share of samples; largest relative residual.
        ``inversion_rate``, ``inversion_iterations``
            Medians over the samples.
        ``reconstruction_error``, ``reconstruction_error_median``
            Largest and median relative error of the block's own input, which is known.
        ``inversion_succeeded``
            Share of samples that converged and were reconstructed.
        ``licensed``, ``inverted``
            1 if the upper bound is below 1; 1 if all samples were inverted with success.

        The inversion's and ``licensed`` are NaN for blocks whose shortcut is not the identity, as
        where the shape changes; the attribute ``left_out`` says which. Of the network:
        ``lipschitz_lower_largest`` and ``lipschitz_upper_largest`` over all blocks;
        ``blocks_licensed`` and ``blocks_inverted``, shares of the blocks that could be (an unknown
        upper bound licenses nothing); ``inverse_error``, the largest relative error of
        ``network.inverse(network.encode(x))``, on as many samples, for networks with both. If a
        value overflows in any block, those of all blocks are NaN.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, the network has no residual block or one that is not
        the sum it promises, or a weight is not finite; the message says which.

    Notes
    -----
    Source: paper 5, section 3.3, and paper 4, appendix D and figure 5, with the quantities that
    their claim needs. ``licensed`` and ``inverted`` are about x + L(x): a ReLU that follows loses
    what is negative. A block can be inverted without a license, and on these samples alone.
    One forward pass of the network, in which each block is measured when its input comes by, so
    only that is held.

    Examples
    --------
    >>> import torch
    >>> class Block(nn.Module):
    ...     def __init__(self, scale):
    ...         super().__init__()
    ...         self.branch = nn.Linear(2, 2, bias=False)
    ...         _ = nn.init.eye_(self.branch.weight).data.mul_(scale)
    ...     def forward(self, x):
    ...         return x + self.branch(x)
    >>> network = nn.Sequential(Block(0.5), Block(2.0))
    >>> measured = invertibility(network, torch.eye(2), torch.zeros(2))
    >>> measured["licensed"].values.tolist(), measured["inverted"].values.tolist()
    ([1.0, 0.0], [1.0, 0.0])
    """
    check_count(seed, "seed", least=0)
    x = choose_samples(network, inputs, labels, samples, 2, seed)
    check_count(iterations, "iterations")
    check_count(jacobian_iterations, "jacobian_iterations")
    check_count(inverted_samples, "inverted_samples")
    check_open_unit(reconstruction_tolerance, "reconstruction_tolerance")
    settings: dict[str, Any] = {
        "iterations": iterations,
        "tolerance": check_open_unit(residual_tolerance, "residual_tolerance"),
        "inverted_samples": inverted_samples,
        "jacobian_iterations": jacobian_iterations,
        "tolerance_of_norms": check_open_unit(norm_tolerance, "norm_tolerance"),
        "seed": seed,
    }

    def measure(name: str, block: nn.Module, x: Tensor) -> BlockMeasures:
        try:
            return measure_block(block, x, name=name, **settings)
        except NotFiniteError as reason:  # a network that diverges: the result says so
            return undefined_measures(str(reason))

    blocks = visit_blocks(network, x, measure)
    block_values = _block_quantities(blocks.values(), reconstruction_tolerance)
    upper, licensed, inverted = (
        block_values[name][0] for name in ("lipschitz_upper", "licensed", "inverted")
    )
    possible = np.array([not block.left_out for block in blocks.values()])
    overflown = any(block.not_finite for block in blocks.values())
    network_values: Quantities = {
        "lipschitz_lower_largest": (
            math.nan if overflown else largest(block_values["lipschitz_lower"][0]),
            "largest lower bound of the Lipschitz constant of a block's L",
        ),
        "lipschitz_upper_largest": (
            math.nan if np.isnan(upper).any() else largest(upper),
            "largest upper bound of the Lipschitz constant of a block's L",
        ),
        "blocks_licensed": (
            math.nan if overflown else share(licensed[possible] == 1, possible[possible]),
            "share of blocks x + L(x) with upper bound < 1",
        ),
        "blocks_inverted": (
            math.nan if overflown else share(inverted[possible] == 1, possible[possible]),
            "share of blocks x + L(x) that fixed-point iteration inverted",
        ),
        "inverse_error": (
            _inverse_error(network, random_samples(x, inverted_samples, seed, "inversion")),
            "largest relative error of network.inverse(network.encode(x))",
        ),
    }
    settings |= {"samples": len(x), "reconstruction_tolerance": reconstruction_tolerance}
    origin = provenance("invertibility", settings)
    result = label_quantities(block_values, network_values, list(blocks), origin)
    fields = {"lipschitz_upper": "unknown", "inverted": "left_out", "lipschitz_lower": "not_finite"}
    for variable, field in fields.items():
        reasons = {name: getattr(block, field) for name, block in blocks.items()}
        result[variable].attrs[field] = "; ".join(
            f"{name}: {reason}" for name, reason in reasons.items() if reason
        )
    return result


def _inverse_error(network: nn.Module, x: Tensor) -> float:
    """Run a network that has an inverse of its own forwards and back."""
    encode, inverse = (getattr(network, name, None) for name in ("encode", "inverse"))
    if not callable(encode) or not callable(inverse):
        return math.nan
    with evaluation_mode(network), warnings.catch_warnings():
        warnings.simplefilter("ignore", InversionWarning)  # the error is the finding
        try:
            return float(relative_error(inverse(encode(x)), x).max())
        except NotFiniteError:  # encode overflows: there is nothing to invert
            return math.nan


def _block_quantities(blocks: Iterable[BlockMeasures], tolerance: float) -> Quantities:
    """One value for each block of every variable."""
    rows = [_quantities(block, tolerance) for block in blocks]
    return {
        name: (np.array([row[name][0] for row in rows], dtype=np.float64), long)
        for name, (_, long) in rows[0].items()
    }


def _quantities(block: BlockMeasures, tolerance: float) -> Quantities:
    jacobian = block.jacobian
    inversion = block.inversion
    converged = residual = rate = steps = succeeded = math.nan
    if inversion is not None:
        converged = float(inversion.converged.double().mean())
        residual = float(inversion.residual.max())
        rate, steps = (
            float(inversion.rate.nanmedian()),
            float(inversion.iterations.double().median()),
        )
        succeeded = float((inversion.converged & (block.error <= tolerance)).double().mean())
    known = not (block.left_out or block.unknown or block.not_finite)
    errors = block.error if len(block.error) else jacobian.new_full((1,), math.nan)
    return {
        "lipschitz_lower": (block.lower, "lower bound of the Lipschitz constant of L"),
        "lipschitz_upper": (block.upper, "upper bound of the Lipschitz constant of L"),
        "lipschitz_upper_estimate": (block.upper_estimate, "product of norms by power iteration"),
        "lipschitz_pairs": (block.pairs, "largest |L(x)-L(x')| / |x-x'| over pairs"),
        "lipschitz_jacobian": (float(jacobian.max()), "largest norm found of a Jacobian"),
        "lipschitz_jacobian_median": (float(jacobian.median()), "median norm found of Jacobians"),
        "inversion_converged": (converged, "share of samples whose inversion converged"),
        "inversion_succeeded": (
            succeeded,
            "share that converged and was reconstructed",
        ),
        "inversion_residual": (residual, "largest relative residual of the inversion"),
        "inversion_rate": (rate, "median factor of the residual in one step"),
        "inversion_iterations": (steps, "median number of steps"),
        "reconstruction_error": (float(errors.max()), "largest relative error of x"),
        "reconstruction_error_median": (float(errors.median()), "median relative error of x"),
        "licensed": (float(block.upper < 1) if known else math.nan, "whether upper bound < 1"),
        "inverted": (
            math.nan if inversion is None else float(succeeded == 1),
            "whether the inversion of all samples succeeded",
        ),
    }
