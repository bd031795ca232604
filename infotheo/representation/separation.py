"""The widest separation of classes by linear functions, with bounds from both sides.

The multi-class hard-margin problem, min ½‖V‖² subject to (v_y − v_j)·x + b_y − b_j >= 1 for all
samples (x, y) and classes j ≠ y, is solved as its dual: the shortest V = Σ α_k a_k that a convex
combination of the constraints' vectors a_k = x ⊗ (e_y − e_j) reaches, with Σ α_k (e_y − e_j) = 0
where biases are free. It is 0 if and only if the classes cannot be separated, so that one program
answers both questions: every α bounds the margin from above, every V whose smallest difference of
logits is positive bounds it from below. Only a few constraints matter: a working set of them grows
by those violated until none is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from infotheo.representation.shortest_combination import shortest_combination

__all__ = ["RESOLUTION", "Separation", "separation"]

RESOLUTION = 1e-7  # of the features' scale: margins below cannot be told from none
ROUNDS = 200  # of the working set; a dozen is usual
PROGRESS = 1 - 1e-4  # by which the bound must fall before constraints are dropped
FIRST = 20  # samples of each class to begin with

FloatArray = NDArray[np.float64]
IntegerArray = NDArray[np.int64]


class Separation(NamedTuple):
    """Result of :func:`separation`: weights and biases of smallest logit difference one."""

    lower: float
    upper: float
    weights: FloatArray
    biases: FloatArray
    support: NDArray[np.bool_]
    settled: bool


def separation(
    features: FloatArray, classes: IntegerArray, *, bias: bool, most_constraints: int
) -> Separation:
    """Bound the largest margin 1 / (√2 ‖V‖) from both sides, and find V.

    Parameters
    ----------
    features
        (sample, unit) float64.
    classes
        (sample,) numbers 0..C-1, each of which occurs.
    bias
        Whether biases are free, or all zero.
    most_constraints
        The largest working set; who would need more is left with the bounds found so far.

    Returns
    -------
    Separation
        ``lower`` and ``upper`` bounds of the margin in units of the features (a lower bound that is
        not positive: no separation was found, and weights are not scaled), ``weights``
        (unit, class), ``biases`` (class,), which samples support it, and whether all constraints
        were looked at.

    Examples
    --------
    >>> result = separation(
    ...     np.array([[-1.0], [3.0]]), np.array([0, 1]), bias=True, most_constraints=10
    ... )
    >>> result.weights
    array([[-0.25,  0.25]])
    """
    count = int(classes.max()) + 1
    centre = features.mean(axis=0) if bias else np.zeros(features.shape[1])
    x = features - centre
    scale = float(np.sqrt(np.mean(np.sum(x**2, axis=1)))) or 1.0
    x = x / scale
    sample, other_class = _initial_constraints(x, classes, count)
    support, settled, previous_upper = np.zeros(len(x), bool), False, np.inf
    for _ in range(ROUNDS):
        true_class = classes[sample]
        pairs = np.zeros((len(sample), count))
        pairs[np.arange(len(sample)), true_class] = 1.0
        pairs[np.arange(len(sample)), other_class] = -1.0
        gram = (x[sample] @ x[sample].T) * (pairs @ pairs.T)
        # the biases of all classes together matter to no difference: the last is held at 0
        alpha, multipliers = shortest_combination(gram, pairs[:, :-1] if bias else pairs[:, :0])
        weights = x[sample].T @ (alpha[:, None] * pairs)
        biases = np.append(-multipliers, 0.0) if bias else np.zeros(count)
        upper = float(np.linalg.norm(weights))
        used = alpha > 1e-9 * alpha.max()
        support[:] = False
        support[sample[used]] = True
        if upper <= RESOLUTION:
            lower, settled = 0.0, True
            break
        leads = _logit_leads(x @ weights + biases, classes)
        lower = float(leads.min()) / upper
        violated = _violated(leads, upper**2, sample, other_class, limit=max(100, len(sample) // 2))
        settled = not len(violated[0])
        if settled:
            break
        # without progress nothing is dropped, or the rounds would go in circles: constraints that
        # carry nothing still hold the biases of classes that nothing else holds
        used |= upper > PROGRESS * previous_upper
        used[:count] = True  # the ring stays
        previous_upper = upper
        if np.sum(used) + len(violated[0]) > most_constraints:
            break
        sample = np.append(sample[used], violated[0])
        other_class = np.append(other_class[used], violated[1])
    unit = np.sqrt(2.0) / scale  # bounds so far are of ‖V‖, for features of scale one
    if lower > 0:
        weights, biases = weights / (lower * upper), biases / (lower * upper)
    weights = weights / scale
    biases = biases - centre @ weights
    biases = biases - biases.mean() if bias else biases
    return Separation(lower / unit, upper / unit, weights, biases, support, settled)


def _initial_constraints(
    x: FloatArray, classes: IntegerArray, count: int
) -> tuple[IntegerArray, IntegerArray]:
    """Take a ring of classes, then the samples of each that lie furthest towards another.

    The ring, one constraint from each class to the next, makes sure that the biases can balance.
    """
    means = np.stack([x[classes == label].mean(axis=0) for label in range(count)])
    towards = x @ means.T - np.sum(means**2, axis=1) / 2
    rows = np.arange(len(x))
    towards -= towards[rows, classes][:, None].copy()
    towards[rows, classes] = -np.inf
    ring, nearest_pairs = [], []
    for label in range(count):
        members, following = np.flatnonzero(classes == label), (label + 1) % count
        first = members[np.argmax(towards[members, following])]
        ring.append((first, following))
        nearest = towards[members].argmax(axis=1)
        order = np.argsort(-towards[members, nearest], kind="stable")[:FIRST]
        pairs = zip(members[order], nearest[order], strict=True)
        nearest_pairs += [pair for pair in pairs if pair != (first, following)]
    sample, other_class = np.array([*ring, *nearest_pairs]).T
    return sample, other_class


def _logit_leads(logits: FloatArray, classes: IntegerArray) -> FloatArray:
    """Logit of the true class less each other one, infinite at the true class itself."""
    rows = np.arange(len(logits))
    leads = logits[rows, classes][:, None] - logits
    leads[rows, classes] = np.inf
    return leads


def _violated(
    leads: FloatArray,
    reached: float,
    sample: IntegerArray,
    other_class: IntegerArray,
    *,
    limit: int,
) -> tuple[IntegerArray, IntegerArray]:
    """Return the constraints outside the working set that fall short most."""
    candidates = leads.copy()
    candidates[sample, other_class] = np.inf
    flat = candidates.ravel()
    order = np.argsort(flat, kind="stable")[:limit]
    order = order[flat[order] < reached * (1 - 1e-10)]
    sample, other_class = np.unravel_index(order, leads.shape)
    return sample, other_class
