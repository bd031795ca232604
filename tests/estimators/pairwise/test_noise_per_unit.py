import math
import tracemalloc

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import infotheo as it
from infotheo.estimators.pairwise import per_sample_noise, unit_noise
from infotheo.estimators.pairwise.bounds import mixture_entropy, pairwise_information
from infotheo.estimators.pairwise.mixture import Mixture

pytestmark = pytest.mark.filterwarnings("ignore::infotheo.SaturationWarning")

GENERATOR = np.random.default_rng(0)
Z = GENERATOR.normal(size=(14, 3))
Y = np.arange(14) % 3
OF_SAMPLE = np.exp(GENERATOR.normal(size=(14, 3)))
OF_UNIT = np.array([0.2, 1.0, 5.0])
WEIGHTS = np.arange(14.0)  # one weight is 0


def naive(z, s, alpha, c):
    """Reference twin: (Chernoff, KL) values of -sum_i c_i ln sum_j c_j exp(-D_ij), s (N, d)."""
    totals = [0.0, 0.0]
    for i in range(len(z)):
        inner = [0.0, 0.0]
        for j in range(len(z)):
            chernoff = kl = 0.0
            for k in range(len(z[i])):
                squared, a, b = (z[i][k] - z[j][k]) ** 2, s[i][k], s[j][k]
                v = (1 - alpha) * a + alpha * b
                chernoff += 0.5 * alpha * (1 - alpha) * squared / v
                chernoff += 0.5 * math.log(v / (a ** (1 - alpha) * b**alpha))
                kl += 0.5 * (math.log(b / a) + a / b - 1 + squared / b)
            inner[0] += c[j] * math.exp(-chernoff)
            inner[1] += c[j] * math.exp(-kl)
        for which in (0, 1):
            totals[which] -= c[i] * math.log(inner[which]) if c[i] > 0 else 0.0
    return np.array(totals)


def expected(z, s, alpha, weights, y=None):
    """Twin of all four values before clipping: lower, upper, kl, chernoff."""
    c = np.full(len(z), 1 / len(z)) if weights is None else weights / weights.sum()
    low, high = naive(z, s, alpha, c)
    if y is None:
        return low, high, high, low
    within = np.zeros(2)
    for label in np.unique(y):
        members = y == label
        within += c[members].sum() * naive(
            z[members], s[members], alpha, c[members] / c[members].sum()
        )
    return low - within[1], high - within[0], high - within[1], low - within[0]


# Agreement to 1e-9: the twin sums the same few hundred float64 terms in another order.


@pytest.mark.parametrize("labels", [None, Y])
@pytest.mark.parametrize("alpha", [0.5, 0.2, 0.9])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("per", ["unit", "sample"])
@pytest.mark.parametrize("block", [5, 256])
def test_agrees_with_double_loops(monkeypatch, per, alpha, weights, labels, block):
    monkeypatch.setattr(per_sample_noise, "HOST_BLOCK", block)
    noise = OF_UNIT if per == "unit" else OF_SAMPLE
    bounds = pairwise_information(
        Z, labels, noise_variance=noise, noise_per=per, alpha=alpha, weights=weights
    )
    twin = np.array(expected(Z, np.broadcast_to(noise, Z.shape), alpha, weights, labels))
    twin[:2] = twin[:2].clip(0, bounds.ceiling)
    np.testing.assert_allclose(bounds[:4], twin, rtol=0, atol=1e-9)


@pytest.mark.parametrize("exact", [False, True])
def test_products_and_differences_agree(monkeypatch, exact):
    monkeypatch.setattr(per_sample_noise, "harmless_product", lambda *_: not exact)
    bounds = pairwise_information(Z, Y, noise_variance=OF_SAMPLE, noise_per="sample")
    twin = expected(Z, OF_SAMPLE, 0.5, None, Y)
    np.testing.assert_allclose(bounds[2:4], twin[2:], rtol=0, atol=1e-9)


