"""Tests of the fused kernels that run where Triton interprets them: test_fused.py starts them.

Not collected by itself: TRITON_INTERPRET must be set before Triton is imported, and would decide
for every other test of the process.
"""

import math

import numpy as np
import pytest
import torch

from infotheo import pairwise_information
from infotheo.estimators.pair_sums.factors import Factors
from infotheo.estimators.pair_sums.fused import row_sums as fused
from infotheo.estimators.pair_sums.fused import tiling as cuts
from infotheo.estimators.pair_sums.fused.row_sums import fused_row_sums
from infotheo.estimators.pair_sums.fused.tiling import Tiling
from infotheo.estimators.pair_sums.problem import PairProblem

SMALL = Tiling(32, 16, 4, 2)  # several tiles and steps of a small sample
SMALLEST = Tiling(16, 16, 4, 2)  # of what a product takes
ROUNDING = 2.0**-24


def sample(batch, size, units, seed=0, spread=1.0):
    """Centred float32 samples with duplicates."""
    values = np.random.default_rng(seed).normal(size=(batch, size, units)) * spread
    values[:, size // 2] = values[:, 0]
    values -= values.mean(axis=1, keepdims=True)
    return torch.tensor(values, dtype=torch.float32)


def squared_distances(x):
    x = x.double()
    return ((x[:, :, None] - x[:, None]) ** 2).sum(-1)


def posed(x, kl, ratio=0.25, weights=None, starts=None):
    """The problem as the kernel takes it."""
    return PairProblem(x, Factors(kl, ratio), weights, starts, "float32")


def naive_sums(problem):
    """Reference twin in float64 with exact differences."""
    x, size, starts = problem.points, problem.size, problem.class_starts
    ones = torch.ones(size, dtype=torch.float64)
    weights = ones if problem.weights is None else problem.weights.double()
    codes = np.searchsorted([] if starts is None else starts, np.arange(size), side="right")
    same = torch.tensor(codes[:, None] == codes[None])
    exponents = problem.factors.kl.double()[:, :, None, None] * squared_distances(x)[:, None]
    ratios = (problem.factors.chernoff_ratio, 1)
    terms = torch.stack([torch.exp(ratio * exponents) * weights for ratio in ratios])
    return terms.sum(-1), None if starts is None else (terms * same).sum(-1)


def kl_factors(*noise_variances):
    return -0.5 / torch.tensor([noise_variances], dtype=torch.float64)


def stated_error(problem):
    """The docstring's bound of a sum's relative error: exponentials, and the distances'."""
    x, weights = problem.points.detach(), problem.weights
    share = 1 / x.shape[1] if weights is None else float(weights[weights > 0].min() / weights.sum())
    exponentials = ROUNDING * (100 + 3 * math.log(1 / share))
    if x.dtype == torch.float64:
        return exponentials
    steepest = float(problem.factors.kl.detach().abs().max())
    largest = float((x.double() ** 2).sum(-1).max()) * steepest
    return exponentials + (2 * x.shape[2] + 20) * ROUNDING * largest


def assert_agrees(problem, **options):
    expected = naive_sums(problem)
    for a, b in zip(fused_row_sums(problem, **options), expected, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert a.dtype == torch.float64
            np.testing.assert_allclose(a, b, rtol=stated_error(problem), atol=0)


@pytest.mark.parametrize(("size", "units"), [(2, 3), (32, 1), (35, 70)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("alpha", [0.5, 0.3])
def test_sums_agree_with_the_twin(size, units, dtype, alpha):
    kl = kl_factors(0.5 * units, 5 * units, 500 * units)
    problem = posed(sample(2, size, units).to(dtype), kl, alpha * (1 - alpha))
    total, within = fused_row_sums(problem, tiling=SMALL)
    assert total.shape == (2, 2, 3, size)
    assert within is None
    assert_agrees(problem, tiling=SMALL)


@pytest.mark.parametrize("starts", [[0, 5, 6, 30], [0], list(range(37)), [0, 32]])
@pytest.mark.parametrize(("weighted", "ratio"), [(False, 0.25), (True, 0.21)])
def test_classes_and_weights(starts, weighted, ratio):
    weights = torch.linspace(0, 2, 37) if weighted else None  # one weight is 0
    problem = posed(sample(2, 37, 3), kl_factors(1.0, 20.0), ratio, weights, starts)
    # the sample of weight 0 may be alone in its class: its sum is 0 on both sides
    assert_agrees(problem, tiling=SMALL)


def test_a_class_is_a_call_of_its_own():
    x, kl = sample(1, 40, 3), kl_factors(1.0)
    _, within = fused_row_sums(posed(x, kl, starts=torch.tensor([0, 13])), tiling=SMALL)
    alone, _ = fused_row_sums(posed(x[:, 13:].clone(), kl), tiling=SMALL)
    np.testing.assert_allclose(within[..., 13:], alone, rtol=stated_error(posed(x, kl)))


def test_each_member_of_a_batch_is_a_call_of_its_own():
    x = sample(3, 21, 4)
    kl = -0.5 / torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], dtype=torch.float64)
    together, _ = fused_row_sums(posed(x, kl), tiling=SMALL)
    for b in range(3):
        alone, _ = fused_row_sums(posed(x[b : b + 1].clone(), kl[b : b + 1]), tiling=SMALL)
        assert torch.equal(together[:, b], alone[:, 0])  # the same operations in the same order


@pytest.mark.parametrize("tiling", [None, Tiling(64, 32, 4, 3)])
def test_the_default_cut_and_another(tiling):
    for dtype in (torch.float32, torch.float64):
        assert_agrees(posed(sample(1, 150, 40).to(dtype), kl_factors(30.0)), tiling=tiling)


@pytest.mark.parametrize("rows", [1, 2])
def test_bands_do_not_change_the_sums(monkeypatch, rows):
    weights = torch.linspace(1, 2, 35)
    problem = posed(sample(2, 35, 4), kl_factors(1.0), weights=weights, starts=[0, 9, 33])
    at_once = fused_row_sums(problem, tiling=SMALLEST)
    # a row of 3 tiles of 16 samples, 2 divergences, 2 kinds: and room for more rows of fewer tiles
    monkeypatch.setattr(cuts, "SLOT_BYTES", 2 * 3 * 16 * 4 * 4 * rows)
    in_bands = fused_row_sums(problem, tiling=SMALLEST)
    for a, b in zip(at_once, in_bands, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14)  # float64 additions in another order


def test_same_input_same_bytes():
    x, kl = sample(1, 37, 5), kl_factors(1.0)
    first = fused_row_sums(posed(x, kl, starts=[0, 20]), tiling=SMALL)
    again = fused_row_sums(posed(x.clone(), kl.clone(), starts=[0, 20]), tiling=SMALL)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])


