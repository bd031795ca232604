"""Compiled sums over pairs of few units, against exact differences in float64."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist, squareform

from infotheo.estimators.pair_sums import compiled
from infotheo.estimators.pair_sums.compiled import compiled_row_sums, compiled_serves
from infotheo.estimators.pair_sums.factors import Factors
from infotheo.estimators.pair_sums.problem import PairProblem
from infotheo.estimators.pair_sums.row_sums import choose_backend, row_sums
from infotheo.estimators.pair_sums.tiles import tile_row_sums
from infotheo.estimators.pairwise.bounds import input_and_label_information, pairwise_information

pytestmark = pytest.mark.filterwarnings("ignore::infotheo.SaturationWarning")

# relative, of a sum: 2**-24 in each of d + 4 roundings of an exponent of about 10, and in each of
# up to 32 additions of alike terms; float64 likewise
PRECISION = {"float32": 5e-6, "float64": 2e-14}
INFORMATION = 1e-6  # nats: roundings of a sample's pairs differ in sign


@pytest.fixture
def always(monkeypatch):
    """The compiled loops for any number of pairs."""
    monkeypatch.setattr(compiled, "FEWEST_PAIRS", 0)


def exact_problem(x, kl, starts=None, ratio=1.0, weights=None):
    """Sums of exact differences; with the ratio 1 those of the factors ``kl`` alone."""
    return PairProblem(x, Factors(kl, ratio), weights, starts, str(x.dtype), exact=True)


def compiled_sums(x, factors, starts=None, **options):
    """Sums (factor, batch, sample), over all and within a class."""
    sums = compiled_row_sums(exact_problem(x, factors, starts), **options)
    return [None if part is None else part[1].swapaxes(0, 1) for part in sums]


def exact_sums(x, factors, starts=None):
    """Sums (factor, batch, sample) of every pair, and of pairs within a class."""
    x = np.asarray(x, dtype=np.float64)
    codes = np.zeros(x.shape[1])
    if starts is not None:
        codes = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, x.shape[1])))
    squared = np.stack([squareform(pdist(element, "sqeuclidean")) for element in x])
    terms = [np.exp(factors[:, f, None, None] * squared) for f in range(factors.shape[1])]
    return [np.stack([(t * mask).sum(-1) for t in terms]) for mask in (1, codes[:, None] == codes)]


def activations(batch, size, units, dtype="float32", seed=0):
    return np.tanh(np.random.default_rng(seed).normal(size=(batch, size, units))).astype(dtype)


@pytest.mark.gate
@pytest.mark.parametrize("dtype", PRECISION)
@pytest.mark.parametrize("units", range(1, 34))
def test_every_number_of_units(dtype, units):
    x = activations(1, 70, units, dtype)
    factors = np.array([[-0.125, -0.5]]) / (0.02 * units)
    total, _ = compiled_sums(x, factors)
    np.testing.assert_allclose(total, exact_sums(x, factors)[0], rtol=PRECISION[dtype])


@pytest.mark.parametrize("dtype", PRECISION)
@pytest.mark.parametrize("largest", [1.0, 9.0])  # to an exponent of -1, of -81
def test_one_exponential(dtype, largest):
    """Between two samples: what is not a sample's own 1, to a few units in the last place."""
    x = np.zeros((3000, 2, 1), dtype)
    x[:, 1, 0] = np.linspace(0, largest, 3000)
    total, _ = compiled_sums(x, np.array([[-1.0]]))
    exponents = x[:, 1, 0].astype("float64") ** 2
    terms = total[0, :, 0] - 1
    unit = np.finfo(dtype).eps / 2
    visible = exponents < (80 if dtype == "float32" else 20)  # the 1 hides smaller ones
    # difference, square, factor and product; polynomial, its last step and the power of two
    error = unit * (6 * exponents + 4) + (2**-52 * np.exp(exponents))
    assert (np.abs(terms / np.exp(-exponents) - 1) <= error)[visible].all()


SWEEPS = {
    "a pair": np.array([[-0.5, -2.0]]),
    "no pair": np.array([[-0.5, -2.5]]),
    "one": np.array([[-1.0]]),
    "a chain and more": np.array([[-0.1, -0.2, -0.7, -3.2, -11.2]]),
    "nothing left at a chain's end": np.array([[-20.0, -30.0, -320.0]]),
    "none of far pairs left": np.array([[-0.5, -1.0, -1e3, -2e3, -1e9]]),
    "each its own": np.array([[-0.5, -2.0], [-0.3, -1.2], [-7.0, -28.0]]),
}