def test_products_are_left_where_they_would_cost_precision():
    """Near pairs beside far ones: the expanded squares lose them, and are known to."""
    near = 1e-9 * GENERATOR.normal(size=(6, 2))
    z = np.concatenate([near, near + 1])
    s = 1e-18 * np.exp(GENERATOR.normal(size=z.shape))
    assert not per_sample_noise.harmless_product(z, s, s)
    bounds = pairwise_information(z, noise_variance=s, noise_per="sample")
    # the samples themselves are rounded to 1e-16 beside 1: 1e-7 of a standard deviation of noise
    np.testing.assert_allclose(bounds[:2], expected(z, s, 0.5, None)[:2], rtol=0, atol=1e-5)
    expanded = per_sample_noise.squares_over_variances(z, s, z, s, np, exact=False)
    plain = per_sample_noise.squares_over_variances(z, s, z, s, np, exact=True)
    assert np.abs(expanded - plain).max() > 1
    assert per_sample_noise.harmless_product(z, s * 1e16, s * 1e16)


def test_variances_over_the_whole_range_of_floats():
    """Products of many variances are cut before they leave float64."""
    exponents = np.random.default_rng(3).uniform(-140, 140, size=(6, 5))
    s = 10.0**exponents
    z = np.random.default_rng(4).normal(size=(6, 5))
    bounds = pairwise_information(z, noise_variance=s, noise_per="sample", alpha=0.3)
    assert bounds.lower == pytest.approx(math.log(6), abs=1e-9)  # nothing alike is left
    alike = pairwise_information(
        z, noise_variance=np.tile(s[:1], (6, 1)), noise_per="sample", alpha=0.3
    )
    same = pairwise_information(z, noise_variance=s[0], noise_per="unit", alpha=0.3)
    np.testing.assert_allclose(alike[:2], same[:2], rtol=0, atol=1e-9)


@pytest.mark.parametrize("per", ["unit", "sample"])
@pytest.mark.parametrize("labels", [None, Y])
def test_equal_variances_are_the_isotropic_case(per, labels):
    shape = (3,) if per == "unit" else (14, 3)
    for alpha in (0.5, 0.3):
        noise = np.full(shape, 0.7)
        bounds = pairwise_information(Z, labels, noise_variance=noise, noise_per=per, alpha=alpha)
        plain = pairwise_information(Z, labels, noise_variance=0.7, alpha=alpha)
        np.testing.assert_allclose(bounds, plain, rtol=0, atol=1e-12)
        entropy = mixture_entropy(Z, noise_variance=noise, noise_per=per, alpha=alpha)
        np.testing.assert_allclose(
            entropy, mixture_entropy(Z, noise_variance=0.7, alpha=alpha), rtol=0, atol=1e-12
        )


def test_unit_noise_is_sample_noise_that_all_samples_share():
    unit = pairwise_information(Z, Y, noise_variance=OF_UNIT, noise_per="unit")
    sample = pairwise_information(
        Z, Y, noise_variance=np.tile(OF_UNIT, (14, 1)), noise_per="sample"
    )
    np.testing.assert_allclose(unit, sample, rtol=0, atol=1e-12)


def test_samples_of_weight_zero_are_left_out():
    z, s = np.concatenate([Z, [[1e6, 0, 0]]]), np.concatenate([OF_SAMPLE, OF_UNIT[None]])
    weights, y = np.r_[np.ones(14), 0.0], np.r_[Y, 7]
    for labels, fewer in ((None, None), (y, Y)):
        bounds = pairwise_information(
            z, labels, noise_variance=s, noise_per="sample", weights=weights
        )
        without = pairwise_information(Z, fewer, noise_variance=OF_SAMPLE, noise_per="sample")
        # a sample 1e6 away moves the centre by 7e4: rounding of 1e-11 in differences of 1
        np.testing.assert_allclose(bounds[:5], without[:5], rtol=0, atol=1e-9)
    entropy = mixture_entropy(z, noise_variance=s, noise_per="sample", weights=weights)
    without = mixture_entropy(Z, noise_variance=OF_SAMPLE, noise_per="sample")
    np.testing.assert_allclose(entropy, without, rtol=0, atol=1e-9)


