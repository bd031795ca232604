import math
import warnings

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from infotheo.estimators.pair_sums import distances
from infotheo.estimators.pairwise import bounds as pairwise
from infotheo.estimators.pairwise.bounds import (
    SaturationWarning,
    input_and_label_information,
    mixture_entropy,
    pairwise_information,
)

pytestmark = pytest.mark.filterwarnings("ignore::infotheo.SaturationWarning")

TINY = [[0, 0], [0, 0], [0.3, 0.4], [-1, 1], [1, -1]]
TINY_LABELS = [0, 1, 0, 1, 1]


def naive(z, variance, alpha=0.5, weights=None):
    """Reference twin: (Chernoff, KL) values of -sum_i c_i ln sum_j c_j exp(-D_ij)."""
    n = len(z)
    c = np.full(n, 1 / n) if weights is None else np.asarray(weights) / np.sum(weights)
    totals = [0.0, 0.0]
    for which, order in enumerate((alpha * (1 - alpha), 1.0)):
        for i in range(n):
            inner = 0.0
            for j in range(n):
                squared = sum((float(a) - float(b)) ** 2 for a, b in zip(z[i], z[j], strict=True))
                inner += c[j] * math.exp(-order * squared / (2 * variance))
            totals[which] -= c[i] * math.log(inner)
    return totals


def naive_labels(z, y, variance, alpha=0.5, weights=None):
    """Reference twin of I(Z;Y): lower, upper, kl, chernoff, before clipping."""
    z, y = np.asarray(z), np.asarray(y)
    c = np.full(len(z), 1 / len(z)) if weights is None else np.asarray(weights) / np.sum(weights)
    low, high = naive(z, variance, alpha, c)
    within = np.zeros(2)
    for label in np.unique(y):
        members = y == label
        within += c[members].sum() * np.array(naive(z[members], variance, alpha, c[members]))
    return low - within[1], high - within[0], high - within[1], low - within[0]


def exact_rows(z, variance):
    """(lower, upper) from exact float64 differences, a row of pairs at a time."""
    z = np.asarray(z, dtype=np.float64)
    squared = np.stack([((z - row) ** 2).sum(axis=1) for row in z]) / variance
    return [-np.log(np.exp(-squared / scale).mean(axis=1)).mean() for scale in (8, 2)]


# Reference values are printed to six decimals: half a unit of the last one is the tolerance. The
# agreement to 1e-9 is with the twins, which compute exact pairwise differences in float64.
PRINTED = 5.1e-7


def test_printed_reference_values_of_the_tiny_sample():
    bounds = pairwise_information(TINY, noise_variance=0.1, units="bits")
    assert bounds.upper == pytest.approx(1.713871, abs=PRINTED)
    assert bounds.lower == pytest.approx(1.316464, abs=PRINTED)
    labelled = pairwise_information(TINY, TINY_LABELS, noise_variance=0.1, units="bits")
    assert labelled.kl == pytest.approx(0.508328, abs=PRINTED)
    assert labelled.chernoff == pytest.approx(0.371744, abs=PRINTED)


@pytest.fixture
def tanh_sample():
    return np.tanh(np.random.RandomState(0).randn(64, 4)), np.arange(64) % 4  # noqa: NPY002


def test_printed_reference_values_of_the_tanh_sample(tanh_sample):
    z, y = tanh_sample
    bounds = pairwise_information(z, noise_variance=0.1, units="bits")
    labelled = pairwise_information(z, y, noise_variance=0.1, units="bits")
    values = [bounds.upper, bounds.lower, labelled.kl, labelled.chernoff]
    np.testing.assert_allclose(values, [5.300480, 3.267338, 1.425838, 0.356614], atol=PRINTED)


def test_closed_form_of_two_pairs():
    bounds = pairwise_information([[0], [0], [0.5], [0.5]], noise_variance=0.1)
    assert bounds.upper == pytest.approx(-math.log((1 + math.exp(-0.25 / 0.2)) / 2), abs=1e-12)
    assert bounds.lower == pytest.approx(-math.log((1 + math.exp(-0.25 / 0.8)) / 2), abs=1e-12)
    assert bounds.ceiling == pytest.approx(math.log(4), abs=1e-15)


