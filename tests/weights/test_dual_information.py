"""Paper 3's duality: I(z;x) + TC(z) of noisy layers, against simulation and closed forms."""

import math

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import infotheo as it
from infotheo.weights import dual


def naive(x, weights, alpha):
    """Proposition 6 as printed, output by output."""
    total = 0.0
    covariance = np.cov(x.T, bias=True).reshape(x.shape[1], x.shape[1])
    for row, noise in zip(weights, alpha, strict=True):
        spread = math.exp(noise) - 1
        below = row @ covariance @ row + spread * np.sum(row**2 * (x**2).mean(0))
        logs = [math.log(spread * np.sum(row**2 * one**2) / below) for one in x]
        total -= 0.5 * np.mean(logs)
    return total


def layer(seed=0, samples=50, inputs=6, outputs=3):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(samples, inputs)) + 0.5
    return x, generator.normal(size=(outputs, inputs)), generator.uniform(0.05, 1.5, size=outputs)


def test_is_the_printed_formula():
    x, weights, alpha = layer()
    result = it.dual_information(x, weights, alpha)
    assert result.value == pytest.approx(naive(x, weights, alpha), rel=1e-12)
    assert result.per_unit.shape == (3,)
    assert result.per_unit[1] == pytest.approx(naive(x, weights[1:2], alpha[1:2]), rel=1e-12)
    bits = it.dual_information(x, weights, alpha, units="bits")
    assert bits.value * math.log(2) == pytest.approx(result.value, rel=1e-13)
    shared = it.dual_information(x, weights, 0.3)
    assert shared.value == pytest.approx(naive(x, weights, [0.3] * 3), rel=1e-12)
    by_weight = it.dual_information(x, weights, np.tile(alpha[:, None], 6))
    assert by_weight.value == pytest.approx(result.value, rel=1e-12)


def test_blocks_change_nothing(monkeypatch):
    x, weights, alpha = layer(1)
    unblocked = it.dual_information(x, weights, alpha)
    monkeypatch.setattr(dual, "BLOCK", 21)  # 7 samples at once, the last block shorter
    blocked = it.dual_information(x, weights, alpha)
    np.testing.assert_allclose(blocked.per_unit, unblocked.per_unit, rtol=1e-12)


def gaussian_inputs(generator, samples, inputs):
    """Correlated Gaussian inputs: a few shared factors besides their own noise."""
    mixing = generator.normal(size=(3, inputs)) / 4
    x = generator.normal(size=(samples, 3)) @ mixing + generator.normal(size=(samples, inputs))
    return x, mixing.T @ mixing + np.eye(inputs)


def test_many_gaussian_inputs_meet_the_closed_form():
    """Half the log determinant for I(z;x), plus the Gaussian total correlation of z."""
    generator = np.random.default_rng(2)
    x, covariance = gaussian_inputs(generator, 20_000, 400)
    weights = (generator.normal(size=(4, 400)) + generator.normal(size=400)) / 20  # related rows
    alpha = np.array([0.05, 0.2, 0.7, 1.5])
    noise = np.expm1(alpha) * (weights**2 @ np.diag(covariance))
    of_z = weights @ covariance @ weights.T + np.diag(noise)
    _, determinant = np.linalg.slogdet(of_z)
    about_input = (determinant - np.log(noise).sum()) / 2
    total_correlation = (np.log(np.diag(of_z)).sum() - determinant) / 2
    # the noise varies with x: E ln of a sum of dependent squares is below its ln E by var / 2
    scaled = [np.diag(row**2) @ covariance for row in weights]
    varying = sum(2 * np.trace(m @ m) / np.trace(m) ** 2 for m in scaled) / 4
    result = it.dual_information(x, weights, alpha)
    # four logarithms of variances of 20,000 samples, related: 4 * sqrt(2 / 20,000) / 2 = 0.02 each
    # at 2 standard errors; the third order of the varying noise is below 0.01
    assert result.value == pytest.approx(about_input + total_correlation + varying, abs=0.05)
    assert total_correlation > 0.2  # so that leaving it out would show
    # joined with an estimate from noisy activations: I(z;x) = dual information - TC(z)
    few = x[:5000]
    z = np.stack(
        [
            np.sum(few * row * np.exp(generator.normal(-a / 2, np.sqrt(a), few.shape)), axis=1)
            for row, a in zip(weights, alpha, strict=True)
        ],
        axis=1,
    )
    of_samples = it.total_correlation(z)
    assert abs(of_samples.value - total_correlation) < 4 * of_samples.standard_error
    joined = result.value - of_samples.value
    assert abs(joined - about_input - varying) < 0.05 + 4 * of_samples.standard_error
    assert joined < result.value - 0.1


