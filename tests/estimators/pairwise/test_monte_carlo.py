import math
import tracemalloc

import numpy as np
import pytest
import torch
import xarray as xr
from scipy import integrate, stats

import infotheo as it
from infotheo.estimators.pairwise import sampling as mixture_sampling

Z = np.random.default_rng(0).normal(size=(2, 12, 3))
Y = np.arange(12) % 3
SHAPES = {"layer": (), "unit": (3,), "sample": (12, 3)}


def noise_variances(per, seed=1):
    return 0.5 * np.exp(np.random.default_rng(seed).normal(size=SHAPES[per]))


def integrated(z, variances, shares, y):
    """H(Z), I(Z;X) and I(Z;Y) of a one-unit mixture by quadrature; y has classes 0 and 1."""
    z, deviations = np.ravel(z), np.sqrt(np.ravel(variances))

    def entropy(parts):
        c = shares[parts] / shares[parts].sum()

        def integrand(t):
            p = float(np.sum(c * stats.norm.pdf(t, z[parts], deviations[parts])))
            return -p * math.log(p) if p > 0 else 0.0

        return integrate.quad(integrand, -12, 12, limit=400, points=sorted(z[parts]))[0]

    total = entropy(slice(None))
    noise_entropy = np.sum(shares * np.log(2 * np.pi * np.e * deviations**2) / 2)
    within = sum(shares[y == k].sum() * entropy(y == k) for k in (0, 1))
    return total, total - noise_entropy, total - within


@pytest.mark.parametrize("per", ["layer", "sample"])
def test_agrees_with_quadrature(per):
    z = np.array([-1.5, -1.0, 0.0, 0.2, 2.0])[:, None]
    y = np.array([0, 1, 1, 0, 1])
    shares = np.array([0.1, 0.3, 0.2, 0.15, 0.25])
    variances = np.full((5, 1), 0.2) if per == "layer" else np.array([[0.1, 1.0, 0.2, 0.4, 0.05]]).T
    truth = integrated(z, variances, shares, y)
    options = {
        "noise_variance": 0.2 if per == "layer" else variances,
        "noise_per": per,
        "weights": shares,
        "draws": 20000,
        "seed": 3,
    }
    estimates = (
        it.mixture_entropy_monte_carlo(z, **options),
        it.mixture_information_monte_carlo(z, **options),
        it.mixture_information_monte_carlo(z, y, **options),
    )
    for expected, estimate in zip(truth, estimates, strict=True):
        assert estimate.standard_error < 0.01
        assert estimate.value == pytest.approx(expected, abs=4 * estimate.standard_error)


def test_entropy_lies_where_the_printed_reference_does():
    z = np.tanh(np.random.RandomState(0).randn(64, 4))  # noqa: NPY002
    sampled = it.mixture_entropy_monte_carlo(z, noise_variance=0.1, draws=20000, seed=0)
    printed_error = 0.009
    assert sampled.value == pytest.approx(3.856, abs=4 * math.hypot(sampled.standard_error, 0.009))
    assert sampled.standard_error < printed_error
    bounds = it.mixture_entropy(z, noise_variance=0.1)
    assert bounds.lower < sampled.value < bounds.upper


@pytest.mark.parametrize("labels", [None, Y])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_standard_error_is_honest(labels, weighted):
    """Over 300 seeds values scatter as the standard errors say: their ratio is 1 within 17 %."""
    weights = np.exp(np.random.default_rng(2).normal(size=12)) if weighted else None
    options = {
        "noise_variance": noise_variances("sample"),
        "noise_per": "sample",
        "weights": weights,
    }
    estimates = [
        it.mixture_information_monte_carlo(Z[0], labels, draws=120, seed=seed, **options)
        for seed in range(300)
    ]
    values, errors, _ = np.array(estimates).T
    # four standard errors of a standard deviation from 300 values: 4 / sqrt(600) = 0.16
    assert values.std() / np.sqrt(np.mean(errors**2)) == pytest.approx(1, abs=0.17)
    # and no bias: the mean of 300 against one run of a hundred times the draws
    best = it.mixture_information_monte_carlo(Z[0], labels, draws=40000, seed=1000, **options)
    error = math.hypot(values.std() / math.sqrt(300), float(best.standard_error))
    assert values.mean() == pytest.approx(float(best.value), abs=4 * error)


