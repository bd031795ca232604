"""The largest difference quotient of a function over the pairs of a sample."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["largest_pair_quotient"]

TILE = 2**20  # numbers of a temporary array: 8 MiB of float64
COLUMNS = 1024  # features that are held in float64 at a time
TRUSTED = 1e4  # a squared distance so many times its rounding error needs no second look


def largest_pair_quotient(x: Tensor, y: Tensor) -> float:
    """Return the largest ``|y_i - y_j| / |x_i - x_j|`` over pairs with different x.

    Pairs are compared by Gram products; the best of them, and every pair so close that rounding
    could matter, is computed from differences, so the result is a quotient of the data.

    Parameters
    ----------
    x, y
        Samples (sample, feature) and (sample, feature of its own).

    Returns
    -------
    float
        0 if all samples are the same.

    Examples
    --------
    >>> x = torch.tensor([[0.0], [1.0], [3.0]])
    >>> largest_pair_quotient(x, torch.tensor([[0.0], [3.0], [4.0]]))
    3.0
    """
    size = len(x)
    order = torch.arange(size, device=x.device)
    candidate, candidate_value, largest = None, -1.0, 0.0
    for rows in torch.split(order, max(1, TILE // size)):
        distances, doubt = _squared_distances(x, rows)
        changes, _ = _squared_distances(y, rows)
        once = order > rows[:, None]  # each pair once, none with itself
        trusted = once & (distances > TRUSTED * doubt)
        quotients = torch.where(trusted, changes / distances.clamp_min(doubt), -1.0)
        top = int(quotients.argmax())
        if float(quotients.flatten()[top]) > candidate_value:
            candidate_value = float(quotients.flatten()[top])
            candidate = torch.stack([rows[top // size], order[top % size]])[None]
        close = (once & ~trusted).nonzero()
        close[:, 0] += rows[0]
        for pairs in torch.split(close, max(1, TILE // max(x.shape[1], y.shape[1]))):
            if len(pairs):
                largest = max(largest, _largest_quotient(x, y, pairs))
    if candidate_value >= 0 and candidate is not None:
        largest = max(largest, _largest_quotient(x, y, candidate))
    return largest


def _squared_distances(x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Squared distances (row, sample) in float64, and what rounding may have done to them."""
    square = x.new_zeros(len(x), dtype=torch.float64)
    products = x.new_zeros(len(rows), len(x), dtype=torch.float64)
    for part in torch.split(x, COLUMNS, dim=1):
        centred = part.double() - part.double().mean(0)
        square += centred.square().sum(1)
        products += centred[rows] @ centred.mT
    rounding = (x.shape[1] + 10) * torch.finfo(torch.float64).eps * 4 * square.max()
    distances = square[rows, None] + square - 2 * products
    return distances.clamp_min(0), rounding.clamp_min(torch.finfo(torch.float64).tiny)


def _largest_quotient(x: Tensor, y: Tensor, pairs: Tensor) -> float:
    """Largest quotient of these pairs (pair, 2); 0 where x does not differ."""
    distances, changes = (
        torch.linalg.vector_norm(values[pairs[:, 0]].double() - values[pairs[:, 1]].double(), dim=1)
        for values in (x, y)
    )
    return float(torch.where(distances > 0, changes / distances, 0.0).amax())
