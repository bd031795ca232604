r"""The gradient of the kernel sums, in a second pass over the pairs instead of a recorded graph.

With :math:`S_i = \sum_j w_j e^{f D_{ij}}` and :math:`g_i` the gradient of a loss with respect to
:math:`S_i`, a pair's squared distance has the gradient
:math:`V_{ij} = f e^{f D_{ij}} (g_i w_j + g_j w_i)`, and a sample
:math:`2 \sum_j V_{ij} (x_i - x_j)`: two products with the samples for each tile.
"""

from __future__ import annotations

import threading
from contextlib import nullcontext
from typing import Any

import array_api_compat.torch as torch_namespace
import numpy as np
import torch

from infotheo.arrays.blas import one_blas_thread
from infotheo.arrays.samples import Array, to_numpy
from infotheo.arrays.threads import map_in_order, worker_count
from infotheo.estimators.pair_sums.exponents import Exponents, buffers, chains_of
from infotheo.estimators.pair_sums.row_sums import distinct_factors, plain_row_sums
from infotheo.estimators.pair_sums.sample_groups import groups_of
from infotheo.estimators.pair_sums.tiles import tile_shape

__all__ = ["differentiable_row_sums"]


def differentiable_row_sums(
    x: torch.Tensor,
    rates: torch.Tensor,
    order: float,
    weights: torch.Tensor | None,
    starts: np.ndarray | None,
    single: bool,
    exact: bool,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Sum as :func:`~infotheo.estimators.pair_sums.row_sums.row_sums` says, for torch.

    Examples
    --------
    >>> x = torch.tensor([[[0.0], [1.0]]], dtype=torch.float64, requires_grad=True)
    >>> rates = torch.tensor([[-0.5]], dtype=torch.float64)
    >>> total, _ = differentiable_row_sums(x, rates, 0.25, None, None, False, False)
    >>> total[1, 0, 0, 0].backward()
    >>> round(float(x.grad[0, 0, 0]), 4)  # -x e^{-x^2 / 2} between 0 and 1
    0.6065
    """
    found = RowSums.apply(x, rates, order, weights, starts, single, exact)
    return found[0], None if starts is None else found[1]


class RowSums(torch.autograd.Function):
    """Kernel sums (kind, 2, batch, sweep, sample); kind: over all, over the group."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        rates: torch.Tensor,
        order: float,
        weights: torch.Tensor | None,
        starts: np.ndarray | None,
        single: bool,
        exact: bool,
    ) -> torch.Tensor:
        """Compute the sums; on the host by NumPy, which shares the memory."""
        ctx.save_for_backward(x, rates)
        ctx.settings = (order, weights, starts, single, exact)
        found, given, xp, workers = _opened(x, weights)
        sums = plain_row_sums(
            found, to_numpy(rates), order, given, starts, xp, single, exact, workers
        )
        kinds = [torch.as_tensor(part, device=x.device) for part in sums if part is not None]
        return torch.stack(kinds) if len(kinds) > 1 else kinds[0][None]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[Any, ...]:
        """Pass the gradient of the sums on to the samples and the rates."""
        x, rates = ctx.saved_tensors
        order, weights, starts, single, exact = ctx.settings
        found, given, xp, workers = _opened(x, weights)
        factors, index = distinct_factors(to_numpy(rates), order)
        gradient = gradient.transpose(2, 3)  # (kind, 2, sweep, batch, sample)
        merged = torch.zeros(
            (len(gradient), factors.shape[1], *gradient.shape[3:]),
            dtype=gradient.dtype,
            device=gradient.device,
        )
        flat = torch.as_tensor(index.ravel(), device=gradient.device)
        merged.index_add_(1, flat, gradient.flatten(1, 2))
        pull: Any = to_numpy(merged) if xp is np else merged
        pairs = _Pairs(found, factors, given, starts, xp, pull, single, exact)
        of_x, of_factors = pairs.gradients(workers, with_factors=ctx.needs_input_grad[1])
        of_rates = None
        if of_factors is not None:
            shares = torch.as_tensor(of_factors, device=x.device)[:, flat]
            shares = shares.reshape(-1, 2, rates.shape[1])  # (batch, 2, sweep)
            of_rates = order * shares[:, 0] + shares[:, 1]
            of_rates = of_rates.sum(0, keepdim=True) if len(rates) == 1 else of_rates
            of_rates = of_rates.to(rates.device, rates.dtype)
        return torch.as_tensor(of_x, device=x.device).to(x.dtype), of_rates, *[None] * 5


def _opened(x: torch.Tensor, weights: torch.Tensor | None) -> tuple[Array, Array, Any, int]:
    """Open samples and weights for the kernel: NumPy on the host, where it works in threads."""
    if x.device.type != "cpu":
        return x.detach(), weights, torch_namespace, 1
    workers = min(worker_count(), torch.get_num_threads())
    return to_numpy(x), None if weights is None else to_numpy(weights), np, workers


