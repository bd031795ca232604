"""Files that appear whole or not at all: written beside their place, then renamed."""

from __future__ import annotations

import os
import platform
import re
import secrets
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["discard_partial_files", "partial_file"]

_OLD = 86_400.0  # seconds after which a partial file is nobody's, whoever seems to write it


@contextmanager
def partial_file(path: Path) -> Iterator[Path]:
    """Hand out a name beside ``path`` that is nobody else's; at the end the file takes its place.

    Two that write the same file at once do not see each other's half: the last one stays. After an
    error the former file stays. What a process that is gone left of an earlier try is removed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with partial_file(Path(folder, "a.csv")) as partial:
    ...         _ = partial.write_text("whole")
    ...     os.listdir(folder)
    ['a.csv']
    """
    discard_partial_files(path)
    writer = f"{_machine()}-{os.getpid()}-{secrets.token_hex(4)}"
    partial = path.with_name(f".partial-{writer}-{path.name}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def discard_partial_files(path: Path) -> None:
    """Remove what processes that are gone left of a file; also what is older than a day."""
    name = re.compile(rf"\.partial-([0-9a-f]+)-([0-9]+)-[0-9a-f]+-{re.escape(path.name)}")
    for file in path.parent.glob(".partial-*"):
        writer = name.fullmatch(file.name)
        if writer and (_is_gone(*writer.groups()) or _is_old(file)):
            file.unlink(missing_ok=True)


def _machine() -> str:
    """Tell machines apart that share a folder: a process is known on its own machine only."""
    return f"{zlib.crc32(platform.node().encode()):08x}"


def _is_gone(machine: str, process: str) -> bool:
    if machine != _machine() or os.name != "posix":
        return False
    try:
        os.kill(int(process), 0)  # asks only
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # somebody else's
        return False
    return False


def _is_old(file: Path) -> bool:
    try:
        return time.time() - file.stat().st_mtime > _OLD
    except FileNotFoundError:  # its writer was done in the meantime
        return False
