"""Information in the weights: paper 3's claim 1, proposition 5, and the curvature they need."""

import math

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import infotheo as it

ALPHA = np.random.default_rng(0).uniform(0.01, 2, size=(3, 4, 5))


def naive_information(alpha):
    total = 0.0
    for value in np.asarray(alpha).ravel():
        total -= 0.5 * math.log(value)
    return total


def test_is_minus_half_the_sum_of_logarithms():
    expected = naive_information(ALPHA)
    assert it.weight_information(ALPHA).value == pytest.approx(expected, rel=1e-13)
    bits = it.weight_information(ALPHA, units="bits").value
    assert bits == pytest.approx(expected / math.log(2), rel=1e-13)
    assert it.weight_information(4.0).value == pytest.approx(-math.log(2))  # negative: constant 0


def test_shared_alpha_holds_as_much_information():
    result = it.weight_information(ALPHA)
    same = it.weight_information(np.full(ALPHA.shape, result.shared_alpha))
    assert same.value == pytest.approx(result.value, rel=1e-12)


def test_information_of_differential_entropies():
    """Claim 1's proof: less the entropy of ln(w), by Monte Carlo, up to a constant."""
    generator = np.random.default_rng(1)
    alpha = np.array([0.2, 3.0])
    draws = generator.normal(size=(200_000, 2)) * np.sqrt(alpha) - alpha / 2
    log_density = -((draws + alpha / 2) ** 2) / (2 * alpha) - np.log(2 * math.pi * alpha) / 2
    constant = -np.log(2 * math.pi * math.e) / 2  # minus the entropy of a standard normal
    result = log_density.mean(0) - constant
    # a squared standard normal over two has variance 1/2: standard error 0.0016, 4 of them
    for k in range(2):
        assert it.weight_information(alpha[k]).value == pytest.approx(result[k], abs=0.0064)


def test_batches_mappings_and_kinds_agree():
    expected = [naive_information(part) for part in ALPHA]
    for batch in (ALPHA, torch.tensor(ALPHA)):
        result = it.weight_information(batch, batch_dims=1)
        assert type(result.value) is type(batch)
        np.testing.assert_allclose(result.value, expected, rtol=1e-12)
    parts = {"a": torch.tensor(ALPHA[:, :1]), "b": torch.tensor(ALPHA[:, 1:])}
    np.testing.assert_allclose(it.weight_information(parts, batch_dims=1).value, expected)
    array = xr.DataArray(ALPHA, dims=("seed", "out", "in"), coords={"seed": [3, 5, 7]})
    result = it.weight_information(array.transpose("in", "seed", "out"), batch_dims=["seed"])
    np.testing.assert_allclose(result.value, expected)
    assert result.seed.values.tolist() == [3, 5, 7]
    assert result.value.attrs["units"] == "nats"
    assert result.value.attrs["estimator"] == "weight_information"


def test_gradient_is_that_of_the_penalty():
    alpha = torch.tensor(ALPHA, requires_grad=True)
    it.weight_information(alpha).value.backward()
    torch.testing.assert_close(alpha.grad, -0.5 / alpha.detach())


@pytest.mark.parametrize(
    ("alpha", "options", "error", "message"),
    [
        ([0.5, 0.0], {}, ValueError, r"alpha contains 0\.0; expected values > 0"),
        ([0.5, -1.0], {}, ValueError, r"alpha contains -1\.0"),
        ([0.5, math.nan], {}, ValueError, "alpha contains nan"),
        ([0.5, math.inf], {}, ValueError, "alpha contains inf"),
        ([], {}, ValueError, r"alpha is empty \(shape \(0,\)\)"),
        ({}, {}, ValueError, "alpha is an empty mapping"),
        (["a"], {}, TypeError, "alpha has dtype <U1"),
        ([0.5], {"batch_dims": 2}, ValueError, r"batch_dims is 2; expected 0 to 1"),
        ([0.5], {"batch_dims": "seed"}, TypeError, "batch_dims is 'seed'"),
        ([0.5], {"units": "bans"}, ValueError, "units is 'bans'"),
        ({"a": [0.0]}, {}, ValueError, r"alpha contains 0\.0"),
        (xr.Dataset({"a": ("x", [1.0])}), {}, TypeError, "alpha is an xarray Dataset"),
        ({"a": xr.DataArray([1.0])}, {}, TypeError, r"alpha\['a'\] is labelled"),
        (xr.DataArray([1.0]), {"batch_dims": ["seed"]}, ValueError, "expected 'seed'"),
    ],
)
def test_bad_alpha_is_named(alpha, options, error, message):
    with pytest.raises(error, match=message) as caught:
        it.weight_information(alpha, **options)
    assert "\n" not in str(caught.value)


