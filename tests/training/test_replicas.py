"""A replica agrees with a network trained alone by an ordinary loop of plain PyTorch.

Tolerances. In float64 both loops round at 1e-16 and were seen to differ by at most 1e-14 after 200
steps: 1e-11 leaves room for other kernels and none for another formula. In float32 Adam moves a
weight by at most about the learning rate each step, and a rounding of 1e-7 in a gradient changes
that step by about 1e-7 of it, unless the gradient itself is rounding; 5e-7 was seen, 1e-5 allowed.
"""

from functools import partial

import pytest
import torch
from torch import nn

from infotheo.networks import multilayer_perceptron
from infotheo.penalties.loss_term import network_settings, penalises_activations, penalty
from infotheo.training.errors import logits
from infotheo.training.replicas import Replicas
from infotheo.training.settings import TrainingSettings
from infotheo.training.trainer import train
from tests.training.plain_training import (
    CLASSES,
    PLAIN_PENALTIES,
    UNITS,
    GivenMask,
    clusters,
    plain_network,
    seeded,
    train_alone,
)

# Powers of two, the same number in both precisions; each changes what is learned.
LOSS_WEIGHTS = {
    "L1W": 2**-8,
    "L2W": 2**-6,
    "CR": 2**-2,
    "cw-CR": 2**-2,
    "VR": 2**-3,
    "cw-VR": 2**-3,
    "L1R": 2**-2,
    "RR": 2**-2,
    "cw-RR": 2**-4,
}
TWELVE = ["baseline", "dropout", "batch_norm", *LOSS_WEIGHTS]
TOLERANCE = {torch.float64: 1e-11, torch.float32: 1e-5}
EPOCHS = 40  # of five steps
LAYER = "hidden3"


def perceptron(regularizer, dtype=torch.float32):
    layer = None if regularizer == "baseline" else LAYER
    settings = network_settings(regularizer, layer, {})
    return multilayer_perceptron((UNITS,), CLASSES, width=20, hidden_layers=3, **settings).to(dtype)


def train_replicas(regularizer, seeds, dtype=torch.float32, epochs=EPOCHS, **settings):
    inputs, labels = clusters()
    inputs = inputs.to(dtype)
    return train(
        partial(perceptron, regularizer, dtype),
        (inputs, labels),
        (inputs[:0], labels[:0]),
        TrainingSettings(**{"batch_size": 25, "epochs": epochs, "learning_rate": 1e-3, **settings}),
        seeds=seeds,
        loss_weights=[LOSS_WEIGHTS.get(regularizer, 0.0)] * len(seeds),
        penalty=penalty(regularizer, LAYER, {}, CLASSES),
        penalized_layer=LAYER if penalises_activations(regularizer) else None,
    )


def train_plainly(regularizer, seed, dtype):
    inputs, labels = clusters()
    build = partial(plain_network, regularizer == "batch_norm", regularizer == "dropout")
    network = seeded(build, seed).to(dtype)
    history = train_alone(
        network,
        (inputs.to(dtype), labels),
        torch.optim.Adam(network.parameters(), lr=1e-3),
        seed,
        epochs=EPOCHS,
        batch_size=25,
        penalty=PLAIN_PENALTIES.get(regularizer),
        loss_weight=LOSS_WEIGHTS.get(regularizer, 0.0),
        layer=network[2],
    )
    return network, torch.tensor(history)


def differences(replicas, index, network):
    """Return the largest difference of each parameter and buffer of replica and network."""
    stacked = {**replicas.parameters, **replicas.buffers}
    values = [*network.parameters(), *network.buffers()]
    return {
        name: float((value[index].detach() - other.detach()).abs().max())
        for (name, value), other in zip(stacked.items(), values, strict=True)
        if not name.endswith("num_batches_tracked")  # used by no layer with a fixed momentum
    }


def assert_same(first, index, second, other, tolerance=0.0):
    """Compare a replica of one training with one of another, to the bit unless told otherwise."""
    close = {"rtol": 0, "atol": tolerance, "equal_nan": True}
    for name, value in {**first.replicas.parameters, **first.replicas.buffers}.items():
        stacked = {**second.replicas.parameters, **second.replicas.buffers}[name]
        torch.testing.assert_close(value[index], stacked[other], **close, msg=name)
    for name, values in first.history.items():
        torch.testing.assert_close(values[:, index], second.history[name][:, other], **close)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("regularizer", TWELVE)
