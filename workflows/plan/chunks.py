"""Chunks: seeds that are trained together, some of them trained already."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TRAINED = ("weights", "history", "predictions")


@dataclass(frozen=True)
class Chunk:
    """Seeds trained together; ``wanted`` are those of them that the study asks for."""

    name: str
    seeds: tuple[int, ...]
    wanted: tuple[int, ...]


def chunks_of(wanted: Sequence[int], folder: Path, at_most: int) -> tuple[Chunk, ...]:
    """Take the chunks that are trained as they are, and group the seeds that none of them holds.

    The groups of a training that was broken off come out the same, as blocks of the same length.

    Parameters
    ----------
    wanted
        Seeds that the study asks for.
    folder
        Where the chunks of the run lie.
    at_most
        How many seeds make a new chunk.
    """
    chunks, missing = [], set(wanted)
    trained = folder.glob(f"seeds-*/{TRAINED[0]}.nc") if folder.is_dir() else []
    names = sorted(file.parent.name for file in trained)
    existing = [(name, seeds) for name in names if (seeds := _seeds_in(name))]
    for name, seeds in sorted(existing, key=lambda item: (-len(missing & set(item[1])), item[0])):
        taken = tuple(sorted(missing & set(seeds)))
        if taken:
            chunks.append(Chunk(name, seeds, taken))
            missing -= set(taken)
    left = sorted(missing)
    for start in range(0, len(left), at_most):
        seeds = tuple(left[start : start + at_most])
        chunks.append(Chunk("seeds" + seed_text(seeds), seeds, seeds))
    return tuple(sorted(chunks, key=lambda chunk: chunk.wanted))


def seed_text(seeds: Sequence[int]) -> str:
    """Write seeds as ``-0-4`` when they follow one another, else as ``-1_5_9``."""
    if len(seeds) > 1 and list(seeds) == list(range(seeds[0], seeds[-1] + 1)):
        return f"-{seeds[0]}-{seeds[-1]}"
    return "-" + "_".join(str(seed) for seed in seeds)


def _seeds_in(name: str) -> tuple[int, ...] | None:
    """Read back what :func:`seed_text` wrote."""
    if match := re.fullmatch(r"seeds-(\d+)-(\d+)", name):
        return tuple(range(int(match[1]), int(match[2]) + 1))
    if match := re.fullmatch(r"seeds-(\d+(?:_\d+)*)", name):
        return tuple(int(seed) for seed in match[1].split("_"))
    return None
