"""Random subsets: of the seed and purpose alone, in the shares of the classes."""

import numpy as np
import pytest

from infotheo.arrays.subsets import random_subset, split_in_halves

IN_TURN = np.arange(1000) % 10
IN_ORDER = np.sort(IN_TURN)


@pytest.mark.parametrize("labels", [IN_TURN, IN_ORDER])
@pytest.mark.parametrize("count", [100, 250, 999])
def test_shares_of_the_classes(labels, count):
    chosen = random_subset(1000, count, 0, "test", labels)
    assert len(np.unique(chosen)) == count
    counts = np.bincount(labels[chosen], minlength=10)
    assert counts.max() - counts.min() <= 1
    assert (np.diff(chosen) > 0).all()


@pytest.mark.parametrize("labels", [IN_TURN, IN_ORDER, np.r_[0, 1, 1, 2, 2, 2, 3]])
def test_halves_share_each_class(labels):
    first, second = split_in_halves(labels, 0, "test")
    assert sorted([*first, *second]) == list(range(len(labels)))
    assert len(first) - len(second) in (0, 1)
    for label in np.unique(labels):
        assert abs(int((labels[first] == label).sum() - (labels[second] == label).sum())) <= 1


def test_seed_and_purpose_make_the_choice():
    chosen = random_subset(1000, 50, 0, "test")
    assert np.array_equal(chosen, random_subset(1000, 50, 0, "test"))
    assert not np.array_equal(chosen, random_subset(1000, 50, 1, "test"))
    assert not np.array_equal(chosen, random_subset(1000, 50, 0, "other"))
    assert np.array_equal(random_subset(7, 7, 0, "test"), np.arange(7))