# proposition 5


def lagrangian(alpha, weights, curvature, beta):
    """Second order of the loss plus beta I(w;D), as the proof has it."""
    return np.sum(alpha * weights**2 * curvature) - beta / 2 * np.sum(np.log(alpha))


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 12), beta=st.floats(1e-4, 10))
def test_the_noise_is_optimal_and_the_bound_holds(seed, count, beta):
    generator = np.random.default_rng(seed)
    weights = generator.normal(size=count) + 0.1
    root = generator.normal(size=(count, count))
    hessian = root @ root.T / count + 1e-3 * np.eye(count)
    result = it.flat_minimum_bound(weights, beta=beta, hessian=hessian)
    alpha, curvature = result.alpha, np.diag(hessian)
    np.testing.assert_allclose(alpha, beta / (2 * weights**2 * curvature), rtol=1e-12)
    best = lagrangian(alpha, weights, curvature, beta)
    for step in (0.9, 1.1):  # convex in ln(alpha): neighbours on both sides decide
        for k in range(count):
            moved = alpha.copy()
            moved[k] *= step
            assert lagrangian(moved, weights, curvature, beta) > best
    assert result.information == pytest.approx(it.weight_information(alpha).value, abs=1e-9)
    assert result.information <= result.bound + 1e-9
    diagonal = it.flat_minimum_bound(weights, beta=beta, diagonal=curvature)
    norm = it.flat_minimum_bound(weights, beta=beta, nuclear_norm=np.trace(hessian))
    # positive definite: nuclear norm, sum of the diagonal and trace are one number
    assert diagonal.bound == pytest.approx(result.bound, abs=1e-9)
    assert norm.bound == pytest.approx(result.bound, abs=1e-9)
    assert norm.information is None
    assert norm.alpha is None


def test_the_bound_is_met_by_equal_weights_and_curvatures():
    result = it.flat_minimum_bound(np.full(7, -0.3), beta=0.5, diagonal=np.full(7, 2.0))
    assert result.bound == pytest.approx(result.information, rel=1e-12)


def test_an_indefinite_hessian_uses_its_nuclear_norm():
    hessian = np.array([[2.0, 3.0], [3.0, 2.0]])  # eigenvalues 5 and -1
    result = it.flat_minimum_bound([1.0, 1.0], beta=1.0, hessian=hessian)
    assert result.bound == pytest.approx(math.log(2) + math.log(6) - math.log(2))


def printed_bound(weights, nuclear_norm, beta):
    """Proposition 5's first display, with its extra K."""
    count = len(weights)
    inside = math.log(np.sum(weights**2)) + math.log(nuclear_norm)
    return count / 2 * (inside - count * math.log(count**2 * beta / 2))


def test_the_first_display_of_proposition_5_is_no_bound():
    """Errata, paper 3 prop. 5: three equal weights need 0 nats, the printed bound is below."""
    weights, curvature, beta = np.ones(3), np.ones(3), 2.0
    result = it.flat_minimum_bound(weights, beta=beta, diagonal=curvature)
    assert result.information == pytest.approx(0, abs=1e-12)
    assert result.bound == pytest.approx(0, abs=1e-12)  # the proof's, met with equality
    assert printed_bound(weights, 3.0, beta) < -6


def test_taylors_half_doubles_the_noise():
    """For a quadratic loss the expected loss is exact, and half the curvature is what it has."""
    curvature, weights, beta = np.array([3.0, 0.5]), np.array([1.0, -2.0]), 1e-4
    grid = np.exp(np.linspace(-14, -2, 240_001))  # in steps of 5e-5
    for k in range(2):
        loss = 0.5 * curvature[k] * weights[k] ** 2 * np.expm1(grid)  # E (w - w_hat)^2 = ...
        best = grid[np.argmin(loss - beta / 2 * np.log(grid))]
        result = it.flat_minimum_bound(weights, beta=beta, diagonal=curvature / 2)
        # alpha exp(alpha) against alpha: relative 5e-5 at these sizes, and the grid's step
        assert result.alpha[k] == pytest.approx(best, rel=2e-4)
    full = it.flat_minimum_bound(weights, beta=beta, diagonal=curvature)
    np.testing.assert_allclose(result.alpha, 2 * full.alpha)
    assert full.bound - result.bound == pytest.approx(math.log(2))  # K ln(2) / 2