def test_self_and_duplicate_terms():
    """With hardly any noise only equal samples meet: sums count them, exactly for oneself."""
    x = sample(1, 37, 6)
    for dtype in (torch.float32, torch.float64):
        total, _ = fused_row_sums(posed(x.to(dtype), kl_factors(1e-30)), tiling=SMALL)
        expected = torch.ones(37, dtype=torch.float64)
        alone = [i for i in range(37) if i not in (0, 18)]
        assert torch.equal(total[0, 0, 0][alone], expected[alone])
    # a float32 product tells duplicates apart only within its error; noise above that counts them
    problem = posed(x, kl_factors(1e-3))
    total, _ = fused_row_sums(problem, tiling=SMALL)
    np.testing.assert_allclose(total[0, 0, 0][[0, 18]], 2, rtol=stated_error(problem))


@pytest.mark.parametrize("scale", [2.0**-60, 2.0**62])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_any_scale(scale, dtype):
    x, kl = sample(1, 20, 3), kl_factors(1.0, 50.0)
    expected, _ = fused_row_sums(posed(x.to(dtype), kl, 0.21), tiling=SMALL)
    scaled, _ = fused_row_sums(posed(x.to(dtype) * scale, kl / scale**2, 0.21), tiling=SMALL)
    np.testing.assert_allclose(scaled, expected, rtol=2 * stated_error(posed(x, kl)))


def test_extreme_factors_are_no_nan():
    x = sample(1, 20, 3)
    with np.errstate(over="ignore"):  # minus infinity is the exponent meant
        total, _ = fused_row_sums(posed(x, kl_factors(1e-300, 1e300)), tiling=SMALL)
    assert total[:, 0, 0, 1].tolist() == [1, 1]
    np.testing.assert_allclose(total[:, 0, 1], 20, rtol=1e-6)
    equal, _ = fused_row_sums(posed(torch.zeros(1, 20, 3), kl_factors(1e-300)), tiling=SMALL)
    assert (equal == 20).all()


