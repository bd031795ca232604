"""Snapshots of replicas, one for each moment of a schedule, in memory or beside the checkpoint.

One file for each moment, whole or absent and named by the step: a training that was killed takes
those after its checkpoint again and finds those before it. Weights are plain float32 numbers.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
import xarray as xr

from infotheo.training.replicas import Replicas
from infotheo.training.snapshot_schedule import Moment, Schedule
from infotheo.whole_files import partial_file

__all__ = ["AtSnapshot", "SnapshotStore", "open_store"]

AtSnapshot = Callable[[Moment, Replicas], xr.Dataset]
Snapshot = TypeVar("Snapshot")


class SnapshotKind(Protocol[Snapshot]):
    """What is kept of networks at a moment, how it is stored, and what all moments make together.

    The name tells one kind of snapshots from another.
    """

    @property
    def name(self) -> str: ...

    @property
    def suffix(self) -> str: ...

    def take(self, moment: Moment, replicas: Replicas) -> Snapshot:
        """Take a snapshot of the replicas."""

    def write(self, path: Path, snapshot: Snapshot) -> None:
        """Write a snapshot."""

    def read(self, path: Path) -> Snapshot:
        """Read what was written."""

    def join(self, snapshots: Iterable[Snapshot], dim: str) -> xr.Dataset:
        """Make one dataset over (seed, dim, ...) of all moments."""

    def bytes_per_moment(self) -> int:
        """Return the bytes that one moment takes, 0 if they are not known."""


class WeightSnapshots:
    """Every parameter and buffer of every replica, float32."""

    name, suffix = "weights", ".npy"

    def __init__(self, replicas: Replicas):
        state = {**replicas.parameters, **replicas.buffers}
        self.shapes: dict[str, tuple[int, ...]] = {
            name: tuple(value.shape[1:]) for name, value in state.items()
        }
        self.replicas = len(replicas)

    def take(self, moment: Moment, replicas: Replicas) -> np.ndarray:
        """Return (replica, number), the parameters and buffers one after another."""
        state = {**replicas.parameters, **replicas.buffers}
        flat = [state[name].detach().reshape(self.replicas, -1).float() for name in self.shapes]
        return torch.cat(flat, dim=1).cpu().numpy()

    def write(self, path: Path, snapshot: np.ndarray) -> None:
        """Write a plain array."""
        with path.open("wb") as file:
            np.save(file, snapshot, allow_pickle=False)

    def read(self, path: Path) -> np.ndarray:
        """Read a plain array."""
        snapshot: np.ndarray = np.load(path, allow_pickle=False)
        return snapshot

    def join(self, snapshots: Iterable[np.ndarray], dim: str) -> xr.Dataset:
        """Return each parameter and buffer by its name."""
        parts: dict[str, list[np.ndarray]] = {name: [] for name in self.shapes}
        for flat in snapshots:
            start = 0
            for name, shape in self.shapes.items():
                stop = start + math.prod(shape)
                parts[name].append(flat[:, start:stop].reshape(self.replicas, *shape))
                start = stop
        return xr.Dataset(
            {
                name: (
                    ["seed", dim, *(f"{name}_{axis}" for axis in range(len(self.shapes[name])))],
                    np.stack(values, axis=1),
                )
                for name, values in parts.items()
            }
        )

    def bytes_per_moment(self) -> int:
        """Return four for each number."""
        return 4 * self.replicas * sum(math.prod(shape) for shape in self.shapes.values())


class MeasuredSnapshots:
    """What a function of the caller's measures of the replicas, a dataset over ``seed``."""

    suffix = ".nc"

    def __init__(self, function: AtSnapshot):
        self.function = function
        kind = function if hasattr(function, "__qualname__") else type(function)
        self.name = f"{kind.__module__}.{kind.__qualname__}"

    def take(self, moment: Moment, replicas: Replicas) -> xr.Dataset:
        """Call the function; its seeds are the replicas'."""
        measured: object = self.function(moment, replicas)
        if not isinstance(measured, xr.Dataset):
            description: object = type(measured).__name__
        elif measured.sizes.get("seed") != len(replicas):
            description = dict(measured.sizes)
        else:
            return measured.assign_coords(seed=replicas.seeds)
        raise ValueError(
            f"at_snapshot: found {description}, expected an xarray.Dataset with a dimension seed "
            f"of length {len(replicas)}"
        )

    def write(self, path: Path, snapshot: xr.Dataset) -> None:
        """Write netCDF."""
        snapshot.to_netcdf(path, engine="netcdf4")

    def read(self, path: Path) -> xr.Dataset:
        """Read netCDF into memory."""
        with xr.open_dataset(path, engine="netcdf4") as dataset:
            return dataset.load().drop_encoding()

    def join(self, snapshots: Iterable[xr.Dataset], dim: str) -> xr.Dataset:
        """Concatenate what has seeds; what has none must be the same at every moment.

        What was not found at some moments, such as of networks that all diverged, is NaN there.
        """
        parts = list(snapshots)
        variables = {
            name: values for part in reversed(parts) for name, values in part.data_vars.items()
        }
        varying = [str(name) for name, values in variables.items() if "seed" in values.dims]
        parts = [
            part.assign(
                {
                    name: _missing(values) if "seed" in values.dims else values
                    for name, values in variables.items()
                    if name not in part
                }
            )
            for part in parts
        ]
        joined = xr.concat(
            parts,
            dim,
            data_vars=varying,
            coords="minimal",
            compat="equals",
            join="exact",
            combine_attrs="override",
        )
        return joined.transpose("seed", dim, ...)

    def bytes_per_moment(self) -> int:
        """Return 0: a measure is small, and its size not known before it is taken."""
        return 0