def test_entropy_is_information_plus_the_noise():
    for per in SHAPES:
        options = {
            "noise_variance": noise_variances(per),
            "noise_per": per,
            "draws": 100,
            "seed": 0,
        }
        entropy = it.mixture_entropy_monte_carlo(Z[0], **options)
        information = it.mixture_information_monte_carlo(Z[0], **options)
        variances = np.broadcast_to(noise_variances(per), (12, 3))
        noise_entropy = np.mean(np.sum(np.log(2 * np.pi * np.e * variances), axis=1)) / 2
        assert entropy.value == pytest.approx(information.value + noise_entropy, abs=1e-12)
        assert entropy.standard_error == information.standard_error


def test_same_seed_same_bytes_and_no_global_state():
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
    state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    options = {"noise_variance": [0.1, 1.0], "draws": 50}
    first = it.mixture_entropy_monte_carlo(Z, seed=5, **options)
    again = it.mixture_entropy_monte_carlo(Z, seed=5, **options)
    other = it.mixture_entropy_monte_carlo(Z, seed=6, **options)
    assert first.value.tobytes() == again.value.tobytes()
    assert (first.value != other.value).all()
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_state)


@pytest.mark.parametrize("per", ["layer", "unit", "sample"])
def test_batches_and_sweeps_are_single_calls_with_common_random_numbers(per):
    variances = np.stack([noise_variances(per, seed) for seed in (1, 2, 3)])
    swept = variances[None].repeat(2, axis=0)
    options = {"noise_per": per, "draws": 60, "seed": 0}
    batched = it.mixture_information_monte_carlo(Z, Y, noise_variance=swept, **options)
    assert batched.value.shape == batched.standard_error.shape == (2, 3)
    for b, k in np.ndindex(2, 3):
        alone = it.mixture_information_monte_carlo(Z[b], Y, noise_variance=variances[k], **options)
        np.testing.assert_allclose(batched.value[b, k], alone.value, rtol=0, atol=1e-12)
        np.testing.assert_allclose(
            batched.standard_error[b, k], alone.standard_error, rtol=0, atol=1e-12
        )


@pytest.mark.parametrize("per", ["layer", "unit", "sample"])
def test_tiles_do_not_change_the_result(monkeypatch, per):
    options = {"noise_variance": noise_variances(per), "noise_per": per, "draws": 60, "seed": 0}
    total = it.mixture_information_monte_carlo(Z, Y, **options)
    monkeypatch.setattr(mixture_sampling, "DRAWS_BLOCK", 7)
    monkeypatch.setattr(mixture_sampling, "SAMPLES_BLOCK", 5)
    tiled = it.mixture_information_monte_carlo(Z, Y, **options)
    np.testing.assert_allclose(tiled.value, total.value, rtol=0, atol=1e-12)


@pytest.mark.parametrize("per", ["layer", "sample"])
def test_extreme_scales_use_exact_differences(per):
    """Pairs 1e-9 apart beside samples 1 apart: expanded products would be noise."""
    near = np.array([[0.0, 0.0], [1e-9, 0.0]])
    z = np.concatenate([near, near + [1.1, -0.7]])  # the same pair twice, far apart
    noise = 1e-18 if per == "layer" else np.full((4, 2), 1e-18)
    both, alone = (
        it.mixture_information_monte_carlo(x, noise_variance=n, noise_per=per, draws=400, seed=0)
        for x, n in ((z, noise), (near, noise if per == "layer" else noise[:2]))
    )
    error = 4 * math.hypot(both.standard_error, alone.standard_error)
    assert both.value == pytest.approx(alone.value + math.log(2), abs=error)
    assert 0.05 < alone.value < 0.6


