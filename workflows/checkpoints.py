"""Checkpoints of jobs that are going on: named by the chunk and the code, gone when it is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FOLDER = Path("results", "checkpoints")


@contextmanager
def checkpoint(chunk: str, code: str) -> Iterator[Path]:
    """Hand out a chunk's checkpoint and discard it at the end, unless the work was broken off.

    Those that another version of the code left of the same chunk are discarded at once.
    """
    from infotheo.training.checkpoint import discard

    path = _FOLDER / f"{chunk}-{code}.npz"
    for stale in _FOLDER.glob(f"{chunk}-{'[0-9a-f]' * len(code)}.npz"):
        if stale != path:
            discard(stale)
    yield path
    discard(path)
