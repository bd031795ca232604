"""Critics f(x, y): small networks, one for each fold, evaluated together on all pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

__all__ = ["Architecture", "Critics"]

Architecture = Literal["separable", "concatenated"]
FIRST = (
    0.01  # scale of the last layers at first: what the data supports grows out of almost nothing
)


class Critics:
    """Critics of one architecture with a leading dimension of folds.

    ``separable``: g(x)·h(y) + u(x) + v(y) + weighted squares of g(x) and h(y), where (g, u) and
    (h, v) are each a linear map plus a network of two hidden layers. All pairs of n samples cost n
    evaluations, and the log density ratio of jointly Gaussian x and y is among them exactly.
    ``concatenated``: one network of two hidden layers, evaluated for each pair (x, y).

    Parameters
    ----------
    architecture
        One of the two.
    units
        Numbers of units of x and of y.
    streams
        Of the initial weights, one for each fold.
    hidden, embedding
        Units of a hidden layer, and of g and h.
    device
        Where the parameters live.

    Examples
    --------
    >>> streams = [np.random.default_rng(fold) for fold in range(2)]
    >>> critics = Critics("separable", (3, 2), streams, hidden=8, embedding=4, device="cpu")
    >>> critics(torch.ones(2, 5, 3), torch.ones(2, 7, 2)).shape
    torch.Size([2, 5, 7])
    """

    def __init__(
        self,
        architecture: Architecture,
        units: tuple[int, int],
        streams: Sequence[np.random.Generator],
        *,
        hidden: int,
        embedding: int,
        device: torch.device | str,
    ):
        self.separable = architecture == "separable"
        self.embedding = embedding
        if self.separable:
            shapes = _squares(embedding)
            for width in units:
                shapes += _tower(width, hidden, embedding + 1)
        else:
            shapes = _concatenated(*units, hidden)
        self.parameters: list[Tensor] = []
        for shape, deviation in shapes:
            values = np.stack([stream.normal(0, deviation, shape) for stream in streams])
            tensor = torch.tensor(values, dtype=torch.float32, device=device)
            self.parameters.append(tensor.requires_grad_())

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Scores of all pairs: (fold, n, x unit) and (fold, m, y unit) -> (fold, n, m)."""
        return self._separable(x, y) if self.separable else self._concatenated(x, y)

    def take(self, fold: int) -> Critics:
        """Return the critic of one fold, alone, without its gradient."""
        single = object.__new__(Critics)
        single.separable, single.embedding = self.separable, self.embedding
        single.parameters = [value.detach()[fold : fold + 1] for value in self.parameters]
        return single

    def _separable(self, x: Tensor, y: Tensor) -> Tensor:
        (square_weights_x, square_weights_y), towers = self.parameters[:2], self.parameters[2:]
        size = self.embedding
        gx = _apply_tower(towers[: len(towers) // 2], x)  # (fold, n, embedding + 1)
        hy = _apply_tower(towers[len(towers) // 2 :], y)  # (fold, m, embedding + 1)
        g, h = gx[..., :size], hy[..., :size]
        ends_x = gx[..., size:] + torch.bmm(g.square(), square_weights_x)  # (fold, n, 1)
        ends_y = hy[..., size:] + torch.bmm(h.square(), square_weights_y)
        return torch.baddbmm(ends_x + ends_y.mT, g, h.mT, alpha=1 / math.sqrt(size))

    def _concatenated(self, x: Tensor, y: Tensor) -> Tensor:
        from_x, from_y, bias, second, second_bias, last = self.parameters
        # the first layer is linear: each sample passes it once
        a = torch.baddbmm(bias.unsqueeze(1), y, from_y).unsqueeze(1)
        a = torch.relu(torch.bmm(x, from_x).unsqueeze(2) + a)  # (fold, n, m, hidden)
        b = torch.relu(torch.baddbmm(second_bias.unsqueeze(1), a.flatten(1, 2), second))
        return torch.bmm(b, last).view(a.shape[:3])


_Shapes = list[tuple[tuple[int, ...], float]]  # of each parameter, with its first deviation


def _squares(embedding: int) -> _Shapes:
    return [((embedding, 1), 0.0), ((embedding, 1), 0.0)]


def _tower(units: int, hidden: int, out: int) -> _Shapes:
    return [
        ((units, hidden), math.sqrt(2 / units)),
        ((hidden,), 0.0),
        ((hidden, hidden), math.sqrt(2 / hidden)),
        ((hidden,), 0.0),
        ((hidden, out), math.sqrt(FIRST / hidden)),
        ((out,), 0.0),
        ((units, out), math.sqrt(FIRST / units)),
    ]


def _concatenated(x: int, y: int, hidden: int) -> _Shapes:
    return [
        ((x, hidden), math.sqrt(1 / x)),
        ((y, hidden), math.sqrt(1 / y)),
        ((hidden,), 0.0),
        ((hidden, hidden), math.sqrt(2 / hidden)),
        ((hidden,), 0.0),
        ((hidden, 1), math.sqrt(FIRST / hidden)),
    ]


def _apply_tower(tower: list[Tensor], x: Tensor) -> Tensor:
    first, bias, second, second_bias, last, last_bias, linear = tower
    a = torch.relu(torch.baddbmm(bias.unsqueeze(1), x, first))
    a = torch.relu(torch.baddbmm(second_bias.unsqueeze(1), a, second))
    return torch.baddbmm(torch.baddbmm(last_bias.unsqueeze(1), x, linear), a, last)
