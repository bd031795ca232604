"""A training that was cut short goes on to the same bits; no file is ever half written."""

import os
import pickle
import zipfile
from itertools import count

import numpy as np
import pytest
import torch

from infotheo.networks import multilayer_perceptron
from infotheo.training import checkpoint
from infotheo.training.settings import TrainingSettings
from infotheo.training.trainer import train
from tests.training.plain_training import CLASSES, UNITS, clusters

STEPS = 4  # of an epoch: 120 samples in batches of 30
EPOCHS = 5


class Killed(BaseException):
    """Not an error: nothing in training may catch it."""


def run(
    path=None,
    *,
    stop_at=None,
    optimizer="adam",
    seconds=0.0,
    epochs=EPOCHS,
    weights=(0.1, 1.0),
    shift=0.0,
    **settings,
):
    """Train with dropout and batch normalization; return the result and the steps it took."""
    inputs, labels = clusters()
    inputs = inputs + shift
    steps = count(1)
    taken = 0

    def penalty(parameters, activations, own_labels):
        nonlocal taken
        taken = next(steps)
        if taken == stop_at:
            raise Killed
        return activations.square().mean((1, 2))

    trained = train(
        lambda: multilayer_perceptron(
            (UNITS,),
            CLASSES,
            width=20,
            hidden_layers=2,
            dropout={"hidden1": 0.5},
            batch_norm=["hidden2"],
        ),
        (inputs, labels),
        (inputs[:20], labels[:20]),
        TrainingSettings(
            optimizer=optimizer,
            epochs=epochs,
            **{"learning_rate": 0.01, "batch_size": 30, **settings},
        ),
        seeds=[0, 1],
        loss_weights=weights,
        penalty=penalty,
        penalized_layer="hidden2",
        checkpoint_path=path,
        checkpoint_seconds=seconds,
    )
    return trained, taken


def assert_same(one, other):
    pairs = [(one.replicas.parameters, other.replicas.parameters)]
    pairs += [(one.replicas.buffers, other.replicas.buffers), (one.history, other.history)]
    for result, expected in pairs:
        assert result.keys() == expected.keys()
        for name, value in expected.items():
            assert torch.equal(result[name], value), name


@pytest.mark.parametrize("optimizer", ["adam", "momentum", "sgd", "rmsprop"])
@pytest.mark.parametrize("done", [1, 3])
def test_resumed_training_is_the_same_to_the_bit(tmp_path, optimizer, done):
    path = tmp_path / "state.npz"
    undisturbed, _ = run(optimizer=optimizer)
    with pytest.raises(Killed):
        run(path, optimizer=optimizer, stop_at=done * STEPS + 2)  # in the middle of an epoch
    resumed, steps = run(path, optimizer=optimizer)
    assert steps == (EPOCHS - done) * STEPS
    assert_same(resumed, undisturbed)


@pytest.mark.parametrize("other", [{"shift": 0.5}, {"weights": (0.1, 2.0)}])
def test_state_of_another_training_is_no_use(tmp_path, other):
    path = tmp_path / "state.npz"
    with pytest.raises(Killed):
        run(path, stop_at=3 * STEPS)
    assert path.exists()
    trained, steps = run(path, **other)
    assert steps == EPOCHS * STEPS
    assert_same(trained, run(**other)[0])


def noisy(inputs, streams, *, scale=0.1):
    noise = [torch.randn(x.shape, generator=s) for x, s in zip(inputs, streams, strict=True)]
    return inputs + scale * torch.stack(noise)


NOISY = f"{__name__}:noisy"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"learning_rate": 0.5}),
        ({}, {"batch_size": 31}),  # as many steps of an epoch
        ({}, {"phases": [{"epoch": 4, "learning_rate": 0.5}]}),
        (
            {"phases": [{"epoch": 4, "batch_size": 31}]},
            {"phases": [{"epoch": 4, "batch_size": 32}]},
        ),
        ({}, {"optimizer_settings": {"beta1": 0.5}}),
        ({"optimizer": "momentum"}, {"optimizer": "sgd"}),
        ({}, {"augmentation": NOISY}),
        (
            {"augmentation": NOISY, "augmentation_settings": {"scale": 0.2}},
            {"augmentation": NOISY, "augmentation_settings": {"scale": 0.3}},
        ),
        ({}, {"epochs": EPOCHS + 1}),
    ],
)
def test_state_of_a_training_with_other_settings_is_no_use(tmp_path, one, other):
    path = tmp_path / "state.npz"
    with pytest.raises(Killed):
        run(path, stop_at=3 * STEPS, **one)
    assert path.exists()
    trained, steps = run(path, **other)
    assert steps == other.get("epochs", EPOCHS) * STEPS
    assert_same(trained, run(**other)[0])


