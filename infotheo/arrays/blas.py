"""NumPy's matrix products on one thread, while several of ours each compute their own."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

__all__ = ["limit_own_thread", "one_blas_thread"]

# The setting belongs to the process: calls from several threads take turns, so that each finds and
# leaves it as it was. One call uses all cores anyway.
_turn = threading.RLock()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep matrix products on the thread that calls them; the previous setting comes back.

    Examples
    --------
    >>> with one_blas_thread():
    ...     pass
    """
    with _turn, _libraries().limit(limits=1, user_api="blas"):
        yield


def limit_own_thread() -> None:
    """Do the same for a thread about to work inside, where every thread has its own setting.

    Examples
    --------
    >>> with one_blas_thread():
    ...     limit_own_thread()
    """
    _libraries().limit(limits=1, user_api="blas")


@cache
def _libraries() -> Any:
    """Find the loaded libraries, once: the search takes a millisecond."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _new_turn() -> None:
    global _turn
    _turn = threading.RLock()


if hasattr(os, "register_at_fork"):  # a child does not wait for a thread that it does not have
    os.register_at_fork(after_in_child=_new_turn)
