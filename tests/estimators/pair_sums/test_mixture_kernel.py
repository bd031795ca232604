"""The sums over pairs behind the bounds: every backend against plain formulas."""

import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from infotheo.arrays.blas import one_blas_thread
from infotheo.estimators.pair_sums import precision, tiles
from infotheo.estimators.pair_sums.distances import centred
from infotheo.estimators.pair_sums.exponents import squaring_chains
from infotheo.estimators.pair_sums.factors import Factors, distinct_factors
from infotheo.estimators.pair_sums.problem import PairProblem
from infotheo.estimators.pair_sums.row_sums import choose_backend, row_sums
from infotheo.estimators.pair_sums.tiles import tile_row_sums
from infotheo.estimators.pairwise import mixture as mixture_module
from infotheo.estimators.pairwise.bounds import pairwise_information

pytestmark = pytest.mark.filterwarnings("ignore::infotheo.SaturationWarning")

STARTS = np.array([0, 3, 4, 20])
SINGLE = 1e-5  # relative: what exponentials and sums in float32 may cost
DOUBLE = 1e-12


def naive_sums(problem):
    """(total, within) from exact differences and one exponential for each pair and factor."""
    x, kl = np.asarray(problem.points, dtype=np.float64), np.asarray(problem.factors.kl)
    batch, size, _ = x.shape
    weights = np.ones(size) if problem.weights is None else np.asarray(problem.weights)
    starts = problem.class_starts
    codes = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, size)))
    squared = ((x[:, :, None] - x[:, None]) ** 2).sum(-1)[:, None]
    kl = np.broadcast_to(kl, (batch, kl.shape[1]))[..., None, None]
    ratios = (problem.factors.chernoff_ratio, 1.0)
    terms = np.stack([np.exp(ratio * kl * squared) * weights for ratio in ratios])
    return terms.sum(-1), (terms * (codes[:, None] == codes)).sum(-1)


def in_torch(problem):
    """The same problem of tensors."""
    points, kl, weights = (
        None if a is None else torch.tensor(a)
        for a in (problem.points, problem.factors.kl, problem.weights)
    )
    factors = Factors(kl, problem.factors.chernoff_ratio)
    return replace(problem, points=points, factors=factors, weights=weights)


def set_tiles(monkeypatch, rows, columns):
    for kind in ("HOST", "DEVICE"):
        monkeypatch.setattr(tiles, f"{kind}_ROWS", rows)
        monkeypatch.setattr(tiles, f"{kind}_COLUMNS", columns)
    monkeypatch.setattr(tiles, "THREADS_FROM", 0)


@pytest.fixture
def sample():
    generator = np.random.default_rng(0)
    weights = generator.uniform(size=31)
    return generator.normal(size=(3, 31, 4)), weights / weights.sum()


SWEEPS = {
    "shared": np.array([[-0.5, -2.0, -0.3]]),  # 2 is 4 times 0.5: exponentials in common
    "per element": -np.random.default_rng(1).uniform(0.1, 2, size=(3, 2)),
}


@pytest.mark.parametrize("tile", [(7, 16), (5, 11), (16, 16), (256, 512)])
@pytest.mark.parametrize("sweep", SWEEPS)
@pytest.mark.parametrize("ratio", [0.25, 0.21])
@pytest.mark.parametrize("weighted", [False, True])
def test_sums_agree_with_the_formula(monkeypatch, sample, tile, sweep, ratio, weighted):
    set_tiles(monkeypatch, *tile)
    x, weights = sample
    factors, weights = Factors(SWEEPS[sweep], ratio), weights if weighted else None
    expected = naive_sums(PairProblem(x, factors, weights, STARTS))
    for product, exponentials, exact in (
        ("float32", "float32", False),
        ("float64", "float32", False),
        ("float64", "float64", False),
        ("float64", "float64", True),
    ):
        problem = PairProblem(x.astype(product), factors, weights, STARTS, exponentials, exact)
        assert choose_backend(problem).name == "tiles"
        sums = row_sums(problem)
        tolerance = SINGLE if exponentials == "float32" else DOUBLE
        for a, b in zip(sums, expected, strict=True):
            assert a.shape == b.shape
            np.testing.assert_allclose(a, b, rtol=tolerance)
        assert choose_backend(in_torch(problem)).name == "differentiable"
        tensors = row_sums(in_torch(problem))
        # what an accelerator without a fused kernel runs, here on the host
        eager = tile_row_sums(in_torch(problem), workers=1)
        for a, b, c, d in zip(sums, tensors, eager, expected, strict=True):
            assert (a == b.numpy()).all()
            np.testing.assert_allclose(c, d, rtol=tolerance)


