"""Phases of training: the steps they make, against a loop that takes one step at a time."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from infotheo.training import trainer
from infotheo.training.random_streams import orders
from infotheo.training.settings import TrainingSettings
from infotheo.training.timeline import timeline
from infotheo.training.trainer import train
from tests.training.plain_training import clusters, plain_network, seeded

PHASES = [
    {"step": 2, "batch_size": 50, "learning_rate": 0.2},  # inside epoch 2
    {"epoch": 3, "learning_rate": 0.05},
    {"step": 12, "batch_size": 7},
    {"epoch": 6, "batch_size": "full", "learning_rate": 0.02},
]


def steps_taken_one_by_one(samples, epochs, rate, batch, phases):
    """Ask every phase before every step whether it begins; (epoch, start, stop, rate) of each.

    And which phase began at which step, in the order of time.
    """
    taken = []
    begun = []
    for epoch in range(epochs):
        start = 0
        while start < samples:
            for number, phase in enumerate(phases):
                now = (
                    phase["step"] == len(taken)
                    if "step" in phase
                    else phase["epoch"] == epoch and start == 0
                )
                if now:
                    begun.append((number, len(taken)))
                    rate = phase.get("learning_rate", rate)
                    batch = phase.get("batch_size", batch)
            size = samples if batch == "full" else batch
            taken.append((epoch, start, min(start + size, samples), rate))
            start += size
    return taken, begun


@given(
    samples=st.integers(1, 30),
    epochs=st.integers(1, 6),
    batch=st.integers(1, 30) | st.just("full"),
    beginnings=st.lists(
        st.tuples(st.sampled_from(["epoch", "step"]), st.integers(1, 12)), max_size=4
    ).map(lambda begins: sorted(begins, key=lambda beginning: beginning[1])),
    sizes=st.lists(st.integers(1, 30) | st.just("full"), min_size=4, max_size=4),
)
def test_steps_are_those_of_a_loop_that_looks_at_each(samples, epochs, batch, beginnings, sizes):
    def fitting(size):
        return size if size == "full" else min(size, samples)

    phases = [
        {kind: at, "batch_size": fitting(sizes[place]), "learning_rate": 1.0 + place}
        for place, (kind, at) in enumerate(beginnings)
    ]
    expected, begun = steps_taken_one_by_one(samples, epochs, 0.5, fitting(batch), phases)
    in_order = [number for number, _ in begun] == list(range(len(phases)))
    if not in_order or len({step for _, step in begun}) < len(begun):
        with pytest.raises(ValueError, match="expected it to begin"):
            timeline(samples, epochs, 0.5, fitting(batch), phases)
        return
    result = timeline(samples, epochs, 0.5, fitting(batch), phases)
    steps = [(epoch, step) for epoch in range(epochs) for step in result.steps(epoch)]
    assert [step.number for _, step in steps] == list(range(result.total))
    assert [(epoch, step.start, step.stop, step.learning_rate) for epoch, step in steps] == expected
    assert result.first_steps == [
        next(number for number, (of, *_) in enumerate(expected) if of == epoch)
        for epoch in range(epochs)
    ]
    done = [epoch + start / samples for epoch, start, *_ in expected] + [epochs]
    assert [result.epochs_before(step) for step in range(result.total + 1)] == done


def trained(**settings):
    inputs, labels = clusters()
    return train(
        lambda: plain_network().double(),
        (inputs.double(), labels),
        (inputs[:0].double(), labels[:0]),
        TrainingSettings(
            optimizer="sgd",
            learning_rate=0.1,
            batch_size="full",
            epochs=8,
            phases=PHASES,
        ),
        seeds=[0, 1],
        **settings,
    )


def test_training_in_phases_is_that_of_a_plain_loop():
    network = seeded(plain_network, 1).double()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    inputs, labels = clusters()
    steps, begun = steps_taken_one_by_one(len(labels), 8, 0.1, "full", PHASES)
    assert [number for number, _ in begun] == [0, 1, 2, 3]
    for epoch, start, stop, rate in steps:
        optimizer.param_groups[0]["lr"] = rate
        chosen = orders([1], epoch, len(labels))[0, start:stop]
        optimizer.zero_grad()
        cross_entropy(network(inputs[chosen].double()), labels[chosen]).backward()
        optimizer.step()
    result = trained().replicas.parameters
    for value, parameter in zip(result.values(), network.parameters(), strict=True):
        # float64 rounding over 40 steps, see test_replicas
        torch.testing.assert_close(value[1], parameter, rtol=0, atol=1e-11)


def test_full_batch_is_all_samples_at_once():
    inputs, labels = clusters()
    settings = {"epochs": 3, "learning_rate": 0.01}
    trainings = [
        train(
            plain_network,
            (inputs, labels),
            (inputs[:0], labels[:0]),
            TrainingSettings(batch_size=size, **settings),
            seeds=[0],
        )
        for size in ("full", len(labels))
    ]
    for name, value in trainings[0].replicas.parameters.items():
        assert torch.equal(value, trainings[1].replicas.parameters[name])


class Killed(BaseException):
    """Not an error: nothing in training may catch it."""


@pytest.mark.parametrize("done", [1, 3, 5])
def test_killed_and_resumed_in_any_phase_is_the_same_to_the_bit(tmp_path, done, monkeypatch):
    uninterrupted = trained()
    path = tmp_path / "state.npz"

    def killed(first, last, label, unit):
        for epoch in range(first, last):
            if epoch == done:
                raise Killed
            yield epoch

    with monkeypatch.context() as patched:
        patched.setattr(trainer, "progress", killed)
        with pytest.raises(Killed):
            trained(checkpoint_path=path, checkpoint_seconds=0)
    resumed = trained(checkpoint_path=path, checkpoint_seconds=0)
    for name, value in uninterrupted.replicas.parameters.items():
        assert torch.equal(resumed.replicas.parameters[name], value)


@pytest.mark.parametrize(
    ("phases", "line"),
    [
        ([{"batch_size": 2}], r"phases\[0\]: found neither epoch nor step, expected one of them"),
        ([{"epoch": 1, "step": 2, "batch_size": 2}], r"phases\[0\]: found epoch and step"),
        ([{"epoch": 1}], r"phases\[0\]: changes nothing; expected learning_rate or batch_size"),
        ([{"epoch": 1, "learning_rat": 2}], "unknown key 'learning_rat'; did you mean 'learni"),
        (
            [{"epoch": 3, "batch_size": 2}],
            r"phases\[0\]: found epoch: 3, .* before the end of",
        ),
        ([{"step": 12, "batch_size": 2}], r"found step: 12, .* the 3 epochs of 12 steps in all"),
        (
            [{"step": 4, "batch_size": 2}, {"epoch": 1, "batch_size": 3}],
            r"\[1\]: found epoch: 1, ",
        ),
        ([{"step": 5, "batch_size": 2}, {"step": 5, "batch_size": 3}], r"\[1\].* begin after"),
        ([{"step": 5, "batch_size": 2}, {"step": 4, "batch_size": 3}], r"\[1\].* begin after"),
        (
            [{"epoch": 2, "batch_size": 10}, {"step": 8, "batch_size": 3}],
            r"\[1\].* begin after",
        ),
        ([{"epoch": 0, "batch_size": 2}], r"phases\[0\].epoch is 0; expected a whole number >= 1"),
        ([{"epoch": 1, "batch_size": 11}], r"phases\[0\].batch_size: found 11, expected 1 to 10"),
        ([{"epoch": 1, "learning_rate": 0}], r"phases\[0\].learning_rate is 0; expected a finite"),
        ([{"epoch": 1.5, "batch_size": 2}], r"phases\[0\].epoch is 1.5; expected a whole number"),
        ([7], r"phases\[0\]: found 7, expected a mapping"),
    ],
)
def test_bad_phases_get_one_line(phases, line):
    with pytest.raises((ValueError, TypeError), match=line) as caught:
        timeline(10, 3, 0.1, 3, phases)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [0, 11, "ful", 2.0, True])
def test_bad_batch_size_gets_one_line(size):
    with pytest.raises((ValueError, TypeError), match="batch_size: found .* 1 to 10, .*'full'"):
        timeline(10, 3, 0.1, size)
