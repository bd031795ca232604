"""What networks draw in their forward pass: each replica's own, the same alone and together."""

import hashlib
import multiprocessing
import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from infotheo.training.random_streams import Masks, orders
from infotheo.training.replicas import Replicas
from infotheo.training.settings import TrainingSettings
from infotheo.training.trainer import train
from tests.training.plain_training import CLASSES, UNITS, clusters, seeded, train_alone

CPU = torch.device("cpu")


class Shared(nn.Module):
    """One dropout at two places; the places may have two widths."""

    def __init__(self, second=20):
        super().__init__()
        self.first, self.inner = nn.Linear(UNITS, 20), nn.Linear(20, second)
        self.last = nn.Linear(second, CLASSES)
        self.drop = self.again = nn.Dropout(0.25)

    def forward(self, inputs):
        inner = self.inner(self.drop(torch.relu(self.first(inputs))))
        return self.last(self.again(torch.relu(inner)))


class SharedSequence(nn.Sequential):
    """The same as known layers in sequence."""

    def __init__(self):
        drop = nn.Dropout(0.25)
        super().__init__(nn.Linear(UNITS, 20), drop, nn.Linear(20, 8), drop, nn.Linear(8, CLASSES))


class TwoDropouts(nn.Module):
    def __init__(self, order):
        super().__init__()
        self.first, self.last = nn.Linear(UNITS, 20), nn.Linear(20, CLASSES)
        self.one, self.two = nn.Dropout(0.25), nn.Dropout(0.5)
        self.order = order

    def forward(self, inputs):
        hidden = self.first(inputs)
        for name in self.order:
            hidden = getattr(self, name)(hidden)
        return self.last(hidden)


def trained(network, seeds, epochs=2, batch_size=25):
    inputs, labels = clusters()
    return train(
        network,
        (inputs, labels),
        (inputs[:30], labels[:30]),
        TrainingSettings(
            optimizer="momentum", batch_size=batch_size, epochs=epochs, learning_rate=1e-2
        ),
        seeds=seeds,
    )


def captured_masks(network, seeds=(3, 4), names=("drop",)):
    """Return what the dropouts multiply ones by, call after call, in one pass of training."""
    replicas = Replicas(network, seeds, CPU, method="one by one")
    seen = []
    for name in names:
        replicas._modules[name].register_forward_hook(
            lambda module, arguments, output: seen.append(output / arguments[0])
        )
    inputs = torch.rand(2, 5, UNITS) + 1
    replicas.try_batch(inputs[0])
    seen.clear()
    replicas(inputs, Masks(seeds, 0, CPU))
    return seen


def test_each_call_has_a_mask_of_its_own():
    masks = captured_masks(SharedWithoutZeros)
    assert len(masks) == 4  # two calls of two replicas
    stream = Masks([3, 4], 0, CPU)
    first, second = stream.draw((5, 20), 0.25), stream.draw((5, 20), 0.25)
    for index in range(2):
        torch.testing.assert_close(masks[2 * index], first[index])
        torch.testing.assert_close(masks[2 * index + 1], second[index])


class SharedWithoutZeros(Shared):
    def forward(self, inputs):
        hidden = self.first(inputs).square() + 1
        return self.last(self.again(self.inner(self.drop(hidden)).square() + 1))


@pytest.mark.parametrize("method", ["one by one", "vmap"])
def test_two_widths_are_trained(method):
    network = lambda: Shared(8)  # noqa: E731
    replicas = Replicas(network, [0, 1], CPU, method=method)
    inputs = clusters()[0][:20].expand(2, 20, UNITS)
    logits, _ = replicas(inputs, Masks([0, 1], 0, CPU))
    alone = Replicas(network, [1], CPU, method=method)(inputs[:1], Masks([1], 0, CPU))[0]
    torch.testing.assert_close(logits[1], alone[0])
    assert trained(network, [0, 1]).history["train_loss"].isfinite().all()


def test_a_shared_dropout_in_a_known_sequence():
    inputs = clusters()[0][:20].expand(2, 20, UNITS)
    results = []
    for method in ("products", "vmap", "one by one"):
        replicas = Replicas(SharedSequence, [0, 1], CPU, method=method)
        results.append(replicas(inputs, Masks([0, 1], 0, CPU))[0])
    torch.testing.assert_close(results[0], results[1])
    torch.testing.assert_close(results[0], results[2])


def test_masks_are_drawn_in_the_order_of_the_modules():
    """As they always were, whatever the order in which the network calls them."""
    inputs = clusters()[0][:20].expand(1, 20, UNITS)
    first, second = (
        Replicas(lambda order=order: TwoDropouts(order), [0], CPU)(inputs, Masks([0], 0, CPU))[0]
        for order in (("one", "two"), ("two", "one"))
    )
    torch.testing.assert_close(first, second)