def test_entropy_of_one_gaussian_is_exact():
    """Equal components: both bounds are the Gaussian's own entropy."""
    z, s = np.ones((4, 3)), np.tile(OF_UNIT, (4, 1))
    exact = 0.5 * np.sum(np.log(2 * np.pi * np.e * OF_UNIT))
    for noise, per in ((OF_UNIT, "unit"), (s, "sample")):
        entropy = mixture_entropy(z, noise_variance=noise, noise_per=per)
        np.testing.assert_allclose(entropy, exact, rtol=0, atol=1e-12)


def test_far_components_have_the_mean_entropy_and_ln_n():
    z = 1e6 * np.arange(4.0)[:, None] * np.ones(3)
    s = np.exp(np.random.default_rng(5).normal(size=(4, 3)))
    exact = 0.5 * np.log(2 * np.pi * np.e * s).sum(axis=1).mean() + math.log(4)
    entropy = mixture_entropy(z, noise_variance=s, noise_per="sample")
    np.testing.assert_allclose(entropy, exact, rtol=0, atol=1e-9)


def test_half_is_not_the_tightest_order_for_unlike_noise():
    """Spec: for unlike covariances the order matters beyond alpha (1 - alpha)."""
    s = np.array([[1.0], [1e4], [1e4], [1e4]])
    lower = {
        alpha: pairwise_information(
            np.zeros((4, 1)), noise_variance=s, noise_per="sample", alpha=alpha
        ).lower
        for alpha in (0.4, 0.5, 0.6)
    }
    assert lower[0.4] > lower[0.5] + 5e-3 > lower[0.6]


# Invariances


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), per=st.sampled_from(["unit", "sample"]))
def test_invariances(seed, per):
    generator = np.random.default_rng(seed)
    z, shape = generator.normal(size=(15, 4)), (4,) if per == "unit" else (15, 4)
    y, s = np.arange(15) % 3, np.exp(generator.normal(size=shape))
    alpha = float(generator.uniform(0.1, 0.9))

    def bounds(z, s, y=y):
        options = {"noise_variance": s, "noise_per": per, "alpha": alpha}
        return np.array(pairwise_information(z, y, **options)[:4])

    order, columns = generator.permutation(15), generator.permutation(4)
    scale = 10 ** generator.uniform(-3, 3, size=4)
    noise = (lambda rows: s) if per == "unit" else (lambda rows: s[rows])
    twice = np.tile(np.arange(15), 2)
    same = {
        "permutation of samples": bounds(z[order], noise(order), y[order]),
        "permutation of units": bounds(z[:, columns], s[..., columns]),
        "translation": bounds(z + 1000 * generator.normal(size=4), s),
        "scaling of each unit with its noise": bounds(z * scale, s * scale**2),
        "duplication": bounds(z[twice], noise(twice), y[twice]),
        "constant unit": bounds(
            np.c_[z, np.full(15, 1e6)], np.concatenate([s, np.ones((*shape[:-1], 1))], axis=-1)
        ),
    }
    for name, values in same.items():
        # translation by 1e3 costs the differences of z a relative 1e-13
        np.testing.assert_allclose(values, bounds(z, s), rtol=0, atol=1e-10, err_msg=name)


# Kinds of array, batches, sweeps


