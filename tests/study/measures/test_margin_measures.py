"""Margins over training and diagnostics of predictions as measures of a study."""

import math

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

import infotheo as it
from infotheo.networks.mlp import multilayer_perceptron
from infotheo.study.measures import prediction_measures
from infotheo.study.measures.diagnostics import diagnostics
from infotheo.study.measures.margins import KINDS, NAMED, SINGLE, margins
from infotheo.study.measures.networks import network_measures


def labelled_clusters(samples=60, units=6, classes=3, apart=8.0, seed=0):
    draw = np.random.default_rng(seed)
    labels = np.arange(samples) % classes
    means = draw.normal(size=(classes, units))
    means *= apart / np.linalg.norm(means, axis=1, keepdims=True)
    values = draw.normal(size=(samples, units)) + means[labels]
    return torch.tensor(values, dtype=torch.float32), torch.tensor(labels)


def perceptron(classes=3, units=6, seed=0, **settings):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = multilayer_perceptron((units,), classes, width=5, hidden_layers=2, **settings)
        for parameter in network.parameters():
            parameter.data.add_(0.1 * torch.randn(parameter.shape))
    return network


def test_registered():
    assert "margins" in network_measures
    assert "diagnostics" in prediction_measures


def test_every_number_is_the_estimators_own():
    x, y = labelled_clusters()
    network = perceptron(activation="tanh")
    measured = margins(network, x, y)
    with torch.no_grad():
        z = network[:-1](x).double().numpy()
    weights = network.output.weight.detach().double().numpy().T
    biases = network.output.bias.detach().double().numpy()
    expected = it.margins(z, weights, y.numpy(), biases=biases)
    assert float(measured.margin_mean) == pytest.approx(expected.geometric.mean(), rel=1e-6)
    assert float(measured.margin_min) == pytest.approx(expected.geometric.min(), rel=1e-6)
    assert float(measured.margin_q50) in expected.geometric  # a quantile is one of the samples
    relative = expected.geometric / expected.feature_norm
    assert float(measured.margin_relative_mean) == pytest.approx(relative.mean(), rel=1e-6)
    assert float(measured.margin_normalized_mean) == pytest.approx(
        expected.normalized.mean(), rel=1e-6
    )
    assert (
        float(measured.margin_negative) == (expected.margin < 0).mean() > 0
    )  # an untrained network
    assert float(measured.margin_layer_norm) == pytest.approx(expected.layer_norm)
    assert float(measured.margin_feature_norm) == pytest.approx(expected.feature_norm)
    spread = measured.margin_distribution
    assert spread.dims == ("quantile",)
    assert spread.sizes["quantile"] == 25
    np.testing.assert_allclose(spread[[0, -1]], [relative.min(), relative.max()])
    assert (np.diff(spread) >= 0).all()
    for name, at in NAMED.items():
        assert float(measured[f"margin_relative_{name}"]) == float(spread.sel(quantile=at))
    widest = it.hard_margin(z, y.numpy())
    assert float(measured.margin_separable) == 1
    assert float(measured.hard_margin) == pytest.approx(widest.margin)
    assert float(measured.hard_margin_relative) == pytest.approx(
        widest.margin / expected.feature_norm
    )
    assert float(measured.hard_margin_support) == widest.support / 60
    angle = it.direction_angle(weights, widest.weights).value
    assert float(measured.margin_angle) == pytest.approx(angle)
    assert measured.margin_angle.attrs["units"] == "rad"
    for name in measured.data_vars:
        assert {"units", "long_name", "settings", "infotheo_version"} <= set(measured[name].attrs)


def test_norm_of_the_network():
    """The product of spectral norms; a margin over it is at most the distance to a boundary."""
    x, y = labelled_clusters()
    network = perceptron()
    product = math.prod(
        float(torch.linalg.matrix_norm(part.weight.detach().double(), ord=2))
        for part in network.modules()
        if isinstance(part, nn.Linear)
    )
    measured = margins(network, x, y, svm=False)
    assert float(measured.margin_network_norm) == pytest.approx(product, rel=1e-9)
    assert np.isnan(measured.hard_margin)
    assert np.isnan(measured.margin_separable)
    scale = float(x.double().square().sum(1).mean().sqrt())
    logits = network(x).detach().double()
    expected = logits.gather(1, y[:, None])[:, 0]
    others = logits.scatter(1, y[:, None], -torch.inf).amax(1)
    least = float((expected - others).min())
    assert float(measured.margin_network_min) == pytest.approx(least / product / scale, rel=1e-5)
    without = margins(network, x, y, network_norm=False)
    assert np.isnan(without.margin_network_norm)
    assert np.isnan(without.margin_network_mean)
    assert float(without.margin_mean) == float(measured.margin_mean)

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network

        def forward(self, x):
            return self.inner(x) * 1.0

    unknown = margins(Own(), x, y, svm=False)
    assert np.isnan(unknown.margin_network_norm)
    assert "Own" in unknown.margin_network_norm.attrs["unknown"]
    assert float(unknown.margin_mean) == float(measured.margin_mean)


