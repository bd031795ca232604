"""Sums over all pairs of samples on an accelerator, without a matrix of the pairs.

Each tile of pairs lives in one program's registers: squared distances from a product, exponentials
for every rate, sums over rows and columns. Only the tiles on and above the diagonal are computed;
a tile's column sums are the row sums of its transpose. Sums of tiles go to slots of their own and
are added in float64 in a fixed order, so equal input gives equal bytes (atomic additions would
not).
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from infotheo.arrays import Array

__all__ = ["Tiling", "bands", "fused_available", "fused_row_sums"]

Precision = Literal["ieee", "tf32x3"]
SLOT_BYTES = 2**28  # of sums waiting to be added, whatever the size of the sample
EXPONENT_FLOOR = 2.0**-120  # a rate is never 0: it keeps padded pairs, infinitely far, at 0
SAFE_NORMS = (2.0**-80, 2.0**80)  # squared norms whose sums and products float32 holds


class Tiling(NamedTuple):
    """How a kernel is cut: rows of a tile, units of a step, warps, stages of the pipeline."""

    tile: int
    depth: int
    warps: int
    stages: int


# Fixed, not tuned when first called: a choice by the clock could differ between two processes, and
# the order of additions with it. `benchmarks/fused.py --tune` measures the others.
TILINGS = {
    "ieee": Tiling(128, 32, 8, 3),
    "tf32x3": Tiling(128, 32, 8, 3),
    "float64": Tiling(128, 16, 8, 3),
}


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
        and importlib.util.find_spec("triton") is not None
    )


def bands(tiles: int, tile: int, planes: int, budget: int = SLOT_BYTES) -> Iterator[tuple[int, int]]:
    """Cut the triangle of tiles into bands of rows whose slots fit ``budget`` bytes.

    Parameters
    ----------
    tiles
        Tiles along the sample.
    tile
        Samples of a tile.
    planes
        Sums for each sample: batch members times rates times divergences times kinds.
    budget
        Bytes of the slots, both those of rows and those of columns. At least one row is a band.

    Yields
    ------
    tuple
        The first row of tiles, and how many.

    Examples
    --------
    >>> list(bands(5, 128, 2, budget=10 * 2 * 128 * 2 * 4))
    [(0, 2), (2, 3)]
    """
    first = 0
    while first < tiles:
        row = 2 * planes * (tiles - first) * tile * 4
        height = max(1, min(budget // row, tiles - first))
        yield first, height
        first += height


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

    Raises
    ------
    ValueError
        If ``x`` records a gradient: the sums carry none.

    Notes
    -----
    Precision: exponentials are float32. Beside the error of the distances, a sum is off by at most
    :math:`u (130 + 16 \bar D)` relatively, :math:`u = 2^{-24}` and :math:`\bar D` the divergence
    averaged over the sum's terms (below ln N plus the sum's logarithm): 2e-5, measured 1e-6. The
    error of a squared distance, R the largest norm: float32 "ieee" at most
    :math:`(2d + 20) u R^2` (see :func:`~infotheo.information.distances.gram_error`); "tf32x3"
    :math:`(14 d + 80) u R^2`, where three accumulations may truncate and the product of the two
    low parts is dropped; float64 that of float32's last rounding, :math:`u D_{ij}`.

    Memory beyond the input: ``SLOT_BYTES`` (256 MiB) of slots, or one row of tiles' if more,
    a fraction of it for their sum, and the result, 32 bytes for each sample, rate and kind. Nothing
    grows as the square of the sample.
    """
    import torch

    if x.requires_grad and torch.is_grad_enabled():
        raise ValueError("x requires a gradient; expected a detached tensor: the sums carry none")
    tiling = tiling or TILINGS["float64" if x.dtype == torch.float64 else precision]
    with torch.no_grad(), torch.cuda.device_of(x):
        x, rates = _harmless_scale(x.contiguous(), rates.to(torch.float64))
        batch, size, _ = x.shape
        kinds = 1 if starts is None else 2
        groups = None if starts is None else _group_of_each(starts, size, x.device)
        if weights is not None:
            weights = weights.to(x.device, torch.float32)
        orders = torch.tensor([order, 1.0], dtype=torch.float64, device=x.device)
        exponents = rates[:, :, None] * (orders / math.log(2))  # (batch or 1, sweep, 2)
        sums = torch.zeros(
            (batch, kinds, 2, rates.shape[1], size), dtype=torch.float64, device=x.device
        )
        for part in _batch_parts(batch, size, tiling.tile, kinds * 2 * rates.shape[1]):
            shared = exponents if len(exponents) == 1 else exponents[part]
            _add_pairs(sums[part], x[part], shared, weights, groups, order, precision, tiling)
    total = sums[:, 0].transpose(0, 1)
    return total, None if starts is None else sums[:, 1].transpose(0, 1)


