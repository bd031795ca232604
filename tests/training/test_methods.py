"""One network after another, under ``vmap`` or as batched products: the same numbers."""

import weakref
from functools import partial

import pytest
import torch
from torch import nn

from infotheo.networks import multilayer_perceptron
from infotheo.penalties.loss_term import penalty
from infotheo.training import trainer
from infotheo.training.replicas import Replicas
from infotheo.training.settings import TrainingSettings
from infotheo.training.trainer import train
from tests.training.plain_training import CLASSES, UNITS, clusters, train_alone

CPU = torch.device("cpu")


class Convolutional(nn.Module):
    """Convolutions, batch normalization, a skip and dropout on 4 by 4 images."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.25)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.last = nn.Linear(4, CLASSES)

    def forward(self, inputs):
        maps = torch.tanh(self.norm(self.first(inputs.unflatten(1, (1, 4, 4)))))
        return self.last((maps + self.second(self.drop(maps))).mean((2, 3)))


class Skipping(nn.Module):
    """No convolution, but no mere sequence either."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(UNITS, 8)
        self.last = nn.Linear(8, CLASSES)

    def forward(self, inputs):
        values = self.first(inputs)
        return self.last(values + torch.tanh(values))


def perceptron():
    return multilayer_perceptron((UNITS,), CLASSES, width=8, hidden_layers=1)


@pytest.mark.parametrize(
    ("network", "replicas", "method"),
    [
        (perceptron, 1, "products"),
        (perceptron, 3, "products"),
        (Skipping, 1, "one by one"),
        (Skipping, 3, "vmap"),
        (Convolutional, 1, "one by one"),
        (Convolutional, 3, "one by one"),
    ],
)
def test_the_quicker_method_is_chosen(network, replicas, method):
    assert Replicas(network, range(replicas), CPU)._method == method


def test_convolutions_off_the_cpu_go_together():
    assert Replicas(Convolutional, range(3), torch.device("meta"))._method == "vmap"


def trained(method, monkeypatch, network=Convolutional, seeds=(0, 1), regularizer="cw-VR"):
    inputs, labels = clusters()
    monkeypatch.setattr(trainer, "Replicas", partial(Replicas, method=method))
    return train(
        lambda: network().double(),
        (inputs.double(), labels),
        (inputs[:30].double(), labels[:30]),
        TrainingSettings(optimizer="momentum", batch_size=25, epochs=10, learning_rate=0.05),
        seeds=seeds,
        loss_weights=[0.25, 0.5][: len(seeds)],
        penalty=penalty(regularizer, "last", {}, CLASSES),
        penalized_layer="last",
    )


@pytest.mark.parametrize("regularizer", ["cw-VR", "L2W"])
def test_one_by_one_is_vmap_to_rounding(monkeypatch, regularizer):
    one, other = (
        trained(method, monkeypatch, regularizer=regularizer) for method in ("one by one", "vmap")
    )
    for first, second in (
        (one.replicas.parameters, other.replicas.parameters),
        (one.replicas.buffers, other.replicas.buffers),
        (one.history, other.history),
    ):
        assert first.keys() == second.keys()
        for name, value in second.items():
            # float64 rounding over 50 steps
            torch.testing.assert_close(first[name], value, rtol=1e-9, atol=1e-9)
    assert one.replicas.buffers["norm.num_batches_tracked"].tolist() == [50, 50]
    assert (one.replicas.buffers["norm.running_mean"].std(0) > 0).all()  # each its own


def test_neighbour_changes_no_bit_of_a_network_that_trains_by_itself(monkeypatch):
    both = trained("one by one", monkeypatch)
    alone = trained("one by one", monkeypatch, seeds=(0,))
    for name, value in alone.replicas.parameters.items():
        assert torch.equal(both.replicas.parameters[name][0], value[0]), name


@pytest.mark.parametrize("method", ["one by one", "vmap"])
def test_a_loss_weight_belongs_to_its_own_replica(monkeypatch, method):
    both = trained(method, monkeypatch, seeds=(1, 1), regularizer="L2W")
    smaller, larger = both.replicas.parameters["last.weight"].square().sum((1, 2))
    assert larger < 0.9 * smaller


class Sentinel:
    """Lives as long as the graph that holds it."""


class _Watched(torch.autograd.Function):
    alive = weakref.WeakSet()

    @staticmethod
    def forward(ctx, inputs):
        ctx.sentinel = Sentinel()
        _Watched.alive.add(ctx.sentinel)
        return inputs.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class Watched(Convolutional):
    def forward(self, inputs):
        if self.training:
            assert not _Watched.alive  # no graph of another replica, nor of an earlier step
        return _Watched.apply(super().forward(inputs))