@pytest.mark.parametrize("dtype", PRECISION)
@pytest.mark.parametrize("size", [2, 33, 512, 545])
@pytest.mark.parametrize("sweep", SWEEPS)
def test_tiles_groups_and_sweeps(dtype, size, sweep):
    """Sizes on both sides of a tile, groups that end inside of one, every kind of sweep."""
    x, factors = activations(3, size, 3, dtype), SWEEPS[sweep]
    for starts in (None, np.array([0, size // 2]), np.arange(0, size, 37), np.arange(size)):
        total, within = compiled_sums(x, factors, starts)
        expected = exact_sums(x, factors, starts)
        np.testing.assert_allclose(total, expected[0], rtol=PRECISION[dtype])
        if starts is None:
            assert within is None
        else:
            np.testing.assert_allclose(within, expected[1], rtol=PRECISION[dtype])


def test_thousands_of_alike_terms():
    """Their roundings are alike, too: sums of float32 must be short."""
    x = (np.arange(4096)[None, :, None] % 2).astype("float32")
    factors = -np.array([[0.3, 1.2]])  # a pair
    exact = 2048 * (1 + np.exp(factors[0]))
    for chosen in (slice(0, 2), slice(1, 2)):
        total, _ = compiled_sums(x, factors[:, chosen])
        total, expected = total[:, 0], exact[chosen, None]
        # exponents off by 2**-23, a row's sum in 16 steps of a lane, a column's in 32: half of each
        np.testing.assert_allclose(total, np.broadcast_to(expected, total.shape), rtol=1.5e-6)


@pytest.mark.parametrize("dtype", PRECISION)
@pytest.mark.parametrize("pairs", [10, 10**5, 10**9])  # rows of an element, elements, many of them
def test_same_bytes_for_any_number_of_threads(monkeypatch, dtype, pairs):
    monkeypatch.setattr(compiled, "TASK_PAIRS", pairs)
    x, starts = activations(5, 600, 7, dtype), np.array([0, 10, 400])
    factors = np.array([[-0.5, -2.0, -3.0]])
    alone = compiled_sums(x, factors, starts, workers=1)
    for workers in (2, 5):
        others = compiled_sums(x, factors, starts, workers=workers)
        assert all((a == b).all() for a, b in zip(alone, others, strict=True))
    for a, b in zip(alone, exact_sums(x, factors, starts), strict=True):
        np.testing.assert_allclose(a, b, rtol=PRECISION[dtype])


@pytest.mark.parametrize("ratio", [0.25, 0.21])
def test_sums_are_where_the_others_are(always, ratio):
    x, starts = activations(2, 50, 4), np.array([0, 20])
    kl = np.array([[-0.5, -3.0, -2.0], [-1.0, -0.1, -4.0]])
    problem = exact_problem(x, kl, starts, ratio)
    assert choose_backend(problem).name == "compiled"
    by_tiles = tile_row_sums(exact_problem(x.astype("float64"), kl, starts, ratio))
    for a, b in zip(row_sums(problem), by_tiles, strict=True):
        np.testing.assert_allclose(a, b, rtol=PRECISION["float32"])


def exact_information(z, variance, codes=None):
    """(lower, upper) of I(Z;X), and (chernoff, kl) of I(Z;Y)."""
    starts = None if codes is None else np.searchsorted(codes, np.unique(codes))
    factors = -1 / (np.array([[8.0, 2.0]]) * variance)
    total, within = exact_sums(np.asarray(z)[None], factors, starts)
    about_input = -np.log(total[:, 0] / len(z)).mean(axis=1)
    if codes is None:
        return about_input
    counts = np.bincount(codes)[codes]
    return about_input, about_input + np.log(within[:, 0] / counts).mean(axis=1)


def hazards():
    generator = np.random.default_rng(1)
    saturated = np.sign(generator.normal(size=(600, 10)))
    centres = 30 * generator.normal(size=(6, 10))
    clusters = np.repeat(centres, 100, axis=0) + 1e-3 * generator.normal(size=(600, 10))
    return {
        "tight clusters far apart": (clusters, [1e-7, 1e-6, 1e-4, 1.0, 1e4]),
        "far from the origin": (1e4 + generator.normal(size=(600, 5)), [1e-8, 1e-4, 0.1, 1e3]),
        "two values": (np.arange(600)[:, None] % 2, [1e-3, 0.1, 1.0, 1e3, 1e9]),
        "saturated": (saturated, [1e-2, 0.5, 3.0, 1e2]),
        "duplicates": (np.repeat(generator.normal(size=(300, 3)), 2, axis=0), [1e-12, 1e-2, 1e6]),
        "all equal": (np.full((600, 4), 0.1), [1e-8, 1.0, 1e8]),
        "a dead unit": (generator.normal(size=(600, 3)) * [1, 0, 1] + [0, 1e6, 0], [1e-3, 1.0]),
    }


@pytest.mark.parametrize("dtype", PRECISION)
@pytest.mark.parametrize("hazard", hazards())
def test_hazards_of_float32(always, dtype, hazard):
    z, variances = hazards()[hazard]
    z, codes = z.astype(dtype), np.arange(600) // 100
    for noise_variance in [*variances, variances]:
        assert compiled_serves(exact_problem(z[None], -0.5 / np.atleast_2d(noise_variance)))
        about_input, about_label = input_and_label_information(
            z, codes, noise_variance=noise_variance
        )
        exact = [exact_information(z, v, codes) for v in np.atleast_1d(noise_variance)]
        bounds = np.array([about_input.lower, about_input.upper]).reshape(2, -1)
        expected = np.transpose([input_bounds for input_bounds, _ in exact])
        np.testing.assert_allclose(bounds, expected, rtol=0, atol=INFORMATION)
        estimates = np.array([about_label.chernoff, about_label.kl]).reshape(2, -1)
        expected = np.transpose([label_estimates for _, label_estimates in exact])
        np.testing.assert_allclose(estimates, expected, rtol=0, atol=INFORMATION)


@pytest.mark.parametrize("scale", [1e-30, 1e-10, 1e10, 1e15])
@pytest.mark.parametrize("dtype", PRECISION)
def test_any_scale(always, dtype, scale):
    z = activations(1, 200, 6, dtype)[0] * np.asarray(scale, dtype)
    assert compiled_serves(exact_problem(z[None], np.array([[-0.5 / (0.1 * scale**2)]])))
    bounds = pairwise_information(z, noise_variance=0.1 * scale**2)
    expected = exact_information(z.astype("float64") / scale, 0.1)
    np.testing.assert_allclose(bounds[:2], expected, rtol=0, atol=INFORMATION)


@pytest.mark.parametrize("kind", ["float32", "float64", "float16", "bfloat16"])
def test_torch_gives_what_numpy_gives(always, kind):
    z = torch.tensor(activations(2, 100, 5)).to(getattr(torch, kind))
    codes = np.arange(100) % 3
    same = z.float().numpy() if kind == "bfloat16" else z.numpy()
    tensors = input_and_label_information(z, codes, noise_variance=0.1)
    arrays = input_and_label_information(same, codes, noise_variance=0.1)
    for a, b in zip(tensors, arrays, strict=True):
        for tensor, array in zip(a[:4], b[:4], strict=True):
            assert isinstance(tensor, torch.Tensor)
            np.testing.assert_allclose(tensor, array, rtol=1e-14)  # torch's own logarithm


def test_a_gradient_goes_the_other_way(always):
    z = torch.tensor(activations(1, 100, 5)[0], requires_grad=True)
    variance = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    for values, noise_variance in ((z, 0.1), (z.detach(), variance), (z, variance)):
        bounds = pairwise_information(values, noise_variance=noise_variance)
        bounds.kl.backward()
    assert z.grad.abs().max() > 0
    assert variance.grad != 0
    np.testing.assert_allclose(
        float(bounds.kl.detach()), exact_information(z.detach(), 0.1)[1], rtol=0, atol=1e-4
    )


def test_noise_of_each_unit(always):
    z, variances = activations(1, 200, 4)[0], np.array([0.1, 0.01, 1.0, 3.0])
    bounds = pairwise_information(z, noise_variance=variances, noise_per="unit")
    expected = exact_information(z.astype("float64") / np.sqrt(variances), 1.0)
    np.testing.assert_allclose(bounds[:2], expected, rtol=0, atol=INFORMATION)


def test_elements_do_not_depend_on_the_batch(always):
    z = activations(4, 150, 5)
    together = pairwise_information(z, noise_variance=[0.01, 0.3])
    for index in range(4):
        alone = pairwise_information(z[index], noise_variance=[0.01, 0.3])
        np.testing.assert_array_equal(together.upper[index], alone.upper)


def test_the_rule_of_choice():
    z, kl = np.zeros((7, 4096, 10), dtype="float32"), np.array([[-5.0]])
    assert compiled_serves(exact_problem(z, kl))
    assert compiled_serves(exact_problem(np.zeros((10, 4096, 32)), kl))
    assert not compiled_serves(replace(exact_problem(z, kl), exact=False))
    assert not compiled_serves(exact_problem(z[:5], kl))
    assert not compiled_serves(exact_problem(np.zeros((10, 4096, 33)), kl))
    assert not compiled_serves(exact_problem(z, kl, weights=np.ones(4096)))
    tensors = torch.tensor(z), torch.tensor(kl)
    assert compiled_serves(exact_problem(*tensors))
    assert not compiled_serves(exact_problem(tensors[0].requires_grad_(), tensors[1]))
    assert not compiled_serves(exact_problem(z + np.float32(1e30), kl))
    assert not compiled_serves(exact_problem(z, np.array([[-1e-12, -1e12]])))


def test_the_compiler_is_not_loaded_for_little_work():
    program = (
        "import sys, numpy, infotheo\n"
        "infotheo.pairwise_information(numpy.eye(100), noise_variance=1.0)\n"
        "assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
