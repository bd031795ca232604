"""Checkpoints of a long training: files that are whole or absent, of plain arrays only."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from infotheo.whole_files import discard_partial_files, partial_file


def snapshot_folder(path: Path) -> Path:
    """Return where the snapshots of a training lie whose checkpoint is at this path."""
    return path.with_name(path.name + ".snapshots")


def discard(path: Path) -> None:
    """Remove a checkpoint and the snapshots beside it, once their results are safe."""
    path.unlink(missing_ok=True)
    discard_partial_files(path)
    if snapshot_folder(path).is_dir():
        shutil.rmtree(snapshot_folder(path))


def save(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write the tensors beside ``path``, then rename; what was there stays if that fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {name: value.detach().cpu().numpy() for name, value in tensors.items()}
    with partial_file(path) as partial, partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load(path: Path) -> dict[str, Tensor] | None:
    """Return the tensors, or ``None`` if there is no such file or it is not a whole archive."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: torch.from_numpy(np.asarray(archive[name])) for name in archive.files}
    except (FileNotFoundError, zipfile.BadZipFile, EOFError, ValueError):
        return None