def test_a_weight_below_float32_keeps_its_sum_positive():
    weights = torch.ones(20, dtype=torch.float64)
    weights[3], weights[4] = 1e-60, 0.0
    problem = posed(sample(1, 20, 3), kl_factors(1e-30), weights=weights)
    total, _ = fused_row_sums(problem, tiling=SMALL)
    assert total[0, 0, 0, 3] > 0
    assert total[0, 0, 0, 4] == 0


def test_places_beyond_32_bits(tmp_path):
    """Values 2**31 places from the first are found: the file has holes, only its end is read."""
    from infotheo.estimators.pair_sums.fused.kernels import pair_sums

    size, units = 2**15 + 5, 2**16
    values = np.memmap(tmp_path / "x", dtype=np.float32, mode="w+", shape=(size, units))
    last = np.random.default_rng(0).normal(size=(5, units)).astype(np.float32)
    values[-5:] = last
    x = torch.from_numpy(values)[None]
    norms = torch.zeros(1, size)
    norms[0, -5:] = (x[0, -5:] ** 2).sum(-1)
    coefficients = torch.tensor([[[-0.25, -1.0]]]) / (2 * units)
    across, down = torch.zeros(1, 1, 2, 1, 1, 16), torch.zeros(1, 1, 2, 1, 1, 16)
    arguments = [x, norms, coefficients, norms, norms, across, down, size, units, 1, 0]
    pair_sums[(1,)](
        *arguments, 2**11, 1, 1, TILE=16, DEPTH=4096, PRECISION="ieee", HALF=True, WEIGHTED=False,
        WITHIN=False,
    )  # fmt: skip
    exponents = torch.tensor(last).double()
    exponents = -((exponents[:, None] - exponents[None]) ** 2).sum(-1) / (2 * units)
    expected = torch.stack([torch.exp2(q * exponents).sum(-1) for q in (0.25, 1)])
    # exponents near -1 of norms near 1/2: twice 65,536 roundings at the very worst
    np.testing.assert_allclose(across[0, 0, :, 0, 0, :5], expected, rtol=2 * units * ROUNDING)
    assert (across[0, 0, :, 0, 0, 5:] == 0).all()  # beyond the sample there is no pair


# Gradients


def losses(total, within):
    """Losses like the bounds: weighted logarithms of both kinds of sums."""
    factors = torch.linspace(0.5, 1.5, total.numel(), dtype=torch.float64).reshape(total.shape)
    return (total.log() * factors).sum() - (0 if within is None else (within.log() / factors).sum())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("ratio", "weighted", "starts", "shared"),
    [(0.25, False, None, True), (0.21, True, [0, 5, 30], False), (0.25, True, [0, 5, 30], True)],
)
def test_gradients_agree_with_a_recorded_graph(dtype, ratio, weighted, starts, shared):
    x = sample(2, 37, 5).to(dtype).requires_grad_()
    kl = -0.5 / torch.tensor([[4.0, 40.0], [6.0, 50.0]], dtype=torch.float64)
    kl = (kl[:1] if shared else kl).requires_grad_()
    weights = torch.linspace(0.5, 2, 37) if weighted else None
    problem = posed(x, kl, ratio, weights, starts)
    gradients = torch.autograd.grad(losses(*fused_row_sums(problem, tiling=SMALL)), (x, kl))
    exact = x.detach().double().requires_grad_()
    expected = torch.autograd.grad(
        losses(*naive_sums(posed(exact, kl, ratio, weights, starts))), (exact, kl)
    )
    assert gradients[0].dtype == dtype
    for a, b in zip(gradients, expected, strict=True):
        # errors of sums, once in a slope and once in what it is divided by, and of 37 terms
        tolerance = (2 * stated_error(problem) + 37 * ROUNDING) * float(b.abs().max())
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)


