"""Contenders timed in turn, and what came out as a row of the table."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

__all__ = ["Row", "medians"]


class Row(NamedTuple):
    """One comparison; ``ratio`` is peer over ours, or ours over a floor."""

    name: str
    ours: float  # seconds
    peer: float
    ratio: float
    required: str  # ">= 20", "<= 3.5", or empty


def medians(contenders: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each contender; rounds alternate, so that drift favours nobody."""
    for run in contenders.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            started = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - started)
    return {name: statistics.median(spent) for name, spent in times.items()}