def test_batches_and_sweeps_equal_single_calls():
    z = np.stack([Z, 2 * Z])
    unit_noise_variance = np.exp(GENERATOR.normal(size=(2, 4, 3)))
    swept = pairwise_information(z, Y, noise_variance=unit_noise_variance, noise_per="unit")
    sample_noise_variance = np.exp(GENERATOR.normal(size=(2, 4, 14, 3)))
    sampled = pairwise_information(z, Y, noise_variance=sample_noise_variance, noise_per="sample")
    entropy = mixture_entropy(z, noise_variance=sample_noise_variance, noise_per="sample")
    assert swept.kl.shape == sampled.kl.shape == entropy.lower.shape == (2, 4)
    for b, k in np.ndindex(2, 4):
        options = {"noise_variance": unit_noise_variance[b, k], "noise_per": "unit"}
        alone = pairwise_information(z[b], Y, **options)
        np.testing.assert_allclose(swept.kl[b, k], alone.kl, rtol=0, atol=1e-12)
        options = {"noise_variance": sample_noise_variance[b, k], "noise_per": "sample"}
        alone = pairwise_information(z[b], Y, **options)
        np.testing.assert_allclose(sampled.chernoff[b, k], alone.chernoff, rtol=0, atol=1e-12)
        alone = mixture_entropy(z[b], **options)
        np.testing.assert_allclose(entropy.upper[b, k], alone.upper, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("per", "shape", "result"),
    [
        ("unit", (3,), (2,)),
        ("unit", (5, 3), (2, 5)),  # a sweep that the batch shares
        ("unit", (2, 5, 3), (2, 5)),
        ("sample", (14, 3), (2,)),
        ("sample", (2, 14, 3), (2,)),
        ("sample", (2, 5, 14, 3), (2, 5)),
    ],
)
def test_shapes(per, shape, result):
    noise = np.exp(np.random.default_rng(6).normal(size=shape))
    z = np.stack([Z, 2 * Z])
    assert pairwise_information(z, noise_variance=noise, noise_per=per).lower.shape == result
    tensor = pairwise_information(
        torch.tensor(z), noise_variance=torch.tensor(noise), noise_per=per
    )
    plain = pairwise_information(z, noise_variance=noise, noise_per=per)
    np.testing.assert_allclose(tensor.lower, plain.lower, rtol=0, atol=1e-12)
    assert tensor.saturated.shape == plain.saturated.shape == result


def test_a_sweep_of_one_profile_takes_one_pass_over_the_pairs(monkeypatch):
    calls = []

    class Counted(Mixture):
        def __init__(self, *arguments):
            calls.append(1)
            super().__init__(*arguments)

    monkeypatch.setattr(unit_noise, "Mixture", Counted)
    profile = it.relative_noise_variance(Z, [0.01, 0.3, 1.0], per="unit")
    swept = pairwise_information(Z, Y, noise_variance=profile, noise_per="unit")
    assert len(calls) == 1
    # a gradient has no factors, and other profiles none in common
    tensor = torch.tensor(profile, requires_grad=True)
    loop = pairwise_information(torch.tensor(Z), Y, noise_variance=tensor, noise_per="unit")
    assert len(calls) == 4
    np.testing.assert_allclose(loop.kl.detach(), swept.kl, rtol=0, atol=1e-12)
    pairwise_information(Z, noise_variance=[OF_UNIT, OF_UNIT[::-1]], noise_per="unit")
    assert len(calls) == 6


@pytest.fixture
def labelled():
    return xr.DataArray(
        np.stack([Z, 2 * Z]),
        dims=("epoch", "sample", "unit_hidden1"),
        coords={"epoch": [1, 10], "unit_hidden1": list("abc"), "sample": np.arange(14)},
    )


def test_labelled_noise_is_aligned_by_name(labelled):
    noise = np.exp(np.random.default_rng(7).normal(size=(2, 4, 14, 3)))
    array = xr.DataArray(
        noise,
        dims=("epoch", "gain", "sample", "unit_hidden1"),
        coords={"gain": [1, 2, 3, 4], "unit_hidden1": list("abc")},
    )
    plain = pairwise_information(labelled.values, Y, noise_variance=noise, noise_per="sample")
    bounds = pairwise_information(
        labelled, Y, noise_variance=array.transpose("unit_hidden1", ...), noise_per="sample"
    )
    assert bounds.lower.dims == ("epoch", "gain")
    np.testing.assert_array_equal(bounds.gain, [1, 2, 3, 4])
    np.testing.assert_allclose(bounds.kl, plain.kl, rtol=0, atol=1e-12)
    assert bounds.saturated.dims == ("epoch", "gain")
    shared = pairwise_information(labelled, noise_variance=array[0], noise_per="sample")
    plain = pairwise_information(labelled.values[1], noise_variance=noise[0], noise_per="sample")
    np.testing.assert_allclose(shared.kl[1], plain.kl, rtol=0, atol=1e-12)
    by_unit = pairwise_information(labelled, noise_variance=array[:, 0, 0], noise_per="unit")
    plain = pairwise_information(
        labelled.values[1], noise_variance=noise[1, 0, 0], noise_per="unit"
    )
    assert by_unit.kl.dims == ("epoch",)
    np.testing.assert_allclose(by_unit.kl[1], plain.kl, rtol=0, atol=1e-12)
    unnamed = pairwise_information(labelled, noise_variance=noise[:, :, 0], noise_per="unit")
    assert unnamed.kl.dims == ("epoch", "noise")


