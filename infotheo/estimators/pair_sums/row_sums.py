"""Row sums of a problem of pair sums, the one costly step, and the choice of who computes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from array_api_compat import is_torch_array

from infotheo.estimators.pair_sums.compiled import compiled_row_sums, compiled_serves
from infotheo.estimators.pair_sums.problem import PairProblem, RowSums
from infotheo.estimators.pair_sums.tiles import tile_row_sums

__all__ = ["Backend", "choose_backend", "row_sums"]


class Backend(NamedTuple):
    """A way to solve a problem of pair sums."""

    name: Literal["compiled", "fused", "differentiable", "tiles"]
    row_sums: Callable[[PairProblem], RowSums]


def choose_backend(problem: PairProblem) -> Backend:
    """Choose who computes the sums of a problem: here, from the problem alone, nowhere else.

    Returns
    -------
    Backend
        "compiled": exact differences of few units, many pairs, on the host, without a gradient.
        "fused": a Triton kernel on a CUDA device, where it serves (optional, imported here alone).
        "differentiable": tiles with a gradient in a second pass, for torch. "tiles": for NumPy.

    Examples
    --------
    >>> import numpy as np
    >>> from infotheo.estimators.pair_sums.factors import Factors
    >>> factors = Factors(np.array([[-0.5]]), chernoff_ratio=0.25)
    >>> choose_backend(PairProblem(np.zeros((1, 2, 3)), factors)).name
    'tiles'
    >>> choose_backend(PairProblem(np.zeros((6, 4096, 10)), factors, exact=True)).name
    'compiled'
    """
    if compiled_serves(problem):
        return Backend("compiled", compiled_row_sums)
    if getattr(problem.points, "is_cuda", False):
        from infotheo.estimators.pair_sums.fused import row_sums as fused

        if fused.fused_serves(problem):
            return Backend("fused", fused.fused_row_sums)
    if is_torch_array(problem.points):
        from infotheo.estimators.pair_sums.gradient import differentiable_row_sums

        return Backend("differentiable", differentiable_row_sums)
    return Backend("tiles", tile_row_sums)


def row_sums(problem: PairProblem) -> RowSums:
    r"""Sum :math:`w_j e^{f \|x_i - x_j\|^2}` over all j, and over the j in the class of i.

    Returns
    -------
    total, within : array
        Each (2, batch, sweep, sample) float64, Chernoff before Kullback-Leibler; ``within`` is
        ``None`` without classes. The term j = i is exactly its weight.

    Notes
    -----
    A gradient flows to the points and to the Kullback-Leibler factors, once, in a second pass over
    the pairs: memory grows as the samples and a tile, in training too.

    Examples
    --------
    >>> import numpy as np
    >>> from infotheo.estimators.pair_sums.factors import Factors
    >>> x, factors = np.array([[[0.0], [1.0]]]), Factors(np.array([[-0.5]]), chernoff_ratio=0.25)
    >>> total, _ = row_sums(PairProblem(x, factors))
    >>> bool(np.allclose(total[1, 0, 0], 1 + np.exp(-0.5)))
    True
    """
    return choose_backend(problem).row_sums(problem)