def test_one_graph_at_a_time(monkeypatch):
    trained("one by one", monkeypatch, Watched)


@pytest.mark.parametrize("method", ["one by one", "vmap"])
def test_gradients_flow_through_all_replicas_at_once(method):
    """Whoever calls the replicas, not their parts, may differentiate too."""
    replicas = Replicas(Convolutional, [0, 1, 2], CPU, method=method)
    inputs = clusters()[0][:20].expand(3, 20, UNITS)
    logits, _ = replicas(inputs)
    gradients = torch.autograd.grad(logits.square().sum(), list(replicas.parameters.values()))
    assert all(bool((gradient.flatten(1).abs().sum(1) > 0).all()) for gradient in gradients)


@pytest.mark.parametrize("method", ["one by one", "vmap"])
@pytest.mark.parametrize("network", [Convolutional, Skipping])
def test_outputs_of_several_layers(network, method):
    replicas = Replicas(network, [0, 1], CPU, method=method)
    inputs = clusters()[0]
    result = replicas.layer_outputs(["last", "first"], inputs, chunk=50)
    assert list(result) == ["last", "first"]
    single = network().eval()
    for index in range(2):
        state = {**replicas.parameters, **replicas.buffers}
        single.load_state_dict({name: value[index].detach() for name, value in state.items()})
        with torch.no_grad():
            logits = single(inputs)
            images = inputs.unflatten(1, (1, 4, 4)) if network is Convolutional else inputs
            first = single.first(images).flatten(1)
        # float32 in chunks of other sizes
        torch.testing.assert_close(result["last"][index], logits, rtol=0, atol=1e-5)
        torch.testing.assert_close(result["first"][index], first, rtol=0, atol=1e-5)


def test_outputs_of_known_layers_and_of_layers_that_are_not_there():
    replicas = Replicas(perceptron, [0, 1], CPU)
    inputs = clusters()[0]
    result = replicas.layer_outputs(["hidden1.linear", "hidden1"], inputs)
    assert result["hidden1"].shape == (2, 120, 8)
    assert not result["hidden1"].requires_grad
    assert torch.equal(result["hidden1"], result["hidden1.linear"].relu())
    with pytest.raises(ValueError, match="layer 'hidden2' is not in the network"):
        replicas.layer_outputs(["hidden2"], inputs)


class Idle(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.unused = nn.Linear(UNITS, CLASSES), nn.Linear(2, 2)

    def forward(self, inputs):
        return self.used(inputs)


def test_layer_that_takes_no_part_is_named():
    with pytest.raises(ValueError, match="layer 'unused' took no part in the network's output"):
        Replicas(Idle, [0], CPU).layer_outputs(["unused"], clusters()[0])


# Weight decay

DECAYING = {
    "sgd": (partial(torch.optim.SGD, lr=0.05), {}),
    "momentum": (partial(torch.optim.SGD, lr=0.05, momentum=0.9), {}),
    "adam": (partial(torch.optim.Adam, lr=0.05, eps=1e-3), {"epsilon": 1e-3}),
}


@pytest.mark.parametrize("name", DECAYING)
def test_weight_decay_is_torchs_on_every_parameter(name):
    plain, settings = DECAYING[name]
    inputs, labels = clusters()
    inputs = inputs.double()

    def run(decay):
        return train(
            lambda: Skipping().double(),
            (inputs, labels),
            (inputs[:0], labels[:0]),
            TrainingSettings(
                optimizer=name,
                optimizer_settings={**settings, "weight_decay": decay},
                batch_size=25,
                epochs=5,
                learning_rate=0.05,
            ),
            seeds=[1],
        ).replicas.parameters

    start = Replicas(lambda: Skipping().double(), [1], CPU)
    alone = Skipping().double()
    alone.load_state_dict({key: value[0].detach() for key, value in start.parameters.items()})
    optimizer = plain(alone.parameters(), weight_decay=0.1)
    train_alone(alone, (inputs, labels), optimizer, 1, epochs=5, batch_size=25)
    result, without = run(0.1), run(0.0)
    for key, value in alone.state_dict().items():
        torch.testing.assert_close(result[key][0].detach(), value, rtol=0, atol=1e-11)
        assert (result[key] - without[key]).abs().max() > 1e-4  # biases too
    with pytest.raises(ValueError, match="weight_decay is -1; expected a finite number >= 0"):
        run(-1)
