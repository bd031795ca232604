"""Recording any module's layers: what is recorded, and that the module is left as it was."""

import weakref

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from infotheo.estimators.pairwise.bounds import pairwise_information
from infotheo.modules.activations import dump_activations


class Images(nn.Module):
    """A user's network: convolution, dropout and batch normalization, and a forward of its own."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(1, 3, 2)
        self.norm = nn.BatchNorm2d(3)
        self.drop = nn.Dropout(0.5)
        self.unused = nn.Linear(2, 2)
        self.pair = nn.LSTM(3, 2)
        self.head = nn.Linear(27, 5)

    def forward(self, images):
        maps = self.drop(self.norm(torch.relu(self.convolution(images))))
        self.pair(maps.flatten(2).mT)
        return self.head(maps.flatten(1))


@pytest.fixture
def model():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Images()


@pytest.fixture
def images():
    return torch.randn(10, 1, 4, 4, generator=torch.Generator().manual_seed(1))


def count_hooks(model):
    return sum(len(module._forward_hooks) for module in model.modules())


def test_values_are_the_layers_outputs(model, images):
    recorded = dump_activations(model, images.split(3), ["head"])
    assert recorded["head"].dims == ("sample", "unit")
    assert recorded["head"].dtype == np.float32
    model.eval()
    with torch.no_grad():
        np.testing.assert_allclose(recorded["head"], model(images), rtol=1e-5, atol=1e-6)


def test_several_layers_have_unit_dimensions_of_their_own(model, images):
    recorded = dump_activations(model, images.split(4), ["convolution", "head", "drop"])
    assert recorded["convolution"].dims == ("sample", "unit_convolution")
    assert dict(recorded.sizes) == {
        "sample": 10,
        "unit_convolution": 27,
        "unit_head": 5,
        "unit_drop": 27,
    }
    alone = dump_activations(model, images.split(4), ["head"])["head"]
    np.testing.assert_array_equal(recorded["head"].values, alone.values)


def test_more_dimensions_are_flattened_in_torch_order(model, images):
    recorded = dump_activations(model, [images], ["convolution"])["convolution"]
    with torch.no_grad():
        expected = model.convolution(images).flatten(1)
    np.testing.assert_allclose(recorded, expected, rtol=1e-6)
    vector = dump_activations(nn.Sequential(nn.ReLU()), [torch.arange(4.0)], ["0"])["0"]
    assert vector.shape == (4, 1)


def test_labels_become_a_coordinate(model, images):
    labels = torch.arange(10) % 3
    loader = DataLoader(TensorDataset(images, labels), batch_size=4)
    recorded = dump_activations(model, loader, ["head"])
    assert recorded["class"].dims == ("sample",)
    np.testing.assert_array_equal(recorded["class"], labels)
    np.testing.assert_array_equal(
        recorded["head"], dump_activations(model, images.split(4), ["head"])["head"]
    )
    without = dump_activations(model, DataLoader(TensorDataset(images), batch_size=4), ["head"])
    assert "class" not in without.coords
    np.testing.assert_array_equal(without["head"], recorded["head"])


@pytest.mark.parametrize("training", [True, False])
def test_model_is_left_as_it_was(model, images, training):
    model.train(training)
    model.norm.eval()  # frozen by its user
    model.head.weight.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = {name: module.training for name, module in model.named_modules()}
    first = dump_activations(model, images.split(4), ["head", "drop"])
    assert count_hooks(model) == 0
    assert {name: module.training for name, module in model.named_modules()} == modes
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(parameter.grad is None for parameter in model.parameters())
    # evaluation mode: no dropout, so the same again
    second = dump_activations(model, images.split(4), ["head", "drop"])
    np.testing.assert_array_equal(first["drop"], second["drop"])


def test_model_is_left_as_it_was_after_an_exception_too(model, images):
    model.train()
    model.norm.eval()

    def broken():
        yield images[:4]
        raise RuntimeError("disk on fire")

    with pytest.raises(RuntimeError, match="disk on fire"):
        dump_activations(model, broken(), ["head", "drop"])
    with pytest.raises(RuntimeError, match="channels"):
        dump_activations(model, [torch.zeros(2, 2, 4, 4)], ["head"])
    assert count_hooks(model) == 0
    assert model.training
    assert model.drop.training
    assert not model.norm.training


def test_own_hooks_of_the_user_stay(model, images):
    calls = []
    model.head.register_forward_hook(lambda *arguments: calls.append(1))
    dump_activations(model, [images], ["head"])
    assert count_hooks(model) == 1
    assert calls == [1]


def test_batches_are_consumed_one_at_a_time(model):
    """Nothing is asked for before the last batch went through, and no batch is kept."""
    passed = []
    model.head.register_forward_hook(lambda *arguments: passed.append(1))
    references, alive = [], []

    def batches():
        for number in range(6):
            assert len(passed) == number
            batch = torch.full((4, 1, 4, 4), float(number))
            references.append(weakref.ref(batch))
            alive.append(sum(reference() is not None for reference in references))
            yield batch
            del batch

    recorded = dump_activations(model, batches(), ["head"])
    assert recorded.sizes["sample"] == 24
    assert max(alive) <= 2  # the one that is made and, at most, the one before


def test_batches_may_share_one_buffer():
    """A layer may put out a view of its input, which the next batch overwrites."""
    buffer = torch.zeros(2, 3)

    def batches():
        for number in range(3):
            yield buffer.fill_(number)

    recorded = dump_activations(nn.Sequential(nn.Flatten()), batches(), ["0"])["0"]
    assert recorded.values[:, 0].tolist() == [0, 0, 1, 1, 2, 2]


def test_later_layer_that_works_in_place_spoils_nothing():
    model = nn.Sequential(nn.Linear(3, 50), nn.ReLU(inplace=True))
    inputs = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    recorded = dump_activations(model, [inputs], ["0", "1"])
    assert float(recorded["0"].min()) < 0
    assert float(recorded["1"].min()) == 0
    with torch.no_grad():
        np.testing.assert_allclose(recorded["0"], model[0](inputs), rtol=1e-6)


@pytest.mark.parametrize(
    ("model_dtype", "asked", "digits"),
    [
        (torch.float64, "float64", 1e-15),
        (torch.float64, "float32", 1e-6),
        (torch.float32, "float64", 1e-6),
        (torch.bfloat16, "float32", 1e-2),
    ],
)
def test_type_asked_for_with_the_digits_it_can_have(model_dtype, asked, digits):
    model = nn.Sequential(nn.Linear(4, 3)).double()
    inputs = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        exact = model(inputs).numpy()
    recorded = dump_activations(
        model.to(model_dtype), [inputs.to(model_dtype)], ["0"], dtype=asked
    )["0"]
    assert recorded.dtype == np.dtype(asked)
    np.testing.assert_allclose(recorded, exact, rtol=0, atol=3 * digits * np.abs(exact).max())


def test_what_cannot_be_recorded_is_said_in_a_line(model, images):
    with pytest.raises(ValueError, match="layer 'haed' is not in the network.*convolution.*head"):
        dump_activations(model, [images], ["head", "haed"])
    with pytest.raises(ValueError, match="layers: found none"):
        dump_activations(model, [images], [])
    with pytest.raises(ValueError, match="batches: found none"):
        dump_activations(model, [], ["head"])
    with pytest.raises(ValueError, match="layer 'unused': expected one tensor.*found NoneType"):
        dump_activations(model, [images], ["unused"])
    with pytest.raises(ValueError, match="layer 'pair': expected one tensor.*found tuple"):
        dump_activations(model, [images], ["pair"])
    with pytest.raises(ValueError, match="with 10 samples first, found \\(1, 10"):
        dump_activations(nn.Sequential(nn.Unflatten(0, (1, 10))), [images], ["0"])
    with pytest.raises(ValueError, match="a batch of 3 parts, expected inputs, or inputs and"):
        dump_activations(model, [(images, images, images)], ["head"])
    assert count_hooks(model) == 0


def test_each_of_several_layers_goes_straight_into_an_estimator():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    inputs = torch.randn(12, 3, generator=torch.Generator().manual_seed(0))
    both = dump_activations(model, [inputs], ["0", "2"])
    alone = dump_activations(model, [inputs], ["2"])
    result = pairwise_information(both["2"], noise_variance=1.0)
    expected = pairwise_information(alone["2"], noise_variance=1.0)
    assert float(result["lower"]) == float(expected["lower"])


class Repeated(nn.Module):
    """Calls one module twice in a pass."""

    def __init__(self):
        super().__init__()
        self.first, self.relu, self.last = nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2)

    def forward(self, inputs):
        return self.relu(self.last(self.relu(self.first(inputs))))


@pytest.mark.parametrize(
    ("batches", "layers", "error", "message"),
    [
        (torch.ones(24, 3), ["last"], TypeError, r"found one Tensor of shape \(24, 3\).*as \[x\]"),
        (np.ones((24, 3)), ["last"], TypeError, r"found one ndarray of shape \(24, 3\)"),
        ([torch.ones(24, 3)], "last", TypeError, "layers: found the text 'last', expected a list"),
        ([torch.ones(24, 3)], ["last", "last"], ValueError, "layers: found 'last' twice"),
        ([torch.ones(24, 3)], ["relu"], ValueError, "layer 'relu' is called more than once"),
    ],
)
def test_what_would_be_recorded_otherwise_than_meant_is_refused(batches, layers, error, message):
    model = Repeated()
    with pytest.raises(error, match=message):
        dump_activations(model, batches, layers)
    assert count_hooks(model) == 0
    assert dump_activations(model, [torch.ones(24, 3)], ["last"])["last"].shape == (24, 2)
