r"""Gradient of the fused sums over pairs: the pairs are measured again, a band of rows at a time.

With slopes :math:`A_{ij}`, the derivative of the loss by the squared distance of i and j (both
orders together), the gradient is :math:`2 \sum_j A_{ij} (x_i - x_j)`: a product of a band of A
with the samples. A recorded graph would hold every tile's exponentials instead, N * N numbers for
each variance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from infotheo.arrays.samples import Array
from infotheo.estimators.pair_sums.factors import Factors
from infotheo.estimators.pair_sums.fused.launch import (
    Launch,
    all_sums,
    base2_coefficients,
    on_device,
    squared_norms,
)
from infotheo.estimators.pair_sums.fused.tiling import gradient_bands, tile_count

__all__ = ["fused_sums"]


def fused_sums(points: Array, kl: Array, launch: Launch) -> Array:
    """Return sums (batch, kind, 2, sweep, sample) as :func:`all_sums`, differentiable once."""
    if torch.is_grad_enabled() and (points.requires_grad or kl.requires_grad):
        return _apply(points, kl, launch)
    return all_sums(points, kl, launch)


class _FusedSums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, points: Array, kl: Array, launch: Launch) -> Array:
        """Return sums (batch, kind, 2, sweep, sample) in float64."""
        ctx.save_for_backward(points, kl)
        ctx.launch = launch
        return all_sums(points, kl, launch)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, incoming: Array) -> tuple[Array, Array | None, None]:
        """Gradients of the points and, where they need one, of the factors."""
        points, kl = ctx.saved_tensors
        launch: Launch = ctx.launch
        with_points, with_factors, _ = ctx.needs_input_grad
        tile = launch.gradient_tiling.tile
        gradient = torch.empty_like(points)
        shape = (len(points), *incoming.shape[2:4])
        turns = torch.zeros(shape, dtype=torch.float64, device=points.device)
        coefficients = base2_coefficients(Factors(kl, launch.chernoff_ratio))
        with on_device(points):
            for part, first, height in gradient_bands(len(points), points.shape[1], tile):
                shared = coefficients if len(coefficients) == 1 else coefficients[part]
                part_incoming = incoming[part].to(torch.float32).contiguous()
                slopes, band_turns = _slopes(
                    points[part], shared, part_incoming, launch, first, height, with_factors
                )
                turns[part] += band_turns
                if not with_points:
                    continue
                rows = slice(first * tile, min((first + height) * tile, points.shape[1]))
                inside = slopes[:, : rows.stop - rows.start, : points.shape[1]]
                gradient[part, rows] = _pull(inside, points[part], rows)
        if not with_factors:
            return gradient, None, None
        ratios = torch.tensor(
            [launch.chernoff_ratio, 1.0], dtype=torch.float64, device=points.device
        )
        kl_gradient = torch.einsum("bqk,q->bk", turns, ratios)
        return gradient, kl_gradient.sum_to_size(kl.shape), None


_apply: Callable[[Array, Array, Launch], Array] = _FusedSums.apply  # untyped in torch


def _slopes(
    points: Array,
    coefficients: Array,
    incoming: Array,
    launch: Launch,
    first: int,
    height: int,
    with_factors: bool,
) -> tuple[Array, Array]:
    """Slopes (batch, rows of the band, sample), both padded, and (batch, 2, sweep) of factors."""
    from infotheo.estimators.pair_sums.fused.kernels import pair_slopes

    batch, _, _, sweep, size = incoming.shape
    tile = launch.gradient_tiling.tile
    tiles = tile_count(size, tile)
    norms = squared_norms(points).to(points.dtype)
    slopes = points.new_empty((batch, height * tile, tiles * tile), dtype=torch.float32)
    turns = points.new_zeros((batch, 2, sweep, height, tiles), dtype=torch.float32)
    pair_slopes[(batch * height * tiles,)](
        points,
        norms,
        coefficients,
        launch.weights if launch.weights is not None else norms,  # not read
        launch.classes if launch.classes is not None else norms,
        incoming,
        slopes,
        turns,
        size,
        points.shape[2],
        sweep,
        0 if len(coefficients) == 1 else 2 * sweep,
        first,
        height,
        tiles,
        TILE=tile,
        DEPTH=launch.gradient_tiling.depth,
        PRECISION=launch.float32_product,
        HALF=launch.half,
        WEIGHTED=launch.weights is not None,
        WITHIN=launch.classes is not None,
        TURNS=with_factors,
        num_warps=launch.gradient_tiling.warps,
        num_stages=launch.gradient_tiling.stages,
    )
    return slopes, torch.sum(turns, dim=(-2, -1), dtype=torch.float64)


def _pull(slopes: Array, points: Array, rows: slice) -> Array:
    """Twice the sum over j of A_ij (x_i - x_j); slopes are of exponents for base 2."""
    if torch.get_float32_matmul_precision() != "highest":  # 10-bit products would not cancel
        slopes = slopes.to(torch.float64)
    slopes = slopes.to(torch.promote_types(slopes.dtype, points.dtype))
    wide = points.to(slopes.dtype)
    row_terms = slopes.sum(dim=-1, keepdim=True) * wide[:, rows]
    return 2 * math.log(2) * (row_terms - slopes @ wide).to(points.dtype)