def test_scale_free_margins_do_not_scale():
    x, y = labelled_clusters()
    network = nn.Linear(6, 3, bias=False)
    measured = margins(network, x, y, bias=False)
    network.weight.data.mul_(8)
    scaled = margins(network, 4 * x, y, bias=False)
    assert float(scaled.margin_mean) == pytest.approx(4 * float(measured.margin_mean))
    assert float(scaled.hard_margin) == pytest.approx(4 * float(measured.hard_margin))
    for name in (
        *(f"{kind}_mean" for kind in KINDS if kind != "margin"),
        "hard_margin_relative",
        "margin_angle",
    ):
        assert float(scaled[name]) == pytest.approx(float(measured[name]), rel=1e-6)
    # the widest margin is no less than this layer's smallest, here that of two classes
    assert float(measured.hard_margin) > 0


def test_findings_are_values():
    x, y = labelled_clusters()
    mixed = y[torch.randperm(60, generator=torch.Generator().manual_seed(0))]
    measured = margins(perceptron(), x, mixed)
    assert float(measured.margin_separable) == 0
    assert np.isnan([measured.hard_margin, measured.margin_angle, measured.hard_margin_gap]).all()
    assert np.isfinite(measured.margin_mean)
    many, classes = labelled_clusters(300, 60, 6, 3)
    few = margins(nn.Linear(60, 6), many, classes, most_constraints=130)
    assert np.isnan([few.margin_separable, few.hard_margin]).all()
    assert float(margins(nn.Linear(60, 6), many, classes).margin_separable) == 1
    alone = margins(perceptron(), x, torch.zeros_like(y))
    assert np.isnan(alone.margin_separable)
    assert np.isfinite(alone.margin_mean)
    dead = perceptron()
    for part in (dead.hidden2.linear.weight, dead.hidden2.linear.bias):
        nn.init.constant_(part, -1e3 if part.ndim == 1 else 0)
    silent = margins(dead, x, y)  # ReLU of negative values: all features 0
    assert float(silent.margin_feature_norm) == 0
    assert np.isnan(silent.margin_relative_mean)
    assert float(silent.margin_separable) == 0
    large = perceptron(activation="linear")
    large.hidden2.linear.weight.data.mul_(1e38)
    large.hidden1.linear.weight.data.mul_(1e38)
    overflown = margins(large, x, y)
    for name in (*SINGLE, *(f"{kind}_mean" for kind in KINDS), "margin_angle"):
        assert np.isnan(overflown[name])
    assert np.isnan(overflown.margin_distribution).all()


def test_one_logit_is_class_one_against_zero():
    x, y = labelled_clusters(classes=2)
    one, two = nn.Linear(6, 1), nn.Linear(6, 2)
    two.weight.data.copy_(torch.cat([torch.zeros(1, 6), one.weight.data]))
    two.bias.data.copy_(torch.cat([torch.zeros(1), one.bias.data]))
    xr.testing.assert_allclose(margins(one, x, y), margins(two, x, y))


