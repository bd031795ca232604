"""Keep what there is to see of replicas at each moment, in memory or beside the checkpoint.

One file for each moment, whole or absent and named by the step: a training that was killed takes
those after its checkpoint again and finds those before it. Weights are plain float32 numbers.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
import xarray as xr

from infotheo.training.replicas import Replicas
from infotheo.training.snapshot_schedule import Moment, Schedule

__all__ = ["AtSnapshot", "Keeper", "keeper"]

AtSnapshot = Callable[[Moment, Replicas], xr.Dataset]
Seen = TypeVar("Seen")


class Look(Protocol[Seen]):
    """What is seen at a moment, how it is stored, and what all moments make together."""

    name: str  # tells one kind of snapshots from another
    suffix: str

    def see(self, moment: Moment, replicas: Replicas) -> Seen:
        """Look at the replicas."""

    def write(self, path: Path, seen: Seen) -> None:
        """Write what was seen."""

    def read(self, path: Path) -> Seen:
        """Read what was written."""

    def join(self, seen: Iterable[Seen], dim: str) -> xr.Dataset:
        """Make one dataset over (seed, dim, ...) of all moments."""

    def bytes_each(self) -> int:
        """Return the bytes that one moment takes, 0 if they are not known."""


class Weights:
    """Every parameter and buffer of every replica, float32."""

    name, suffix = "weights", ".npy"

    def __init__(self, replicas: Replicas):
        state = {**replicas.parameters, **replicas.buffers}
        self.shapes = {name: tuple(value.shape[1:]) for name, value in state.items()}
        self.replicas = len(replicas)

    def see(self, moment: Moment, replicas: Replicas) -> np.ndarray:
        """Return (replica, number), the parameters and buffers one after another."""
        state = {**replicas.parameters, **replicas.buffers}
        flat = [state[name].detach().reshape(self.replicas, -1).float() for name in self.shapes]
        return torch.cat(flat, dim=1).cpu().numpy()

    def write(self, path: Path, seen: np.ndarray) -> None:
        """Write a plain array."""
        with path.open("wb") as file:
            np.save(file, seen, allow_pickle=False)

    def read(self, path: Path) -> np.ndarray:
        """Read a plain array."""
        return np.load(path, allow_pickle=False)

    def join(self, seen: Iterable[np.ndarray], dim: str) -> xr.Dataset:
        """Return each parameter and buffer by its name."""
        parts: dict[str, list[np.ndarray]] = {name: [] for name in self.shapes}
        for flat in seen:
            start = 0
            for name, shape in self.shapes.items():
                stop = start + math.prod(shape)
                parts[name].append(flat[:, start:stop].reshape(self.replicas, *shape))
                start = stop
        return xr.Dataset(
            {
                name: (
                    ["seed", dim, *(f"{name}_{axis}" for axis in range(len(self.shapes[name])))],
                    np.stack(own, axis=1),
                )
                for name, own in parts.items()
            }
        )

    def bytes_each(self) -> int:
        """Return four for each number."""
        return 4 * self.replicas * sum(math.prod(shape) for shape in self.shapes.values())


class Measured:
    """What a function of the caller's finds in the replicas, a dataset over ``seed``."""

    suffix = ".nc"

    def __init__(self, function: AtSnapshot):
        self.function = function
        kind = function if hasattr(function, "__qualname__") else type(function)
        self.name = f"{kind.__module__}.{kind.__qualname__}"

    def see(self, moment: Moment, replicas: Replicas) -> xr.Dataset:
        """Call the function; its seeds are the replicas'."""
        found = self.function(moment, replicas)
        if not isinstance(found, xr.Dataset) or found.sizes.get("seed") != len(replicas):
            what = dict(found.sizes) if isinstance(found, xr.Dataset) else type(found).__name__
            raise ValueError(
                f"at_snapshot: found {what}, expected an xarray.Dataset with a dimension seed of "
                f"length {len(replicas)}"
            )
        return found.assign_coords(seed=replicas.seeds)

    def write(self, path: Path, seen: xr.Dataset) -> None:
        """Write netCDF."""
        seen.to_netcdf(path, engine="netcdf4")

    def read(self, path: Path) -> xr.Dataset:
        """Read netCDF into memory."""
        with xr.open_dataset(path, engine="netcdf4") as dataset:
            return dataset.load().drop_encoding()

    def join(self, seen: Iterable[xr.Dataset], dim: str) -> xr.Dataset:
        """Concatenate what has seeds; what has none must be the same at every moment.

        What was not found at some moments, such as of networks that all diverged, is NaN there.
        """
        parts = list(seen)
        known = {name: of for part in reversed(parts) for name, of in part.data_vars.items()}
        varying = [str(name) for name, of in known.items() if "seed" in of.dims]
        parts = [
            part.assign(
                {
                    name: _missing(of) if "seed" in of.dims else of
                    for name, of in known.items()
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

    def bytes_each(self) -> int:
        """Return 0: a measure is small, and its size not known before it is taken."""
        return 0


class Keeper(Generic[Seen]):
    """Take the snapshots of one training and hand them out together.

    Parameters
    ----------
    schedule
        When to take them.
    look
        What to take.
    folder
        Where to keep them until the training is over; in memory if ``None``.
    """

    def __init__(self, schedule: Schedule, look: Look[Seen], folder: Path | None):
        self.schedule, self._look, self._folder = schedule, look, folder
        self._due = {moment.step: moment for moment in schedule.moments}
        self._held: dict[int, Seen] = {}

    @property
    def identity(self) -> str:
        """What tells these snapshots from those of another schedule or kind."""
        return f"{self._look.name} at {','.join(map(str, self._due))}"

    def has_all_before(self, step: int) -> bool:
        """Whether the snapshots of all moments before a step are there."""
        return all(due >= step or self._is_kept(due) for due in self._due)

    def start_at(self, step: int) -> None:
        """Get ready to go on at a step: make sure of the room, leave no snapshot of a later one.

        Raises
        ------
        ValueError
            If all snapshots, or those still to take, have no room.
        """
        each, count = self._look.bytes_each(), len(self._due)
        missing = each * sum(due >= step for due in self._due)
        _require_room(each * count, self.schedule.gigabytes * 1e9, count, "snapshots.gigabytes")
        if self._folder is None:
            return
        for path in self._folder.glob("*"):
            if path.name not in {self._path(due).name for due in self._due if due < step}:
                path.unlink()
        there = next(parent for parent in self._folder.absolute().parents if parent.exists())
        free = shutil.disk_usage(there).free
        _require_room(missing, free, count, f"what is free in {self._folder.parent}")

    def look(self, step: int, replicas: Replicas) -> None:
        """Take a snapshot if one is due before this step."""
        moment = self._due.get(step)
        if moment is None:
            return
        seen = self._look.see(moment, replicas)
        if self._folder is None:
            self._held[step] = seen
            return
        path = self._path(step)
        self._folder.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(path.name + ".partial")
        try:
            self._look.write(beside, seen)
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)

    def dataset(self, seeds: Sequence[int]) -> xr.Dataset:
        """Return all snapshots over (seed, epoch or step, ...), both on the second dimension."""
        dim = self.schedule.every
        seen = (
            self._look.read(self._path(due)) if self._folder else self._held[due]
            for due in self._due
        )
        steps, epochs = zip(*self.schedule.moments, strict=True)
        return self._look.join(seen, dim).assign_coords(
            seed=list(seeds),
            epoch=(dim, np.array(epochs, np.float64), {"long_name": "epochs", "units": "1"}),
            step=(dim, np.array(steps, np.int64), {"long_name": "steps", "units": "1"}),
        )

    def _is_kept(self, step: int) -> bool:
        if self._folder is None:
            return step in self._held
        return self._path(step).exists()

    def _path(self, step: int) -> Path:
        assert self._folder is not None
        return self._folder / f"{step:012d}{self._look.suffix}"


def keeper(
    schedule: Schedule, replicas: Replicas, at_snapshot: AtSnapshot | None, folder: Path | None
) -> Keeper[Any]:
    """Return what takes the weights, or what a function of the caller's finds."""
    if at_snapshot is not None:
        return Keeper(schedule, Measured(at_snapshot), folder)
    return Keeper(schedule, Weights(replicas), folder)


def _missing(of: xr.DataArray) -> xr.DataArray:
    """NaN in the place of numbers."""
    return (of.astype(np.float64) if of.dtype.kind in "biu" else of).where(False)


def _require_room(need: float, limit: float, count: int, whose: str) -> None:
    if need > limit:
        raise ValueError(
            f"snapshots: {count} moments need {need / 1e9:.3g} GB, more than the {limit / 1e9:.3g} "
            f"GB of {whose}; take fewer (count, points), fewer seeds at a time, or give more room"
        )
