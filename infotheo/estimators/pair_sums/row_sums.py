"""Kernel sums of every sample over all samples, and over its own group: the one costly step.

Whatever the bounds need of the N x N distances passes through :func:`row_sums`, so that a kernel
for one kind of machine is a function with these arguments and nothing else changes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import is_torch_array

from infotheo.arrays.samples import Array, to_numpy
from infotheo.arrays.threads import worker_count
from infotheo.estimators.pair_sums.compiled import compiled_row_sums, compiled_serves
from infotheo.estimators.pair_sums.tiles import tile_sums

__all__ = ["distinct_factors", "plain_row_sums", "row_sums"]

SAME = 1e-12  # relative difference of exponents below which one exponential serves both


def row_sums(
    x: Array,
    rates: Array,
    order: float,
    weights: Array | None,
    starts: np.ndarray | None,
    xp: Any,
    *,
    single: bool = True,
    exact: bool = False,
) -> tuple[Array, Array | None]:
    r"""Sum :math:`w_j e^{\beta \|x_i - x_j\|^2}` over all j, and over the j in the group of i.

    Parameters
    ----------
    x
        Centred samples (batch, sample, unit) in the dtype of the product, the samples of a group
        one after another.
    rates
        -1 / (2 noise variance), (batch or 1, sweep) float64.
    order
        alpha (1 - alpha): the rate of the Chernoff divergence over that of Kullback-Leibler.
    weights
        Weights of the samples (sample,), float64; ``None``: each counts 1.
    starts
        First sample of each group, ascending from 0. ``None``: no groups.
    xp
        Array-API namespace of ``x``.
    single
        Exponentials in float32 (relative error 1e-5 at most), the product in whichever dtype.
    exact
        Squared distances from differences, not from a Gram product: d times the work, unless
        :func:`~infotheo.estimators.pair_sums.compiled.compiled_serves`.

    Returns
    -------
    total, within : array
        Each (2, batch, sweep, sample) float64, Chernoff (:math:`\beta` = order * rate) before
        Kullback-Leibler (:math:`\beta` = rate); ``within`` is ``None`` without groups. The term
        j = i is exactly its weight.

    Notes
    -----
    A gradient flows to ``x`` and ``rates``, once, in a second pass over the pairs: memory grows as
    the samples and a tile, in training too.

    Examples
    --------
    >>> x = np.array([[[0.0], [1.0]]])
    >>> total, _ = row_sums(x, np.array([[-0.5]]), 0.25, None, None, np, single=False)
    >>> bool(np.allclose(total[1, 0, 0], 1 + np.exp(-0.5)))
    True
    """
    if exact and compiled_serves(x, rates, weights):
        factors, index = distinct_factors(to_numpy(rates), order)
        whole, own = compiled_row_sums(x, factors, starts)
        whole = _placed(xp.asarray(whole), index, xp)
        return whole, None if own is None else _placed(xp.asarray(own), index, xp)
    if single and not exact and getattr(x, "is_cuda", False):
        from infotheo.estimators.pair_sums.fused import fused_available, fused_row_sums

        if fused_available(x):
            return fused_row_sums(x, rates, order, weights, starts)
    if is_torch_array(x):
        from infotheo.estimators.pair_sums.gradient import differentiable_row_sums

        return differentiable_row_sums(x, rates, order, weights, starts, single, exact)
    return plain_row_sums(x, rates, order, weights, starts, np, single, exact)


def plain_row_sums(
    x: Array,
    rates: np.ndarray,
    order: float,
    weights: Array | None,
    starts: np.ndarray | None,
    xp: Any,
    single: bool,
    exact: bool,
    workers: int | None = None,
) -> tuple[Array, Array | None]:
    """Sum as :func:`row_sums` says, without a gradient."""
    factors, index = distinct_factors(rates, order)
    if workers is None:
        workers = worker_count()
    total, within = tile_sums(
        x, factors, weights, starts, xp, single=single, exact=exact, workers=workers
    )
    return _placed(total, index, xp), None if within is None else _placed(within, index, xp)


def _placed(sums: Array, index: np.ndarray, xp: Any) -> Array:
    """Give each divergence and variance its own of the sums (factor, batch, sample)."""
    return xp.permute_dims(sums[index], (0, 2, 1, 3))


def distinct_factors(rates: np.ndarray, order: float) -> tuple[np.ndarray, np.ndarray]:
    """Exponents' factors without repetitions, and where each (divergence, sweep) finds its own.

    A variance's Kullback-Leibler divergence is, at alpha = 1/2, the Chernoff divergence of a
    quarter of it: sweeps by powers of two or four repeat themselves.

    Examples
    --------
    >>> factors, index = distinct_factors(np.array([[-4.0, -1.0]]), 0.25)
    >>> factors.tolist(), index.tolist()
    ([[-0.25, -1.0, -4.0]], [[1, 0], [2, 1]])
    """
    every = np.concatenate([order * rates, rates], axis=1)  # (batch or 1, 2 sweep)
    index = np.empty(every.shape[1], dtype=np.int64)
    kept: list[int] = []
    for column in np.argsort(-every[0], kind="stable"):
        if not kept or np.any(np.abs(every[:, column] / every[:, kept[-1]] - 1) > SAME):
            kept.append(int(column))
        index[column] = len(kept) - 1
    return every[:, kept], index.reshape(2, -1)
