"""Records of what the pipeline's files were made with, beside the files: they move along.

Snakemake keeps its own in ``.snakemake``, which a copy of the results lacks. A record is the digest
of the parameters of the job, code included, in a hidden folder where the file lies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from workflows.files import write_atomically
from workflows.plan.identity import digest

_FOLDER = ".made-with"


def record_path(file: str | Path) -> Path:
    """Return where the record of a file lies."""
    path = Path(file)
    return path.parent / _FOLDER / path.name


def forget(files: Iterable[str | Path]) -> None:
    """Remove the records of files that are about to be made."""
    for file in files:
        record_path(file).unlink(missing_ok=True)


def record(files: Iterable[str | Path], params: Mapping[str, Any]) -> None:
    """Record that the files were made with these parameters."""
    text = digest(params, 16)
    for file in files:
        write_atomically(record_path(file), lambda path: path.write_text(text, encoding="ascii"))


def is_stale(file: Path, params: Mapping[str, Any]) -> bool:
    """Whether a file that exists was made with other parameters, or nobody knows with which."""
    if not file.is_file():
        return False
    try:
        return record_path(file).read_text(encoding="ascii") != digest(params, 16)
    except (OSError, UnicodeDecodeError):
        return True