def test_replica_agrees_with_plain_loop(regularizer, dtype):
    trained = train_replicas(regularizer, [0, 1], dtype)
    network, history = train_plainly(regularizer, 1, dtype)
    result = differences(trained.replicas, 1, network)
    if regularizer == "batch_norm":
        # Normalization cancels this bias: its gradient is rounding alone, which Adam scales up,
        # in any loop; the running mean follows it.
        bias = result.pop("hidden3.linear.bias"), result.pop("hidden3.batch_norm.running_mean")
        if dtype == torch.float64:
            assert max(bias) < 1e-8
    assert max(result.values()) < TOLERANCE[dtype], result
    # histories are float32 sums of 120 losses
    torch.testing.assert_close(
        trained.history["train_loss"][:, 1], history[:, 0], rtol=1e-5, atol=0
    )
    torch.testing.assert_close(trained.history["penalty"][:, 1], history[:, 1], rtol=1e-5, atol=0)
    if regularizer != "batch_norm" or dtype == torch.float64:
        inputs = clusters()[0].to(dtype)
        with torch.no_grad():
            torch.testing.assert_close(
                logits(trained.replicas, inputs)[1],
                network(inputs),
                rtol=0,
                atol=10 * TOLERANCE[dtype],
            )


@pytest.mark.parametrize("regularizer", [name for name in TWELVE if name != "baseline"])
def test_regularizer_changes_what_is_learned(regularizer):
    """Otherwise the agreement above would say nothing of the regularizer."""
    inputs = clusters()[0]
    regularized, without = (
        logits(train_replicas(name, [1], epochs=8).replicas, inputs)
        for name in (regularizer, "baseline")
    )
    assert float((regularized - without).abs().max()) > 1e-3


@pytest.mark.parametrize("regularizer", ["dropout", "batch_norm", "cw-CR"])
def test_neighbours_are_irrelevant(regularizer):
    alone = train_replicas(regularizer, [1], torch.float64, epochs=10)
    together = train_replicas(regularizer, [0, 1, 2], torch.float64, epochs=10)
    elsewhere = train_replicas(regularizer, [7, 8, 1], torch.float64, epochs=10)
    # batched products of one matrix and of three may be summed in another order
    for first, index in ((together, 1), (elsewhere, 2)):
        for name, value in first.replicas.parameters.items():
            torch.testing.assert_close(
                value[index], alone.replicas.parameters[name][0], rtol=0, atol=1e-11
            )
        torch.testing.assert_close(
            first.history["train_loss"][:, index], alone.history["train_loss"][:, 0]
        )


def test_place_among_as_many_others_changes_nothing():
    # not a bit, where the products of a stack are rounded alike wherever in it they stand; no
    # library promises that on every processor
    first = train_replicas("dropout", [0, 1, 2], epochs=4)
    moved = train_replicas("dropout", [1, 5, 9], epochs=4)
    assert_same(first, 1, moved, 0, TOLERANCE[torch.float32])
    assert not torch.equal(
        first.replicas.parameters["output.weight"][0], first.replicas.parameters["output.weight"][1]
    )


def test_training_twice_is_the_same_to_the_bit_and_leaves_the_generator_alone():
    before = torch.get_rng_state()
    first = train_replicas("dropout", [3], epochs=2)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(5)
    assert_same(first, 0, train_replicas("dropout", [3], epochs=2), 0)


