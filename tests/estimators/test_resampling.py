import math
import warnings
from functools import partial

import numpy as np
import pytest
import torch
import xarray as xr

import infotheo as it
from infotheo.estimators.resampling import permutation_test, subsample_error

neighbors = partial(it.neighbor_information, check_trust=False)
plain = partial(it.gaussian_information, correction=None)


def test_p_values_are_uniform_without_dependence():
    """19 permutations: a p-value below 0.1 twice in 20; 150 samples, standard error 2.4 %."""
    stream = np.random.default_rng(0)
    x, y = stream.normal(size=(2, 150, 15, 1))
    result = permutation_test(plain, x, y, permutations=19, seed=1)
    assert result.null.shape == (150, 19)
    assert result.p_value.min() >= 1 / 20
    for level in (0.1, 0.5):
        error = math.sqrt(level * (1 - level) / 150)
        assert np.mean(result.p_value <= level + 1e-9) == pytest.approx(level, abs=4 * error)
    assert result.value == pytest.approx(plain(x, y).value)


def test_dependence_is_found_and_p_is_never_zero():
    x, y = it.tasks["bimodal"].sample(100, 0)
    for estimator in (neighbors, it.gaussian_information):
        result = permutation_test(estimator, x, y, permutations=39, seed=0)
        assert result.p_value == 1 / 40
        assert result.null.max() < result.value


def test_ties_with_the_null_count_against_dependence():
    y = np.random.default_rng(0).normal(size=(30, 1))
    assert permutation_test(plain, np.ones((30, 1)), y, permutations=19, seed=0).p_value == 1


def test_labels_and_other_fields():
    stream = np.random.default_rng(2)
    y = np.arange(60) % 2
    z = stream.normal(size=(60, 2)) + 2 * y[:, None]
    bounds = partial(it.pairwise_information, noise_variance=0.5)
    for labels in (y, np.eye(2)[y]):
        result = permutation_test(bounds, z, labels, field="kl", permutations=19, seed=3)
        assert result.p_value == 1 / 20
    again = permutation_test(bounds, z, y, field="kl", permutations=19, seed=3)
    assert np.array_equal(again.null, result.null)  # one-hot or not, the same seed
    other = permutation_test(bounds, z, y, field="kl", permutations=19, seed=4)
    assert not np.array_equal(other.null, result.null)


def test_kinds():
    x, y = it.tasks["normal 0.75"].sample(60, 1)
    expected = permutation_test(plain, x, y, permutations=9, seed=5)
    result = permutation_test(plain, torch.tensor(x), torch.tensor(y), permutations=9, seed=5)
    assert isinstance(result.p_value, torch.Tensor)
    np.testing.assert_allclose(result.null, expected.null, rtol=1e-9)
    coords = {"sample": np.arange(60) + 100}
    labelled = [xr.DataArray(z, dims=("sample", "unit"), coords=coords) for z in (x, y)]
    dataset = permutation_test(plain, *labelled, permutations=9, seed=5)
    assert dataset["null"].dims == ("permutation",)
    np.testing.assert_allclose(dataset["null"], expected.null, rtol=1e-9)
    errors = subsample_error(plain, *labelled, pieces=5, seed=6)
    twin = subsample_error(plain, x, y, pieces=5, seed=6)
    assert errors["standard_error"] == pytest.approx(twin.standard_error, rel=1e-9)


def test_warnings_come_once_for_the_data():
    x, y = np.random.default_rng(7).normal(size=(2, 60, 12))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        permutation_test(it.neighbor_information, x, y, permutations=3, seed=0)
        subsample_error(it.neighbor_information, x, y, pieces=3, repeats=1, seed=0)
    assert [w.category for w in caught] == [it.NeighborTrustWarning] * 2


@pytest.mark.parametrize("name", ["normal 0.75", "additive 0.75"])
def test_coverage_with_nearest_neighbours(name):
    """Two standard errors of 45 degrees of freedom and less cover the truth in about 94 %.

    40 samples: binomial standard error 3.7 %; the bias is a tenth of an error bar.
    """
    task = it.tasks[name]
    inside = []
    for seed in range(40):
        x, y = task.sample(600, seed)
        result = subsample_error(neighbors, x, y, pieces=6, repeats=3, seed=seed)
        inside.append(abs(result.value - task.mutual_information) < 2 * result.standard_error)
    assert np.mean(inside) > 0.94 - 4 * 0.037


def test_error_is_that_over_seeds():
    """100 samples: the spread is known to 7 %; errors from parts of 60 exceed theory a bit."""
    stream = np.random.default_rng(8)
    x = stream.normal(size=(100, 600, 1))
    y = x + stream.normal(size=(100, 600, 1))
    result = subsample_error(it.gaussian_information, x, y, repeats=2, seed=9)
    spread = result.value.std(ddof=1)
    assert np.sqrt(np.mean(result.standard_error**2)) == pytest.approx(spread, rel=0.3)
    np.testing.assert_allclose(result.value, it.gaussian_information(x, y).value)


X, Y = np.random.default_rng(10).normal(size=(2, 20, 1))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: permutation_test(plain, X, Y, permutations=0, seed=0), ValueError, "permutations"),
        (lambda: permutation_test(plain, X, Y, permutations=9.0, seed=0), TypeError, "9.0"),
        (lambda: permutation_test(plain, X, Y[:5], seed=0), ValueError, "y has 5 samples"),
        (lambda: permutation_test(plain, X, Y, field="kl", seed=0), ValueError, "field is 'kl'"),
        (lambda: subsample_error(plain, X, Y, pieces=11, seed=0), ValueError, "pieces is 11"),
        (lambda: subsample_error(plain, X, Y, pieces=1, seed=0), ValueError, "pieces is 1"),
        (lambda: subsample_error(plain, X, Y, repeats=0, seed=0), ValueError, "repeats is 0"),
        (lambda: subsample_error(plain, seed=0), TypeError, "no arrays given"),
        (
            lambda: subsample_error(it.total_correlation, X, field="ceiling", seed=0),
            ValueError,
            "leaves empty",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_equal_estimates_in_another_order_of_summation_count_as_equal():
    """Of two binary variables few values are possible; many shuffles give the very one, rounded."""
    generator = np.random.default_rng(44)
    x = generator.integers(0, 2, 20)[:, None].astype(float)
    y = np.where(generator.random(20) < 0.85, x[:, 0], 1 - x[:, 0])[:, None]
    result = permutation_test(it.gaussian_information, x, y, seed=0, permutations=999)
    assert np.sum(result.null > result.value - 1e-9) > np.sum(result.null >= result.value)
    assert result.p_value == (np.sum(result.null > result.value - 1e-9) + 1) / 1000


def test_the_repr_of_a_permutation_test_is_short():
    x = np.arange(20.0)[:, None]
    result = it.permutation_test(it.gaussian_information, x, -(x**3), seed=0)
    assert repr(result).endswith("p_value=np.float64(0.005), null=<199 permutations>)")
    assert len(repr(result)) < 120
