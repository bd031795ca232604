"""The shortest convex combination of vectors, by an interior-point method and a last exact step."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

__all__ = ["shortest_combination"]

STEPS = 100  # twenty are usual
PRECISION = 1e-13  # of the squared length: where the interior-point method stops
SHORTEST = 1e-15  # squared length, of vectors about one long, that is none

FloatArray = NDArray[np.float64]
Solver = Callable[[FloatArray], FloatArray]  # of linear equations, for right sides in columns


def shortest_combination(gram: FloatArray, balance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Find the shortest Σ α_k a_k with α >= 0, Σ α_k = 1 and Σ α_k s_k = 0.

    Parameters
    ----------
    gram
        Products of the vectors a_k with each other, (vector, vector).
    balance
        The rows s_k, (vector, condition), of full column rank and such that a solution with all α
        positive exists.

    Returns
    -------
    α (vector,), not negative and with sum one, and the multipliers (condition,) of the balance.

    Notes
    -----
    Mehrotra's predictor-corrector method; where the vectors that it finds to be needed determine
    the solution, one linear system gives it to rounding.

    Examples
    --------
    >>> points = np.array([[1.0, 2.0], [1.0, -1.0], [4.0, 0.0]])
    >>> shortest_combination(points @ points.T, np.zeros((3, 0)))[0].round(6)
    array([0.333333, 0.666667, 0.      ])
    """
    conditions = np.column_stack([np.ones(len(gram)), balance])
    targets = np.zeros(conditions.shape[1])
    targets[0] = 1.0
    alpha, multipliers, slack = _follow_central_path(gram, conditions, targets)
    alpha, multipliers = _polish(gram, conditions, targets, alpha, multipliers, slack)
    return alpha, multipliers[1:]


def _follow_central_path(
    gram: FloatArray, conditions: FloatArray, targets: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Follow the central path of min ½ α·gram·α with conditionsᵀ α = targets."""
    from scipy.linalg import cho_factor, cho_solve

    count = len(gram)
    alpha = np.full(count, 1.0 / count)
    multipliers = np.zeros(len(targets))
    product = gram @ alpha
    distance = float(np.mean(np.diag(gram))) or 1.0
    multipliers[0] = product.min() - distance
    slack = product - multipliers[0]
    for _ in range(STEPS):
        dual = gram @ alpha - conditions @ multipliers - slack
        primal = conditions.T @ alpha - targets
        complement = float(alpha @ slack)
        length = float(alpha @ gram @ alpha)
        close = max(np.abs(primal).max(), np.abs(dual).max() / distance) < 1e-13
        if close and (complement <= PRECISION * length or length <= SHORTEST):
            break
        try:
            factor = cho_factor(gram + np.diag(slack / alpha))
        except np.linalg.LinAlgError:
            break  # as near as rounding allows; the bounds tell how near
        solve = _Newton(partial(cho_solve, factor), conditions, primal)
        d_alpha, _ = solve(-dual - slack)
        d_slack = -slack - slack / alpha * d_alpha
        step = min(_largest_step(alpha, d_alpha), _largest_step(slack, d_slack))
        predicted = float((alpha + step * d_alpha) @ (slack + step * d_slack))
        centre = (predicted / complement) ** 3 * complement / count
        extra = (centre - d_alpha * d_slack) / alpha
        d_alpha, d_multipliers = solve(-dual - slack + extra)
        d_slack = extra - slack - slack / alpha * d_alpha
        step = 0.995 * min(_largest_step(alpha, d_alpha), _largest_step(slack, d_slack))
        if not np.isfinite(d_alpha).all() or step < 1e-10:
            break
        alpha = alpha + step * d_alpha
        slack = slack + step * d_slack
        multipliers = multipliers + step * d_multipliers
    return alpha, multipliers, slack


class _Newton:
    """Solves the Newton system for several right sides."""

    def __init__(self, inverse: Solver, conditions: FloatArray, primal: FloatArray) -> None:
        self.inverse, self.conditions, self.primal = inverse, conditions, primal
        self.spread = inverse(conditions)
        self.small = conditions.T @ self.spread

    def __call__(self, right_side: FloatArray) -> tuple[FloatArray, FloatArray]:
        base = self.inverse(right_side)
        target = -self.primal - self.conditions.T @ base
        # an unused condition makes a tiny row: scaled before it is solved
        root = np.sqrt(np.maximum(np.diag(self.small), np.finfo(float).tiny))
        scaled = np.linalg.lstsq(self.small / np.outer(root, root), target / root, rcond=None)[0]
        change = scaled / root
        return base + self.spread @ change, change


def _largest_step(values: FloatArray, change: FloatArray) -> float:
    """Return the largest step, up to one, that keeps values positive."""
    falling = change < 0
    return min(1.0, float((-values[falling] / change[falling]).min(initial=1.0)))


def _polish(
    gram: FloatArray,
    conditions: FloatArray,
    targets: FloatArray,
    alpha: FloatArray,
    multipliers: FloatArray,
    slack: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Solve for the vectors in use exactly; keep what was found where that is no solution."""
    from scipy.linalg import lstsq

    used = alpha > slack
    if used.any():
        k, e = gram[np.ix_(used, used)], conditions[used]
        zero = np.zeros((len(targets), len(targets)))
        system = np.block([[k, -e], [e.T, zero]])
        right_side = np.append(np.zeros(len(k)), targets)
        start = np.append(alpha[used], multipliers)
        residual = right_side - system @ start
        solution = start + lstsq(system, residual, cond=1e-14, lapack_driver="gelsy")[0]
        exact = np.zeros(len(gram))
        exact[used] = solution[: len(k)]
        lagrange = solution[len(k) :]
        reduced = gram @ exact - conditions @ lagrange
        violation = np.abs(conditions.T @ exact - targets).max()
        if (exact >= 0).all() and violation < 1e-12 and reduced.min() > -1e-10 * abs(lagrange[0]):
            return exact, lagrange
    alpha = np.maximum(alpha, 0.0)
    return alpha / alpha.sum(), multipliers
