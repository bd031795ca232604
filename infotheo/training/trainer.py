"""Train replicas of one network together: one for each seed and each loss weight."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
import xarray as xr
from torch import Tensor, nn

from infotheo.data.augmentation import augmentations
from infotheo.penalties.loss_term import Penalty
from infotheo.progress import progress
from infotheo.registry import bind
from infotheo.training import checkpoint
from infotheo.training.errors import error, logits
from infotheo.training.gradients import Draws, Objective
from infotheo.training.optimizers import optimizers
from infotheo.training.random_streams import orders
from infotheo.training.replicas import Replicas
from infotheo.training.resumption import State
from infotheo.training.settings import TrainingSettings
from infotheo.training.snapshot_schedule import read_schedule
from infotheo.training.snapshot_store import AtSnapshot, SnapshotStore, open_store
from infotheo.training.timeline import Timeline, timeline

__all__ = ["Trained", "logits", "train"]

Split = tuple[Tensor, Tensor]  # inputs (sample, …) float32 and labels (sample,) int64


@dataclass
class Trained:
    """What training leaves: replicas and, per epoch, (epoch, replica) histories in nats.

    ``train_loss`` is the mean cross-entropy of the epoch's mini-batches without the penalty,
    ``penalty`` the mean of the unweighted penalty, ``validation_error`` a fraction.
    ``snapshots`` is over (seed, epoch) or (seed, step), ``None`` if none were asked for.
    """

    replicas: Replicas
    history: dict[str, Tensor] = field(default_factory=dict)
    snapshots: xr.Dataset | None = None


def train(
    build: Callable[[], nn.Module],
    samples: Split,
    validation: Split,
    settings: TrainingSettings,
    *,
    seeds: Sequence[int],
    loss_weights: Sequence[float] | None = None,
    penalty: Penalty | None = None,
    penalized_layer: str | None = None,
    snapshots: Mapping[str, Any] | None = None,
    at_snapshot: AtSnapshot | None = None,
    device: torch.device | str = "cpu",
    label: str = "training",
    checkpoint_path: Path | None = None,
    checkpoint_seconds: float = 60.0,
) -> Trained:
    """Minimise cross-entropy plus loss weight × penalty for all replicas at once.

    A replica's initial weights, order of samples, dropout masks and augmentation come from its own
    seed, and no operation mixes replicas: the result agrees with training it alone to rounding,
    and a replica that diverges (NaN) leaves the others as they are.

    Parameters
    ----------
    build
        Makes one network.
    samples, validation
        Inputs (sample, …) float32 and labels (sample,) int64; the validation part may be empty.
    settings
        Optimiser, batches, epochs, augmentation.
    seeds, loss_weights
        One entry for each replica; the same length.
    penalty, penalized_layer
        Function (parameters, activations, labels) → (replica,), and the layer whose activations it
        is given.
    snapshots
        When to keep all weights, see
        :func:`infotheo.training.snapshot_schedule.read_schedule`; ``{}``: before each epoch and
        at the end.
    at_snapshot
        Function (moment, replicas) → dataset over ``seed``, whose results are kept in place of
        the weights. It must leave the replicas as they are.
    device
        Where to train.
    label
        What the progress is called.
    checkpoint_path, checkpoint_seconds
        File that holds the state at the end of an epoch, written at most this often; training goes
        on from there with the same result to the bit. That of a training with other samples, seeds
        or settings is not used: training starts anew. Snapshots lie in a folder beside it, which
        :func:`infotheo.training.checkpoint.discard` removes.

    Raises
    ------
    ValueError
        If there are no seeds, lengths differ, the batch is larger than the data, a phase or the
        schedule of snapshots is not as it should be, or the augmentation does not suit the inputs.
    """
    inputs, labels = samples
    if not seeds:
        raise ValueError("seeds: found none, expected at least one")
    epochs = settings.epochs
    steps = timeline(
        len(labels), epochs, settings.learning_rate, settings.batch_size, settings.phases
    )
    if penalty is not None and len(loss_weights or ()) != len(seeds):
        raise ValueError(
            f"loss_weights: found {len(loss_weights or ())}, expected one for each of the "
            f"{len(seeds)} replicas"
        )
    change = None
    if settings.augmentation is not None:
        change = bind(settings.augmentation, augmentations, settings.augmentation_settings)
    device = torch.device(device)
    replicas = Replicas(build, seeds, device, penalized_layer)
    build_optimizer = bind(settings.optimizer, optimizers, settings.optimizer_settings)
    optimizer = build_optimizer(list(replicas.parameters.values()), settings.learning_rate)
    weights = torch.tensor(list(loss_weights or ()), dtype=torch.float32, device=device)
    task = Objective(inputs.to(device), labels.to(device), weights, penalty, change)
    _try_mini_batches(replicas, task.inputs, steps)
    keep = None
    if snapshots is not None:
        folder = checkpoint.snapshot_folder(checkpoint_path) if checkpoint_path else None
        keep = open_store(read_schedule(snapshots, steps), replicas, at_snapshot, folder)
    elif at_snapshot is not None:
        raise ValueError("at_snapshot: found without snapshots, expected a schedule for it")
    state = State(
        replicas,
        optimizer,
        epochs,
        (task.inputs, task.labels, weights, *validation),
        {**asdict(settings), "penalized_layer": penalized_layer},
        snapshots=keep.identity if keep else "",
    )
    first = _resume(state, keep, steps, checkpoint_path)
    saved = time.monotonic()
    parts, rate = replicas.parts(), settings.learning_rate
    for epoch in progress(first, epochs, label, "epoch"):
        order = orders(replicas.seeds, epoch, len(labels)).to(device)
        draws = Draws(replicas.seeds, epoch, device)
        loss_sum, penalty_sum = torch.zeros(2, len(replicas), device=device)
        for step in steps.steps(epoch):
            if step.learning_rate != rate:
                rate = _set_learning_rate(optimizer, step.learning_rate)
            if keep:
                keep.take(step.number, replicas)
            chosen = order[:, step.start : step.stop]  # (replica, sample)
            losses, penalties = task.differentiate(replicas, parts, chosen, draws)
            optimizer.step()
            loss_sum += losses
            penalty_sum += penalties
        state.history["train_loss"][epoch] = loss_sum / len(labels)
        state.history["penalty"][epoch] = penalty_sum / len(labels)
        state.history["validation_error"][epoch] = error(replicas, validation)
        if checkpoint_path and time.monotonic() - saved >= checkpoint_seconds:
            state.save(checkpoint_path, epoch + 1)
            saved = time.monotonic()
    if not keep:
        return Trained(replicas, state.history)
    keep.take(steps.total, replicas)
    return Trained(replicas, state.history, keep.dataset(replicas.seeds))


def _resume(
    state: State, keep: SnapshotStore[Any] | None, steps: Timeline, path: Path | None
) -> int:
    """Return the epoch to go on with: of the checkpoint, if the snapshots before it are there."""
    if keep is None:
        return state.load(path)
    starts = [*steps.first_steps, steps.total]
    first = state.load(path, lambda epoch: keep.has_all_before(starts[epoch]))
    keep.start_at(starts[first])
    if path and not first:
        path.unlink(missing_ok=True)  # of a training whose snapshots are gone now
    return first


def _set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> float:
    for group in optimizer.param_groups:
        group["lr"] = rate
    return rate


def _try_mini_batches(replicas: Replicas, inputs: Tensor, steps: Timeline) -> None:
    """Try the networks on a mini-batch of each size that there will be, the largest first."""
    for size, batch_size in sorted(steps.mini_batches.items(), reverse=True):
        try:
            replicas.try_batch(inputs[:size])
        except ValueError as error:
            if size > 1:
                raise
            better = (n for n in (*range(batch_size, 1, -1), len(inputs)) if len(inputs) % n != 1)
            raise ValueError(
                f"batch_size: found {batch_size}, which leaves a mini-batch of one of the "
                f"{len(inputs)} samples, and the network cannot be trained on one ({error}); "
                f"expected another, such as {next(better, 'of more samples')}"
            ) from error
