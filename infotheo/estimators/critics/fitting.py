"""The fit of all folds' critics together, each stopped early by its own validation part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import get_args

import numpy as np
import torch
from torch import Tensor

from infotheo.arrays.labels import check_choice
from infotheo.arrays.numbers import check_count, check_number
from infotheo.arrays.random_streams import numpy_generator
from infotheo.estimators.critics.critic import Architecture, Critics
from infotheo.estimators.critics.objectives import Contrast, Objective, all_pairs, class_pairs
from infotheo.estimators.critics.standard_units import StandardUnits
from infotheo.progress import progress

__all__ = ["Critic", "Data", "Settings", "fit_critics"]

PATIENCE = 200  # fewest steps without a better validation value; as many as led to the best one
VALIDATED = 512  # samples of the validation part that stop it
BLOCKS = {"separable": 512, "concatenated": 128}  # samples whose pairs are all evaluated


@dataclass(frozen=True)
class Settings:
    """Architecture and optimisation of the critics.

    The defaults served from 200 to 50,000 samples and from 1 to 512 units: see the notes of
    :func:`~infotheo.variational_information`.
    """

    architecture: Architecture = "separable"
    hidden: int = 64
    embedding: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 2.0
    batch_size: int = 128
    max_steps: int = 2000

    def __post_init__(self) -> None:
        check_choice(self.architecture, get_args(Architecture), "architecture")
        check_count(self.hidden, "hidden")
        check_count(self.embedding, "embedding")
        check_number(self.learning_rate, "learning_rate", positive=True)
        check_number(self.weight_decay, "weight_decay")
        check_count(self.batch_size, "batch_size", least=2)
        check_count(self.max_steps, "max_steps")


@dataclass(frozen=True)
class Data:
    """Paired samples and which of them fit and stop each fold's critic."""

    x: StandardUnits
    y: StandardUnits
    training: Tensor  # (fold, sample) indices
    validation: Tensor  # (fold, sample)
    codes: Tensor | None = None  # (sample,) class of y, whose values are one-hot

    @property
    def device(self) -> torch.device:
        """Where the samples are."""
        return self.training.device

    def shares(self) -> Tensor | None:
        """Probability of each class in each training part (fold, class), for discrete y."""
        if self.codes is None:
            return None
        return self.y.values[self.training].mean(1)


@dataclass(frozen=True)
class Critic:
    """The critics of all folds at their best validation values."""

    critics: Critics
    informed: Tensor  # (fold,) bool: whether the validation value rose above a constant critic's
    steps: Tensor  # (fold,) that led to the best validation value


def fit_critics(
    data: Data,
    objective: Objective,
    settings: Settings,
    *,
    seed: int,
    label: str | None = None,
) -> Critic:
    """Maximise an objective by AdamW, all folds in one batched network.

    No operation mixes folds: a fold's critic comes from its own parts and its own random streams.
    It keeps the parameters of the best validation value, looked at ever more rarely; it stops when
    as many steps (at least 200) as led there brought nothing better.

    Parameters
    ----------
    data
        Samples and folds.
    objective
        Of a :class:`~infotheo.estimators.critics.objectives.Contrast`, (fold,); 0 for a constant
        critic.
    settings
        Architecture and optimisation.
    seed
        Of initial weights and of the order of samples.
    label
        What the progress is called; none is shown without.
    """
    folds, samples = data.training.shape
    critics = Critics(
        settings.architecture,
        (data.x.count, data.y.count),
        [numpy_generator(seed, "critic", fold) for fold in range(folds)],
        hidden=settings.hidden,
        embedding=settings.embedding,
        device=data.device,
    )
    batch = min(settings.batch_size, samples)
    batches = _batches(data.training, batch, seed)
    shares = data.shares()
    optimizer = torch.optim.AdamW(
        critics.parameters,
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        fused=data.device.type in ("cpu", "cuda"),
    )
    best = torch.zeros(folds, dtype=torch.float32, device=data.device)
    best_step = torch.zeros(folds, dtype=torch.float32, device=data.device)
    best_parameters = [value.detach().clone() for value in critics.parameters]
    running = torch.ones(folds, dtype=torch.bool, device=data.device)
    check = 1
    for step in _steps(settings.max_steps, label):
        contrast = _contrast(critics, data, next(batches), shares)
        optimizer.zero_grad()
        torch.autograd.backward(-objective(contrast).sum())
        optimizer.step()
        if step + 1 < check:
            continue
        check = step + 1 + max(1, (step + 1) // 8)
        value = _validation_value(critics, data, objective, shares)
        better = running & (value > best)  # not for a value that is NaN
        best, best_step = torch.where(better, value, best), best_step.masked_fill(better, step + 1)
        for old, new in zip(best_parameters, critics.parameters, strict=True):
            old[better] = new.detach()[better]
        running &= step + 1 < best_step + best_step.clamp(min=PATIENCE)
        if not bool(running.any()):
            break
    critics.parameters = best_parameters
    return Critic(critics, best_step > 0, best_step.int())


def _steps(last: int, label: str | None) -> Iterable[int]:
    return range(last) if label is None else progress(0, last, label, "step")


def _batches(training: Tensor, size: int, seed: int) -> Iterator[Tensor]:
    """Yield (fold, size) indices without end: a new order each time the samples are used up."""
    streams = [numpy_generator(seed, "batches", fold) for fold in range(len(training))]
    while True:
        orders = np.stack([stream.permutation(training.shape[1]) for stream in streams])
        order = torch.gather(training, 1, torch.tensor(orders, device=training.device))
        for start in range(0, training.shape[1] - size + 1, size):
            yield order[:, start : start + size]


def _contrast(critics: Critics, data: Data, rows: Tensor, shares: Tensor | None) -> Contrast:
    """Score joint samples and pairs of the product at these rows (fold, n)."""
    x = data.x(rows)
    if data.codes is None or shares is None:
        return all_pairs(critics(x, data.y(rows)))
    classes = torch.eye(data.y.count, dtype=torch.float32, device=data.device).expand(
        len(rows), -1, -1
    )
    return class_pairs(critics(x, classes), data.codes[rows], shares)


@torch.no_grad()
def _validation_value(
    critics: Critics,
    data: Data,
    objective: Objective,
    shares: Tensor | None,
) -> Tensor:
    rows = data.validation[:, :VALIDATED]
    block = BLOCKS["separable" if critics.separable else "concatenated"]
    values = [
        objective(_contrast(critics, data, part, shares))
        for part in torch.tensor_split(rows, -(-rows.shape[1] // block), dim=1)
    ]
    return torch.stack(values).mean(0)
