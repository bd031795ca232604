"""Samples chosen at random by a seed: some of many, in the shares of the classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from infotheo.arrays.random_streams import numpy_generator

__all__ = ["random_subset", "split_in_halves", "stratified_order"]


def stratified_order(
    labels: NDArray[np.generic], generator: np.random.Generator
) -> NDArray[np.intp]:
    """Return a random order of which every beginning holds the classes in nearly equal shares.

    Examples
    --------
    >>> order = stratified_order(np.repeat([0, 1], 50), np.random.default_rng(0))
    >>> int((order[:20] < 50).sum())
    10
    """
    position = np.empty(len(labels))
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        # evenly through [0, 1), with a random start so that no class always comes first
        position[members] = (np.arange(len(members)) + generator.random()) / len(members)
    return np.argsort(position, kind="stable")


def random_subset(
    size: int, count: int, seed: int, purpose: str, labels: NDArray[np.generic] | None = None
) -> NDArray[np.intp]:
    """Return the positions of so many of the samples, or of all, in increasing order.

    Parameters
    ----------
    size, count
        How many samples there are, and how many are chosen.
    seed, purpose
        Together they name the random stream.
    labels
        (sample,) classes: they are then chosen in the shares of the classes.

    Examples
    --------
    >>> len(random_subset(1000, 20, seed=0, purpose="example"))
    20
    """
    if count >= size:
        return np.arange(size)
    generator = numpy_generator(seed, purpose)
    order = generator.permutation(size) if labels is None else stratified_order(labels, generator)
    return np.sort(order[:count])


def split_in_halves(
    labels: NDArray[np.generic], seed: int, purpose: str
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the positions of two random halves, each in increasing order.

    Of each class the halves have as many samples, or one has one more; the first half has one more
    of an odd number.

    Examples
    --------
    >>> first, second = split_in_halves(np.arange(1000) % 2, seed=0, purpose="example")
    >>> int((first % 2).sum()), int((second % 2).sum())
    (250, 250)
    """
    mixed = numpy_generator(seed, purpose).permutation(len(labels))
    by_class = mixed[np.argsort(labels[mixed], kind="stable")]
    return np.sort(by_class[::2]), np.sort(by_class[1::2])
