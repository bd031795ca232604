r"""Gradient of the fused sums over pairs: the pairs are measured again, a band of rows at a time.

With slopes :math:`A_{ij}`, the derivative of the loss by the squared distance of i and j (both
orders together), the gradient is :math:`2 \sum_j A_{ij} (x_i - x_j)`: a product of a band of A
with the samples. A recorded graph would hold every tile's exponentials instead, N * N numbers for
each rate.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from infotheo.arrays.samples import Array
from infotheo.estimators.pair_sums import fused
from infotheo.estimators.pair_sums.fused_plan import gradient_bands, tiles_of

__all__ = ["FusedRowSums"]


class FusedRowSums(torch.autograd.Function):
    """The sums of :func:`fused_row_sums`, differentiable once."""

    @staticmethod
    def forward(ctx: Any, x: Array, rates: Array, order: float, pairs: fused.Pairs) -> Array:
        """Return sums (batch, kind, 2, sweep, sample) in float64."""
        ctx.save_for_backward(x, rates)
        ctx.order, ctx.pairs = order, pairs
        return fused.all_sums(x, rates, order, pairs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, incoming: Array) -> tuple[Array, Array | None, None, None]:
        """Gradients of the samples and, where they need one, of the rates."""
        x, rates = ctx.saved_tensors
        tile = ctx.pairs.gradient_tiling.tile
        gradient = torch.empty_like(x)
        turns = torch.zeros((len(x), *incoming.shape[2:4]), dtype=torch.float64, device=x.device)
        coefficients = fused.coefficients_of(rates, ctx.order)
        with torch.cuda.device_of(x):
            for part, first, height in gradient_bands(len(x), x.shape[1], tile):
                shared = coefficients if len(coefficients) == 1 else coefficients[part]
                some = incoming[part].to(torch.float32).contiguous()
                slopes, turned = _slopes(x[part], shared, some, ctx, first, height)
                turns[part] += turned
                if not ctx.needs_input_grad[0]:
                    continue
                rows = slice(first * tile, min((first + height) * tile, x.shape[1]))
                kept = slopes[:, : rows.stop - rows.start, : x.shape[1]]
                gradient[part, rows] = _pull(kept, x[part], rows)
        if not ctx.needs_input_grad[1]:
            return gradient, None, None, None
        orders = torch.tensor([ctx.order, 1.0], dtype=torch.float64, device=x.device)
        of_rates = torch.einsum("bqk,q->bk", turns, orders)
        return gradient, of_rates.sum_to_size(rates.shape), None, None


def _slopes(
    x: Array, coefficients: Array, incoming: Array, ctx: Any, first: int, height: int
) -> tuple[Array, Array]:
    """Slopes (batch, rows of the band, sample), both padded, and (batch, 2, sweep) of the rates."""
    from infotheo.estimators.pair_sums.fused_kernels import pair_slopes

    pairs: fused.Pairs = ctx.pairs
    batch, _, _, sweep, size = incoming.shape
    tile = pairs.gradient_tiling.tile
    tiles = tiles_of(size, tile)
    norms = fused.squared_norms(x).to(x.dtype)
    slopes = x.new_empty((batch, height * tile, tiles * tile), dtype=torch.float32)
    turned = ctx.needs_input_grad[1]
    turns = x.new_zeros((batch, 2, sweep, height, tiles), dtype=torch.float32)
    pair_slopes[(batch * height * tiles,)](
        x,
        norms,
        coefficients,
        pairs.weights if pairs.weights is not None else norms,  # not read
        pairs.groups if pairs.groups is not None else norms,
        incoming,
        slopes,
        turns,
        size,
        x.shape[2],
        sweep,
        0 if len(coefficients) == 1 else 2 * sweep,
        first,
        height,
        tiles,
        TILE=tile,
        DEPTH=pairs.gradient_tiling.depth,
        PRECISION=pairs.precision,
        HALF=ctx.order == 0.25,
        WEIGHTED=pairs.weights is not None,
        GROUPED=pairs.groups is not None,
        TURNS=turned,
        num_warps=pairs.gradient_tiling.warps,
        num_stages=pairs.gradient_tiling.stages,
    )
    return slopes, torch.sum(turns, dim=(-2, -1), dtype=torch.float64)


def _pull(slopes: Array, x: Array, rows: slice) -> Array:
    """Twice the sum over j of A_ij (x_i - x_j); slopes are of exponents for base 2."""
    if torch.get_float32_matmul_precision() != "highest":  # 10-bit products would not cancel
        slopes = slopes.to(torch.float64)
    slopes = slopes.to(torch.promote_types(slopes.dtype, x.dtype))
    wide = x.to(slopes.dtype)
    own = slopes.sum(dim=-1, keepdim=True) * wide[:, rows]
    return 2 * math.log(2) * (own - slopes @ wide).to(x.dtype)
