import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infotheo.estimators.critics.folds import cross_fitting_folds


@given(samples=st.integers(8, 200), folds=st.integers(2, 12), seed=st.integers(0, 99))
def test_parts_are_disjoint_and_every_sample_is_held_out_once(samples, folds, seed):
    folds = min(folds, samples // 4)
    result = cross_fitting_folds(samples, folds, seed)
    assert sorted(np.concatenate([fold.held_out for fold in result])) == list(range(samples))
    for fold in result:
        assert sorted(np.concatenate(fold)) == list(range(samples))
        assert min(map(len, fold)) >= 2
        assert len(fold.held_out) - samples // folds in (0, 1)
    assert len({len(fold.training) for fold in result}) == 1


def test_every_part_has_its_share_of_each_class_in_mixed_order():
    codes = np.repeat([0, 1, 2], [60, 120, 20])
    for fold in cross_fitting_folds(200, 5, 3, codes):
        for part in fold:
            share = np.bincount(codes[part], minlength=3) / len(part)
            np.testing.assert_allclose(share, [0.3, 0.6, 0.1], atol=1.5 / len(part))
            assert (np.diff(codes[part]) < 0).any()


def test_the_seed_decides():
    first, same, other = (cross_fitting_folds(40, 5, seed) for seed in (0, 0, 1))
    assert all(
        np.array_equal(a, b)
        for f, g in zip(first, same, strict=True)
        for a, b in zip(f, g, strict=True)
    )
    assert not np.array_equal(first[0].held_out, other[0].held_out)


@pytest.mark.parametrize(
    ("folds", "error", "message"),
    [
        (1, ValueError, "folds is 1; expected a whole number >= 2"),
        (2.5, TypeError, "folds is 2.5; expected a whole number >= 2"),
        (6, ValueError, "folds is 6 for 20 samples; expected 2 to 5: at least 4 samples in each"),
    ],
)
def test_impossible_folds_are_refused(folds, error, message):
    with pytest.raises(error, match=message):
        cross_fitting_folds(20, folds, 0)
