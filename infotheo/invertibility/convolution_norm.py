r"""Rigorous upper bounds of the operator norm of a convolution.

Zero padding and a finite image only restrict the convolution on the infinite grid, so its norm is
at most the supremum over frequencies of the spectral norm of the symbol
:math:`\hat K(\theta) = \sum_t K_t e^{-i t\theta}`. The symbol is sampled on a grid of N frequencies
per dimension. For unit vectors u and v, :math:`\Re\, u^* \hat K v` is a trigonometric polynomial
of degree d = (k - 1)/2 (k taps, phase removed); where such a polynomial takes its largest absolute
value M, it stays above :math:`M \cos(d\,\delta)` at distance :math:`\delta` (M. Riesz 1914). The
nearest grid point is at most :math:`\pi/N` away, so the supremum is at most the largest value on
the grid over :math:`\cos(\pi d/N)` for each dimension.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["convolution_norm", "polyphase", "symbol_norm"]

CHUNK = 2**17  # complex numbers of the symbol at a time: 2 MiB
SINGLE, DOUBLE = 2.0**-24, 2.0**-53  # unit roundoff
FEW = 8  # frequencies to solve before the others are screened


def convolution_norm(layer: nn.Module, x: Tensor, tolerance: float) -> float:
    """Bound the norm of a (transposed) convolution from above, for any size of the image.

    Parameters
    ----------
    layer
        ``nn.Conv1d`` to ``nn.ConvTranspose3d``, with any stride, dilation, groups and padding.
    x
        What it receives, (1, channel, …): only its size is used, for padding other than by zeros.
    tolerance
        Largest relative excess that the grid of frequencies may cause.

    Notes
    -----
    A stride s is a convolution of stride 1 from s times as many channels (polyphase). A transposed
    convolution has the norm of the convolution with the same weights. Groups are independent: the
    largest counts. Reflected, replicated or circular padding copies border values, which multiplies
    the norm by at most the root of the number of copies.

    Examples
    --------
    >>> layer = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    >>> _ = nn.init.ones_(layer.weight)
    >>> 9 <= convolution_norm(layer, torch.ones(1, 1, 8, 8), 0.01) <= 9 * 1.01
    True
    """
    assert isinstance(layer, nn.modules.conv._ConvNd)
    weight = layer.weight.detach().double()  # (out, in of a group, *taps)
    largest = max(
        symbol_norm(polyphase(part, layer.stride, layer.dilation), tolerance)
        for part in weight.chunk(layer.groups)
    )
    return largest * _copies_by_padding(layer, x)


def polyphase(kernel: Tensor, stride: Sequence[int], dilation: Sequence[int]) -> Tensor:
    """Return the kernel (out, in, *taps) of stride 1 that acts on the phases of its input.

    Examples
    --------
    >>> polyphase(torch.tensor([[[1.0, 2.0, 3.0]]]), [2], [1])[0]
    tensor([[1., 3.],
            [2., 0.]])
    """
    dims = len(stride)
    if all(step == 1 for step in stride):
        return kernel  # dilation only stretches the frequencies
    sizes = [(k - 1) * d + 1 for k, d in zip(kernel.shape[2:], dilation, strict=True)]
    padded = [math.ceil(size / step) * step for size, step in zip(sizes, stride, strict=True)]
    spread = kernel.new_zeros(*kernel.shape[:2], *padded)
    taps: list[Any] = [slice(0, size, d) for size, d in zip(sizes, dilation, strict=True)]
    spread[(slice(None), slice(None), *taps)] = kernel
    split = [part for size, s in zip(padded, stride, strict=True) for part in (size // s, s)]
    phases = spread.reshape(*kernel.shape[:2], *split)
    phases = phases.permute(0, 1, *range(3, 3 + 2 * dims, 2), *range(2, 2 + 2 * dims, 2))
    return phases.flatten(1, 1 + dims)


def symbol_norm(kernel: Tensor, tolerance: float) -> float:
    r"""Bound the supremum over frequencies of the symbol's spectral norm.

    The largest eigenvalue on the grid is found without solving for all: where
    :math:`t I - K^* K` has a Cholesky factor, the symbol is below :math:`\sqrt t`.

    Parameters
    ----------
    kernel
        Weights (out, in, *taps), stride 1.
    tolerance
        Largest relative excess over the supremum, rounding included.

    Examples
    --------
    >>> difference = torch.tensor([[[-1.0, 1.0]]])
    >>> 2 <= symbol_norm(difference, 0.01) <= 2.02
    True
    """
    kernel = kernel.double()
    if kernel.shape[0] > kernel.shape[1]:  # the smaller Gram matrix has the same norm
        kernel = kernel.transpose(0, 1)
    rows, columns = kernel.shape[0], kernel[0].numel()
    # what rounding may hide, relative to the squared norm: in G = K K^* and in its factor, sums of
    # so many products of complex numbers (Higham 2002, theorem 10.3, with |G|_F <= rows |G|_2)
    work = 3 * rows * (rows + columns + 10)
    single = work * SINGLE <= tolerance / 8
    kind = torch.complex64 if single else torch.complex128
    rounding = work * (SINGLE if single else DOUBLE)
    grid_excess = (1 + tolerance) / math.sqrt(1 + 3 * rounding)
    dims = kernel.ndim - 2
    angle = math.acos(grid_excess ** (-1 / dims))
    degrees = [(taps - 1) / 2 for taps in kernel.shape[2:]]
    points = [max(1, 2 * math.ceil(math.pi * degree / angle / 2)) for degree in degrees]
    frequencies = _frequencies(points, kernel)
    # in random order few frequencies exceed all before them; the value does not depend on it
    order = torch.randperm(len(frequencies), generator=torch.Generator().manual_seed(0))
    identity = torch.eye(rows, dtype=kind, device=kernel.device)
    scale = float(kernel.abs().max())  # neither overflow nor underflow in single precision
    largest = 0.0  # squared
    for gram in _grams(kernel / scale if scale else kernel, frequencies[order], kind):
        if not largest:
            largest = float(torch.linalg.eigvalsh(gram[:FEW])[:, -1].max())
        _, failed = torch.linalg.cholesky_ex(largest * (1 + rounding) * identity - gram)
        if bool(failed.any()):
            exact = torch.linalg.eigvalsh(gram[failed > 0])[:, -1]
            largest = max(largest, float(exact.max()))
    nearest = math.prod(
        math.cos(math.pi * degree / count) for degree, count in zip(degrees, points, strict=True)
    )
    return scale * math.sqrt(largest * (1 + 3 * rounding)) / nearest


def _frequencies(points: Sequence[int], kernel: Tensor) -> Tensor:
    """Grid (frequency, dim) of one half of the torus: a real kernel has the same norms on both."""
    axes = [
        torch.arange(count, dtype=kernel.dtype, device=kernel.device) * (2 * math.pi / count)
        for count in points
    ]
    axes[0] = axes[0][: points[0] // 2 + 1]
    return torch.cartesian_prod(*axes).reshape(-1, len(axes))


def _grams(kernel: Tensor, frequencies: Tensor, kind: torch.dtype) -> Iterator[Tensor]:
    """Yield K K^* (frequency, out, out) of the symbol, a chunk of frequencies at a time."""
    offsets = kernel.new_tensor(list(itertools.product(*(range(k) for k in kernel.shape[2:]))))
    weights = kernel.flatten(2).permute(2, 0, 1).to(kind).contiguous()  # (tap, out, in)
    step = max(1, CHUNK // (kernel.shape[0] * kernel.shape[1]))
    for part in torch.split(frequencies, step):
        angles = part @ offsets.mT  # (frequency, tap)
        phases = torch.polar(torch.ones_like(angles), -angles).to(kind)
        symbol = torch.tensordot(phases, weights, dims=1)
        yield symbol @ symbol.mH


def _copies_by_padding(layer: nn.modules.conv._ConvNd, x: Tensor) -> float:
    """Norm of the padding: the root of how often the most copied input value occurs."""
    if layer.padding_mode == "zeros":
        return 1.0
    norm = 1.0
    margins = layer._reversed_padding_repeated_twice  # last dimension first, as F.pad wants them
    for dim, length in enumerate(reversed(x.shape[2:])):
        positions = torch.arange(length, dtype=torch.float64).reshape(1, 1, length)
        padded = nn.functional.pad(
            positions, margins[2 * dim : 2 * dim + 2], mode=layer.padding_mode
        )
        norm *= math.sqrt(int(padded.long().flatten().bincount().max()))
    return norm