def test_bands_do_not_change_gradients(monkeypatch):
    x, kl = sample(2, 20, 4).requires_grad_(), kl_factors(2.0).requires_grad_()

    def gradients():
        return torch.autograd.grad(losses(*fused_row_sums(posed(x, kl), tiling=SMALLEST)), (x, kl))

    at_once = gradients()
    monkeypatch.setattr(cuts, "SLOT_BYTES", 12 * 2 * 16**2)
    for a, b in zip(at_once, gradients(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6 * float(a.abs().max()))


def test_gradients_in_the_scale_of_the_samples():
    """Where samples are scaled to fit float32, the chain rule undoes it."""
    x, kl = sample(1, 20, 3), kl_factors(5.0)
    gradients = []
    for scale in (1.0, 2.0**62):
        points, factors = (x * scale).requires_grad_(), (kl / scale**2).requires_grad_()
        loss = losses(*fused_row_sums(posed(points, factors, 0.21), tiling=SMALL))
        point_gradient, factor_gradient = torch.autograd.grad(loss, (points, factors))
        gradients.append((point_gradient * scale, factor_gradient / scale**2))
    for a, b in zip(*gradients, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6 * float(a.abs().max()))


# From the public function on: a tensor that calls itself one of an accelerator


class Elsewhere(torch.Tensor):
    """Host memory that says it is an accelerator's, and so do results of it."""

    is_cuda = property(lambda self: True)


@pytest.fixture
def calls(monkeypatch):
    """Count the kernel's calls by the dtype of the samples."""
    dtypes = []

    def counted(problem):
        dtypes.append(problem.points.dtype)
        return fused_row_sums(problem, tiling=SMALL)

    monkeypatch.setattr(fused, "fused_row_sums", counted)
    monkeypatch.setattr(fused, "_triton_serves", lambda device: True)
    return dtypes


def activations(spread=1.0):
    values = np.random.default_rng(3).normal(size=(2, 45, 6)) * spread
    return torch.tensor(np.maximum(values + 1, 0), dtype=torch.float32), np.arange(45) % 4


@pytest.mark.parametrize("alpha", [0.5, 0.2])
@pytest.mark.parametrize("weights", [None, np.linspace(0, 1, 45)])
@pytest.mark.filterwarnings("ignore::infotheo.SaturationWarning")
def test_bounds_through_the_kernel(calls, alpha, weights):
    z, y = activations()
    options = {"noise_variance": [0.01, 10.0], "alpha": alpha, "weights": weights}
    for labels in (None, y):
        expected = pairwise_information(z.double(), labels, **options)
        count = len(calls)
        information = pairwise_information(z.as_subclass(Elsewhere), labels, **options)
        assert len(calls) > count
        for name in ("lower", "upper", "kl", "chernoff"):
            np.testing.assert_allclose(
                getattr(information, name).numpy(), getattr(expected, name), rtol=0, atol=1e-4
            )


@pytest.mark.filterwarnings("ignore::infotheo.SaturationWarning")
def test_samples_beyond_float32_products_go_through_float64_ones(calls):
    """Tight clusters far apart: a float32 product cannot see within them."""
    generator = np.random.default_rng(6)
    centres = 30 * generator.normal(size=(5, 64))
    z = np.repeat(centres, 12, axis=0) + 1e-2 * generator.normal(size=(60, 64))
    z = torch.tensor(z, dtype=torch.float32)
    expected = pairwise_information(z.double(), noise_variance=1e-3)
    bounds = pairwise_information(z.as_subclass(Elsewhere), noise_variance=1e-3)
    assert calls[-1] == torch.float64
    assert float(expected.lower) > math.log(5) + 0.1
    for name in ("lower", "upper"):
        assert float(getattr(bounds, name)) == pytest.approx(
            float(getattr(expected, name)), abs=1e-4
        )


def test_a_bound_as_a_penalty_through_the_kernel(calls):
    z, y = activations()
    gradients = []
    for kind in (torch.Tensor, Elsewhere):
        leaf = (z if kind is Elsewhere else z.double()).clone().as_subclass(kind).requires_grad_()
        information = pairwise_information(leaf, y, noise_variance=[1.0, 10.0])
        (gradient,) = torch.autograd.grad(information.kl.sum(), leaf)
        gradients.append(gradient.as_subclass(torch.Tensor))
    assert calls
    np.testing.assert_allclose(
        gradients[1], gradients[0], rtol=0, atol=1e-4 * float(gradients[0].abs().max())
    )


def test_float64_samples_stay_with_float64_exponentials(calls):
    z, _ = activations()
    pairwise_information(z.double().as_subclass(Elsewhere), noise_variance=1.0)
    assert not calls