def test_labelled_noise_of_other_units_is_refused(labelled):
    noise = xr.DataArray(OF_UNIT, dims="unit_hidden1", coords={"unit_hidden1": list("abd")})
    with pytest.raises(ValueError, match="differs from the samples along 'unit_hidden1'"):
        pairwise_information(labelled, noise_variance=noise, noise_per="unit")
    with pytest.raises(ValueError, match="expected, with noise_per='layer', those of"):
        pairwise_information(labelled, noise_variance=noise)
    with pytest.raises(ValueError, match="'sample' and 'unit_hidden1'"):
        pairwise_information(labelled, noise_variance=noise, noise_per="sample")
    empty = xr.DataArray(np.ones((0, 2)), dims=("gain", "epoch"))
    with pytest.raises(ValueError, match="none empty"):
        pairwise_information(labelled, noise_variance=empty)
    with pytest.raises(TypeError, match="xarray Dataset; expected a DataArray"):
        pairwise_information(labelled, noise_variance=noise.to_dataset(name="noise"))


@pytest.mark.parametrize(
    ("per", "shape", "message"),
    [
        ("unit", (), r"shape \(\); expected \(3,\), a sweep \(K, 3\), or \(2, 'K', 3\)"),
        ("unit", (4,), r"shape \(4,\); expected \(3,\)"),
        ("unit", (3, 4), r"shape \(3, 4\); expected \(3,\)"),
        ("unit", (5, 4, 3), r"shape \(5, 4, 3\)"),
        ("unit", (0, 3), r"shape \(0, 3\)"),
        ("sample", (3,), r"shape \(3,\); expected \(14, 3\), \(2, 14, 3\), or with a sweep"),
        ("sample", (3, 14), r"shape \(3, 14\)"),
        ("sample", (5, 14, 3), r"shape \(5, 14, 3\); expected \(14, 3\), \(2, 14, 3\)"),
        ("layer", (14, 3), r"shape \(14, 3\); expected a number, a sweep"),
    ],
)
@pytest.mark.parametrize("estimator", [pairwise_information, mixture_entropy])
def test_shapes_that_fit_nothing(estimator, per, shape, message):
    with pytest.raises(ValueError, match=message):
        estimator(np.stack([Z, Z]), noise_variance=np.ones(shape), noise_per=per)


def test_bad_choice():
    with pytest.raises(ValueError, match="noise_per is 'units'; expected one of 'layer', 'unit'"):
        pairwise_information(Z, noise_variance=OF_UNIT, noise_per="units")


