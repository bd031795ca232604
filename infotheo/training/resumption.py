"""All that training needs to go on after an epoch, and what it is the training of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from infotheo.training import checkpoint
from infotheo.training.optimizers import restore, state_arrays
from infotheo.training.replicas import Replicas

__all__ = ["State"]


class State:
    """What a checkpoint holds: parameters, buffers, the optimiser's state and the histories.

    ``tensors``, ``settings`` and ``snapshots`` tell one training from another: a checkpoint of
    another is no use.
    """

    def __init__(
        self,
        replicas: Replicas,
        optimizer: torch.optim.Optimizer,
        epochs: int,
        tensors: Sequence[Tensor],
        settings: Mapping[str, Any],
        snapshots: str = "",
    ):
        self.replicas, self.optimizer = replicas, optimizer
        self.tensors, self.settings, self.snapshots = tensors, settings, snapshots
        names = ("train_loss", "penalty", "validation_error")
        self.history = {name: torch.full((epochs, len(replicas)), torch.nan) for name in names}

    def save(self, path: Path, epoch: int) -> None:
        """Write the state after so many epochs."""
        groups = {
            "parameters": self.replicas.parameters,
            "buffers": self.replicas.buffers,
            "optimizer": state_arrays(self.optimizer),
            "history": self.history,
        }
        tensors = {
            f"{group}:{name}": value
            for group, values in groups.items()
            for name, value in values.items()
        }
        checkpoint.save(
            path, {"epoch": torch.tensor(epoch), "training": self._identity(), **tensors}
        )

    def _identity(self) -> Tensor:
        """Digest of samples, seeds and settings: the state of another training is no use."""
        digest = hashlib.blake2b(repr(self.replicas.seeds).encode(), digest_size=16)
        for tensor in self.tensors:
            digest.update(tensor.detach().cpu().contiguous().numpy().data)
        for name, value in self.replicas.parameters.items():
            digest.update(f"{name}{tuple(value.shape)}".encode())
        # in order of their names: the order in which a mapping was written says nothing
        digest.update(json.dumps(self.settings, sort_keys=True, default=repr).encode())
        digest.update(self.snapshots.encode())
        return torch.frombuffer(bytearray(digest.digest()), dtype=torch.uint8)

    @torch.no_grad()
    def load(self, path: Path | None, usable: Callable[[int], bool] = lambda epoch: True) -> int:
        """Restore what was saved and return the epoch to go on with, or 0.

        ``usable`` is asked whether all else is there that training needs to go on at an epoch.
        """
        tensors = checkpoint.load(path) if path else None
        if tensors is None or not torch.equal(tensors.pop("training"), self._identity()):
            return 0
        epoch = int(tensors.pop("epoch"))
        if not usable(epoch):
            return 0
        optimizer_state = {}
        for name, value in tensors.items():
            group, _, key = name.partition(":")
            if group == "optimizer":
                optimizer_state[key] = value
            else:
                target = {
                    "parameters": self.replicas.parameters,
                    "buffers": self.replicas.buffers,
                    "history": self.history,
                }[group][key]
                target.copy_(value)
        restore(self.optimizer, optimizer_state)
        return epoch