def log_normal(values, mean, variance):
    return -((values - mean) ** 2) / (2 * variance) - np.log(2 * math.pi * variance) / 2


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_simulated_layer_with_log_normal_noise(shift):
    """I(z_i;x) by simulation: real log-normal noise on 300 weights, densities of z by mixtures."""
    generator = np.random.default_rng(3)
    samples, inputs, alpha = 1500, 300, np.array([0.1, 0.6])
    x = generator.normal(size=(samples, inputs)) + shift
    weights = generator.normal(size=(2, inputs))
    result = it.dual_information(x, weights, alpha)
    for k in range(2):
        noise = np.exp(generator.normal(size=(samples, inputs)) * np.sqrt(alpha[k]) - alpha[k] / 2)
        mean, variance = x @ weights[k], np.expm1(alpha[k]) * (x**2 @ weights[k] ** 2)
        z = np.sum(noise * weights[k] * x, axis=1)
        # z|x is close to Gaussian, as proposition 6 assumes
        standard = (z - mean) / np.sqrt(variance)
        assert abs(standard.mean()) < 4 / math.sqrt(samples)
        # of 300 inputs: skewness and kurtosis widen the error of a variance, sqrt(2/N), by under 2
        assert abs(standard.var() - 1) < 8 * math.sqrt(2 / samples)
        conditional = log_normal(z, mean, variance)
        every = log_normal(z[:, None], mean, variance)  # (draw, component)
        np.fill_diagonal(every, -np.inf)  # its own component would bias the mixture
        top = every.max(1)
        marginal = top + np.log(np.exp(every - top[:, None]).sum(1) / (samples - 1))
        ratios = conditional - marginal
        error = ratios.std() / math.sqrt(samples)
        # leaving one out biases by -1/(2 N) and less; the formula's Gaussian marginal by about as
        # much as the conditional variances vary: O(1/300). 4 standard errors and 0.01 for both.
        assert abs(result.per_unit[k] - ratios.mean()) < 4 * error + 0.01
        assert error < 0.03


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), factor=st.floats(1.01, 3))
def test_falls_with_the_noise_and_keeps_to_scale(seed, factor):
    x, weights, alpha = layer(seed)
    result = it.dual_information(x, weights, alpha)
    noisier = it.dual_information(x, weights, alpha * factor)
    assert (noisier.per_unit < result.per_unit).all()
    assert (result.per_unit > 0).all()  # an expected divergence
    scaled = it.dual_information(x * 7, weights / 3, alpha)
    np.testing.assert_allclose(scaled.per_unit, result.per_unit, rtol=1e-9)


def test_silent_outputs_and_noiseless_samples():
    x = np.array([[0.0, 1.0], [2.0, 3.0], [1.0, -1.0]])
    result = it.dual_information(x, [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], 0.5)
    assert result.per_unit[0] == 0
    assert result.per_unit[1] == math.inf  # the first sample is 0 where the output looks
    assert np.isfinite(result.per_unit[2])
    assert it.dual_information(np.zeros((3, 2)), np.ones((1, 2)), 0.5).value == 0


def test_kinds_batches_and_gradients():
    x, weights, alpha = layer(4)
    stack = np.stack([x, 2 * x + 1])
    expected = [it.dual_information(part, weights, alpha).per_unit for part in stack]
    result = it.dual_information(stack, weights, alpha)
    np.testing.assert_allclose(result.per_unit, expected, rtol=1e-12)
    batched = np.stack([weights, -weights[::-1]])
    apart = it.dual_information(stack, batched, np.broadcast_to(0.5 + batched**2, batched.shape))
    second = it.dual_information(stack[1], batched[1], 0.5 + batched[1] ** 2)
    np.testing.assert_allclose(apart.per_unit[1], second.per_unit, rtol=1e-12)
    dims = ("epoch", "sample", "unit")
    array = it.dual_information(
        xr.DataArray(stack, dims=dims, coords={"epoch": [1, 9]}).transpose("unit", ...),
        xr.DataArray(weights, dims=("output", "unit")).T,
        xr.DataArray(np.tile(alpha[:, None], 6), dims=("output", "unit")).T,
    )
    np.testing.assert_allclose(array.per_unit, expected, rtol=1e-12)
    assert array.per_unit.dims == ("epoch", "output")
    assert array.epoch.values.tolist() == [1, 9]
    tensors = [torch.tensor(part, requires_grad=True) for part in (x[:5], weights, alpha)]
    value = it.dual_information(*tensors).value
    assert float(value.detach()) == pytest.approx(it.dual_information(x[:5], weights, alpha).value)
    assert torch.autograd.gradcheck(lambda *parts: it.dual_information(*parts).value, tensors)