def test_memory_is_a_tile_not_a_matrix(monkeypatch):
    monkeypatch.setattr(per_sample_noise, "HOST_BLOCK", 100)
    z = np.random.default_rng(7).normal(size=(1500, 3))
    options = {"noise_variance": np.exp(z), "noise_per": "sample"}
    tracemalloc.start()
    pairwise_information(z, z[:, 0] > 0, **options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1500 * 1500 * 8 / 8


# Gradients


@pytest.mark.parametrize("labels", [None, [0, 1, 1, 0]])
@pytest.mark.parametrize(("per", "shape"), [("unit", (2, 2)), ("sample", (2, 4, 2))])
def test_gradients(monkeypatch, labels, per, shape):
    monkeypatch.setattr(per_sample_noise, "HOST_BLOCK", 3)
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(4, 2, dtype=torch.float64, generator=generator)
    noise = torch.rand(shape, dtype=torch.float64, generator=generator) + 0.3

    def differentiable(z, noise):
        bounds = pairwise_information(z, labels, noise_variance=noise, noise_per=per)
        return bounds.kl, bounds.chernoff

    assert torch.autograd.gradcheck(differentiable, (z.requires_grad_(), noise.requires_grad_()))


def test_a_gradient_keeps_no_array_of_pairs_and_units(monkeypatch):
    """What is kept until the backward pass grows as N, not as N * N * d."""
    monkeypatch.setattr(per_sample_noise, "HOST_BLOCK", 20)
    z = torch.tensor(np.random.default_rng(8).normal(size=(60, 10)), requires_grad=True)
    stored: dict[int, int] = {}

    def keep(tensor):
        stored[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        bounds = pairwise_information(z, noise_variance=torch.exp(z), noise_per="sample")
    bounds.kl.backward()
    assert z.grad.abs().max() > 0
    assert sum(stored.values()) < 60 * 60 * 10 * 8 / 4


def test_gradient_of_the_entropy_knows_the_noise():
    z, s = torch.tensor(Z), torch.tensor(OF_SAMPLE, requires_grad=True)
    mixture_entropy(1e3 * z, noise_variance=s, noise_per="sample").upper.backward()
    # components apart: the entropy is ln N and the mean of the components' own
    np.testing.assert_allclose(s.grad, 0.5 / OF_SAMPLE / len(Z), rtol=1e-9)


# Relative noise of each unit


def test_relative_variance_of_each_unit():
    z = np.stack([Z, 2 * Z])
    noise_variance = it.relative_noise_variance(z, [0.1, 1.0], per="unit")
    assert noise_variance.shape == (2, 2, 3)
    np.testing.assert_allclose(noise_variance[:, 1], z.var(axis=1), rtol=1e-12)
    np.testing.assert_allclose(noise_variance[:, 0], 0.1 * z.var(axis=1), rtol=1e-12)
    assert it.relative_noise_variance(Z, 0.1, per="unit").shape == (3,)
    assert it.relative_noise_variance(z, 0.1, per="unit").shape == (2, 1, 3)
    options = {"noise_per": "unit"}
    plain = pairwise_information(z, noise_variance=noise_variance, **options)
    # each unit's own scale is gone
    scaled = z * np.array([1e-3, 1.0, 50])
    noise = it.relative_noise_variance(scaled, [0.1, 1.0], per="unit")
    same = pairwise_information(scaled, noise_variance=noise, **options)
    np.testing.assert_allclose(plain.kl, same.kl, rtol=0, atol=1e-10)


def test_relative_variance_of_each_unit_labelled(labelled):
    noise = it.relative_noise_variance(labelled, [0.1, 1.0], per="unit")
    assert noise.dims == ("epoch", "relative_noise_variance", "unit_hidden1")
    bounds = pairwise_information(labelled, noise_variance=noise, noise_per="unit")
    assert bounds.lower.dims == ("epoch", "relative_noise_variance")
    np.testing.assert_array_equal(bounds.relative_noise_variance, [0.1, 1.0])
    np.testing.assert_allclose(bounds.kl[0], bounds.kl[1], rtol=0, atol=1e-10)
    scalar = it.relative_noise_variance(labelled, 0.1, per="unit")
    assert scalar.dims == ("epoch", "unit_hidden1")
    bounds = pairwise_information(labelled, noise_variance=scalar, noise_per="unit")
    assert bounds.lower.dims == ("epoch",)


def test_relative_variance_names_a_dead_unit():
    z = np.stack([Z, 2 * Z])
    z[1, :, 2] = 0.1
    with pytest.raises(ValueError, match=r"z is constant in unit 2 of batch element \(1,\)"):
        it.relative_noise_variance(z, 0.1, per="unit")
    with pytest.raises(ValueError, match="z is constant in unit 2: its variance is 0"):
        it.relative_noise_variance(z[1], 0.1, per="unit")
    with pytest.raises(ValueError, match="per is 'sample'; expected one of 'layer', 'unit'"):
        it.relative_noise_variance(z, 0.1, per="sample")
    it.relative_noise_variance(z, 0.1)
