"""Maps over parts of an array in threads: NumPy's loops run outside the interpreter's lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from array_api_compat import is_numpy_array

from infotheo.arrays.blas import limit_calling_thread, one_blas_thread

__all__ = ["map_in_order", "map_in_threads", "worker_count"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def worker_count() -> int:
    """Cores that this process may use: those of its affinity, or OMP_NUM_THREADS if that is fewer.

    Examples
    --------
    >>> worker_count() >= 1
    True
    """
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    allowed = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return max(1, min(available or 1, int(allowed) if allowed.isdigit() else available or 1))


def map_in_order(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int
) -> Iterator[Result]:
    """Yield ``function`` of every item, in order, computed inside one_blas_thread in threads.

    Results wait for their turn, so that sums of them do not depend on who finished first.

    Examples
    --------
    >>> with one_blas_thread():
    ...     list(map_in_order(lambda n: n * n, [1, 2, 3], 2))
    [1, 4, 9]
    """
    workers = min(workers, len(items))
    if workers < 2:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(workers, initializer=limit_calling_thread) as pool:
        yield from pool.map(function, items)


def map_in_threads(
    function: Callable[[Item], Result], items: Sequence[Item], array: Any = None
) -> list[Result]:
    """Return ``function`` of every item, in order; in threads where ``array`` is of NumPy.

    torch works on several cores, or on a device, by itself.

    Examples
    --------
    >>> import numpy as np
    >>> map_in_threads(lambda n: n * n, [1, 2, 3], np.zeros(1))
    [1, 4, 9]
    """
    workers = min(worker_count(), len(items))
    if workers < 2 or not is_numpy_array(array):
        return [function(item) for item in items]
    with one_blas_thread():
        return list(map_in_order(function, items, workers))
