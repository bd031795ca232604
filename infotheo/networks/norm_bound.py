r"""Convolutions whose norm is kept below a bound, by their weights alone.

The norm of a convolution with zero padding, on images of any size, is at most the supremum over
frequencies of the spectral norm of its symbol (:mod:`infotheo.invertibility.convolution_norm`).
On the grid of frequencies, :math:`\|\hat K\|_2 \le \|(\hat K \hat K^*)^{2^t}\|_F^{1/2^{t+1}}`,
which exceeds it by at most :math:`r^{1/2^{t+2}}` for rank r. Unlike power iteration, which
approaches the norm from below and remembers a vector, this bounds it from above, at every step of
the training and for weights from anywhere, and is differentiable.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

__all__ = ["NormBound", "convolution_bound", "keep_below"]

SQUARINGS = 4  # an even number; rank 64: at most 1.067 times the norm
EXCESS = 0.075  # relative, at most, of the supremum over the largest value on the grid


def convolution_bound(weight: Tensor) -> Tensor:
    r"""Bound the norm of a convolution of stride 1 from above, differentiably.

    Parameters
    ----------
    weight
        (out, in, row, column), as of ``nn.Conv2d`` without groups.

    Returns
    -------
    Tensor
        (), at most 1.075 :math:`r^{1/64}` times the norm on an unbounded image, with r the smaller
        number of channels. Holds to rounding in the dtype of ``weight``.

    Notes
    -----
    The excess of the supremum over the grid is bounded by M. Riesz (1914), as in
    :mod:`infotheo.invertibility.convolution_norm`. Frobenius norms of squared Gram matrices:
    Delattre et al. (2023), Efficient bound of Lipschitz constant for convolutional layers by Gram
    iteration. The gradient is that at the frequency where the bound is attained.

    Examples
    --------
    >>> float(convolution_bound(torch.ones(1, 1, 3, 3)))  # 9 on an unbounded image
    9.646...
    """
    if weight.shape[0] > weight.shape[1]:
        weight = weight.transpose(0, 1)  # the smaller Gram matrix has the same norm
    scale = weight.detach().abs().amax().clamp_min(torch.finfo(weight.dtype).tiny)
    weight = weight / scale  # no square leaves the range of the dtype
    rows, columns = weight.shape[2:]
    frequencies, excess = _grid((rows, columns), weight)
    with torch.no_grad():
        # K K^* from its own coefficients, the products of taps (2 rows - 1, 2 columns - 1) apart:
        # far fewer operations than the products of symbols
        products = nn.functional.conv2d(weight, weight, padding=(rows - 1, columns - 1))
        bounds = _norm_bound(*_symbol(products, frequencies))
        largest = bounds.argmax().reshape(1)
    real, imaginary = _symbol(weight, frequencies.index_select(0, largest))
    p = real @ real.mT + imaginary @ imaginary.mT
    q = imaginary @ real.mT
    return excess * scale * _norm_bound(p, q - q.mT).squeeze(0)


def _grid(taps: tuple[int, int], weight: Tensor) -> tuple[Tensor, float]:
    """Return frequencies (frequency, 2), and the factor from the grid to the supremum."""
    axes, excess = [], 1.0
    for k in taps:
        degree, angle = (k - 1) / 2, math.acos((1 + EXCESS) ** -0.5)
        points = max(1, 2 * math.ceil(math.pi * degree / angle / 2))
        excess /= math.cos(math.pi * degree / points)
        axes.append(torch.arange(points, dtype=torch.float64) * (2 * math.pi / points))
    axes[0] = axes[0][: len(axes[0]) // 2 + 1]  # a real kernel has the same norms on both halves
    return torch.cartesian_prod(*axes).to(weight), excess


def _symbol(kernel: Tensor, frequencies: Tensor) -> tuple[Tensor, Tensor]:
    """Return real and imaginary part (frequency, out, in) of a kernel (out, in, *taps).

    Apart, they are known to every device and transformation, and a Gram matrix p + i q with q
    antisymmetric is squared by two real products.
    """
    taps = torch.cartesian_prod(*(torch.arange(k) for k in kernel.shape[2:])).to(frequencies)
    angles = frequencies @ (taps - taps[-1] / 2).mT  # from the middle, where q comes out as it is
    kernel = kernel.flatten(2).movedim(-1, 0)
    return torch.tensordot(angles.cos(), kernel, 1), torch.tensordot(-angles.sin(), kernel, 1)


def _norm_bound(p: Tensor, q: Tensor) -> Tensor:
    """Bound the root of the norm of each p + i q, Hermitian and positive, from above."""
    norm = _frobenius(p, q)
    bound, root = norm, 1.0
    for _ in range(SQUARINGS // 2):  # at lengths near one, so that no power leaves its range
        p, q = p / norm[..., None, None], q / norm[..., None, None]
        for _ in range(2):
            mixed = p @ q
            p, q = torch.baddbmm(p @ p, q, q, alpha=-1), mixed - mixed.mT
        root /= 4
        norm = _frobenius(p, q)
        bound = bound * norm**root
    return bound.sqrt()


def _frobenius(p: Tensor, q: Tensor) -> Tensor:
    squared = p.square().sum((-2, -1)) + q.square().sum((-2, -1))
    return squared.clamp_min(torch.finfo(p.dtype).tiny).sqrt()  # zero weights: zero, no NaN


class NormBound(nn.Module):
    """Parametrization: weights of a convolution, divided so that its norm is at most ``bound``."""

    def __init__(self, bound: float):
        super().__init__()
        self.bound = bound

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weights, as they are where their norm is small enough."""
        return weight / (convolution_bound(weight) / self.bound).clamp_min(1.0)


def keep_below(layer: nn.Conv2d, bound: float) -> nn.Conv2d:
    """Make a convolution's ``weight`` one of norm at most ``bound``, of what is trained.

    What is trained is ``layer.parametrizations.weight.original``.

    Raises
    ------
    ValueError
        If the convolution has groups, or a stride, or other padding than zeros.

    Examples
    --------
    >>> layer = keep_below(nn.Conv2d(2, 2, 1, bias=False), 0.5)
    >>> _ = layer.parametrizations.weight.original.data.copy_(torch.eye(2)[..., None, None])
    >>> bool(0.48 < layer.weight.max() <= 0.5)  # the norm of a multiple of the identity
    True
    """
    if layer.groups != 1 or set(layer.stride) != {1} or layer.padding_mode != "zeros":
        raise ValueError(f"layer is {layer}; expected one group, stride 1 and zero padding")
    parametrize.register_parametrization(layer, "weight", NormBound(bound))
    return layer