class Drawing(nn.Module):
    """Draws by a function given by name, in training mode alone."""

    def __init__(self, draw, always=False):
        super().__init__()
        self.first, self.last = nn.Linear(UNITS, 12), nn.Linear(12, CLASSES)
        self.plain = nn.Dropout(0.25)
        self.draw, self.always = DRAWS[draw], always

    def forward(self, inputs):
        hidden = self.plain(torch.tanh(self.first(inputs)))
        if self.training or self.always:
            hidden = self.draw(hidden)
        return self.last(hidden)


DRAWS = {
    "dropout": functional.dropout,
    "randn_like": lambda z: z + 0.1 * torch.randn_like(z),
    "rand": lambda z: z * torch.rand(z.shape),
    "bernoulli": lambda z: z * torch.bernoulli(torch.full_like(z, 0.5)),
    "normal_": lambda z: z + torch.empty_like(z).normal_(),
    "randperm": lambda z: z[:, torch.randperm(z.shape[1])],
    "rrelu": lambda z: functional.rrelu(z, training=True),
    "depth": lambda z: functional.dropout(z) if torch.rand(()) < 0.5 else z,
    "dropout2d": lambda z: functional.dropout2d(z.unflatten(1, (4, 3, 1))).flatten(1),
}


class Recurrent(nn.Module):
    def __init__(self, rate=0.0):
        super().__init__()
        self.memory = nn.LSTM(4, 6, 2, batch_first=True, dropout=rate)
        self.last = nn.Linear(6, CLASSES)

    def forward(self, inputs):
        return self.last(self.memory(inputs.unflatten(1, (4, 4)))[0][:, -1])


class Attending(nn.Module):
    def __init__(self, rate=0.0):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(4, 2, 8, rate, batch_first=True)
        self.last = nn.Linear(4, CLASSES)

    def forward(self, inputs):
        return self.last(self.layer(inputs.unflatten(1, (4, 4))).mean(1))


class WholeChannels(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Unflatten(1, (1, 4, 4)),
            nn.Conv2d(1, 4, 3),
            nn.Dropout2d(0.5),
            nn.Flatten(),
            nn.AlphaDropout(0.1),
            nn.Linear(16, CLASSES),
        )


NETWORKS = {
    **{name: lambda name=name: Drawing(name) for name in DRAWS},
    "LSTM": Recurrent,
    "LSTM with dropout": lambda: Recurrent(0.3),
    "attention with dropout": lambda: Attending(0.3),
    "channels": WholeChannels,
}


def learned(result):
    """Hash the bits of what the first replica has learned."""
    values = result.replicas.parameters.values()
    content = b"".join(value[0].detach().numpy().tobytes() for value in values)
    return hashlib.sha256(content).hexdigest()


def learned_alone(names):
    torch.set_num_threads(1)  # as in this process (conftest.py): sums in parts round otherwise
    return {name: learned(trained(NETWORKS[name], [1])) for name in names}


@pytest.mark.gate
def test_same_seed_same_result_alone_together_and_in_another_process():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        elsewhere = pool.apply_async(learned_alone, (list(NETWORKS),))
        together = {name: trained(network, [0, 1, 2]) for name, network in NETWORKS.items()}
        torch.rand(7)
        alone = {name: trained(network, [1]) for name, network in NETWORKS.items()}
        other = elsewhere.get()
    assert {name: learned(result) for name, result in alone.items()} == other
    for name, result in together.items():
        # float32 rounding: an optimizer's loop over three networks may end elsewhere than one's
        for key, value in alone[name].replicas.parameters.items():
            torch.testing.assert_close(
                result.replicas.parameters[key][1], value[0], rtol=0, atol=1e-7
            )
            assert not torch.allclose(result.replicas.parameters[key][0], value[0], atol=1e-4)
        assert result.replicas._method == "one by one", name


def test_global_generators_are_left_alone():
    before = torch.get_rng_state(), np.random.get_state()[1], random.getstate()  # noqa: NPY002
    trained(NETWORKS["dropout"], [0, 1])
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert random.getstate() == before[2]


def test_steps_and_epochs_draw_anew():
    replicas = Replicas(NETWORKS["randn_like"], [0, 1], CPU)
    inputs = clusters()[0][:20].expand(2, 20, UNITS)
    masks = Masks([0, 1], 0, CPU)
    first, second = replicas(inputs, masks)[0], replicas(inputs, masks)[0]
    other = replicas(inputs, Masks([0, 1], 1, CPU))[0]
    again = replicas(inputs, Masks([0, 1], 0, CPU))[0]
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert not torch.equal(first, other)


def test_a_network_that_vmap_cannot_batch_is_that_of_a_plain_loop():
    inputs, labels = clusters()
    result = train(
        lambda: Recurrent().double(),
        (inputs.double(), labels),
        (inputs[:0].double(), labels[:0]),
        TrainingSettings(batch_size=25, epochs=3, learning_rate=1e-2),
        seeds=[0, 1],
    )
    alone = seeded(Recurrent, 1).double()
    optimizer = torch.optim.Adam(alone.parameters(), lr=1e-2)
    train_alone(alone, (inputs.double(), labels), optimizer, 1, epochs=3, batch_size=25)
    for name, value in alone.named_parameters():
        # float64 rounding over 15 steps
        torch.testing.assert_close(result.replicas.parameters[name][1], value, rtol=0, atol=1e-11)


