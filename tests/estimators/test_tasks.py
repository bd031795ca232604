import math

import numpy as np
import pytest

import infotheo as it
from infotheo.estimators.tasks import Task, linear_gaussian_layer, separated_clusters

# As printed, to ten decimals, in the tables these tasks come from.
PRINTED = {
    "normal 0.75": 0.4133392866,
    "half-cube": 0.4133392866,
    "bimodal": 0.4133392866,
    "additive 0.1": 1.7094379124,
    "additive 0.75": 1 / 3,
    "dense 5x5": 0.5928118328,
    "asinh-Student 5x5": 0.4481506769,
    "mixture 5": 1.0549201680,
    "clusters 10": math.log(10),
}


@pytest.mark.parametrize("name", PRINTED)
def test_truth_is_the_printed_one(name):
    assert it.tasks[name].mutual_information == pytest.approx(PRINTED[name], abs=6e-11)


def standard_errors_off(task, truth, size=40_000, seed=1):
    """How far the mean log density ratio is from ``truth``, in standard errors."""
    x, y = task.sample(size, seed)
    ratios = task.log_density_ratio(x, y)
    assert ratios.shape == (size,)
    # where the ratio is a constant, rounding stands for the error
    return abs(ratios.mean() - truth) / max(ratios.std() / math.sqrt(size), 1e-12)


@pytest.mark.parametrize("task", it.tasks.values(), ids=it.tasks.keys())
def test_truth_is_the_mean_log_density_ratio(task):
    assert standard_errors_off(task, task.mutual_information) < 3


@pytest.mark.parametrize("task", it.tasks.values(), ids=it.tasks.keys())
def test_density_ratio_averages_to_one_over_independent_pairs(task):
    """The other identity of a density ratio: E exp(ratio) = 1 under p(x) p(y).

    The tails of exp(ratio) are heavy where the information is large: there the mean of a sample
    falls short, and only the inverse is bounded, E exp(-ratio) <= 1 over joint samples.
    """
    x, y = task.sample(40_000, 2)
    inverse = np.exp(-task.log_density_ratio(x, y))
    # equality where the joint density is positive everywhere, less where it is not
    assert inverse.mean() < 1 + 4 * inverse.std() / 200
    if task.name in ("normal 0.75", "half-cube", "bimodal", "dense 5x5"):
        assert inverse.mean() == pytest.approx(1, abs=4 * inverse.std() / 200)


def zero_inflated_poisson(share):
    """Make x exponential and y Poisson of mean x, but 0 with probability ``share``."""
    from scipy.special import gammaln

    def draw(size, stream):
        x = stream.exponential(size=(size, 1))
        observed = stream.uniform(size=(size, 1)) >= share
        return x, observed * stream.poisson(x).astype(float)

    def ratio(x, y):
        given = (1 - share) * np.exp(y * np.log(x) - x - gammaln(y + 1)) + share * (y == 0)
        alone = (1 - share) * 2.0 ** -(y + 1) + share * (y == 0)
        return np.log(given / alone)[:, 0]

    return Task("zero-inflated Poisson", math.nan, draw, ratio)


def test_a_wrong_published_truth_is_caught():
    """The value in circulation is that of the Poisson part times its share.

    It takes for granted that one can see which zeros are inflated.
    """
    k = np.arange(2, 60)
    poisson = 2 * math.log(2) - np.euler_gamma - np.sum(np.log(k) * 2.0**-k)
    assert standard_errors_off(zero_inflated_poisson(0.0), poisson) < 3
    # nine standard errors of 40,000 samples (give or take one), eighteen of these
    wrong = standard_errors_off(zero_inflated_poisson(0.15), 0.85 * poisson, size=160_000)
    assert wrong > 6


def test_samples_depend_on_the_seed_only():
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    for task in it.tasks.values():
        first, again, other = (task.sample(50, seed) for seed in (3, 3, 4))
        assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
        assert not np.array_equal(first[0], other[0])
        assert first[1].ndim == (1 if task.discrete_y else 2)
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_linear_layer_has_the_information_of_its_singular_values():
    weights = np.random.default_rng(0).normal(size=(3, 4))
    task = linear_gaussian_layer(weights, 0.7)
    gains = np.linalg.svd(weights, compute_uv=False) / 0.7
    assert task.mutual_information == pytest.approx(0.5 * np.log1p(gains**2).sum(), rel=1e-12)
    assert standard_errors_off(task, task.mutual_information) < 3


def test_bimodal_inverts_its_quantiles():
    plain, bumps = (it.tasks[name].sample(20_000, 0) for name in ("normal 0.75", "bimodal"))
    ratios = it.tasks["bimodal"].log_density_ratio(*bumps)
    np.testing.assert_allclose(ratios, it.tasks["normal 0.75"].log_density_ratio(*plain), atol=1e-9)


def test_bimodal_is_two_bumps():
    x, y = it.tasks["bimodal"].sample(20_000, 0)
    # 0.3 and 0.5 of the normals are left of the gaps; binomial standard error 0.0035
    assert np.mean(x < 2.5) == pytest.approx(0.3, abs=0.0035 * 4 + 0.006)
    assert np.mean(y < 1) == pytest.approx(0.5, abs=0.0035 * 4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: linear_gaussian_layer(np.ones(3), 1.0), r"weights has shape \(3,\)"),
        (lambda: linear_gaussian_layer(np.eye(2), 0.0), "noise_deviation is 0.0"),
        (lambda: separated_clusters(1, 3), "clusters is 1"),
        (lambda: separated_clusters(3, 3, 2.0), "distance is 2.0"),
    ],
)
def test_bad_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make()
