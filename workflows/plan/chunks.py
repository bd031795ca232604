"""Chunks: seeds that are trained together, some of them trained already."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from netCDF4 import Dataset

from workflows.plan.identity import digest

_LONGEST = 100  # of a chunk's seeds in its name: a file's has at most 255
TRAINED = ("weights", "history", "predictions")


@dataclass(frozen=True)
class Chunk:
    """Seeds trained together; ``wanted`` are those of them that the study asks for."""

    name: str
    seeds: Sequence[int]
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
    existing = [(file.parent.name, seeds) for file in sorted(trained) if (seeds := _seeds_in(file))]
    for name, seeds in sorted(
        existing, key=lambda item: (-len(_shared(missing, item[1])), item[0])
    ):
        taken = _shared(missing, seeds)
        if taken:
            chunks.append(Chunk(name, seeds, taken))
            missing -= set(taken)
    left = sorted(missing)
    for start in range(0, len(left), at_most):
        seeds = tuple(left[start : start + at_most])
        chunks.append(Chunk("seeds" + seed_text(seeds), seeds, seeds))
    return tuple(sorted(chunks, key=lambda chunk: chunk.wanted))


def _shared(missing: set[int], seeds: Sequence[int]) -> tuple[int, ...]:
    """Return the missing seeds that a chunk holds, without writing out a long range."""
    if len(seeds) <= len(missing):
        return tuple(sorted(missing.intersection(seeds)))
    known = seeds if isinstance(seeds, range) else set(seeds)
    return tuple(sorted(seed for seed in missing if seed in known))


def seed_text(seeds: Sequence[int]) -> str:
    """Write seeds as ``-0-4`` when they follow one another, else as ``-1_5_9``.

    Where that is long, the first one and a short hash of all of them stand for the rest.

    Examples
    --------
    >>> seed_text([0, 4294967295])
    '-0_4294967295'
    >>> seed_text(range(0, 4_000_000_000, 100_000_000))
    '-0-and-39-more-683bddf3'
    """
    if len(seeds) > 1 and seeds[-1] - seeds[0] == len(seeds) - 1:
        return f"-{seeds[0]}-{seeds[-1]}"
    text = "-" + "_".join(str(seed) for seed in seeds)
    if len(text) <= _LONGEST:
        return text
    return f"-{seeds[0]}-and-{len(seeds) - 1}-more-{digest(list(seeds))}"


def _seeds_in(file: Path) -> Sequence[int] | None:
    """Read back what :func:`seed_text` wrote, from a hash's file of weights itself."""
    name = file.parent.name
    if match := re.fullmatch(r"seeds-(\d+)-(\d+)", name):
        return range(int(match[1]), int(match[2]) + 1)
    if match := re.fullmatch(r"seeds-(\d+(?:_\d+)*)", name):
        return tuple(int(seed) for seed in match[1].split("_"))
    if re.fullmatch(r"seeds-\d+-and-\d+-more-[0-9a-f]{8}", name):
        return _trained_seeds(file)
    return None


def _trained_seeds(file: Path) -> tuple[int, ...] | None:
    """Return the seeds of trained networks, or nothing for a file that is damaged."""
    try:
        with Dataset(file) as weights:
            return tuple(int(seed) for seed in weights["seed"][:])
    except (OSError, LookupError):
        return None