def test_samples_are_chosen_at_random_and_again_the_same():
    x, y = labelled_clusters()
    network = perceptron()
    measured = margins(network, x, y, samples=20)
    xr.testing.assert_identical(measured, margins(network, x, y, samples=20))
    other = margins(network, x, y, samples=20, seed=1)
    assert float(measured.margin_mean) != float(other.margin_mean)
    xr.testing.assert_equal(margins(network, x, y), margins(network, x, y, seed=1))
    state = torch.random.get_rng_state()
    margins(network, x, y, samples=20)
    assert torch.equal(state, torch.random.get_rng_state())
    assert network.training


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"network": None}, TypeError, "network is a NoneType"),
        ({"inputs": np.ones((60, 6))}, TypeError, "inputs is a numpy.ndarray"),
        ({"labels": torch.zeros(59, dtype=torch.int64)}, ValueError, r"labels: found \(59,\)"),
        ({"labels": [0] * 60}, ValueError, "labels: found list"),
        ({"labels": torch.full((60,), 3)}, ValueError, "labels contains 3; expected 0 to 2"),
        ({"samples": 1}, ValueError, "samples is 1"),
        ({"network": nn.Sequential(nn.ReLU())}, ValueError, "calls no torch.nn.Linear"),
    ],
)
def test_bad_arguments_are_named(changes, error, message):
    x, y = labelled_clusters()
    with pytest.raises(error, match=message):
        margins(**({"network": perceptron(), "inputs": x, "labels": y} | changes))


def test_training_widens_the_margin_towards_the_widest():
    """Full-batch descent on separable clusters: angle to the widest margin falls, margin grows."""
    x, y = labelled_clusters(samples=30, classes=2, apart=3)
    layer = nn.Linear(6, 2, bias=False)
    nn.init.zeros_(layer.weight)
    seen = []
    for step in range(1, 601):
        loss = nn.functional.cross_entropy(layer(x), y)
        layer.weight.data -= 0.3 * torch.autograd.grad(loss, layer.weight)[0]
        if step in (1, 30, 150, 600):
            seen.append(margins(layer, x, y, bias=False))
    angles = [float(one.margin_angle) for one in seen]
    least = [float(one.margin_min) for one in seen]
    assert (np.diff(angles) < 0).all()
    assert (np.diff(least) > 0).all()
    assert least[-1] <= float(seen[-1].hard_margin) * (1 + 1e-6)  # features are float32


def predicted(samples=400, classes=4, scale=2.0, networks=3, seed=0):
    draw = np.random.default_rng(seed)
    labels = draw.integers(classes, size=samples)
    logits = draw.normal(size=(networks, samples, classes)) + scale * np.eye(classes)[labels]
    return xr.DataArray(
        logits.astype(np.float32),
        dims=("seed", "sample", "unit"),
        coords={"seed": np.arange(networks) + 5, "class": ("sample", labels)},
    )


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("scale", [0.0, 1.0, 4.0])
def test_fano_bounds_the_error(classes, scale):
    """In the sample itself, not only on average: the bound is of its empirical distribution."""
    logits = predicted(classes=classes, scale=scale)
    measured = diagnostics(logits)
    wrong = prediction_measures["error"](logits)["error"]
    assert (measured.fano_bound <= wrong + 1e-12).all()
    assert (measured.fano_bound_sampled <= measured.prediction_sampled_error + 1e-12).all()
    assert (measured.fano_bound >= 0).all()
    assert measured.seed.values.tolist() == [5, 6, 7]
    spread = it.prediction_variance(logits.values, logits=True).value
    np.testing.assert_allclose(measured.prediction_variance_diagnostic, spread)


def test_fano_is_met_by_a_symmetric_channel():
    """Two classes as often, each wrong as often: the bound is the error."""
    labels = np.repeat([0, 1], 50)
    information = np.where(np.arange(100) % 10 < 3, 1 - labels, labels)
    logits = xr.DataArray(
        20.0 * np.eye(2)[information][None],
        dims=("seed", "sample", "unit"),
        coords={"class": ("sample", labels)},
    )
    assert float(diagnostics(logits).fano_bound[0]) == pytest.approx(0.3, abs=1e-12)


def test_a_drawn_prediction_errs_more_than_the_most_probable_one():
    """p = 0.6 for the true class of two: never wrong, and yet the soft information allows 0.4."""
    labels = np.arange(100) % 2
    logits = xr.DataArray(
        np.log(np.where(np.eye(2)[labels] == 1, 0.6, 0.4))[None],
        dims=("seed", "sample", "unit"),
        coords={"class": ("sample", labels)},
    )
    measured = diagnostics(logits)
    assert float(prediction_measures["error"](logits)["error"][0]) == 0
    assert float(measured.fano_bound[0]) == pytest.approx(0, abs=1e-9)
    assert float(measured.fano_bound_sampled[0]) == pytest.approx(0.4, abs=1e-9)
    assert float(measured.prediction_sampled_error[0]) == pytest.approx(0.4, abs=1e-9)
