"""Sums over all pairs of samples on an accelerator, without a matrix of the pairs.

Each tile of pairs lives in one program's registers: squared distances from a product, exponentials
for every factor, sums over rows and columns. Only the tiles on and above the diagonal are computed;
a tile's column sums are the row sums of its transpose. Sums of tiles go to slots of their own and
are added in float64 in a fixed order, so equal input gives equal bytes (atomic additions would
not).
"""

from __future__ import annotations

import functools
import importlib.util
import math

import numpy as np
import torch

from infotheo.arrays.samples import Array
from infotheo.estimators.pair_sums.fused.gradient import fused_sums
from infotheo.estimators.pair_sums.fused.launch import Float32Product, Launch, squared_norms
from infotheo.estimators.pair_sums.fused.tiling import GRADIENT_TILINGS, TILINGS, Tiling
from infotheo.estimators.pair_sums.problem import PairProblem, RowSums

__all__ = ["fused_row_sums", "fused_serves"]

SAFE_NORMS = (2.0**-80, 2.0**80)  # squared norms whose sums and products float32 holds


def fused_serves(problem: PairProblem) -> bool:
    """Whether the kernel takes a problem, and its points lie on a device that Triton serves.

    Examples
    --------
    >>> from infotheo.estimators.pair_sums.factors import Factors
    >>> factors = Factors(torch.full((1, 1), -0.5, dtype=torch.float64), 0.25)
    >>> fused_serves(PairProblem(torch.zeros(2, 3, 4), factors, precision="float32"))
    False
    """
    points = problem.points
    return (
        problem.precision == "float32"
        and not problem.exact
        and getattr(points, "is_cuda", False)
        and points.dtype in (torch.float32, torch.float64)
        and _triton_serves(points.device)
    )


@functools.cache
def _triton_serves(device: torch.device) -> bool:
    """Whether Triton is installed and the device one that the kernels were compiled for."""
    if importlib.util.find_spec("triton") is None:
        return False
    return torch.version.hip is None and torch.cuda.get_device_capability(device) >= (8, 0)


def fused_row_sums(
    problem: PairProblem,
    *,
    float32_product: Float32Product = "ieee",
    tiling: Tiling | None = None,
) -> RowSums:
    r"""Solve a problem of pair sums that :func:`fused_serves` accepts.

    Parameters
    ----------
    problem
        On CUDA, its points centred. float32 points: distances from a float32 product. float64: from
        a float64 one, at the same speed where the card has float64 matrix units (A100, H100), up to
        64 times slower where it has not.
    float32_product
        "ieee", or "tf32x3", three products of 11-bit parts on the tensor cores. Single TF32
        products are not offered: their error is 2,000 times larger.
    tiling
        How the kernel is cut; the default depends on the product alone.

    Notes
    -----
    Precision: exponentials are float32. Beside the error of the distances, a sum is off by at most
    :math:`u (100 + 3 \bar D)` relatively, :math:`u = 2^{-24}` and :math:`\bar D` the divergence
    averaged over the sum's terms, at most :math:`\ln(\sum_j w_j / w_i)`: below 1e-5 for a million
    equal samples. The error of a squared distance, from squared norms n and the rounding of the
    points: float32 "ieee" at most :math:`(d + 8) u (n_i + n_j)`; "tf32x3"
    :math:`(7 d + 40) u (n_i + n_j)`, where the product of two low parts is dropped and three sums
    may truncate; float64 that of its last rounding, to float32, :math:`u D_{ij}`. Self-distances
    are exactly 0.

    Memory beyond the input: ``SLOT_BYTES`` (256 MiB) of slots, or one row of tiles' if more, a
    fraction of it for their sum, and the result, 16 bytes for each sample, variance and kind.
    Nothing grows as the square of the sample. Gradients flow to the points and the factors (once),
    in a second pass over the pairs and as much memory again.
    """
    points, kl = problem.points, problem.factors.kl
    name = "float64" if points.dtype == torch.float64 else float32_product
    classes, weights = None, problem.weights
    if problem.class_starts is not None:
        classes = _class_codes(problem.class_starts, problem.size, points.device)
    if weights is not None:
        weights = _single_weights(weights.detach().to(points.device))
    launch = Launch(
        weights,
        classes,
        problem.factors.chernoff_ratio,
        float32_product,
        tiling or TILINGS[name],
        tiling or GRADIENT_TILINGS[name],
    )
    points, kl = _harmless_scale(points.contiguous(), kl.to(torch.float64))
    sums = fused_sums(points, kl, launch)
    total = sums[:, 0].transpose(0, 1)
    return total, None if classes is None else sums[:, 1].transpose(0, 1)


def _harmless_scale(points: Array, kl: Array) -> tuple[Array, Array]:
    """Scale by a power of two where squared distances would leave float32's range."""
    largest = float(squared_norms(points).max())
    if largest == 0 or SAFE_NORMS[0] < largest < SAFE_NORMS[1]:
        return points, kl
    exponent = max(-126, min(126, -math.frexp(math.sqrt(largest))[1]))
    return points * 2.0**exponent, kl * 2.0 ** (-2 * exponent)


def _single_weights(weights: Array) -> Array:
    """Round to float32; a positive weight stays positive, so that no sample's own sum is 0."""
    smallest = torch.finfo(torch.float32).tiny
    return torch.where(weights > 0, weights.clamp(min=smallest), weights).to(torch.float32)


def _class_codes(class_starts: np.ndarray, size: int, device: torch.device) -> Array:
    """Return the number of each sample's class, int32, from where the classes start."""
    starts = torch.as_tensor(class_starts, dtype=torch.int64, device=device)
    samples = torch.arange(size, device=device)
    return (torch.searchsorted(starts, samples, right=True) - 1).to(torch.int32)
