r"""The gradient of the kernel sums, in a second pass over the pairs instead of a recorded graph.

With :math:`S_i = \sum_j w_j e^{f D_{ij}}` and :math:`g_i` the gradient of a loss with respect to
:math:`S_i`, a pair's squared distance has the gradient
:math:`V_{ij} = f e^{f D_{ij}} (g_i w_j + g_j w_i)`, and a sample
:math:`2 \sum_j V_{ij} (x_i - x_j)`: two products with the samples for each tile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from infotheo.arrays.blas import one_blas_thread
from infotheo.arrays.samples import Array, to_numpy
from infotheo.arrays.threads import map_in_order, worker_count
from infotheo.estimators.pair_sums.exponents import Exponents, buffers, squaring_chains
from infotheo.estimators.pair_sums.problem import PairProblem, RowSums
from infotheo.estimators.pair_sums.sample_classes import read_class_starts
from infotheo.estimators.pair_sums.tiles import tile_row_sums, tile_shape

__all__ = ["differentiable_row_sums"]


def differentiable_row_sums(problem: PairProblem) -> RowSums:
    """Solve a problem of torch tensors, with a gradient for its points and its factors.

    Examples
    --------
    >>> from infotheo.estimators.pair_sums.factors import Factors
    >>> x = torch.tensor([[[0.0], [1.0]]], dtype=torch.float64, requires_grad=True)
    >>> factors = Factors(torch.tensor([[-0.5]], dtype=torch.float64), chernoff_ratio=0.25)
    >>> total, _ = differentiable_row_sums(PairProblem(x, factors))
    >>> total[1, 0, 0, 0].backward()
    >>> round(float(x.grad[0, 0, 0]), 4)  # -x e^{-x^2 / 2} between 0 and 1
    0.6065
    """
    sums = _apply(problem.points, problem.factors.kl, problem)
    return sums[0], None if problem.class_starts is None else sums[1]


class _KernelSums(torch.autograd.Function):
    """Kernel sums (kind, 2, batch, sweep, sample); kind: over all, over the class."""

    @staticmethod
    def forward(
        ctx: Any, points: torch.Tensor, kl: torch.Tensor, problem: PairProblem
    ) -> torch.Tensor:
        """Compute the sums; on the host by NumPy, which shares the memory."""
        ctx.save_for_backward(points, kl)
        ctx.problem = problem
        sums = tile_row_sums(*_without_gradient(problem))
        kinds = [torch.as_tensor(part, device=points.device) for part in sums if part is not None]
        return torch.stack(kinds) if len(kinds) > 1 else kinds[0][None]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(
        ctx: Any, gradient: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None, None]:
        """Pass the gradient of the sums on to the points and the factors."""
        points, kl = ctx.saved_tensors  # refuses what was changed in between
        problem, workers = _without_gradient(ctx.problem)
        factors, index = problem.factors.distinct
        gradient = gradient.transpose(2, 3)  # (kind, 2, sweep, batch, sample)
        merged = torch.zeros(
            (len(gradient), factors.shape[1], *gradient.shape[3:]),
            dtype=gradient.dtype,
            device=gradient.device,
        )
        flat = torch.as_tensor(index.ravel(), device=gradient.device)
        merged.index_add_(1, flat, gradient.flatten(1, 2))
        pull: Array = to_numpy(merged) if problem.namespace is np else merged
        pairs = _SecondPass(problem, pull)
        points_gradient, factors_gradient = pairs.gradients(
            workers, with_factors=ctx.needs_input_grad[1]
        )
        kl_gradient = None
        if factors_gradient is not None:
            shares = torch.as_tensor(factors_gradient, device=points.device)[:, flat]
            shares = shares.reshape(-1, 2, kl.shape[1])  # (batch, 2, sweep)
            kl_gradient = problem.factors.chernoff_ratio * shares[:, 0] + shares[:, 1]
            kl_gradient = kl_gradient.sum(0, keepdim=True) if len(kl) == 1 else kl_gradient
            kl_gradient = kl_gradient.to(kl.device, kl.dtype)
        points_gradient = torch.as_tensor(points_gradient, device=points.device).to(points.dtype)
        return points_gradient, kl_gradient, None


# untyped in torch
_apply: Callable[[torch.Tensor, torch.Tensor, PairProblem], torch.Tensor] = _KernelSums.apply


def _without_gradient(problem: PairProblem) -> tuple[PairProblem, int]:
    """Open a problem for the tiles, and say how many threads it takes.

    On the host arrays become NumPy's, for which the tiles work in threads.
    """
    points, weights, factors = problem.points, problem.weights, problem.factors.detached()
    if points.device.type != "cpu":
        return replace(problem, points=points.detach(), factors=factors), 1
    weights = None if weights is None else to_numpy(weights)
    workers = min(worker_count(), torch.get_num_threads())
    return replace(problem, points=to_numpy(points), factors=factors, weights=weights), workers


class _SecondPass:
    """All pairs, once more: blocks of rows against all columns, so that no block needs another.

    ``gradient`` is that of the sums (kind, factor, batch, sample).
    """

    def __init__(self, problem: PairProblem, gradient: Array) -> None:
        self.x, self.xp = problem.points, problem.namespace
        xp, x, (self.factors, _) = self.xp, self.x, problem.factors.distinct
        self.exponents = Exponents(problem)
        self.chains = squaring_chains(self.factors)
        self.place, dtype = self.exponents.place, self.exponents.dtype
        weights = problem.weights
        if weights is None:
            weights = xp.ones(problem.size, dtype=xp.float64, **self.place)
        self.classes = None
        if problem.class_starts is not None:
            self.classes = read_class_starts(problem.class_starts, problem.size, xp, self.place)
        self.weights, self.cast_weights = weights, xp.astype(weights, dtype)
        # g_i w_j + g_j w_i = w_i w_j times a sum
        self.pull = xp.astype(gradient / weights, dtype)
        # a column of ones beside the samples: one product gives both sums over the columns
        with_ones = xp.concat([x, xp.ones_like(x[..., :1])], axis=-1)
        self.columns = with_ones * xp.astype(weights, x.dtype)[:, None]
        self.scratch = threading.local()
        self.host = isinstance(x, np.ndarray)
        self.shape = tile_shape(problem.size, host=self.host)

    def gradients(self, workers: int, *, with_factors: bool) -> tuple[Array, Array | None]:
        """Gradients of the samples (batch, sample, unit) and of the factors (batch, factor)."""
        xp, (batch, size, _) = self.xp, self.x.shape
        step = self.shape[0]
        tasks = [
            (b, slice(i, min(i + step, size))) for b in range(batch) for i in range(0, size, step)
        ]
        points_gradient = xp.zeros(self.x.shape, dtype=xp.float64, **self.place)
        slopes = xp.zeros((batch, len(self.factors[0])), dtype=xp.float64, **self.place)
        blocks = map_in_order(
            lambda task: self._block(task[0], task[1], with_factors), tasks, workers
        )
        with one_blas_thread() if self.host else nullcontext():
            for (element, rows), (block_gradient, block_slopes) in zip(tasks, blocks, strict=True):
                points_gradient[element, rows] = block_gradient
                slopes[element] += block_slopes
        # exponents were those of the first factor: squared distances are they divided by it
        base = xp.asarray(self.factors[:, :1], **self.place)
        return points_gradient, slopes / base if with_factors else None

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
            same = None if self.classes is None else self.classes.same(rows, columns)
            with np.errstate(over="ignore", under="ignore"):
                exponents = self.exponents.tile(part, rows, columns, empty)
                slope = xp.zeros_like(exponents)  # of the loss along each pair's squared distance
                for factor, terms in self.exponents.exponentials(
                    exponents, part, self.chains, empty(2, exponents.dtype)
                ):
                    pulled = terms * self._pull(factor, element, rows, columns, same)
                    slope += float(self.factors[element % len(self.factors), factor]) * pulled
                    if with_factors:
                        # not 0 times -inf
                        pulled *= xp.where(pulled == 0, pulled, exponents)
                        by_row = xp.matmul(pulled[0], self.cast_weights[columns])
                        by_row = xp.astype(by_row, xp.float64)
                        # a pair is seen from either side: half of it from each
                        slopes[factor] += 0.5 * xp.sum(by_row * self.weights[rows])
            sums += xp.matmul(
                xp.astype(slope[0], self.x.dtype, copy=False), self.columns[element, columns]
            )
        differences = xp.astype(self.x[element, rows], xp.float64) * sums[:, -1:] - sums[:, :-1]
        return 2 * self.weights[rows, None] * differences, slopes

    def _pull(
        self, factor: int, element: int, rows: slice, columns: slice, same: Array | None
    ) -> Array:
        """Gradients of the sums of both samples of a pair, over the weights."""
        total = self.pull[0, factor, element]
        pull = total[rows, None] + total[None, columns]
        if same is not None:
            within = self.pull[1, factor, element]
            pull = pull + (within[rows, None] + within[None, columns]) * same
        return pull