def test_weights_without_curvature_bear_any_noise():
    result = it.flat_minimum_bound([1.0, 0.0, 2.0], beta=1.0, diagonal=[2.0, 1.0, 0.0])
    assert result.alpha.tolist() == [0.25, math.inf, math.inf]
    assert result.information == -math.inf
    assert np.isfinite(result.bound)


def test_flat_minimum_kinds_and_batches():
    generator = np.random.default_rng(2)
    weights, diagonal = generator.normal(size=(2, 3, 4)), generator.random((2, 3, 4))
    alone = [it.flat_minimum_bound(weights[k], beta=0.1, diagonal=diagonal[k]) for k in range(2)]
    batch = it.flat_minimum_bound(weights, beta=0.1, diagonal=diagonal, batch_dims=1)
    tensor = it.flat_minimum_bound(
        {"w": torch.tensor(weights)},
        beta=0.1,
        diagonal={"w": torch.tensor(diagonal)},
        batch_dims=1,
    )
    dims = ("seed", "out", "in")
    array = it.flat_minimum_bound(
        xr.DataArray(weights, dims=dims),
        beta=0.1,
        diagonal=xr.DataArray(diagonal, dims=dims),
        batch_dims=["seed"],
    )
    assert array.alpha.dims == dims
    assert array.bound.dims == ("seed",)
    for k in range(2):
        for result in (batch, tensor, array):
            np.testing.assert_allclose(result.bound[k], alone[k].bound, rtol=1e-12)
            np.testing.assert_allclose(result.information[k], alone[k].information, rtol=1e-12)
        np.testing.assert_allclose(tensor.alpha["w"][k], alone[k].alpha, rtol=1e-12)
        np.testing.assert_allclose(array.alpha[k], alone[k].alpha, rtol=1e-12)
    matrices = np.stack([np.diag(part.ravel()) for part in diagonal])
    matrix = it.flat_minimum_bound(weights, beta=0.1, hessian=matrices, batch_dims=1)
    np.testing.assert_allclose(matrix.bound, batch.bound, rtol=1e-12)
    norms = it.flat_minimum_bound(
        weights, beta=0.1, nuclear_norm=diagonal.sum((1, 2)), batch_dims=1, units="bits"
    )
    np.testing.assert_allclose(norms.bound * math.log(2), batch.bound, rtol=1e-12)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"beta": 1.0}, TypeError, "no curvature given; expected exactly one of diagonal"),
        (
            {"beta": 1.0, "diagonal": [1, 1], "nuclear_norm": 2},
            TypeError,
            "diagonal and nuclear_norm given",
        ),
        ({"beta": 0.0, "nuclear_norm": 1.0}, ValueError, r"beta is 0\.0; expected a finite number"),
        ({"beta": "1", "nuclear_norm": 1.0}, TypeError, "beta is '1'"),
        ({"beta": 1, "diagonal": [1.0, -0.5]}, ValueError, r"diagonal contains -0\.5"),
        ({"beta": 1, "diagonal": [1.0]}, ValueError, r"diagonal has \(1,\); expected \(2,\)"),
        ({"beta": 1, "hessian": np.eye(3)}, ValueError, r"hessian has shape \(3, 3\); expected"),
        ({"beta": 1, "hessian": [[1, 2], [0, 1]]}, ValueError, "hessian is not symmetric"),
        ({"beta": 1, "hessian": -np.eye(2)}, ValueError, r"hessian has -1\.0 on its diagonal"),
        ({"beta": 1, "nuclear_norm": -1.0}, ValueError, r"nuclear_norm contains -1\.0"),
        ({"beta": 1, "nuclear_norm": 0}, ValueError, "nuclear_norm contains 0"),
        ({"beta": 1, "nuclear_norm": [1.0, 2.0]}, ValueError, r"nuclear_norm has shape \(2,\)"),
        ({"beta": 1, "nuclear_norm": "a"}, TypeError, "nuclear_norm has dtype"),
    ],
)
def test_bad_flat_minimum_is_named(options, error, message):
    with pytest.raises(error, match=message) as caught:
        it.flat_minimum_bound([1.0, 2.0], **options)
    assert "\n" not in str(caught.value)


