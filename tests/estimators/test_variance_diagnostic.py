"""Paper 5's variance of predictions: a diagnostic, and why it is no bound."""

import math

import numpy as np
import pytest
import torch
import xarray as xr

import infotheo as it

LOGITS = np.random.default_rng(0).normal(size=(2, 12, 3)) * 2
P = np.exp(LOGITS) / np.exp(LOGITS).sum(-1, keepdims=True)


def naive(p, measure):
    """Variances as expectations over all pairs of a sample and a prediction."""
    samples, classes = p.shape
    mean = p.mean(0)
    moments = {"marginal": [0.0, 0.0], "conditional": [0.0, 0.0]}
    for k in range(samples):
        for j in range(classes):
            weight = p[k, j] / samples if measure == "joint" else 1 / (samples * classes)
            for name, value in (("marginal", mean[j]), ("conditional", p[k, j])):
                moments[name][0] += weight * value
                moments[name][1] += weight * value**2
    return {name: second - first**2 for name, (first, second) in moments.items()}


@pytest.mark.parametrize("measure", ["joint", "uniform"])
def test_agrees_with_a_double_loop(measure):
    expected = naive(P[0], measure)
    result = it.prediction_variance(P[0], measure=measure)
    assert result.marginal == pytest.approx(expected["marginal"], abs=1e-14)
    assert result.conditional == pytest.approx(expected["conditional"], abs=1e-14)
    assert result.value == pytest.approx(2 * sum(expected.values()), abs=1e-14)
    assert expected["conditional"] > 0.01
    logits = it.prediction_variance(LOGITS[0], logits=True, measure=measure)
    assert logits.value == pytest.approx(result.value, abs=1e-14)


def test_equation_33_is_no_bound():
    """Errata, paper 5 app. A: I = ln 2, right side 0 under the joint, 1/2 under the uniform."""
    certain = np.tile(np.eye(2), (10, 1))
    information = it.prediction_information(certain).value
    assert information == pytest.approx(math.log(2))
    assert it.prediction_variance(certain).value == 0
    assert it.prediction_variance(certain, measure="uniform").value == 0.5
    for measure in ("joint", "uniform"):
        assert it.prediction_variance(certain, measure=measure).value < information - 0.19


def test_constant_predictions_vary_by_class_only():
    p = np.tile([0.7, 0.2, 0.1], (5, 1))
    result = it.prediction_variance(p, measure="uniform")
    assert result.marginal == pytest.approx(np.var([0.7, 0.2, 0.1]))
    assert result.conditional == pytest.approx(result.marginal)


def test_kinds():
    expected = [it.prediction_variance(part).value for part in P]
    tensor = it.prediction_variance(torch.tensor(P))
    np.testing.assert_allclose(tensor.value, expected)
    array = it.prediction_variance(
        xr.DataArray(P, dims=("seed", "sample", "class")).transpose("class", ...),
        unit_dim="class",
    )
    np.testing.assert_allclose(array.value, expected)
    assert "not a bound" in array.value.attrs["long_name"]
    logits = torch.tensor(LOGITS[:, :4], requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: it.prediction_variance(z, logits=True), logits)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (P[0] * 2, {}, ValueError, "probabilities has a row that sums to 2"),
        (LOGITS, {}, ValueError, "probabilities contains -"),
        (np.ones((3, 1)), {}, ValueError, "probabilities has 1 class"),
        (P[0], {"measure": "product"}, ValueError, "measure is 'product'; expected one of 'joint'"),
    ],
)
def test_bad_arguments_are_named(arguments, options, error, message):
    with pytest.raises(error, match=message):
        it.prediction_variance(arguments, **options)
