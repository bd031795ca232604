"""Train replicas of one network together: one for each seed and each loss weight."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from infotheo.registry import lookup
from infotheo.training import checkpoint
from infotheo.training.objective import Penalty
from infotheo.training.optimizers import optimizers, restore, state_arrays
from infotheo.training.progress import progress
from infotheo.training.replicas import Replicas
from infotheo.training.streams import Masks, orders

Split = tuple[Tensor, Tensor]  # inputs (sample, …) float32 and labels (sample,) int64


@dataclass
class Trained:
    """What training leaves: replicas and, per epoch, (epoch, replica) histories in nats.

    ``train_loss`` is the mean cross-entropy of the epoch's mini-batches without the penalty,
    ``penalty`` the mean of the unweighted penalty, ``validation_error`` a fraction.
    """

    replicas: Replicas
    history: dict[str, Tensor] = field(default_factory=dict)


def train(
    build: Callable[[], nn.Module],
    samples: Split,
    validation: Split,
    *,
    seeds: Sequence[int],
    loss_weights: Sequence[float] | None = None,
    penalty: Penalty | None = None,
    penalized_layer: str | None = None,
    optimizer: str = "adam",
    optimizer_settings: Mapping[str, Any] | None = None,
    learning_rate: float = 1e-4,
    batch_size: int = 100,
    epochs: int = 50,
    device: torch.device | str = "cpu",
    label: str = "training",
    checkpoint_path: Path | None = None,
    checkpoint_seconds: float = 60.0,
) -> Trained:
    """Minimise cross-entropy plus loss weight × penalty for all replicas at once.

    A replica's initial weights, order of samples and dropout masks come from its own seed, and no
    operation mixes replicas: the result agrees with training it alone to rounding, and a replica
    that diverges (NaN) leaves the others as they are.

    Parameters
    ----------
    build
        Makes one network.
    samples, validation
        Inputs (sample, …) float32 and labels (sample,) int64; the validation part may be empty.
    seeds, loss_weights
        One entry for each replica; the same length.
    penalty, penalized_layer
        Function (parameters, activations, labels) → (replica,), and the layer whose activations it
        is given.
    optimizer, optimizer_settings, learning_rate
        Name in :data:`infotheo.training.optimizers.optimizers`, or a dotted path, and its keywords.
    batch_size, epochs
        Samples of each step; passes over the samples. A last batch may be smaller.
    device
        Where to train.
    label
        What the progress is called.
    checkpoint_path, checkpoint_seconds
        File that holds the state at the end of an epoch, written at most this often; training goes
        on from there with the same result to the bit.

    Raises
    ------
    ValueError
        If there are no seeds, lengths differ, or the batch is larger than the data.
    """
    inputs, labels = samples
    if not seeds:
        raise ValueError("seeds: found none, expected at least one")
    if not 1 <= batch_size <= len(labels):
        raise ValueError(
            f"batch_size: found {batch_size}, expected 1 to {len(labels)}, the number of samples"
        )
    if penalty is not None and len(loss_weights or ()) != len(seeds):
        raise ValueError(
            f"loss_weights: found {len(loss_weights or ())}, expected one for each of the "
            f"{len(seeds)} replicas"
        )
    device = torch.device(device)
    replicas = Replicas(build, seeds, device, penalized_layer)
    optimise = lookup(optimizer, optimizers, "optimizer")(
        list(replicas.parameters.values()), learning_rate, **(optimizer_settings or {})
    )
    weights = torch.tensor(list(loss_weights or ()), dtype=torch.float32, device=device)
    inputs, labels = inputs.to(device), labels.to(device)
    state = _State(replicas, optimise, epochs, (inputs, labels, weights, *validation))
    first = state.load(checkpoint_path)
    saved = time.monotonic()
    for epoch in progress(first, epochs, label, "epoch"):
        losses, penalties = _epoch(
            replicas, optimise, inputs, labels, epoch, batch_size, penalty, weights
        )
        state.history["train_loss"][epoch] = losses
        state.history["penalty"][epoch] = penalties
        state.history["validation_error"][epoch] = error(replicas, validation)
        if checkpoint_path and time.monotonic() - saved >= checkpoint_seconds:
            state.save(checkpoint_path, epoch + 1)
            saved = time.monotonic()
    return Trained(replicas, state.history)


def _epoch(
    replicas: Replicas,
    optimise: torch.optim.Optimizer,
    inputs: Tensor,
    labels: Tensor,
    epoch: int,
    batch_size: int,
    penalty: Penalty | None,
    weights: Tensor,
) -> tuple[Tensor, Tensor]:
    """One pass; returns each replica's mean loss and mean penalty, (replica,)."""
    count = len(replicas)
    order = orders(replicas.seeds, epoch, len(labels)).to(inputs.device)
    masks = Masks(replicas.seeds, epoch, inputs.device)
    parameters = list(replicas.parameters.values())
    loss_sum = torch.zeros(count, device=inputs.device)
    penalty_sum = torch.zeros(count, device=inputs.device)
    for start in range(0, len(labels), batch_size):
        chosen = order[:, start : start + batch_size]  # (replica, sample)
        size = chosen.shape[1]
        flat = chosen.reshape(-1)
        batch = inputs.index_select(0, flat).view(count, size, *inputs.shape[1:])
        truth = labels.index_select(0, flat)
        logits, activations = replicas(batch, masks)
        each = cross_entropy(logits.flatten(0, 1), truth, reduction="none").view(count, size)
        loss = each.mean(1)  # (replica,)
        total = loss.sum()  # gradients of different replicas never meet
        if penalty is not None:
            term = penalty(replicas.parameters, activations, truth.view(count, size))
            total = total + (weights * term).sum()
            penalty_sum += term.detach() * size
        loss_sum += loss.detach() * size
        # a module of the user's own may have parameters that this loss does not reach
        gradients = torch.autograd.grad(total, parameters, allow_unused=True)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            # a fused optimiser takes the gradient to lie in memory as its parameter does
            parameter.grad = gradient if gradient is None else gradient.contiguous()
        optimise.step()
    return loss_sum / len(labels), penalty_sum / len(labels)