# curvature


@pytest.fixture
def small_network():
    """A trained-looking MLP with its exact Hessian, (K, K) in the order of its parameters."""
    generator = torch.Generator().manual_seed(3)
    network = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator, dtype=torch.float64) / 2)
    x = torch.randn(20, 3, generator=generator, dtype=torch.float64)
    y = torch.randint(0, 2, (20,), generator=generator)
    names = [name for name, _ in network.named_parameters()]
    sizes = [weight.numel() for weight in network.parameters()]

    def flat_loss(flat):
        parts = flat.split(sizes)
        shaped = {
            name: part.reshape(weight.shape)
            for name, part, weight in zip(names, parts, network.parameters(), strict=True)
        }
        logits = torch.func.functional_call(network, shaped, (x,))
        return nn.functional.cross_entropy(logits, y)

    at = torch.cat([weight.detach().flatten() for weight in network.parameters()])
    hessian = torch.autograd.functional.hessian(flat_loss, at)
    return network, lambda: nn.functional.cross_entropy(network(x), y), hessian


def test_trace_and_diagonal_of_a_network_within_their_errors(small_network):
    network, loss, hessian = small_network
    probes = 400
    trace = it.hessian_trace(loss, network, probes=probes, seed=0)
    off = hessian - torch.diag(torch.diag(hessian))
    assert abs(trace.value - torch.trace(hessian)) < 4 * trace.standard_error
    # Hutchinson's variance: 2 sum of squares off the diagonal; its root is known to about 5 %
    expected = (2 * off.square().sum() / probes).sqrt()
    torch.testing.assert_close(trace.standard_error, expected, rtol=0.2, atol=0)
    diagonal = it.hessian_diagonal(loss, network, probes=probes, seed=1)
    flat = torch.cat([diagonal.value[name].flatten() for name, _ in network.named_parameters()])
    error = torch.cat(
        [diagonal.standard_error[name].flatten() for name, _ in network.named_parameters()]
    )
    deviations = (flat - torch.diag(hessian)) / error
    assert deviations.abs().max() < 5  # of 26 entries
    assert 0.5 < deviations.square().mean().sqrt() < 1.5  # the errors are neither wide nor narrow
    expected = (off.square().sum(1) / probes).sqrt()
    torch.testing.assert_close(error, expected, rtol=0.25, atol=0)