def test_sums_are_the_same_bits_for_any_number_of_threads(monkeypatch, sample):
    set_tiles(monkeypatch, 4, 8)
    x, weights = sample
    factors = Factors(SWEEPS["shared"], 0.25)
    problem = PairProblem(x.astype("float32"), factors, weights, STARTS, "float32")
    first, *others = (tile_row_sums(problem, workers) for workers in (1, 2, 7))
    for other in others:
        for a, b in zip(first, other, strict=True):
            assert (a == b).all()


def test_a_tile_without_near_pairs_is_left_out_and_nothing_else(monkeypatch):
    """Far clusters: between them exponentials are 0; a sweep mixes zero and other factors."""
    set_tiles(monkeypatch, 8, 8)
    generator = np.random.default_rng(2)
    x = 40 * np.repeat(np.eye(3), 10, axis=0)[None] + generator.normal(size=(1, 30, 3))
    factors = Factors(np.array([[-0.5, -1e-3, -0.02, -50.0]]), 0.25)
    problem = PairProblem(x, factors, None, STARTS, "float32")
    np.testing.assert_allclose(row_sums(problem), naive_sums(problem), rtol=SINGLE)


def test_factors_in_common_are_computed_once():
    kl = np.array([[-8.0, -2.0, -1.0, -0.5]])  # Chernoff -2 -.5 -.25 -.125
    factors, index = distinct_factors(kl, 0.25)
    assert factors.shape == (1, 6)
    np.testing.assert_array_equal(factors[0][index], [[-2, -0.5, -0.25, -0.125], kl[0]])
    assert [chain.first for chain in squaring_chains(factors)] == [0, 5]  # 4 doublings, a new chain
    batch = np.array([[-1.0, -4.0], [-1.0, -5.0]])  # in common for one element only
    factors, index = distinct_factors(batch, 0.25)
    np.testing.assert_array_equal(factors[:, index[1]], batch)
    assert len(squaring_chains(factors)) == 2


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_long_sweeps_by_powers_of_two_keep_their_precision(dtype):
    """All distances are alike: roundings of their exponentials do not average out."""
    z = (np.arange(100) % 2)[:, None].astype(dtype)
    variances = 2.0 ** np.arange(-4, 24)
    information = pairwise_information(z, noise_variance=variances)
    for bound, scale in ((information.lower, 8), (information.upper, 2)):
        exact = -np.log((1 + np.exp(-1 / (scale * variances))) / 2)
        np.testing.assert_allclose(bound, exact, rtol=0, atol=1e-6)


@pytest.mark.parametrize("smallest", [1e-3, 1e-30, 1e-300])
def test_weights_far_apart_keep_every_sum_positive(smallest):
    z = np.random.default_rng(3).normal(size=(40, 2)).astype("float32")
    weights = np.ones(40)
    weights[::3] = smallest
    weighted = pairwise_information(z, np.arange(40) % 4, noise_variance=0.1, weights=weights)
    heavy = pairwise_information(
        z[weights == 1], (np.arange(40) % 4)[weights == 1], noise_variance=0.1
    )
    # what has weight 1e-3 and below moves the bounds by about 13 times that
    np.testing.assert_allclose(weighted[:4], heavy[:4], atol=max(20 * smallest, 1e-5))


def test_one_blas_thread_gives_the_setting_back():
    def threads():
        # NumPy's own: libraries that others load later are none of its products' business
        libraries = [lib for lib in threadpool_info() if lib["user_api"] == "blas"]
        numpys = [lib for lib in libraries if "numpy" in lib["filepath"]] or libraries
        return [lib["num_threads"] for lib in numpys]

    before = threads()
    with one_blas_thread():
        assert set(threads()) == {1}
        with one_blas_thread():
            pass
        assert set(threads()) == {1}
    assert threads() == before


def test_calls_from_several_threads_leave_the_setting_and_agree():
    z = np.random.default_rng(8).normal(size=(700, 5)).astype("float32")
    before = threadpool_info()
    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(lambda _: lower_and_upper(z), range(12))
    assert threadpool_info() == before
    assert all((other == first).all() for other in others)


def lower_and_upper(z):
    return np.array(pairwise_information(z, noise_variance=0.5)[:2])


# Precision


def exact_information(z, variance):
    """(lower, upper) from exact float64 differences."""
    z = np.asarray(z, dtype=np.float64)
    squared = np.stack([((z - row) ** 2).sum(axis=1) for row in z]) / variance
    return [-np.log(np.exp(-squared / scale).mean(axis=1)).mean() for scale in (8, 2)]