def _add_pairs(
    sums: Array,  # (batch, kind, 2, sweep, sample), added to
    x: Array,
    exponents: Array,
    weights: Array | None,
    groups: Array | None,
    order: float,
    precision: Precision,
    tiling: Tiling,
) -> None:
    """Run the kernel band by band and add up its slots."""
    import torch

    from infotheo.information.fused_kernels import pair_sums

    batch, kinds, _, sweep, size = sums.shape
    norms = torch.linalg.vector_norm(x, dim=-1, dtype=torch.float64).square().to(x.dtype)
    coefficients = exponents.clamp(max=-EXPONENT_FLOOR).to(torch.float32).contiguous()
    tile = tiling.tile
    tiles = math.ceil(size / tile)
    for first, height in bands(tiles, tile, batch * kinds * 2 * sweep):
        width = tiles - first
        planes = (batch, kinds, 2, sweep)
        across = x.new_zeros((*planes, width, height * tile), dtype=torch.float32)
        down = x.new_zeros((*planes, height, width * tile), dtype=torch.float32)
        pair_sums[(batch * height * width,)](
            x,
            norms,
            coefficients,
            weights if weights is not None else norms,  # not read
            groups if groups is not None else norms,
            across,
            down,
            size,
            x.shape[2],
            sweep,
            0 if len(coefficients) == 1 else 2 * sweep,
            first,
            height,
            width,
            TILE=tile,
            DEPTH=tiling.depth,
            PRECISION=precision,
            HALF=order == 0.25,
            WEIGHTED=weights is not None,
            GROUPED=groups is not None,
            num_warps=tiling.warps,
            num_stages=tiling.stages,
        )
        for start, slots in ((first * tile, across), (first * tile, down)):
            stop = min(start + slots.shape[-1], size)
            found = torch.sum(slots, dim=-2, dtype=torch.float64)
            sums[..., start:stop] += found[..., : stop - start]


def _harmless_scale(x: Array, rates: Array) -> tuple[Array, Array]:
    """Scale by a power of two where squared distances would leave float32's range."""
    import torch

    largest = float(torch.linalg.vector_norm(x, dim=-1, dtype=torch.float64).max()) ** 2
    if largest == 0 or SAFE_NORMS[0] < largest < SAFE_NORMS[1]:
        return x, rates
    exponent = -math.frexp(math.sqrt(largest))[1]
    return torch.ldexp(x, torch.tensor(exponent, device=x.device)), rates * 2.0 ** (-2 * exponent)


def _group_of_each(starts: Any, size: int, device: Any) -> Array:
    """Number of the group of each sample, int32, from where the groups start."""
    import torch

    starts = torch.as_tensor(starts, dtype=torch.int64, device=device)
    samples = torch.arange(size, device=device)
    return (torch.searchsorted(starts, samples, right=True) - 1).to(torch.int32)


def _batch_parts(batch: int, size: int, tile: int, planes: int) -> Iterator[slice]:
    """Slices of the batch of which one row of tiles fits the slots."""
    step = max(1, SLOT_BYTES // (2 * planes * (size + tile) * 4))
    for start in range(0, batch, step):
        yield slice(start, start + step)