class _Pairs:
    """All pairs, once more: blocks of rows against all columns, so that no block needs another.

    ``gradient`` is that of the sums (kind, factor, batch, sample); the rest is as in
    :func:`~infotheo.estimators.pair_sums.tiles.tile_sums`.
    """

    def __init__(
        self,
        x: Array,
        factors: np.ndarray,
        weights: Array | None,
        starts: np.ndarray | None,
        xp: Any,
        gradient: Array,
        single: bool,
        exact: bool,
    ) -> None:
        self.x, self.factors, self.xp = x, factors, xp
        self.exponents = Exponents(x, factors, xp, single=single, exact=exact)
        self.chains = chains_of(factors)
        self.place, kind = self.exponents.place, self.exponents.dtype
        size = x.shape[1]
        own = xp.ones(size, dtype=xp.float64, **self.place) if weights is None else weights
        self.groups = None if starts is None else groups_of(starts, size, xp, self.place)
        self.own, self.counted = own, xp.astype(own, kind)
        self.pull = xp.astype(gradient / own, kind)  # g_i w_j + g_j w_i = w_i w_j times a sum
        # a column of ones beside the samples: one product gives both sums over the columns
        beside = xp.concat([x, xp.ones_like(x[..., :1])], axis=-1)
        self.columns = beside * xp.astype(own, x.dtype)[:, None]
        self.scratch = threading.local()
        self.host = isinstance(x, np.ndarray)
        self.shape = tile_shape(size, host=self.host)

    def gradients(self, workers: int, *, with_factors: bool) -> tuple[Array, Array | None]:
        """Gradients of the samples (batch, sample, unit) and of the factors (batch, factor)."""
        xp, (batch, size, _) = self.xp, self.x.shape
        step = self.shape[0]
        tasks = [
            (b, slice(i, min(i + step, size))) for b in range(batch) for i in range(0, size, step)
        ]
        of_x = xp.zeros(self.x.shape, dtype=xp.float64, **self.place)
        of_factors = xp.zeros((batch, len(self.factors[0])), dtype=xp.float64, **self.place)
        blocks = map_in_order(
            lambda task: self._block(task[0], task[1], with_factors), tasks, workers
        )
        with one_blas_thread() if self.host else nullcontext():
            for (element, rows), (moved, slopes) in zip(tasks, blocks, strict=True):
                of_x[element, rows] = moved
                of_factors[element] += slopes
        # exponents were those of the first factor: squared distances are they divided by it
        base = xp.asarray(self.factors[:, :1], **self.place)
        return of_x, of_factors / base if with_factors else None

    def _block(self, element: int, rows: slice, with_factors: bool) -> tuple[Array, Array]:
        """Gradient of some samples, and their part of that of the factors times the first."""
        xp, (_, size, units) = self.xp, self.x.shape
        step = self.shape[1]
        sums = xp.zeros((rows.stop - rows.start, units + 1), dtype=xp.float64, **self.place)
        slopes = xp.zeros((len(self.factors[0]),), dtype=xp.float64, **self.place)
        part = slice(element, element + 1)
        for first in range(0, size, step):
            columns = slice(first, min(first + step, size))
            empty = buffers(self.scratch, (1, len(sums), columns.stop - first), xp, self.place)
            same = None
            if self.groups is not None:
                same = self.groups.given[rows, None] == self.groups.given[None, columns]
            with np.errstate(over="ignore", under="ignore"):
                found = self.exponents.tile(part, rows, columns, empty)
                slope = xp.zeros_like(found)  # of the loss along each pair's squared distance
                for factor, terms in self.exponents.exponentials(
                    found, part, self.chains, empty(2, found.dtype)
                ):
                    pulled = terms * self._pull(factor, element, rows, columns, same)
                    slope += float(self.factors[element % len(self.factors), factor]) * pulled
                    if with_factors:
                        pulled *= xp.where(pulled == 0, pulled, found)  # not 0 times -inf
                        by_row = xp.astype(xp.matmul(pulled[0], self.counted[columns]), xp.float64)
                        # a pair is seen from either side: half of it from each
                        slopes[factor] += 0.5 * xp.sum(by_row * self.own[rows])
            sums += xp.matmul(
                xp.astype(slope[0], self.x.dtype, copy=False), self.columns[element, columns]
            )
        moved = xp.astype(self.x[element, rows], xp.float64) * sums[:, -1:] - sums[:, :-1]
        return 2 * self.own[rows, None] * moved, slopes

    def _pull(
        self, factor: int, element: int, rows: slice, columns: slice, same: Array | None
    ) -> Array:
        """Gradients of the sums of both samples of a pair, over the weights."""
        whole = self.pull[0, factor, element]
        pull = whole[rows, None] + whole[None, columns]
        if same is not None:
            inner = self.pull[1, factor, element]
            pull = pull + (inner[rows, None] + inner[None, columns]) * same
        return pull
