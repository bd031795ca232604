"""NumPy's matrix products on one thread, while several of ours each compute their own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

__all__ = ["one_blas_thread"]

_lock = threading.Lock()
_inside = 0  # calls in progress, from any thread of the program
_limiter: Any = None


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep matrix products on the thread that calls them; the previous setting comes back.

    The setting belongs to the process: the last call to leave restores what the first one found.

    Examples
    --------
    >>> with one_blas_thread():
    ...     pass
    """
    global _inside, _limiter
    with _lock:
        if _inside == 0:
            _limiter = _libraries().limit(limits=1, user_api="blas")
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _limiter.restore_original_limits()


@cache
def _libraries() -> Any:
    """Find the loaded libraries, once: the search takes a millisecond."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
