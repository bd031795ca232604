"""The multilayer perceptron: widths one by one, activations and initial weights by name."""

import math

import pytest
import torch
from torch import nn

from infotheo.networks import multilayer_perceptron
from infotheo.networks.mlp import activations

SLOPES = torch.linspace(-4, 4, 81)


def names(network):
    return [name for name, _ in network.named_children()]


@pytest.mark.parametrize(
    ("inputs", "widths", "classes"),
    [((12,), [10, 7, 5, 4, 3], 2), ((784,), [1024, 20, 20, 20], 10), ((5,), [], 3)],
)
def test_widths_name_each_layer_in_turn(inputs, widths, classes):
    network = multilayer_perceptron(inputs, classes, widths=widths, activation="tanh")
    assert names(network) == [*(f"hidden{n}" for n in range(1, len(widths) + 1)), "output"]
    sizes = [
        (p.in_features, p.out_features) for p in network.modules() if hasattr(p, "in_features")
    ]
    layers = [*inputs, *widths, classes]
    assert sizes == list(zip(layers[:-1], layers[1:], strict=True))
    assert network(torch.ones(3, *inputs)).shape == (3, classes)


def test_widths_stand_for_width_and_hidden_layers():
    def built(**settings):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return multilayer_perceptron((6,), 2, batch_norm=["hidden2"], **settings).state_dict()

    by_list, by_number = built(widths=[4, 4], width=9), built(width=4, hidden_layers=2)
    assert list(by_list) == list(by_number)
    assert all(torch.equal(by_list[name], by_number[name]) for name in by_list)


def test_settings_of_a_layer_reach_a_layer_of_the_list():
    network = multilayer_perceptron(
        (6,), 2, widths=[5, 3], dropout={"hidden2": 0.25}, batch_norm=["hidden1"]
    )
    assert network.hidden1.batch_norm.num_features == 5
    assert network.hidden2.dropout.p == 0.25
    with pytest.raises(ValueError, match="layer 'hidden3' is not in the network"):
        multilayer_perceptron((6,), 2, widths=[5, 3], batch_norm=["hidden3"])


FORMULAS = {
    "relu": lambda t: max(t, 0),
    "tanh": math.tanh,
    "sigmoid": lambda t: 1 / (1 + math.exp(-t)),
    "elu": lambda t: t if t > 0 else math.expm1(t),
    "softplus": lambda t: math.log1p(math.exp(t)),
    "linear": lambda t: t,
    "leaky_relu": lambda t: t if t > 0 else 0.01 * t,
    "gelu": lambda t: t * (1 + math.erf(t / math.sqrt(2))) / 2,
    "silu": lambda t: t / (1 + math.exp(-t)),
    "mish": lambda t: t * math.tanh(math.log1p(math.exp(t))),
    # Klambauer et al. (2017)
    "selu": lambda t: 1.0507009873554805 * (t if t > 0 else 1.6732632423543772 * math.expm1(t)),
    "celu": lambda t: t if t > 0 else math.expm1(t),
    "softsign": lambda t: t / (1 + abs(t)),
    "relu6": lambda t: min(max(t, 0), 6),
    "hardtanh": lambda t: min(max(t, -1), 1),
    "hardsigmoid": lambda t: min(max(t / 6 + 0.5, 0), 1),
    "hardswish": lambda t: t * min(max(t / 6 + 0.5, 0), 1),
}


def test_every_activation_has_a_formula_here():
    assert sorted(activations) == sorted(FORMULAS)


@pytest.mark.parametrize("name", activations)
def test_activation_is_the_function_of_its_name(name):
    network = multilayer_perceptron((1,), 2, widths=[1], activation=name)
    nn.init.ones_(network.hidden1.linear.weight)
    result = network.hidden1(SLOPES.double().unsqueeze(1).float()).squeeze(1).detach()
    expected = torch.tensor([FORMULAS[name](float(t)) for t in SLOPES])
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=2e-6)  # float32


def test_truncated_normal_is_that_of_the_information_plane_experiments():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = multilayer_perceptron((400,), 2, widths=[500], initialization="truncated_normal")
    weight = network.hidden1.linear.weight.detach() * math.sqrt(400)
    assert float(weight.abs().max()) <= 2
    assert float(weight.abs().max()) > 1.99  # of 200,000
    # variance of a standard normal between -2 and 2: 1 - 4 phi(2) / (2 Phi(2) - 1)
    inside = math.erf(2 / math.sqrt(2))
    expected = 1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / inside
    # standard error of the variance of 200,000: below sqrt(2 / 200,000) = 0.0032; five of them
    assert float(weight.var()) == pytest.approx(expected, abs=0.016)
    assert not network.hidden1.linear.bias.any()


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"widths": [3, 0]}, r"widths\[1\] is 0; expected a whole number >= 1"),
        ({"widths": [3.5]}, r"widths\[0\] is 3.5; expected a whole number"),
        ({"widths": 3}, "widths is 3; expected a list"),
        ({"widths": "12-10"}, "widths is '12-10'; expected a list"),
        ({"width": 0}, "width is 0"),
        ({"hidden_layers": -1}, "hidden_layers is -1"),
        ({"activation": "softmax"}, "unknown activation 'softmax'"),
        ({"initialization": "truncated"}, "unknown initialization 'truncated'; did you mean"),
    ],
)
def test_bad_settings_are_named(settings, line):
    with pytest.raises((ValueError, TypeError), match=f"^{line}"):
        multilayer_perceptron((4,), 2, **settings)
