"""Launches of the fused kernel, band by band, and the sum of what each tile leaves in its slot."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Literal, NamedTuple

import torch

from infotheo.arrays.samples import Array
from infotheo.estimators.pair_sums.factors import Factors
from infotheo.estimators.pair_sums.fused.tiling import Tiling, bands, batch_parts, tile_count

__all__ = [
    "EXPONENT_FLOOR",
    "Float32Product",
    "Launch",
    "all_sums",
    "base2_coefficients",
    "on_device",
    "squared_norms",
]

Float32Product = Literal["ieee", "tf32x3"]
on_device: Callable[[Array], AbstractContextManager[None]] = torch.cuda.device_of  # untyped there
EXPONENT_FLOOR = 2.0**-120  # a factor is never 0: it keeps padded pairs, infinitely far, at 0


class Launch(NamedTuple):
    """What the kernels need beside points and factors: checked, and on the device."""

    weights: Array | None  # (sample,) float32
    classes: Array | None  # (sample,) int32, ascending
    chernoff_ratio: float
    float32_product: Float32Product
    tiling: Tiling
    gradient_tiling: Tiling

    @property
    def half(self) -> bool:
        """Whether Chernoff's order is 1/2, so that Kullback-Leibler is four times it."""
        return self.chernoff_ratio == 0.25


def all_sums(points: Array, kl: Array, launch: Launch) -> Array:
    """Return sums (batch, kind, 2, sweep, sample) in float64; kinds: over all, over the class."""
    batch, size, _ = points.shape
    kinds = 1 if launch.classes is None else 2
    coefficients = base2_coefficients(Factors(kl, launch.chernoff_ratio))
    shape = (batch, kinds, 2, kl.shape[1], size)
    sums = torch.zeros(shape, dtype=torch.float64, device=points.device)
    with on_device(points):
        for part in batch_parts(batch, size, launch.tiling.tile, math.prod(shape[1:4])):
            shared = coefficients if len(coefficients) == 1 else coefficients[part]
            _add_pairs(sums[part], points[part], shared, launch)
    return sums


def base2_coefficients(factors: Factors) -> Array:
    """Factors (batch or 1, sweep, 2 [chernoff, kl]) of squared distances, for base 2, float32."""
    kl = factors.kl.detach()
    ratios = torch.tensor([factors.chernoff_ratio, 1.0], dtype=torch.float64, device=kl.device)
    scaled = kl[:, :, None] * (ratios / math.log(2))
    steepest = torch.finfo(torch.float32).min  # times a distance of 0 is still 0
    return scaled.clamp(steepest, -EXPONENT_FLOOR).to(torch.float32).contiguous()


def squared_norms(points: Array) -> Array:
    """Squared norms (batch, sample) in float64, without a float64 copy of the points."""
    return torch.linalg.vector_norm(points.detach(), dim=-1, dtype=torch.float64).square()


def _add_pairs(
    sums: Array,  # (batch, kind, 2, sweep, sample), added to
    points: Array,
    coefficients: Array,
    launch: Launch,
) -> None:
    """Run the kernel band by band and add up its slots."""
    from infotheo.estimators.pair_sums.fused.kernels import pair_sums

    *planes, size = sums.shape
    norms = squared_norms(points).to(points.dtype)
    tile = launch.tiling.tile
    for first, height in bands(tile_count(size, tile), tile, math.prod(planes)):
        width = tile_count(size, tile) - first
        across = points.new_zeros((*planes, width, height * tile), dtype=torch.float32)
        down = points.new_zeros((*planes, height, width * tile), dtype=torch.float32)
        pair_sums[(len(points) * height * width,)](
            points,
            norms,
            coefficients,
            launch.weights if launch.weights is not None else norms,  # not read
            launch.classes if launch.classes is not None else norms,
            across,
            down,
            size,
            points.shape[2],
            planes[3],
            0 if len(coefficients) == 1 else 2 * planes[3],
            first,
            height,
            width,
            TILE=tile,
            DEPTH=launch.tiling.depth,
            PRECISION=launch.float32_product,
            HALF=launch.half,
            WEIGHTED=launch.weights is not None,
            WITHIN=launch.classes is not None,
            num_warps=launch.tiling.warps,
            num_stages=launch.tiling.stages,
        )
        for slots in (across, down):
            stop = min(first * tile + slots.shape[-1], size)
            slot_sums = torch.sum(slots, dim=-2, dtype=torch.float64)
            sums[..., first * tile : stop] += slot_sums[..., : stop - first * tile]