@pytest.mark.parametrize(
    ("draw", "function"),
    [("dropout", "torch.nn.functional.dropout"), ("randn_like", "torch.randn_like")],
)
def test_draws_in_evaluation_mode_are_refused_by_name(draw, function):
    expected = rf"draws at random in evaluation mode \({function}\)"
    for seeds in ([0], [0, 1]):
        replicas = Replicas(lambda: Drawing(draw, always=True), seeds, CPU)
        with pytest.raises(ValueError, match=expected):
            replicas.layer_outputs(["last"], clusters()[0])
        with pytest.raises(ValueError, match=expected):
            trained(lambda: Drawing(draw, always=True), seeds)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda z: z * np.random.random(), "draws from numpy.random in its forward pass"),  # noqa: NPY002
        (lambda z: z * random.random(), "draws from Python's random in its forward pass"),
        (
            lambda z: z * torch.rand((), generator=torch.Generator().manual_seed(0)),
            r"generator of its own \(torch.rand\)",
        ),
    ],
)
@pytest.mark.parametrize("seeds", [[0], [0, 1]])
def test_other_generators_are_refused_by_name(monkeypatch, draw, message, seeds):
    monkeypatch.setitem(DRAWS, "other", draw)
    with pytest.raises(ValueError, match=message):
        trained(lambda: Drawing("other"), seeds)


class FromNumPy(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(np.random.random((UNITS, CLASSES))))  # noqa: NPY002

    def forward(self, inputs):
        return inputs @ self.weight.float()


def test_initial_weights_of_numpys_generator_come_from_the_seed():
    first = Replicas(FromNumPy, [0, 1], CPU).parameters["weight"]
    np.random.random(3)  # noqa: NPY002
    second = Replicas(FromNumPy, [1], CPU).parameters["weight"]
    assert torch.equal(first[1], second[0])
    assert not torch.equal(first[0], first[1])


def test_order_is_another_stream_than_forward():
    masks = Masks([0], 0, CPU)
    with masks.seeding_torch(0):
        drawn = torch.randperm(50)
    assert not torch.equal(drawn, orders([0], 0, 50)[0])


class NoSingleSample(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Linear(UNITS, 8), nn.BatchNorm1d(8)
        self.last = nn.Linear(8, CLASSES)

    def forward(self, inputs):
        return self.last(self.norm(self.first(inputs)))


def known_sequence():
    return nn.Sequential(nn.Linear(UNITS, 8), nn.BatchNorm1d(8), nn.Linear(8, CLASSES))


@pytest.mark.parametrize("network", [NoSingleSample, known_sequence])
@pytest.mark.parametrize("seeds", [[0], [0, 1]])
def test_a_last_mini_batch_of_one_sample_is_refused_before_training(network, seeds, monkeypatch):
    monkeypatch.setattr("infotheo.training.gradients.Objective.differentiate", None)
    expected = "batch_size: found 17, which leaves a mini-batch of one of the 120 samples.*as 16"
    with pytest.raises(ValueError, match=expected):
        trained(network, seeds, batch_size=17)


def test_a_last_mini_batch_of_one_sample_without_batch_normalization():
    assert trained(Shared, [0], batch_size=17).history["train_loss"].isfinite().all()


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.relu = nn.Linear(UNITS, 8), nn.ReLU()
        self.last = nn.Linear(8, CLASSES)

    def forward(self, inputs):
        return self.relu(self.last(self.relu(self.first(inputs))))


@pytest.mark.parametrize("method", ["one by one", "vmap"])
def test_a_layer_that_is_called_twice_is_refused(method):
    message = "layer 'relu' is called more than once in a pass"
    replicas = Replicas(Twice, [0, 1], CPU, "relu", method=method)
    inputs = clusters()[0]
    with pytest.raises(ValueError, match=message):
        replicas.layer_outputs(["relu"], inputs)
    with pytest.raises(ValueError, match=message):
        replicas(inputs.expand(2, *inputs.shape))
    with pytest.raises(ValueError, match="layers: found 'last' twice"):
        replicas.layer_outputs(["last", "last"], inputs)


class InPlace(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(UNITS, 8), nn.Linear(8, CLASSES)

    def forward(self, inputs):
        return self.last(torch.relu_(self.first(inputs)))


@pytest.mark.parametrize("method", ["one by one", "vmap"])
def test_a_function_that_works_in_place_spoils_no_output(method):
    replicas = Replicas(InPlace, [0, 1], CPU, method=method)
    assert (replicas.layer_outputs(["first"], clusters()[0])["first"] < 0).any()


def test_an_output_that_is_no_tensor_is_refused():
    replicas = Replicas(Recurrent, [0, 1], CPU)
    with pytest.raises(ValueError, match="layer 'memory': expected one tensor with 120 samples"):
        replicas.layer_outputs(["memory"], clusters()[0])