@pytest.mark.parametrize("alpha", [0.5, 0.2, 0.9])
@pytest.mark.parametrize("weighted", [False, True])
def test_agrees_with_double_loops(tanh_sample, alpha, weighted):
    z, y = tanh_sample
    z, y = z[:20], y[:20]
    weights = np.arange(20.0) if weighted else None  # one weight is 0
    options = {"noise_variance": 0.3, "alpha": alpha, "weights": weights}
    bounds = pairwise_information(z, **options)
    np.testing.assert_allclose(
        [bounds.lower, bounds.upper], naive(z, 0.3, alpha, weights), rtol=0, atol=1e-9
    )
    labelled = pairwise_information(z, y, **options)
    lower, upper, kl, chernoff = naive_labels(z, y, 0.3, alpha, weights)
    expected = [max(lower, 0), min(upper, labelled.ceiling), kl, chernoff]
    np.testing.assert_allclose(labelled[:4], expected, rtol=0, atol=1e-9)


def test_weights_are_repetitions():
    z = np.random.default_rng(1).normal(size=(12, 3))
    y = np.arange(12) % 3
    counts = np.arange(12) % 4
    weighted = pairwise_information(z, y, noise_variance=0.5, weights=counts)
    repeated = pairwise_information(z.repeat(counts, 0), y.repeat(counts), noise_variance=0.5)
    np.testing.assert_allclose(weighted, repeated, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("labels", [None, [0, 1, 0, 1, 1]])
def test_input_and_label_come_from_one_pass(monkeypatch, labels):
    passes = []

    class Counted(pairwise.Mixture):
        def bounds(self, *arguments):
            passes.append(1)
            return super().bounds(*arguments)

    monkeypatch.setitem(pairwise._KERNELS, "layer", Counted)
    about_input, about_label = input_and_label_information(TINY, labels, noise_variance=[0.1, 1])
    assert len(passes) == 1
    plain = pairwise_information(TINY, noise_variance=[0.1, 1])
    np.testing.assert_allclose(about_input.upper, plain.upper, rtol=0, atol=1e-12)
    if labels is None:
        assert about_label is None
    else:
        both = pairwise_information(TINY, labels, noise_variance=[0.1, 1])
        np.testing.assert_array_equal(about_label.lower, both.lower)


def test_half_is_the_tightest_order(tanh_sample):
    z, _ = tanh_sample
    lowers = [
        pairwise_information(z, noise_variance=0.1, alpha=alpha).lower for alpha in (0.2, 0.5, 0.8)
    ]
    assert lowers[1] > max(lowers[0], lowers[2])
    # the divergence depends on alpha (1 - alpha) only; 1 - 0.8 rounds to 0.2 within 1e-16
    assert lowers[0] == pytest.approx(lowers[2], abs=1e-12)


def monte_carlo_entropy(z, variance, draws, seed):
    """H(Z) of the mixture and its standard error, by sampling."""
    generator = np.random.default_rng(seed)
    centres = z[generator.integers(len(z), size=draws)]
    points = centres + math.sqrt(variance) * generator.normal(size=centres.shape)
    squared = ((points[:, None] - z[None]) ** 2).sum(axis=2)
    constant = z.shape[1] / 2 * math.log(2 * math.pi * variance)
    minus_log = constant - np.log(np.exp(-squared / (2 * variance)).mean(axis=1))
    return minus_log.mean(), minus_log.std() / math.sqrt(draws)


def test_monte_carlo_entropy_lies_between_the_bounds(tanh_sample):
    z, y = tanh_sample
    bounds = mixture_entropy(z, noise_variance=0.1)
    assert bounds.lower == pytest.approx(3.3353, abs=5.1e-5)  # printed to four decimals
    assert bounds.upper == pytest.approx(4.7446, abs=5.1e-5)
    value, error = monte_carlo_entropy(z, 0.1, 4000, 0)
    assert value == pytest.approx(3.856, abs=4 * math.hypot(error, 0.009))
    assert bounds.lower < value - 4 * error
    assert value + 4 * error < bounds.upper


def test_monte_carlo_label_information_lies_between_the_bounds(tanh_sample):
    z, _ = tanh_sample
    y = (z[:, 0] > 0).astype(int)
    bounds = pairwise_information(z, y, noise_variance=0.02)
    total, error = monte_carlo_entropy(z, 0.02, 4000, 1)
    parts = [monte_carlo_entropy(z[y == k], 0.02, 4000, 2 + k) for k in (0, 1)]
    shares = [np.mean(y == k) for k in (0, 1)]
    truth = total - sum(p * part for p, (part, _) in zip(shares, parts, strict=True))
    error = math.hypot(error, *(p * e for p, (_, e) in zip(shares, parts, strict=True)))
    assert 0 < bounds.lower < truth + 4 * error
    assert truth - 4 * error < bounds.upper <= bounds.ceiling


def test_same_side_estimates_can_leave_the_bounds_of_the_truth():
    """Two equal classes share no information; the rigorous bounds still contain zero."""
    z = np.random.default_rng(3).normal(size=(20, 2))
    both = np.concatenate([z, z])
    bounds = pairwise_information(both, np.repeat([0, 1], 20), noise_variance=0.1)
    assert bounds.lower == 0
    assert bounds.kl == pytest.approx(0, abs=1e-12)
    assert bounds.upper > 0.01


def test_far_clusters_against_their_label():
    generator = np.random.default_rng(4)
    y = np.arange(60) % 6
    z = 100 * np.eye(6)[y] + generator.normal(size=(60, 6)) * 0.01
    bounds = pairwise_information(z, y, noise_variance=0.1)
    # within a cluster the divergences are below 1e-2, between clusters exp underflows
    np.testing.assert_allclose(bounds[:4], math.log(6), atol=1e-2)
    assert bounds.upper <= bounds.ceiling


# Hazards of float32 Gram products: errors are held to the documented 1e-4 nats.


def offset_relu(units=1024, samples=300):
    z = np.random.default_rng(5).normal(size=(samples, units)) + 3
    return np.maximum(z, 0).astype(np.float32)


def tight_clusters():
    generator = np.random.default_rng(6)
    centres = np.maximum(generator.normal(size=(10, 512)) + 3, 0)
    z = np.repeat(centres, 30, axis=0) + 1e-3 * generator.normal(size=(300, 512))
    return z.astype(np.float32)


def shifted_line():
    return (np.linspace(0, 1, 200)[:, None] + 4096).astype(np.float32)


@pytest.mark.parametrize("make", [offset_relu, tight_clusters, shifted_line])
@pytest.mark.parametrize("variance", [1e-3, 1.0, 1e3, 1e5])
def test_float32_hazards_agree_with_exact_differences(make, variance):
    z = make()
    bounds = pairwise_information(z, noise_variance=variance)
    np.testing.assert_allclose(bounds[:2], exact_rows(z, variance), rtol=0, atol=1e-4)
    assert bounds.lower <= bounds.upper <= bounds.ceiling
    tensor = pairwise_information(torch.tensor(z), noise_variance=variance)
    np.testing.assert_allclose(tensor[:2], exact_rows(z, variance), rtol=0, atol=1e-4)


def test_the_float32_hazard_is_real():
    """A plain float32 Gram product, uncentred, misses the clusters by far more than allowed."""
    z = tight_clusters()
    norms = (z * z).sum(axis=1)
    squared = np.maximum(norms[:, None] + norms[None] - 2 * z @ z.T, 0)
    exact = np.stack([((z - row).astype(np.float64) ** 2).sum(axis=1) for row in z])
    rows, exact_of_rows = (-np.log(np.exp(-s / 8e-3).mean(axis=1)) for s in (squared, exact))
    # a row's own norm, about 5,000, is off by up to 2**-12 by its format alone, whatever the order
    # of the sums: 0.03 of the exponents of the row, on top of what the products are off
    assert np.abs(rows - exact_of_rows).max() > 100 * 1e-4


def test_extreme_scales_use_exact_differences():
    """Near pairs 1e-9 apart beside samples 1 apart: a float64 Gram product cannot tell them."""
    z = np.array([[0.0, 0.0], [1e-9, 0.0], [1.0, 1.0], [1.0, 1.0 + 1e-9]])
    bounds = pairwise_information(z, noise_variance=1e-18)
    np.testing.assert_allclose(bounds[:2], exact_rows(z, 1e-18), atol=1e-6)


@pytest.mark.parametrize("exact", [False, True])
def test_self_distances_are_exactly_zero(monkeypatch, exact):
    monkeypatch.setattr(distances, "HOST_BLOCK", 8)
    x = np.random.default_rng(9).normal(size=(1, 20, 6))
    rows_covered = 0
    for rows, columns, tile in distances.squared_distance_tiles(x, np, exact=exact):
        assert (tile >= 0).all()
        if rows == columns:
            rows_covered += len(tile[0])
            assert (np.diagonal(tile[0]) == 0).all()
    assert rows_covered == 20


@pytest.mark.parametrize("samples", [3, 6, 7, 11, 49])
def test_centred_constants_are_exactly_zero(samples):
    x = np.broadcast_to([0.1, 1 / 3, 1e8 + 0.3], (1, samples, 3))
    assert not distances.centred(x, np).any()


# Invariances


def bounds_and_estimates(z, y=None, variance=0.2, **options):
    return np.array(pairwise_information(z, y, noise_variance=variance, **options)[:4])


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), samples=st.integers(2, 25), units=st.integers(1, 5))
def test_order_and_ceiling_hold_for_any_sample(seed, samples, units):
    generator = np.random.default_rng(seed)
    z = generator.normal(size=(samples, units)) * 10 ** generator.uniform(-3, 3)
    z[:, generator.random(units) < 0.3] = 1.5  # constant units are legal
    y = generator.integers(3, size=samples)
    for labels in (None, y):
        bounds = pairwise_information(z, labels, noise_variance=[1e-3, 1.0, 1e3])
        assert (bounds.lower >= 0).all()
        assert (bounds.lower <= bounds.upper + 1e-12).all()
        assert (bounds.upper <= bounds.ceiling).all()
        assert (np.diff(bounds.kl) <= 1e-9).all() or labels is not None  # more noise, less to know


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_invariances(seed):
    generator = np.random.default_rng(seed)
    z = generator.normal(size=(18, 4))
    y = np.arange(18) % 3
    expected = bounds_and_estimates(z, y)
    order = generator.permutation(18)
    rotation = np.linalg.qr(generator.normal(size=(4, 4)))[0]
    scale = 10 ** generator.uniform(-3, 3)
    same = {
        "permutation": bounds_and_estimates(z[order], y[order]),
        "translation": bounds_and_estimates(z + 1000 * generator.normal(size=4), y),
        "rotation": bounds_and_estimates(z @ rotation, y),
        "scaling": bounds_and_estimates(z * scale, y, 0.2 * scale**2),
        "duplication": bounds_and_estimates(np.tile(z, (2, 1)), np.tile(y, 2)),
        "constant unit": bounds_and_estimates(np.c_[z, np.full(18, 1e6)], y),
        "relabelling": bounds_and_estimates(z, 7 - y),
        "one-hot": bounds_and_estimates(z, np.eye(3)[y]),
    }
    for name, values in same.items():
        # translation by 1e3 costs the differences of z a relative 1e-13
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-10, err_msg=name)