@pytest.fixture
def products(monkeypatch):
    """What row_sums is asked for: [(dtype, exact, elements of the batch, samples)]."""
    asked = []

    def recorded(problem):
        x = problem.points
        asked.append((str(x.dtype), problem.exact, *x.shape[:2]))
        return row_sums(problem)

    monkeypatch.setattr(mixture_module, "row_sums", recorded)
    return asked


def relu_sample(size, units=100, seed=4):
    z = np.random.default_rng(seed).normal(size=(size, units))
    return np.maximum(z, 0).astype(np.float32)


@pytest.mark.parametrize("variance", [0.01, 0.1, 10.0, 100.0])
def test_float32_products_serve_ordinary_activations(products, variance):
    """Alone by the norms only the last one would: for the others the sums say that it is enough."""
    z = relu_sample(2048)
    bounds = pairwise_information(z, noise_variance=variance)
    assert products[-1] == ("float32", False, 1, 2048)
    np.testing.assert_allclose(bounds[:2], exact_information(z, variance), rtol=0, atol=1e-4)


def test_products_follow_the_data(products):
    z = relu_sample(300)
    pairwise_information(z, noise_variance=1e4)
    pairwise_information(z, noise_variance=1e-2)
    pairwise_information(z.astype(np.float64), noise_variance=1e4)
    pairwise_information([[0.0, 0.0], [1e-9, 0.0], [1.0, 1.0]], noise_variance=1e-18)
    assert [asked[:2] for asked in products] == [
        ("float32", False),
        ("float64", False),
        ("float64", False),
        ("float64", True),
    ]


def hazardous_clusters():
    """Ten tight clusters far apart: in float32 Gram products the near pairs drown."""
    generator = np.random.default_rng(6)
    centres = np.maximum(generator.normal(size=(10, 64)) + 3, 0)
    z = np.repeat(centres, 30, axis=0) + 1e-3 * generator.normal(size=(300, 64))
    return z.astype(np.float32)


def test_a_wrong_guess_is_caught_by_the_sums(monkeypatch, products):
    monkeypatch.setattr(
        mixture_module._Components,
        "promising",
        lambda self, problem, product: np.ones(len(problem.points), dtype=bool),
    )
    z = hazardous_clusters()
    bounds = pairwise_information(z, noise_variance=1e-5)
    assert [asked[0] for asked in products] == ["float32", "float64"]
    np.testing.assert_allclose(bounds[:2], exact_information(z, 1e-5), rtol=0, atol=1e-4)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    units=st.integers(1, 80),
    offset=st.sampled_from([0.0, 3.0, 30.0]),
    spread=st.sampled_from([1.0, 1e-2]),
    logarithm=st.floats(-6, 4),
)
def test_the_certificate_holds(seed, units, offset, spread, logarithm):
    """The error of a float32 product, whether tolerated or not, is below its bound."""
    generator = np.random.default_rng(seed)
    centres = offset * generator.normal(size=(5, units))
    z = centres[np.arange(60) % 5] + spread * generator.normal(size=(60, units))
    x = centred(z[None], np)
    factors, weights = Factors(np.array([[-0.5 * 10**-logarithm]]), 0.25), np.full(60, 1 / 60)
    errors = precision.distance_errors((x * x).sum(-1), units, 2.0**-24, np)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        total, _ = row_sums(PairProblem(x.astype(np.float32), factors, precision="float32"))
    truth, _ = row_sums(PairProblem(x, factors, exact=True))
    bound = precision.information_error(errors, 1 - 1 / total, weights, factors, np)[0]
    rounded, exact = (-np.log(part).mean(axis=-1) for part in (total, truth))
    if not np.isfinite(rounded).all():  # exponents off by so much overflow: they are never used
        assert bound > precision.LARGE > precision.PRODUCTS[0].tolerance
    else:
        assert np.abs(rounded - exact).max() <= bound + SINGLE


def test_elements_of_a_batch_do_not_depend_on_each_other(products):
    easy = relu_sample(300, 64) / 100
    batch = np.stack([easy, hazardous_clusters(), easy[::-1]])
    together = pairwise_information(batch, noise_variance=[0.01, 0.1])
    assert {asked[0] for asked in products} == {"float32", "float64"}
    for index in range(3):
        alone = pairwise_information(batch[index], noise_variance=[0.01, 0.1])
        for a, b in zip(together[:4], alone[:4], strict=True):
            np.testing.assert_array_equal(a[index], b)