def test_one_standard_error_covers_two_thirds():
    weights = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    root = torch.randn(4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    hessian = root @ root.T

    def loss():
        return weights @ hessian @ weights / 2

    inside = []
    for seed in range(150):
        result = it.hessian_trace(loss, weights, probes=40, seed=seed, batch=40)
        inside.append(abs(result.value - hessian.trace()) < result.standard_error)
    assert abs(np.mean(inside) - 0.68) < 0.13  # 150 draws: standard error 0.038, about 3.4 of them


def test_a_diagonal_hessian_needs_one_probe():
    weights = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64, requires_grad=True)
    result = it.hessian_diagonal(lambda: (weights**4).sum(), weights, probes=2, seed=0)
    torch.testing.assert_close(result.value, 12 * weights.detach() ** 2)
    assert (result.standard_error == 0).all()
    trace = it.hessian_trace(lambda: (weights**4).sum(), weights, probes=2, seed=0)
    torch.testing.assert_close(trace.value, 12 * (weights.detach() ** 2).sum())


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_batches_of_probes_change_nothing(small_network, batch):
    network, loss, _ = small_network
    state = torch.random.get_rng_state()
    one = it.hessian_trace(loss, network, probes=10, seed=5, batch=8)
    other = it.hessian_trace(loss, network, probes=10, seed=5, batch=batch)
    torch.testing.assert_close(one.value, other.value, rtol=1e-12, atol=0)
    torch.testing.assert_close(one.standard_error, other.standard_error, rtol=1e-10, atol=0)
    first = it.hessian_diagonal(loss, network, probes=10, seed=5, batch=8)
    second = it.hessian_diagonal(loss, network, probes=10, seed=5, batch=batch)
    for name in first.value:
        torch.testing.assert_close(first.value[name], second.value[name], rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(
            first.standard_error[name], second.standard_error[name], rtol=1e-9, atol=1e-12
        )
    assert it.hessian_trace(loss, network, probes=10, seed=6).value != one.value
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(weight.grad is None for weight in network.parameters())
    total = sum(float(part.sum()) for part in first.value.values())
    assert total == pytest.approx(float(one.value))  # the same probes


def test_linear_and_absent_weights_have_no_curvature():
    a = torch.ones(2, requires_grad=True)
    b = torch.ones(3, requires_grad=True)
    c = torch.ones(1, requires_grad=True)
    result = it.hessian_diagonal(
        lambda: (a**2).sum() + b.sum(), {"a": a, "b": b, "c": c}, probes=3, seed=0
    )
    assert result.value["a"].tolist() == [2, 2]
    assert result.value["b"].tolist() == [0, 0, 0]
    assert result.value["c"].tolist() == [0]
    with torch.no_grad():  # a caller who evaluates: curvature is asked for all the same
        assert it.hessian_trace(lambda: b.sum(), b, probes=2, seed=0).value == 0


def test_the_diagonal_goes_into_proposition_5(small_network):
    network, loss, _ = small_network
    named = dict(network.named_parameters())
    plain = {name: weight.detach() for name, weight in named.items()}

    def convex():  # a positive definite Hessian, so that estimates are positive
        return loss() + 10 * sum((weight**2).sum() for weight in network.parameters())

    diagonal = it.hessian_diagonal(convex, network, probes=50, seed=0)
    result = it.flat_minimum_bound(plain, beta=0.1, diagonal=diagonal.value)
    for name, weight in plain.items():
        torch.testing.assert_close(result.alpha[name], 0.1 / (2 * weight**2 * diagonal.value[name]))
    assert result.information <= result.bound
    trace = it.hessian_trace(convex, network, probes=50, seed=0)
    by_trace = it.flat_minimum_bound(plain, beta=0.1, nuclear_norm=trace.value)
    torch.testing.assert_close(by_trace.bound, result.bound)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"loss": 1.0}, TypeError, "loss is a float"),
        ({"loss": lambda: 1.0}, ValueError, r"loss\(\) returned float; expected a scalar"),
        ({"loss": lambda: torch.ones(2)}, ValueError, r"loss\(\) returned \(2,\)"),
        ({"loss": lambda: torch.tensor(1.0)}, ValueError, "does not depend on the weights"),
        (
            {"loss": lambda: torch.ones(1, requires_grad=True).sum()},
            ValueError,
            "does not depend on the weights",
        ),
        ({"loss": lambda: torch.tensor(math.nan)}, ValueError, r"loss\(\) returned nan"),
        ({"weights": nn.ReLU()}, ValueError, "weights is a ReLU without trainable parameters"),
        ({"weights": torch.ones(2)}, ValueError, r"weights\['weights'\] does not require"),
        ({"weights": {}}, ValueError, "weights is an empty mapping"),
        ({"weights": {"a": 1.0}}, TypeError, r"weights\['a'\] is float"),
        ({"weights": [1.0]}, TypeError, "weights is a list"),
        ({"probes": 1}, ValueError, "probes is 1; expected a whole number >= 2"),
        ({"probes": 2.0}, TypeError, r"probes is 2\.0"),
        ({"batch": 0}, ValueError, "batch is 0"),
        ({"seed": -1}, ValueError, "seed is -1"),
        ({"seed": None}, TypeError, "seed is None"),
    ],
)
@pytest.mark.parametrize("function", [it.hessian_trace, it.hessian_diagonal])
def test_bad_curvature_arguments_are_named(function, options, error, message):
    weights = torch.ones(2, requires_grad=True)
    given = {"loss": lambda: (weights**2).sum(), "weights": weights, "seed": 0} | options
    with pytest.raises(error, match=message) as caught:
        function(given.pop("loss"), given.pop("weights"), **given)
    assert "\n" not in str(caught.value)