@torch.no_grad()
def logits(replicas: Replicas, inputs: Tensor, chunk: int = 1000) -> Tensor:
    """Return logits (replica, sample, class) in evaluation mode, a chunk of samples at a time."""
    parts = []
    for part in inputs.split(chunk):
        shared = part.to(replicas.device).expand(len(replicas), *part.shape)
        parts.append(replicas(shared)[0])
    return torch.cat(parts, dim=1)


def error(replicas: Replicas, split: Split) -> Tensor:
    """Return each replica's fraction of wrong predictions, (replica,); NaN where it diverged."""
    inputs, labels = split
    if not len(labels):
        return torch.full((len(replicas),), torch.nan)
    return error_of(logits(replicas, inputs).cpu(), labels)


def error_of(predicted: Tensor, labels: Tensor) -> Tensor:
    """Fraction of samples whose largest logit is not the label's, (replica,)."""
    wrong = (predicted.argmax(-1) != labels).float().mean(-1)
    return torch.where(predicted.isfinite().all(-1).all(-1), wrong, torch.nan)


class _State:
    """All that training needs to go on after an epoch, and what it is the training of."""

    def __init__(
        self,
        replicas: Replicas,
        optimise: torch.optim.Optimizer,
        epochs: int,
        given: Sequence[Tensor],
    ):
        self.replicas, self.optimise, self.given = replicas, optimise, given
        names = ("train_loss", "penalty", "validation_error")
        self.history = {name: torch.full((epochs, len(replicas)), torch.nan) for name in names}

    def save(self, path: Path, epoch: int) -> None:
        groups = {
            "parameters": self.replicas.parameters,
            "buffers": self.replicas.buffers,
            "optimizer": state_arrays(self.optimise),
            "history": self.history,
        }
        tensors = {
            f"{group}:{name}": t for group, each in groups.items() for name, t in each.items()
        }
        checkpoint.save(
            path, {"epoch": torch.tensor(epoch), "training": self._identity(), **tensors}
        )

    def _identity(self) -> Tensor:
        """Digest of samples, weights and seeds: the state of another training is no use."""
        digest = hashlib.blake2b(repr(self.replicas.seeds).encode(), digest_size=16)
        for tensor in self.given:
            digest.update(tensor.detach().cpu().contiguous().numpy().data)
        for name, value in self.replicas.parameters.items():
            digest.update(f"{name}{tuple(value.shape)}".encode())
        return torch.frombuffer(bytearray(digest.digest()), dtype=torch.uint8)

    @torch.no_grad()
    def load(self, path: Path | None) -> int:
        """Restore what was saved and return the epoch to go on with, or 0."""
        tensors = checkpoint.load(path) if path else None
        if tensors is None or not torch.equal(tensors.pop("training"), self._identity()):
            return 0
        optimizer_state = {}
        for name, value in tensors.items():
            group, _, key = name.partition(":")
            if group == "optimizer":
                optimizer_state[key] = value
            elif group != "epoch":
                target = {
                    "parameters": self.replicas.parameters,
                    "buffers": self.replicas.buffers,
                    "history": self.history,
                }[group][key]
                target.copy_(value)
        restore(self.optimise, optimizer_state)
        return int(tensors["epoch"])
