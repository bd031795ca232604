"""The timeline of a training: its steps, and phases of other learning rates and batch sizes.

They serve a learning rate that falls in steps, a warm-up, and the switch from gradient descent on
all samples to stochastic gradient descent. A phase that begins inside an epoch takes effect at
that very step: the rest of the epoch's order goes on in batches of the new size.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Literal, NamedTuple

from infotheo.arrays.numbers import check_count, check_number
from infotheo.registry import nearest

__all__ = ["Stretch", "Step", "Timeline", "timeline"]

BatchSize = int | Literal["full"]
_BEGINNINGS = ("epoch", "step")
_KEYS = (*_BEGINNINGS, "learning_rate", "batch_size")
_IN_ORDER = "expected it to begin after the phase before it"


class Step(NamedTuple):
    """One step: how many went before it, and which places of the epoch's order it takes."""

    number: int
    start: int
    stop: int
    learning_rate: float


class Stretch(NamedTuple):
    """Steps of one epoch in one phase: places ``start`` … ``stop - 1`` of the epoch's order."""

    first_step: int
    start: int
    stop: int
    batch_size: int
    learning_rate: float

    @property
    def steps(self) -> int:
        """How many there are; the last may be smaller."""
        return -(-(self.stop - self.start) // self.batch_size)

    @property
    def last_batch(self) -> int:
        """How many samples the last step takes."""
        return self.stop - self.start - (self.steps - 1) * self.batch_size


class Timeline:
    """Every step of a training, from the stretches of each epoch."""

    def __init__(self, samples: int, epochs: Sequence[Sequence[Stretch]]):
        self.samples = samples
        self.epochs = len(epochs)
        self._stretches = epochs
        last = epochs[-1][-1] if epochs else None
        self.total = last.first_step + last.steps if last else 0
        self.first_steps = [epoch[0].first_step for epoch in epochs]  # of each epoch

    @property
    def mini_batches(self) -> dict[int, int]:
        """Every number of samples that a step takes, and the batch size that leaves so many."""
        sizes: dict[int, int] = {}
        for stretch in chain.from_iterable(self._stretches):
            if stretch.steps > 1:
                sizes[stretch.batch_size] = stretch.batch_size
            sizes.setdefault(stretch.last_batch, stretch.batch_size)
        return sizes

    def steps(self, epoch: int) -> Iterator[Step]:
        """Yield the steps of an epoch."""
        for stretch in self._stretches[epoch]:
            for index in range(stretch.steps):
                start = stretch.start + index * stretch.batch_size
                yield Step(
                    stretch.first_step + index,
                    start,
                    min(start + stretch.batch_size, stretch.stop),
                    stretch.learning_rate,
                )

    def epochs_before(self, step: int) -> float:
        """Return how many passes over the samples are done before the step of this number."""
        if step >= self.total:
            return float(self.epochs)
        epoch = bisect_right(self.first_steps, step) - 1
        stretch = next(
            stretch for stretch in reversed(self._stretches[epoch]) if stretch.first_step <= step
        )
        done = stretch.start + (step - stretch.first_step) * stretch.batch_size
        return epoch + done / self.samples


class _Phase(NamedTuple):
    place: int
    beginning: str  # "epoch" or "step"
    number: int  # of epochs or steps that are done when it begins
    learning_rate: float | None
    batch_size: int | None

    def __str__(self) -> str:
        return f"phases[{self.place}]: found {self.beginning}: {self.number}"


def timeline(
    samples: int,
    epochs: int,
    learning_rate: float,
    batch_size: BatchSize,
    phases: Sequence[Mapping[str, Any]] = (),
) -> Timeline:
    """Lay out the steps of a training.

    Parameters
    ----------
    samples, epochs
        Samples of one pass, and passes.
    learning_rate, batch_size
        Until the first phase begins; ``"full"`` is one step an epoch, over all samples.
    phases
        Each has ``epoch`` or ``step``, how many are done when it begins, and ``learning_rate`` or
        ``batch_size`` or both, which hold until a later phase gives others.

    Raises
    ------
    TypeError, ValueError
        If a batch size does not suit the samples; if a phase has no beginning or two, changes
        nothing, has an unknown key, does not begin after the one before it, or never begins.

    Examples
    --------
    >>> steps = timeline(10, 3, 0.1, "full", [{"step": 2, "batch_size": 4, "learning_rate": 0.01}])
    >>> [(step.number, step.stop - step.start) for step in steps.steps(2)], steps.total
    ([(2, 4), (3, 4), (4, 2)], 5)
    """
    size = _check_batch_size(batch_size, samples, "batch_size")
    rate = learning_rate
    pending = [_read_phase(phase, place, samples) for place, phase in enumerate(phases)][::-1]
    begun = 0  # the step at which the last phase began
    number = 0  # steps so far
    stretches_by_epoch: list[list[Stretch]] = []
    for epoch in range(epochs):
        start = 0
        stretches: list[Stretch] = []
        while start < samples:
            if pending and _begins(pending[-1], epoch, number, start):
                phase = pending.pop()
                if number <= begun:
                    raise ValueError(f"{phase}, {_IN_ORDER}")
                begun = number
                size = phase.batch_size or size
                rate = rate if phase.learning_rate is None else phase.learning_rate
            stop = samples
            if pending and pending[-1].beginning == "step":
                stop = min(stop, start + max(pending[-1].number - number, 1) * size)
            stretches.append(Stretch(number, start, stop, size, rate))
            number += stretches[-1].steps
            start = stop
        stretches_by_epoch.append(stretches)
    if pending:
        phase = pending[-1]
        if phase.number < (epochs if phase.beginning == "epoch" else number):
            raise ValueError(f"{phase}, {_IN_ORDER}")
        raise ValueError(
            f"{phase}, expected it to begin before the end of the {epochs} epochs of {number} "
            "steps in all"
        )
    return Timeline(samples, stretches_by_epoch)


def _begins(phase: _Phase, epoch: int, number: int, start: int) -> bool:
    """Whether a phase begins here; one whose time has passed is said to be out of order."""
    done = number if phase.beginning == "step" else epoch
    inside_epoch = phase.beginning == "epoch" and start > 0
    if phase.number < done or (phase.number == done and inside_epoch):
        raise ValueError(f"{phase}, {_IN_ORDER}")
    return phase.number == done


def _read_phase(phase: Any, place: int, samples: int) -> _Phase:
    name = f"phases[{place}]"
    if not isinstance(phase, Mapping):
        raise TypeError(f"{name}: found {phase!r}, expected a mapping with epoch or step")
    for key in phase:
        if key not in _KEYS:
            raise ValueError(
                f"{name}: unknown key {key!r}{nearest(str(key), _KEYS)}; expected "
                f"{', '.join(_KEYS)}"
            )
    beginnings = [key for key in _BEGINNINGS if key in phase]
    if len(beginnings) != 1:
        stated = " and ".join(beginnings) or "neither epoch nor step"
        raise ValueError(f"{name}: found {stated}, expected one of them, when it begins")
    beginning = beginnings[0]
    if len(phase) == 1:
        raise ValueError(f"{name}: changes nothing; expected learning_rate or batch_size")
    rate, size = phase.get("learning_rate"), phase.get("batch_size")
    return _Phase(
        place,
        beginning,
        check_count(phase[beginning], f"{name}.{beginning}"),
        None if rate is None else check_number(rate, f"{name}.learning_rate", positive=True),
        None if size is None else _check_batch_size(size, samples, f"{name}.batch_size"),
    )


def _check_batch_size(batch_size: Any, samples: int, name: str) -> int:
    if batch_size == "full":
        return samples
    expected = f"expected 1 to {samples}, the number of samples, or 'full'"
    if isinstance(batch_size, bool) or not isinstance(batch_size, int):
        raise TypeError(f"{name}: found {batch_size!r}, {expected}")
    if not 1 <= batch_size <= samples:
        raise ValueError(f"{name}: found {batch_size}, {expected}")
    return batch_size
