"""NumPy's matrix products on one thread, while several of ours each compute their own."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

__all__ = ["limit_calling_thread", "one_blas_thread"]

# The setting belongs to the process: calls from several threads take turns, so that each finds and
# leaves it as it was. One call uses all cores anyway.
_lock = threading.RLock()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep matrix products on the thread that calls them; the previous setting comes back.

    Examples
    --------
    >>> with one_blas_thread():
    ...     pass
    """
    with _lock, _libraries().limit(limits=1, user_api="blas"):
        yield


def limit_calling_thread() -> None:
    """Do the same for a thread about to work inside, where every thread has its own setting.

    Examples
    --------
    >>> with one_blas_thread():
    ...     limit_calling_thread()
    """
    _libraries().limit(limits=1, user_api="blas")


@cache
def _libraries() -> Any:
    """Find the loaded libraries, once: the search takes a millisecond."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _renew_lock() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):  # a child does not wait for a thread that it does not have
    os.register_at_fork(after_in_child=_renew_lock)