def test_settings_in_another_order_are_the_same_training(tmp_path):
    path = tmp_path / "state.npz"
    settings = {"beta1": 0.8, "beta2": 0.99}
    with pytest.raises(Killed):
        run(path, stop_at=3 * STEPS, optimizer_settings=settings)
    _, steps = run(path, optimizer_settings=dict(reversed(settings.items())))
    assert steps == (EPOCHS - 2) * STEPS


def test_interrupted_again_and_again(tmp_path):
    path = tmp_path / "state.npz"
    for _ in range(EPOCHS - 1):
        with pytest.raises(Killed):
            run(path, stop_at=STEPS + 1)
    resumed, steps = run(path)
    assert steps == STEPS
    assert_same(resumed, run()[0])


def test_finished_training_is_not_repeated(tmp_path):
    path = tmp_path / "state.npz"
    first, _ = run(path)
    again, steps = run(path)
    assert steps == 0
    assert_same(again, first)


def test_interrupted_before_the_first_checkpoint_starts_anew(tmp_path):
    path = tmp_path / "state.npz"
    with pytest.raises(Killed):
        run(path, stop_at=STEPS)
    assert list(tmp_path.iterdir()) == []
    assert_same(run(path)[0], run()[0])


def test_no_checkpoint_is_written_before_its_time(tmp_path):
    run(tmp_path / "state.npz", seconds=1e6)
    assert list(tmp_path.iterdir()) == []


def test_file_that_is_not_whole_is_ignored(tmp_path):
    path = tmp_path / "state.npz"
    with pytest.raises(Killed):
        run(path, stop_at=2 * STEPS + 1)
    content = path.read_bytes()
    for size in (0, 3, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        assert checkpoint.load(path) is None, size
    assert_same(run(path)[0], run()[0])


def test_file_with_changed_bytes_is_ignored(tmp_path):
    path = tmp_path / "state.npz"
    checkpoint.save(path, {"epoch": torch.tensor(3), "value": torch.arange(1000.0)})
    data = bytearray(path.read_bytes())
    for place in (len(data) // 2, data.index(b"NUMPY")):  # in the numbers, in an array's header
        damaged = data.copy()
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        assert checkpoint.load(path) is None


def test_tensors_come_back_as_they_were(tmp_path):
    path = tmp_path / "new" / "folder" / "state.npz"
    tensors = {
        "epoch": torch.tensor(7),
        "parameters:layer.weight": torch.randn(2, 3, 4, requires_grad=True),
        "buffers:layer.count": torch.tensor([1, 2]),
        "history:error": torch.tensor([torch.nan, 0.5, torch.inf]),
        "double": torch.randn(3, dtype=torch.float64),
    }
    checkpoint.save(path, tensors)
    loaded = checkpoint.load(path)
    assert loaded.keys() == tensors.keys()
    for name, value in tensors.items():
        torch.testing.assert_close(loaded[name], value.detach(), rtol=0, atol=0, equal_nan=True)
    assert [file.name for file in path.parent.iterdir()] == ["state.npz"]


def test_missing_file_is_no_checkpoint(tmp_path):
    assert checkpoint.load(tmp_path / "state.npz") is None


def test_failed_write_leaves_the_former_file_and_nothing_beside(tmp_path, monkeypatch):
    path = tmp_path / "state.npz"
    checkpoint.save(path, {"epoch": torch.tensor(1)})
    write = np.savez

    def disk_full(file, **arrays):
        write(file, **arrays)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", disk_full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(path, {"epoch": torch.tensor(2)})
    assert int(checkpoint.load(path)["epoch"]) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_killed_while_writing_leaves_the_former_file(tmp_path, monkeypatch):
    """The new state is complete before it takes the place of the former one."""
    path = tmp_path / "state.npz"
    checkpoint.save(path, {"epoch": torch.tensor(1)})
    former = path.read_bytes()
    seen = []
    rename = os.replace

    def replace(source, target):
        seen.append((zipfile.is_zipfile(source), path.read_bytes() == former))
        rename(source, target)

    monkeypatch.setattr(os, "replace", replace)
    checkpoint.save(path, {"epoch": torch.tensor(2)})
    assert seen == [(True, True)]
    assert int(checkpoint.load(path)["epoch"]) == 2


class Harmful:
    def __reduce__(self):
        return exec, ("raise SystemExit('executed')",)


def test_nothing_is_pickled_or_unpickled(tmp_path):
    path = tmp_path / "state.npz"
    with pytest.raises(Killed):
        run(path, stop_at=STEPS + 1)
    with np.load(path, allow_pickle=False) as archive:
        assert all(archive[name].dtype.kind in "fiu" for name in archive.files)
        assert int(archive["epoch"]) == 1
    np.savez(path, epoch=np.array([Harmful()], dtype=object))
    assert checkpoint.load(path) is None
    path.write_bytes(pickle.dumps(Harmful()))
    assert checkpoint.load(path) is None
