"""Progress of long work: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TextIO

from tqdm import tqdm


def progress(
    first: int,
    last: int,
    label: str,
    unit: str,
    *,
    stream: TextIO | None = None,
    interval: float = 30.0,
) -> Iterator[int]:
    """Yield ``first`` … ``last − 1``, telling how far it is and how long it will take.

    On a terminal a bar; elsewhere one line at most every ``interval`` seconds.

    Examples
    --------
    >>> list(progress(0, 3, "count", "step"))
    [0, 1, 2]
    """
    stream = stream or sys.stderr
    if stream.isatty():
        yield from tqdm(
            range(first, last),
            desc=label,
            unit=unit,
            initial=first,
            total=last,
            file=stream,
            dynamic_ncols=True,
            leave=False,
        )
        return
    start = last_line = time.monotonic()
    for number in range(first, last):
        yield number
        now = time.monotonic()
        done = number + 1 - first
        if now - last_line >= interval and number + 1 < last:
            last_line = now
            remaining = (now - start) / done * (last - number - 1)
            print(
                f"{label}: {unit} {number + 1} of {last}, {_duration(remaining)} left", file=stream
            )


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