def test_strata_leave_nothing_to_chance_between_components():
    """Where a draw's contribution depends on its component only, its mean is all but exact.

    Independent draws would scatter by 7e-3. What is left is the one step between the two heights,
    which 4,000 draws mistake for an effect of the noise's length: (1 / 4000) ** 1.5 or so.
    """
    z = np.array([[0.0], [0.0], [0.0], [1000.0]])
    sampled = it.mixture_information_monte_carlo(z, noise_variance=1.0, draws=4000, seed=0)
    exact = 0.75 * math.log(4 / 3) + 0.25 * math.log(4)
    assert sampled.value == pytest.approx(exact, abs=2e-5)
    assert sampled.standard_error < 1e-3


def test_samples_of_weight_zero_are_never_drawn():
    z = np.concatenate([Z[0], [[1e6, 0, 0]]])
    weights = np.r_[np.ones(12), 0.0]
    options = {"noise_variance": 0.5, "draws": 90, "seed": 0}
    sampled = it.mixture_information_monte_carlo(z, weights=weights, **options)
    without = it.mixture_information_monte_carlo(Z[0], **options)
    # a mean over one more sample, 1e6 away, moves the centre: rounding of squares of 1e5
    assert sampled.value == pytest.approx(without.value, abs=1e-5)
    assert sampled.ceiling == pytest.approx(without.ceiling, abs=1e-12)


def test_every_kind_of_array():
    options = {"noise_variance": [0.2, 1.0], "draws": 40, "seed": 0, "units": "bits"}
    plain = it.mixture_information_monte_carlo(Z, Y, **options)
    tensor = it.mixture_information_monte_carlo(torch.tensor(Z), Y, **options)
    assert isinstance(tensor.value, torch.Tensor)
    np.testing.assert_allclose(tensor.value, plain.value, rtol=0, atol=1e-12)
    labelled = xr.DataArray(Z, dims=("epoch", "sample", "unit"), coords={"epoch": [1, 10]})
    sampled = it.mixture_information_monte_carlo(labelled, Y, **options)
    assert sampled.value.dims == ("epoch", "noise_variance")
    np.testing.assert_array_equal(sampled.noise_variance, [0.2, 1.0])
    np.testing.assert_allclose(sampled.value, plain.value, rtol=0, atol=1e-12)
    assert sampled.value.attrs["units"] == "bits"
    assert '"seed": 0' in sampled.value.attrs["settings"]
    entropy = it.mixture_entropy_monte_carlo(labelled, **options)
    assert set(entropy.data_vars) == {"value", "standard_error"}


def test_memory_is_a_tile(monkeypatch):
    monkeypatch.setattr(mixture_sampling, "DRAWS_BLOCK", 128)
    monkeypatch.setattr(mixture_sampling, "SAMPLES_BLOCK", 128)
    z = np.random.default_rng(7).normal(size=(2000, 3))
    options = {"noise_variance": 1.0, "draws": 2000, "seed": 0}
    it.mixture_information_monte_carlo(z[:10], **options)
    tracemalloc.start()
    it.mixture_information_monte_carlo(z, z[:, 0] > 0, **options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2000 * 2000 * 8 / 8


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"draws": 9}, ValueError, "draws is 9; expected a whole number >= 10"),
        ({"draws": 1e3}, TypeError, r"draws is 1000\.0; expected a whole number"),
        ({"seed": None}, TypeError, "seed is None; expected a whole number >= 0"),
        ({"seed": -1}, ValueError, "seed is -1"),
        ({"seed": True}, TypeError, "seed is True"),
        ({"noise_variance": 0}, ValueError, "noise_variance contains 0"),
        ({"noise_per": "units"}, ValueError, "noise_per is 'units'; expected one of 'layer'"),
        ({"weights": [1.0]}, ValueError, r"weights has shape \(1,\)"),
        ({"units": "nat"}, ValueError, "units is 'nat'"),
    ],
)
@pytest.mark.parametrize(
    "estimator", [it.mixture_entropy_monte_carlo, it.mixture_information_monte_carlo]
)
def test_bad_input(estimator, options, error, message):
    with pytest.raises(error, match=message):
        estimator(Z, **({"noise_variance": 1.0, "draws": 20, "seed": 0} | options))