X, W = np.ones((4, 3)), np.ones((2, 3))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((X, W.T, 0.1), ValueError, r"weights has 2 columns; expected \(output, 3\)"),
        ((X, np.ones((5, 2, 3)), 0.1), ValueError, r"weights has leading dimensions \(5,\)"),
        ((X, W, 0.0), ValueError, r"alpha contains 0\.0; expected finite values > 0"),
        ((X, W, [0.1, math.nan]), ValueError, "alpha contains nan"),
        ((X, W, 800.0), ValueError, r"alpha contains 800\.0; expected at most 700"),
        ((X, W, [0.1] * 3), ValueError, r"alpha has shape \(3,\); expected a number, \(2,\)"),
        ((X, W, "small"), TypeError, "alpha has dtype"),
        ((X[:1], W, 0.1), ValueError, r"x has 1 sample\(s\)"),
        ((X * math.nan, W, 0.1), ValueError, "x contains nan"),
        ((X, W * math.inf, 0.1), ValueError, "weights contains inf"),
        ((X, W[0], 0.1), ValueError, r"weights has shape \(3,\)"),
        (
            (X, W, xr.DataArray([0.1] * 3, dims="unit")),
            ValueError,
            r"alpha has dimensions \('unit',\); expected 'output' too",
        ),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message) as caught:
        it.dual_information(*arguments)
    assert "\n" not in str(caught.value)


# proposition 7 and corollary 5.1


def gain(alpha):
    return -0.5 * math.log(1 - math.exp(-alpha))


@pytest.mark.parametrize("alpha", [0.01, 0.3, 2.0])
def test_uncorrelated_centred_inputs_lie_in_the_uniform_range(alpha):
    generator = np.random.default_rng(5)
    x = generator.normal(size=(3000, 50))
    x = x - x.mean(0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T, bias=True))).T  # uncorrelated exactly
    result = it.dual_information(x, generator.normal(size=(8, 50)), alpha)
    bounds = it.uniform_dual_information(alpha, outputs=8)
    assert bounds.lower == pytest.approx(8 * gain(alpha), rel=1e-12)
    assert bounds.upper == pytest.approx(8 * gain(alpha) + 8, rel=1e-12)
    assert bounds.lower <= result.value <= bounds.upper
    tight = it.uniform_dual_information(alpha, outputs=8, slack=5 / 50)  # c is of order 1/inputs
    assert result.value <= tight.upper


def test_printed_function_of_proposition_7_is_negative_and_alpha_lacks_a_2():
    """Errata, paper 3 prop. 7: g = ln(1 - exp(-a))/2 is below 0; alpha = exp(-I/dim W) misses."""
    grid = np.linspace(0.05, 4, 80)
    ours = it.uniform_dual_information(grid, outputs=1).lower
    printed = np.log(1 - np.exp(-grid)) / 2
    np.testing.assert_allclose(ours, -printed, rtol=1e-12)
    assert (np.diff(printed) > 0).all()  # strictly increasing, as stated for the printed sign
    assert (np.diff(ours) < 0).all()  # more noise, less information, as proposition 6 has it
    # the layer itself: positive, and above c = 0.2 by far, so the printed range misses it
    x = np.random.default_rng(6).choice([-1.0, 1.0], size=(4000, 64))
    weights = np.ones((1, 64))
    value = it.dual_information(x, weights, 0.05).value
    assert value > printed[0] + 1  # beyond the printed upper end even with the largest c
    np.testing.assert_allclose(value, ours[0], atol=0.1)  # x^2 = 1: no slack; covariance 1/sqrt(N)
    # and it rises with the information in the weights
    information = it.weight_information(np.full(64, 0.05))
    more = it.weight_information(np.full(64, 0.01))
    assert more.value > information.value
    assert it.dual_information(x, weights, more.shared_alpha).value > value
    # alpha from I(W;D): with the 2 it comes back, as printed it does not
    assert information.shared_alpha == pytest.approx(0.05, rel=1e-12)
    assert math.exp(-2 * information.value / 64) == pytest.approx(0.05, rel=1e-12)
    assert math.exp(-information.value / 64) == pytest.approx(math.sqrt(0.05), rel=1e-12)