PLAIN_OPTIMIZERS = {
    "sgd": (torch.optim.SGD, {"lr": 0.05}, {}),
    "momentum": (torch.optim.SGD, {"lr": 0.05, "momentum": 0.9}, {}),
    "nesterov": (
        torch.optim.SGD,
        {"lr": 0.05, "momentum": 0.8, "nesterov": True},
        {"momentum": 0.8, "nesterov": True},
    ),
    "rmsprop": (torch.optim.RMSprop, {"lr": 0.05, "alpha": 0.9, "eps": 1e-3}, {"epsilon": 1e-3}),
    "adam": (
        torch.optim.Adam,
        {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3},
        {"beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3},
    ),
}


@pytest.mark.parametrize("name", PLAIN_OPTIMIZERS)
def test_optimizers_agree_with_plain_ones(name):
    plain, plain_settings, settings = PLAIN_OPTIMIZERS[name]
    trained = train_replicas(
        "baseline",
        [0, 1],
        torch.float64,
        epochs=10,
        learning_rate=0.05,
        optimizer="momentum" if name == "nesterov" else name,
        optimizer_settings=settings,
    )
    network = seeded(plain_network, 1).double()
    inputs, labels = clusters()
    optimizer = plain(network.parameters(), **plain_settings)
    train_alone(network, (inputs.double(), labels), optimizer, 1, epochs=10, batch_size=25)
    assert max(differences(trained.replicas, 1, network).values()) < 1e-10


class Residual(nn.Module):
    """A network with its own forward: a skip connection around norm, activation and dropout."""

    def __init__(self, dropout=nn.Dropout):
        super().__init__()
        self.first = nn.Linear(UNITS, 20)
        self.inner = nn.Linear(20, 20, bias=False)
        self.norm = nn.BatchNorm1d(20)
        self.drop = dropout(0.25)
        self.last = nn.Linear(20, CLASSES)

    def forward(self, inputs):
        before = torch.tanh(self.first(inputs))
        return self.last(before + self.drop(torch.relu(self.norm(self.inner(before)))))


class Convolutional(nn.Module):
    """Two convolutions on 4 by 4 images, a pool and a dropout of feature maps' values."""

    def __init__(self, dropout=nn.Dropout):
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.drop = dropout(0.25)
        self.second = nn.Conv2d(4, 5, 2)
        self.last = nn.Linear(5, CLASSES)

    def forward(self, inputs):
        maps = self.drop(torch.relu(self.norm(self.first(inputs.unflatten(1, (1, 4, 4))))))
        return self.last(self.second(maps).amax((2, 3)))


def general(network, seeds, penalized=None, regularizer="baseline", epochs=EPOCHS):
    inputs, labels = clusters()
    return train(
        lambda: network().double(),
        (inputs.double(), labels),
        (inputs[:30].double(), labels[:30]),
        TrainingSettings(batch_size=25, epochs=epochs, learning_rate=1e-3),
        seeds=seeds,
        loss_weights=[0.25] * len(seeds),
        penalty=penalty(regularizer, penalized, {}, CLASSES),
        penalized_layer=penalized,
    )


@pytest.mark.parametrize(
    ("network", "layer", "regularizer", "mask_shape"),
    [
        (Residual, None, "baseline", (20,)),
        (Residual, "inner", "cw-VR", (20,)),
        (Convolutional, None, "baseline", (4, 4, 4)),
    ],
)
def test_any_module_agrees_with_plain_loop(network, layer, regularizer, mask_shape):
    trained = general(network, [0, 1], layer, regularizer)
    alone = seeded(partial(network, GivenMask), 1).double()
    inputs, labels = clusters()
    history = train_alone(
        alone,
        (inputs.double(), labels),
        torch.optim.Adam(alone.parameters(), lr=1e-3),
        1,
        epochs=EPOCHS,
        batch_size=25,
        penalty=PLAIN_PENALTIES.get(regularizer),
        loss_weight=0.25,
        layer=dict(alone.named_modules())[layer] if layer else None,
        mask_shape=mask_shape,
    )
    result = differences(trained.replicas, 1, alone)
    if network is Convolutional:  # batch normalization cancels this bias, see above
        assert max(result.pop("first.bias"), result.pop("norm.running_mean")) < 1e-8
    assert max(result.values()) < TOLERANCE[torch.float64], result
    torch.testing.assert_close(
        trained.history["train_loss"][:, 1], torch.tensor(history)[:, 0], rtol=1e-5, atol=0
    )
    with torch.no_grad():
        wrong = (alone(inputs[:30].double()).argmax(1) != labels[:30]).float().mean()
    assert float(trained.history["validation_error"][-1, 1]) == pytest.approx(float(wrong))


def test_known_layers_and_the_general_path_compute_the_same():
    """The batched products of a sequence against ``vmap`` of the very same network."""

    class Wrapped(nn.Sequential):  # not known to be a mere sequence
        pass

    build = partial(perceptron, "batch_norm", torch.float64)
    inputs = clusters()[0].double()
    fast = Replicas(build, [0, 1, 2], torch.device("cpu"), LAYER)
    slow = Replicas(lambda: Wrapped(build()), [0, 1, 2], torch.device("cpu"), f"0.{LAYER}")
    batch = inputs.expand(3, *inputs.shape)
    for one, other in zip(fast(batch), slow(batch), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("layer", ["output", "hidden2.linear", "hidden3"])
def test_captured_layer_is_that_layers_output(layer):
    inputs = clusters()[0]
    replicas = Replicas(partial(perceptron, "baseline"), [4, 5], torch.device("cpu"), layer)
    predicted, captured = replicas(inputs.expand(2, *inputs.shape))
    network = seeded(partial(perceptron, "baseline"), 5).eval()
    result = []
    dict(network.named_modules())[layer].register_forward_hook(
        lambda module, arguments, output: result.append(output)
    )
    torch.testing.assert_close(predicted[1], network(inputs), rtol=0, atol=1e-6)
    torch.testing.assert_close(captured[1], result[0], rtol=0, atol=1e-6)


def test_one_seed_in_several_replicas_gives_the_same_start_order_and_masks():
    trained = train_replicas("dropout", [2, 2], epochs=2)
    for value in trained.replicas.parameters.values():
        # products of a stack may be rounded by where in it they stand; another start, order or
        # mask differs by a learning rate of 1e-3 at least
        torch.testing.assert_close(value[0], value[1], rtol=0, atol=TOLERANCE[torch.float32])


def test_a_loss_weight_belongs_to_its_own_replica():
    inputs, labels = clusters()
    trained = train(
        partial(perceptron, "L2W"),
        (inputs, labels),
        (inputs, labels),
        TrainingSettings(batch_size=25, epochs=4, learning_rate=1e-3),
        seeds=[1, 1, 1],
        loss_weights=[0.0, 2**-6, 1.0],
        penalty=penalty("L2W", LAYER, {}, CLASSES),
    )
    norms = trained.replicas.parameters["hidden3.linear.weight"].square().sum((1, 2))
    assert norms[0] > norms[1] > norms[2]
    assert trained.history["penalty"].shape == (4, 3)


def test_bad_arguments_get_a_line_that_names_them():
    with pytest.raises(ValueError, match="layer 'hidden9' is not in the network.*hidden3"):
        Replicas(partial(perceptron, "baseline"), [0], torch.device("cpu"), "hidden9")
    with pytest.raises(ValueError, match="seeds: found none"):
        train_replicas("baseline", [])
    with pytest.raises(ValueError, match="batch_size: found 121, expected 1 to 120"):
        train_replicas("baseline", [0], batch_size=121)
    with pytest.raises(ValueError, match="batch_size: found 0"):
        train_replicas("baseline", [0], batch_size=0)
    with pytest.raises(ValueError, match="unknown optimizer 'adm'; did you mean 'adam'"):
        train_replicas("baseline", [0], optimizer="adm")
    with pytest.raises(ValueError, match="batches of two samples, found one"):
        train_replicas("batch_norm", [0], batch_size=119, epochs=1)
    inputs, labels = clusters()
    with pytest.raises(ValueError, match="loss_weights: found 1, expected one for each of the 2"):
        train(
            partial(perceptron, "CR"),
            (inputs, labels),
            (inputs, labels),
            TrainingSettings(),
            seeds=[0, 1],
            loss_weights=[0.1],
            penalty=penalty("CR", LAYER, {}, CLASSES),
            penalized_layer=LAYER,
        )
    with pytest.raises(ValueError, match="layer 'hidden9' has no weights"):
        penalty("L2W", "hidden9", {}, CLASSES)({"output.weight": torch.ones(1, 2, 2)}, None, labels)


class PartlyTrained(nn.Module):
    """A frozen layer, a parameter that the loss does not reach, and an in-place activation."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(16, 8)
        self.first.requires_grad_(False)
        self.activation = nn.ReLU(inplace=True)
        self.last = nn.Linear(8, CLASSES)
        self.unused = nn.Parameter(torch.ones(3))

    def forward(self, inputs):
        return self.last(self.activation(self.first(inputs)))


def test_frozen_and_unused_parameters_stay_and_captured_outputs_are_the_layers_own():
    start = Replicas(PartlyTrained, [0, 1], torch.device("cpu"), "first")
    before = {name: value.clone() for name, value in start.parameters.items()}
    assert set(before) == {"last.weight", "last.bias", "unused"}
    inputs = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(0))
    assert (start(inputs)[1] < 0).any()  # before the activation
    trained = general(PartlyTrained, [0, 1], epochs=2).replicas
    assert torch.equal(trained.buffers["first.weight"], start.buffers["first.weight"].double())
    assert torch.equal(trained.parameters["unused"], before["unused"].double())
    assert not torch.equal(trained.parameters["last.weight"], before["last.weight"].double())
