"""Folds of samples: those that fit a critic, that tell it when to stop, and that evaluate it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from infotheo.arrays.numbers import check_count
from infotheo.arrays.random_streams import numpy_generator

__all__ = ["Fold", "cross_fitting_folds"]

VALIDATION = 0.2  # of the samples that are not held out
FEWEST = 4  # samples of a fold


class Fold(NamedTuple):
    """Indices of samples, disjoint; the held-out parts of all folds make up the whole sample."""

    training: np.ndarray
    validation: np.ndarray
    held_out: np.ndarray


def cross_fitting_folds(
    samples: int, folds: int, seed: int, codes: np.ndarray | None = None
) -> list[Fold]:
    """Split samples into folds; each is held out once, the others fit its critic.

    Parameters
    ----------
    samples
        How many there are.
    folds
        Number of folds, at least 2 and at most a fourth of the samples.
    seed
        Of the order in which samples are dealt out.
    codes
        Class of each sample (sample,), dealt out so that every part has its share of each class.

    Returns
    -------
    list of Fold
        The training parts are all of one size, so that their critics fit together.

    Examples
    --------
    >>> [(len(a), len(b), len(c)) for a, b, c in cross_fitting_folds(52, 5, seed=0)]
    [(33, 8, 11), (33, 8, 11), (33, 9, 10), (33, 9, 10), (33, 9, 10)]
    """
    if check_count(folds, "folds", least=2) > samples // FEWEST:
        raise ValueError(
            f"folds is {folds} for {samples} samples; expected 2 to {samples // FEWEST}: at least "
            f"{FEWEST} samples in each"
        )
    mixed = numpy_generator(seed, "folds").permutation(samples)
    order = mixed if codes is None else mixed[np.argsort(codes[mixed], kind="stable")]
    rank = np.argsort(mixed)  # parts come out in the mixed order, whatever their classes
    number = np.arange(samples) % folds
    fewest = samples - int(np.sum(number == 0))  # outside the largest fold
    training = fewest - max(2, round(VALIDATION * fewest))
    parts = []
    for fold in range(folds):
        rest = order[number != fold]
        validation = len(rest) - training
        chosen = np.zeros(len(rest), dtype=bool)  # evenly spaced: its share of each class
        chosen[np.arange(validation) * len(rest) // validation] = True
        fold_parts = (rest[~chosen], rest[chosen], order[number == fold])
        parts.append(Fold(*(part[np.argsort(rank[part])] for part in fold_parts)))
    return parts