def test_the_lower_end_of_proposition_7_needs_inputs_of_mean_zero():
    """Not in the errata: uncorrelated inputs far from 0 carry less than g(alpha)."""
    x = 10 + np.random.default_rng(7).uniform(-1, 1, size=(2000, 40))
    result = it.dual_information(x, np.ones((1, 40)), 0.3)
    assert result.value < 0.1 * it.uniform_dual_information(0.3, outputs=1).lower


def test_the_upper_end_of_proposition_7_needs_more_than_a_bounded_kurtosis():
    """Not in the errata: one input that is 0 half of the time has no bound; c <= 1 fails."""
    x = np.random.default_rng(8).choice([-1.0, 1e-9, 1.0, -1e-9], size=(2000, 1))
    result = it.dual_information(x, np.ones((1, 1)), 0.3)
    assert result.value > it.uniform_dual_information(0.3, outputs=1).upper


def test_multilayer_bound_is_the_narrowest_layer():
    result = it.multilayer_information_bound([0.1, 2.0, 0.5], [50, 10, 30])
    expected = [50 * (gain(0.1) + 1), 10 * (gain(2.0) + 1), 30 * (gain(0.5) + 1)]
    np.testing.assert_allclose(result.per_layer, expected, rtol=1e-12)
    assert result.value == pytest.approx(min(expected), rel=1e-12)
    tensor = it.multilayer_information_bound(torch.tensor([0.1, 2.0]), [50, 10], units="bits")
    np.testing.assert_allclose(tensor.per_layer * math.log(2), expected[:2], rtol=1e-6)
    array = it.multilayer_information_bound(
        xr.DataArray([0.1, 2.0], dims="layer", coords={"layer": ["a", "b"]}), [50, 10]
    )
    assert array.per_layer.sel(layer="b") == pytest.approx(expected[1])


def test_corollary_5_1_counts_outputs():
    """One input, n noisy copies of it: I = ln(1 + n s^2 / alpha)/2 exactly for a log-normal x."""
    alpha, spread, copies = math.log(2), 1.0, 10_000
    exact = math.log(1 + copies * spread / alpha) / 2  # ln z_i = ln x + N(0, alpha), n times
    inputs = it.multilayer_information_bound([alpha], [1]).value
    outputs = it.multilayer_information_bound([alpha], [copies]).value
    assert inputs < exact < outputs


def test_uniform_range_kinds():
    alpha = np.array([[0.1, 0.5], [1.0, 3.0]])
    expected = [[3 * gain(value) for value in row] for row in alpha]
    for kind in (alpha, torch.tensor(alpha), xr.DataArray(alpha, dims=("seed", "layer"))):
        result = it.uniform_dual_information(kind, outputs=3)
        np.testing.assert_allclose(result.lower, expected, rtol=1e-12)
    assert result.lower.dims == ("seed", "layer")
    assert result.upper.attrs["units"] == "nats"
    assert it.uniform_dual_information(1e-12, outputs=1).lower == pytest.approx(
        -math.log(1e-12) / 2, rel=1e-9
    )
    assert 0 < it.uniform_dual_information(600.0, outputs=1).lower < 1e-250


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((0.0, 3), {}, ValueError, r"alpha contains 0\.0"),
        ((0.5, 0), {}, ValueError, "outputs is 0"),
        ((0.5, 2.5), {}, TypeError, r"outputs is 2\.5"),
        ((0.5, 3), {"slack": -1}, ValueError, "slack is -1"),
        ((0.5, 3), {"units": "bit"}, ValueError, "units is 'bit'"),
    ],
)
def test_bad_uniform_arguments_are_named(arguments, options, error, message):
    with pytest.raises(error, match=message):
        it.uniform_dual_information(*arguments, **options)


def test_bad_layers_are_named():
    with pytest.raises(ValueError, match="outputs has 1 layers; expected 2"):
        it.multilayer_information_bound([0.1, 0.2], [3])
    with pytest.raises(ValueError, match=r"alphas contains -0\.1"):
        it.multilayer_information_bound([-0.1, 0.2], [3, 4])
    with pytest.raises(TypeError, match="outputs is 3; expected one whole number for each"):
        it.multilayer_information_bound([0.1, 0.2], 3)
    with pytest.raises(ValueError, match=r"outputs\[1\] is 0"):
        it.multilayer_information_bound([0.1, 0.2], [3, 0])
