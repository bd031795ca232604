"""Sums over all pairs of samples on an accelerator, without a matrix of the pairs.

Each tile of pairs lives in one program's registers: squared distances from a product, exponentials
for every rate, sums over rows and columns. Only the tiles on and above the diagonal are computed;
a tile's column sums are the row sums of its transpose. Sums of tiles go to slots of their own and
are added in float64 in a fixed order, so equal input gives equal bytes (atomic additions would
not).
"""

from __future__ import annotations

import functools
import importlib.util
import math
from typing import Any, Literal, NamedTuple

from infotheo.arrays.samples import Array
from infotheo.estimators.pair_sums.fused_plan import (
    GRADIENT_TILINGS,
    TILINGS,
    Tiling,
    bands,
    batch_parts,
    tiles_of,
)

__all__ = ["Pairs", "fused_available", "fused_row_sums"]

Precision = Literal["ieee", "tf32x3"]
EXPONENT_FLOOR = 2.0**-120  # a rate is never 0: it keeps padded pairs, infinitely far, at 0
SAFE_NORMS = (2.0**-80, 2.0**80)  # squared norms whose sums and products float32 holds


class Pairs(NamedTuple):
    """What the sums need beside samples and rates: checked, and on the device."""

    weights: Array | None  # (sample,) float32
    groups: Array | None  # (sample,) int32, ascending
    precision: Precision
    tiling: Tiling
    gradient_tiling: Tiling


def fused_available(x: Any) -> bool:
    """Whether ``x`` is a tensor that the kernel takes, on a device that Triton serves.

    Examples
    --------
    >>> import torch
    >>> fused_available(torch.zeros(2, 3, 4))
    False
    """
    return (
        getattr(x, "is_cuda", False)
        and str(x.dtype) in ("torch.float32", "torch.float64")
        and _served(x.device)
    )


@functools.cache
def _served(device: Any) -> bool:
    """Whether Triton is installed and the device one that the kernels were compiled for."""
    if importlib.util.find_spec("triton") is None:
        return False
    import torch

    return torch.version.hip is None and torch.cuda.get_device_capability(device) >= (8, 0)


def fused_row_sums(
    x: Array,
    rates: Array,
    order: float,
    weights: Array | None = None,
    starts: Any = None,
    *,
    precision: Precision = "ieee",
    tiling: Tiling | None = None,
) -> tuple[Array, Array | None]:
    r"""Sum exponentials of squared distances over all samples, and over each sample's group.

    Parameters
    ----------
    x
        Centred samples (batch, sample, unit), torch on CUDA. float32: distances from a float32
        product. float64: from a float64 one, at the same speed where the card has float64 matrix
        units (A100, H100), up to 64 times slower where it has not.
    rates
        (batch or 1, sweep), -1 / (2 variance), torch on the same device.
    order
        alpha (1 - alpha): Chernoff is this times Kullback-Leibler.
    weights
        (sample,) torch, or ``None``: each sample counts 1.
    starts
        First index of each group, ascending from 0: samples are in the order of their groups.
        ``None``: no groups.
    precision
        Of float32 products: "ieee", or "tf32x3", three products of 11-bit parts on the tensor
        cores. Single TF32 products are not offered: their error is 2,000 times larger.
    tiling
        How the kernel is cut; the default depends on the precision alone.

    Returns
    -------
    tuple
        ``total`` and ``within`` (``None`` without groups), float64 (2 [chernoff, kl], batch,
        sweep, sample): :math:`\sum_j w_j e^{q\,r\,D_{ij}}`, q = ``order`` for Chernoff and 1 for
        Kullback-Leibler, over all j and over the j in the group of i.

    Notes
    -----
    Precision: exponentials are float32. Beside the error of the distances, a sum is off by at most
    :math:`u (100 + 3 \bar D)` relatively, :math:`u = 2^{-24}` and :math:`\bar D` the divergence
    averaged over the sum's terms, at most :math:`\ln(\sum_j w_j / w_i)`: below 1e-5 for a million
    equal samples. The error of a squared distance, from squared norms n and the rounding of ``x``:
    float32 "ieee" at most :math:`(d + 8) u (n_i + n_j)`; "tf32x3" :math:`(7 d + 40) u (n_i + n_j)`,
    where the product of two low parts is dropped and three sums may truncate; float64 that of its
    last rounding, to float32, :math:`u D_{ij}`. Self-distances are exactly 0.

    Memory beyond the input: ``SLOT_BYTES`` (256 MiB) of slots, or one row of tiles' if more,
    a fraction of it for their sum, and the result, 16 bytes for each sample, rate and kind. Nothing
    grows as the square of the sample. Gradients flow to ``x`` and ``rates`` (once), in a second
    pass over the pairs and as much memory again.
    """
    import torch

    name = "float64" if x.dtype == torch.float64 else precision
    groups = None if starts is None else _group_of_each(starts, x.shape[1], x.device)
    if weights is not None:
        weights = _single_weights(weights.detach().to(x.device))
    pairs = Pairs(
        weights, groups, precision, tiling or TILINGS[name], tiling or GRADIENT_TILINGS[name]
    )
    x, rates = _harmless_scale(x.contiguous(), rates.to(torch.float64))
    if torch.is_grad_enabled() and (x.requires_grad or rates.requires_grad):
        from infotheo.estimators.pair_sums.fused_gradient import FusedRowSums

        sums = FusedRowSums.apply(x, rates, order, pairs)
    else:
        sums = all_sums(x, rates, order, pairs)
    total = sums[:, 0].transpose(0, 1)
    return total, None if starts is None else sums[:, 1].transpose(0, 1)