class SnapshotStore(Generic[Snapshot]):
    """Take the snapshots of one training and hand them out together.

    Parameters
    ----------
    schedule
        When to take them.
    kind
        What to take.
    folder
        Where to keep them until the training is over; in memory if ``None``.
    """

    def __init__(self, schedule: Schedule, kind: SnapshotKind[Snapshot], folder: Path | None):
        self.schedule, self._kind, self._folder = schedule, kind, folder
        self._due = {moment.step: moment for moment in schedule.moments}
        self._in_memory: dict[int, Snapshot] = {}

    @property
    def identity(self) -> str:
        """What tells these snapshots from those of another schedule or kind."""
        return f"{self._kind.name} at {','.join(map(str, self._due))}"

    def has_all_before(self, step: int) -> bool:
        """Whether the snapshots of all moments before a step are there."""
        return all(due >= step or self._has(due) for due in self._due)

    def start_at(self, step: int) -> None:
        """Get ready to go on at a step: make sure of the room, leave no snapshot of a later one.

        Raises
        ------
        ValueError
            If all snapshots, or those still to take, have no room.
        """
        size, count = self._kind.bytes_per_moment(), len(self._due)
        missing = size * sum(due >= step for due in self._due)
        _require_room(size * count, self.schedule.gigabytes * 1e9, count, "snapshots.gigabytes")
        if self._folder is None:
            return
        for path in self._folder.glob("*"):
            if path.name not in {self._path(due).name for due in self._due if due < step}:
                path.unlink()
        parent = next(parent for parent in self._folder.absolute().parents if parent.exists())
        free = shutil.disk_usage(parent).free
        _require_room(missing, free, count, f"what is free in {self._folder.parent}")

    def take(self, step: int, replicas: Replicas) -> None:
        """Take a snapshot if one is due before this step."""
        moment = self._due.get(step)
        if moment is None:
            return
        snapshot = self._kind.take(moment, replicas)
        if self._folder is None:
            self._in_memory[step] = snapshot
            return
        path = self._path(step)
        self._folder.mkdir(parents=True, exist_ok=True)
        with partial_file(path) as partial:
            self._kind.write(partial, snapshot)

    def dataset(self, seeds: Sequence[int]) -> xr.Dataset:
        """Return all snapshots over (seed, epoch or step, ...), both on the second dimension."""
        dim = self.schedule.every
        snapshots = (
            self._kind.read(self._path(due)) if self._folder else self._in_memory[due]
            for due in self._due
        )
        steps, epochs = zip(*self.schedule.moments, strict=True)
        return self._kind.join(snapshots, dim).assign_coords(
            seed=list(seeds),
            epoch=(dim, np.array(epochs, np.float64), {"long_name": "epochs", "units": "1"}),
            step=(dim, np.array(steps, np.int64), {"long_name": "steps", "units": "1"}),
        )

    def _has(self, step: int) -> bool:
        if self._folder is None:
            return step in self._in_memory
        return self._path(step).exists()

    def _path(self, step: int) -> Path:
        assert self._folder is not None
        return self._folder / f"{step:012d}{self._kind.suffix}"


def open_store(
    schedule: Schedule, replicas: Replicas, at_snapshot: AtSnapshot | None, folder: Path | None
) -> SnapshotStore[Any]:
    """Return a store of weights, or of what a function of the caller's measures."""
    if at_snapshot is not None:
        return SnapshotStore(schedule, MeasuredSnapshots(at_snapshot), folder)
    return SnapshotStore(schedule, WeightSnapshots(replicas), folder)


def _missing(values: xr.DataArray) -> xr.DataArray:
    """NaN in the place of numbers."""
    return (values.astype(np.float64) if values.dtype.kind in "biu" else values).where(False)


def _require_room(need: float, limit: float, count: int, owner: str) -> None:
    if need > limit:
        raise ValueError(
            f"snapshots: {count} moments need {need / 1e9:.3g} GB, more than the {limit / 1e9:.3g} "
            f"GB of {owner}; take fewer (count, points), fewer seeds at a time, or give more room"
        )
