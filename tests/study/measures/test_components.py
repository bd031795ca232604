"""The measure of principal components: which samples, which features, what a lost network gives."""

import numpy as np
import pytest
import torch
from torch import nn

import infotheo as it
from infotheo.arrays.subsets import split_in_halves
from infotheo.modules.last_layer import last_layer_features
from infotheo.study.measures.components import components

INPUTS = torch.randn(60, 5, generator=torch.Generator().manual_seed(0))
LABELS = (INPUTS[:, 0] > 0).long() + (INPUTS[:, 1] > 0.5).long()


def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3)
        )


def test_fits_on_one_half_and_tests_on_the_other_before_the_last_layer():
    model = network()
    measured = components(model, INPUTS, LABELS, components=[1, 8.0])
    with torch.no_grad():
        features = model.eval()[:-1](INPUTS).numpy()
    fit, test = split_in_halves(LABELS.numpy(), 0, "component halves")
    expected = it.component_accuracies(
        features[fit], LABELS[fit], features[test], LABELS[test], components=[1, 8]
    )
    np.testing.assert_array_equal(measured["component_svm_accuracy"], expected.svm)
    np.testing.assert_array_equal(measured["component_neighbor_accuracy"], expected.neighbor)
    np.testing.assert_allclose(
        measured["component_explained_variance"], expected.explained_variance, rtol=1e-12
    )
    assert measured["components"].values.tolist() == [1, 8]
    assert all(dims == ("components",) for dims in (measured[name].dims for name in measured))
    assert all({"units", "long_name"} <= set(measured[name].attrs) for name in measured)


def test_takes_as_many_samples_as_asked_for_by_the_seed():
    model = network()
    found = components(model, INPUTS, LABELS, samples=20)
    assert found["components"].values.tolist() == [1, 2, 3, 5, 8]
    assert found.identical(components(model, INPUTS, LABELS, samples=20))
    assert not found.identical(components(model, INPUTS, LABELS, samples=20, seed=1))


@pytest.mark.parametrize("classes", [2, 4, 5, 10])
@pytest.mark.parametrize("count", [1000, 2000, 3001])
def test_classes_in_turn(classes, count):
    """Samples at even positions would be half of the classes, those at odd ones the others."""
    labels = torch.arange(count) % classes
    inputs = torch.eye(classes)[labels] + 0.01 * torch.randn(
        count, classes, generator=torch.Generator().manual_seed(0)
    )
    found = components(nn.Linear(classes, classes), inputs, labels)
    assert float(found["component_svm_accuracy"][-1]) == 1.0
    assert float(found["component_neighbor_accuracy"][-1]) == 1.0


def test_a_diverged_network_gives_nan_over_the_same_components():
    model = network()
    before = components(model, INPUTS, LABELS)
    with torch.no_grad():
        model[0].weight[0, 0] = torch.nan
    measured = components(model, INPUTS, LABELS)
    assert list(measured) == list(before)
    assert all(bool(measured[name].isnull().all()) for name in measured)
    assert measured["components"].identical(before["components"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"components": [9]}, "components has 9; expected from 1 to 8"),
        ({"samples": 3}, "samples is 3; expected a whole number >= 4"),
        ({"penalty": -1.0}, "penalty is -1.0; expected a finite number > 0"),
    ],
)
def test_bad_settings_are_named_even_where_the_network_diverged(settings, message):
    model = network()
    for _ in range(2):
        with pytest.raises(ValueError, match=message):
            components(model, INPUTS, LABELS, **settings)
        with torch.no_grad():
            model[0].weight[0, 0] = torch.nan


def test_one_class_and_few_samples_are_named():
    with pytest.raises(ValueError, match="labels has one class, 0"):
        components(network(), INPUTS, torch.zeros(60, dtype=torch.int64))
    with pytest.raises(ValueError, match="inputs has 3 samples; expected at least 4"):
        components(network(), INPUTS[:3], LABELS[:3])


class Forked(nn.Module):
    """Calls its layers in another order than it names them, one of them on images."""

    def __init__(self):
        super().__init__()
        self.out = nn.Linear(4, 2)
        self.unused = nn.Linear(4, 2)
        self.first = nn.Linear(4, 4)

    def forward(self, x):
        return self.out(self.first(x).tanh())


def test_the_last_layer_is_the_one_called_last():
    model = Forked().train()
    x = torch.ones(7, 4)
    features, layer = last_layer_features(model, x, batch_size=3)
    assert layer is model.out
    with torch.no_grad():
        torch.testing.assert_close(features, model.first(x).tanh())
    assert model.training
    assert not features.requires_grad
    assert not model.out._forward_pre_hooks


@pytest.mark.parametrize(
    ("model", "inputs", "message"),
    [
        (nn.Sequential(nn.Flatten()), torch.ones(2, 3), "calls no torch.nn.Linear layer"),
        (nn.Linear(3, 2), torch.ones(2, 4, 3), r"received shape \(2, 4, 3\); expected \(2, unit\)"),
    ],
)
def test_networks_without_features_are_named(model, inputs, message):
    with pytest.raises(ValueError, match=message):
        last_layer_features(model, inputs)
    assert not any(module._forward_pre_hooks for module in model.modules())