@pytest.mark.parametrize("scale", [1e-30, 1e-10, 1e10, 1e15])
def test_scales_near_the_ends_of_float32(scale):
    z = relu_sample(50, 8)
    expected = pairwise_information(z.astype(np.float64), noise_variance=0.3)
    scaled = pairwise_information((z * scale).astype("float32"), noise_variance=0.3 * scale**2)
    # the scaled input is rounded to float32 again: a relative 1e-7 of exponents up to about 100
    np.testing.assert_allclose(scaled[:2], expected[:2], rtol=0, atol=3e-5)
    lonely = pairwise_information(z, noise_variance=1e-40)
    assert lonely.lower == pytest.approx(np.log(50), abs=1e-12)


# Classes, blocks, memory


@pytest.mark.parametrize("tile", [(4, 8), (7, 5), (256, 512)])
@pytest.mark.parametrize("classes", [1, 2, 10, 40])
def test_classes_in_any_tiles(monkeypatch, tile, classes):
    generator = np.random.default_rng(7)
    z, y = generator.normal(size=(40, 3)), generator.integers(classes, size=40)
    class_bounds = [
        pairwise_information(z[y == k], noise_variance=0.3)[:2] for k in set(y) if sum(y == k) > 1
    ]
    shares = [np.mean(y == k) for k in set(y) if sum(y == k) > 1]
    about_input = pairwise_information(z, noise_variance=0.3)
    set_tiles(monkeypatch, *tile)
    about_label = pairwise_information(z, y, noise_variance=0.3)
    within = np.transpose(class_bounds) @ shares
    np.testing.assert_allclose(about_label.kl, about_input.upper - within[1], atol=1e-12)
    np.testing.assert_allclose(about_label.chernoff, about_input.lower - within[0], atol=1e-12)


@pytest.mark.parametrize("gradient", [False, True])
def test_memory_is_a_tile_not_a_matrix(gradient):
    z = torch.randn(3000, 3, generator=torch.Generator().manual_seed(0), requires_grad=gradient)
    for size in (10, 3000):  # the first call loads what is loaded once
        tracemalloc.start()
        bounds = pairwise_information(z[:size], noise_variance=1.0)
        if gradient:
            bounds.kl.backward()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    # two threads with three tiles of float64 at most, and some arrays of the sample's size
    assert peak < 3000 * 3000 * 8 / 4


# Gradients


@pytest.mark.parametrize("tile", [(4, 5), (256, 512)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("starts", [None, np.array([0, 2, 3])])
@pytest.mark.parametrize("ratio", [0.25, 0.21])
def test_gradients_of_the_sums(monkeypatch, tile, weighted, starts, ratio):
    set_tiles(monkeypatch, *tile)
    generator = torch.Generator().manual_seed(0)
    options = {"generator": generator, "dtype": torch.float64}
    weights = torch.rand(9, **options) if weighted else None
    x = torch.randn(2, 9, 3, **options).requires_grad_()
    for elements, exact in ((1, False), (2, False), (2, True)):
        kl = (-torch.rand(elements, 2, **options)).requires_grad_()

        shape = (2, 2, 2, 2, 9)  # kind, divergence, batch, sweep, sample
        pull = torch.randn(shape, **options)

        def loss(x, kl, exact=exact, pull=pull):
            problem = PairProblem(x, Factors(kl, ratio), weights, starts, exact=exact)
            pairs = zip(row_sums(problem), pull, strict=True)
            return sum((part * g).sum() for part, g in pairs if part is not None)

        assert torch.autograd.gradcheck(loss, (x, kl), fast_mode=True)


@pytest.mark.parametrize("variance", [0.1, 3.0, 100.0])
def test_float32_gradients_agree_with_the_plain_formula(variance):
    z = torch.tensor(relu_sample(200, 30), requires_grad=True)
    bounds = pairwise_information(z, noise_variance=variance)
    (bounds.kl + bounds.chernoff).backward()
    plain = z.detach().double().requires_grad_()
    squared = torch.sum((plain[:, None] - plain) ** 2, dim=-1) / variance
    sum(-torch.log(torch.exp(-squared / s).mean(1)).mean() for s in (8, 2)).backward()
    assert z.grad.dtype == torch.float32
    # relative to the largest: float32 exponentials and products of samples 100 deviations apart
    largest = plain.grad.abs().max()
    np.testing.assert_allclose(z.grad, plain.grad, rtol=0, atol=float(1e-4 * largest))


def test_a_second_derivative_is_refused():
    z = torch.randn(5, 2, requires_grad=True)
    first = torch.autograd.grad(
        pairwise_information(z, noise_variance=1.0).kl, z, create_graph=True
    )
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first[0].sum().backward()