def test_all_constant_units_carry_nothing():
    bounds = pairwise_information(np.ones((6, 3)), noise_variance=0.1)
    assert tuple(bounds[:4]) == (0, 0, 0, 0)


def test_units():
    nats = pairwise_information(TINY, TINY_LABELS, noise_variance=0.1)
    bits = pairwise_information(TINY, TINY_LABELS, noise_variance=0.1, units="bits")
    np.testing.assert_allclose(np.array(bits[:5]) * math.log(2), nats[:5], rtol=1e-14)


# Gradients


def differentiable(z, y, variance):
    bounds = pairwise_information(z, y, noise_variance=variance)
    return bounds.kl, bounds.chernoff


@pytest.mark.parametrize("labels", [None, [0, 1, 1, 0, 1, 0]])
def test_gradients(labels):
    z = torch.tensor(
        np.random.default_rng(8).normal(size=(2, 6, 3)), requires_grad=True, dtype=torch.float64
    )
    variance = torch.tensor([0.3, 1.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, s: differentiable(a, labels, s), (z, variance))


def test_a_penalty_trains():
    """Descending the upper bound pulls samples together, and leaves the input tensor a leaf."""
    z = torch.randn(8, 2, generator=torch.Generator().manual_seed(1)).requires_grad_()
    before = pairwise_information(z, noise_variance=1.0).kl
    before.backward()
    after = pairwise_information(z.detach() - 0.5 * z.grad, noise_variance=1.0).kl
    assert after < before


# Saturation


@pytest.mark.filterwarnings("default::infotheo.SaturationWarning")
def test_saturation_warns_once_and_can_be_silenced():
    z = np.arange(20.0)[:, None]
    message = r"ceiling 2\.996 nats .* in 2 of 3 values"
    with pytest.warns(SaturationWarning, match=message) as caught:
        pairwise_information(z, noise_variance=[1e-4, 1e-3, 10.0])
    assert len(caught) == 1
    assert caught[0].filename == __file__  # it points to the call that it is about
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pairwise_information(z, noise_variance=10.0)
        warnings.simplefilter("ignore", SaturationWarning)
        pairwise_information(z, noise_variance=1e-4)


@pytest.mark.parametrize("labels", [None, np.arange(20) % 2])
def test_saturation_is_part_of_the_result(labels):
    """Where I(Z;X) is at its ceiling, I(Z;Y) too says little: both carry the diagnostic."""
    z = np.stack([np.arange(20.0)[:, None], np.zeros((20, 1))])
    options = {"noise_variance": [1e-4, 1e-3, 10.0]}
    expected = [[True, True, False], [False, False, False]]
    bounds = pairwise_information(z, labels, **options)
    assert bounds._fields[:5] == ("lower", "upper", "kl", "chernoff", "ceiling")
    assert bounds.saturated.tolist() == expected
    assert pairwise_information(z[0], labels, noise_variance=1e-4).saturated
    tensor = pairwise_information(torch.tensor(z), labels, **options).saturated
    assert tensor.dtype == torch.bool
    assert tensor.tolist() == expected
    dataset = pairwise_information(
        xr.DataArray(z, dims=("seed", "sample", "unit"), coords={"seed": [3, 4]}),
        labels,
        **options,
    )
    assert set(dataset.data_vars) == {"lower", "upper", "kl", "chernoff", "ceiling"}
    # a coordinate: it stays with a bound that is taken out of the Dataset
    np.testing.assert_array_equal(dataset.lower.sel(seed=3).saturated, expected[0])
    assert "ceiling" in dataset.saturated.attrs["long_name"]
    assert dataset.lower.where(~dataset.saturated).count("noise_variance").values.tolist() == [1, 3]


def test_a_constant_sample_is_not_saturated():
    """Equal samples of one weight alone: the ceiling is 0, and nothing is near it."""
    bounds = pairwise_information(np.ones((3, 2)), noise_variance=1.0, weights=[1, 0, 0])
    assert bounds.ceiling == bounds.upper == 0
    assert not bounds.saturated


# Hazards that the peers were measured to have


def test_label_information_never_exceeds_the_label_entropy():
    """A kernel estimate elsewhere gave 3.90 nats of information about ten classes."""
    generator = np.random.default_rng(10)
    y = generator.choice(10, p=np.arange(1, 11) / 55, size=300)
    z = generator.normal(size=(10, 32))[y] * 3 + generator.normal(size=(300, 32))
    entropy = -np.sum(np.bincount(y) / 300 * np.log(np.bincount(y) / 300))
    for variance in (1e-6, 1e-2, 1.0, 100.0):
        bounds = pairwise_information(z, y, noise_variance=variance)
        assert bounds.ceiling == pytest.approx(entropy, abs=1e-12)
        assert max(bounds[:4]) <= bounds.ceiling + 1e-12
        assert bounds.lower >= 0


def test_resampled_rows_lose_information_that_subsamples_keep():
    """Rows drawn with replacement are duplicates: well separated samples fall short of ln N.

    A row that is drawn m times is one component of weight m/N. The mean entropy of such weights is
    ln N less the mean of B ln(B) for B ~ binomial(N, 1/N), near 0.57 nats.
    """
    generator = np.random.default_rng(11)
    z = 100 * generator.normal(size=(200, 3))
    distinct = pairwise_information(z, noise_variance=1e-3)
    assert distinct.lower == pytest.approx(math.log(200), abs=1e-9)
    lost = [
        math.log(200)
        - pairwise_information(z[generator.integers(200, size=200)], noise_variance=1e-3).upper
        for _ in range(20)
    ]
    assert np.mean(lost) == pytest.approx(0.57, abs=4 * np.std(lost) / math.sqrt(20))
    half = pairwise_information(z[generator.permutation(200)[:100]], noise_variance=1e-3)
    assert half.lower == pytest.approx(math.log(100), abs=1e-9)


def test_units_of_a_result_are_its_own():
    """An argument and an attribute, never a state: a call in bits leaves the next one in nats."""
    first = pairwise_information(TINY, noise_variance=0.1)
    bits = pairwise_information(TINY, noise_variance=0.1, units="bits")
    assert pairwise_information(TINY, noise_variance=0.1) == first
    labelled = xr.DataArray(np.array(TINY, float), dims=("sample", "unit"))
    bounds = pairwise_information(labelled, noise_variance=0.1, units="bits")
    assert float(bounds.upper) == bits.upper
    assert bounds.upper.attrs["units"] == bounds.ceiling.attrs["units"] == "bits"


@pytest.mark.parametrize("dtype", [np.float16, np.int8, bool])
def test_narrow_dtypes_are_computed_in_wide_ones(dtype):
    z = (np.random.default_rng(12).normal(size=(40, 6)) * 2).astype(dtype)
    before = z.copy()
    bounds = pairwise_information(z, noise_variance=0.3)
    wide = pairwise_information(z.astype(np.float64), noise_variance=0.3)
    assert bounds.lower.dtype == np.float64
    np.testing.assert_allclose(bounds[:4], wide[:4], rtol=0, atol=1e-4)
    np.testing.assert_array_equal(z, before)