def all_sums(x: Array, rates: Array, order: float, pairs: Pairs) -> Array:
    """Return sums (batch, kind, 2, sweep, sample) in float64; kinds: over all, over the group."""
    import torch

    batch, size, _ = x.shape
    kinds = 1 if pairs.groups is None else 2
    coefficients = coefficients_of(rates, order)
    shape = (batch, kinds, 2, rates.shape[1], size)
    sums = torch.zeros(shape, dtype=torch.float64, device=x.device)
    with torch.cuda.device_of(x):
        for part in batch_parts(batch, size, pairs.tiling.tile, math.prod(shape[1:4])):
            shared = coefficients if len(coefficients) == 1 else coefficients[part]
            _add_pairs(sums[part], x[part], shared, order, pairs)
    return sums


def coefficients_of(rates: Array, order: float) -> Array:
    """Factors (batch or 1, sweep, 2 [chernoff, kl]) of squared distances, for base 2, float32."""
    import torch

    orders = torch.tensor([order, 1.0], dtype=torch.float64, device=rates.device)
    factors = rates.detach()[:, :, None] * (orders / math.log(2))
    steepest = torch.finfo(torch.float32).min  # times a distance of 0 is still 0
    return factors.clamp(steepest, -EXPONENT_FLOOR).to(torch.float32).contiguous()


def squared_norms(x: Array) -> Array:
    """Squared norms (batch, sample) in float64, without a float64 copy of ``x``."""
    import torch

    return torch.linalg.vector_norm(x.detach(), dim=-1, dtype=torch.float64).square()


def _add_pairs(
    sums: Array,  # (batch, kind, 2, sweep, sample), added to
    x: Array,
    coefficients: Array,
    order: float,
    pairs: Pairs,
) -> None:
    """Run the kernel band by band and add up its slots."""
    import torch

    from infotheo.estimators.pair_sums.fused_kernels import pair_sums

    *planes, size = sums.shape
    norms = squared_norms(x).to(x.dtype)
    tile = pairs.tiling.tile
    for first, height in bands(tiles_of(size, tile), tile, math.prod(planes)):
        width = tiles_of(size, tile) - first
        across = x.new_zeros((*planes, width, height * tile), dtype=torch.float32)
        down = x.new_zeros((*planes, height, width * tile), dtype=torch.float32)
        pair_sums[(len(x) * height * width,)](
            x,
            norms,
            coefficients,
            pairs.weights if pairs.weights is not None else norms,  # not read
            pairs.groups if pairs.groups is not None else norms,
            across,
            down,
            size,
            x.shape[2],
            planes[3],
            0 if len(coefficients) == 1 else 2 * planes[3],
            first,
            height,
            width,
            TILE=tile,
            DEPTH=pairs.tiling.depth,
            PRECISION=pairs.precision,
            HALF=order == 0.25,
            WEIGHTED=pairs.weights is not None,
            GROUPED=pairs.groups is not None,
            num_warps=pairs.tiling.warps,
            num_stages=pairs.tiling.stages,
        )
        for slots in (across, down):
            stop = min(first * tile + slots.shape[-1], size)
            found = torch.sum(slots, dim=-2, dtype=torch.float64)
            sums[..., first * tile : stop] += found[..., : stop - first * tile]


def _harmless_scale(x: Array, rates: Array) -> tuple[Array, Array]:
    """Scale by a power of two where squared distances would leave float32's range."""
    largest = float(squared_norms(x).max())
    if largest == 0 or SAFE_NORMS[0] < largest < SAFE_NORMS[1]:
        return x, rates
    exponent = max(-126, min(126, -math.frexp(math.sqrt(largest))[1]))
    return x * 2.0**exponent, rates * 2.0 ** (-2 * exponent)


def _single_weights(weights: Array) -> Array:
    """Round to float32; a positive weight stays positive, so that no sample's own sum is 0."""
    import torch

    smallest = torch.finfo(torch.float32).tiny
    return torch.where(weights > 0, weights.clamp(min=smallest), weights).to(torch.float32)


def _group_of_each(starts: Any, size: int, device: Any) -> Array:
    """Return the number of each sample's group, int32, from where the groups start."""
    import torch

    starts = torch.as_tensor(starts, dtype=torch.int64, device=device)
    samples = torch.arange(size, device=device)
    return (torch.searchsorted(starts, samples, right=True) - 1).to(torch.int32)
