"""The binary form of CIFAR: records of one or two label bytes and 3 x 32 x 32 bytes of colour."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

__all__ = ["IMAGE_SHAPE", "CifarRecords", "parse_cifar_records", "read_cifar_records"]

IMAGE_SHAPE = (3, 32, 32)  # red, green, blue, each row after row
_PIXELS = 3 * 32 * 32


class CifarRecords(NamedTuple):
    """What a file holds."""

    labels: np.ndarray  # (image, label), uint8
    pixels: np.ndarray  # (image, 3072), uint8, a read-only view of the file's bytes
    md5: str  # of the whole file


def parse_cifar_records(
    stream: IO[bytes], name: str | os.PathLike[str], classes: Sequence[int]
) -> CifarRecords:
    """Parse an open file as `read_cifar_records` does; ``name`` stands in the messages."""
    content = stream.read()
    size = len(classes) + _PIXELS
    if not content or len(content) % size:
        head = "a label" if len(classes) == 1 else f"{len(classes)} labels"
        raise ValueError(
            f"{name} is truncated or no CIFAR file: expected records of {size} bytes ({head}, "
            f"{_PIXELS} bytes of colour), found {len(content)} bytes, that is "
            f"{len(content) // size} records and {len(content) % size} bytes"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, size)
    labels = records[:, : len(classes)].copy()
    wrong = np.argwhere(labels >= np.asarray(classes))
    if len(wrong):
        record, column = wrong[0].tolist()
        raise ValueError(
            f"{name}: byte {record * size + column} is a label and must lie in "
            f"0..{classes[column] - 1}, found {labels[record, column]} (record {record}); such "
            f"labels: {len(wrong)}"
        )
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return CifarRecords(labels, records[:, len(classes) :], md5)


def read_cifar_records(
    path: str | os.PathLike[str], *, classes: Sequence[int] = (10,), most: int | None = None
) -> CifarRecords:
    """Read a file of CIFAR in its binary form.

    Parameters
    ----------
    path
        The file.
    classes
        Number of classes of each label byte at the beginning of a record: ``(10,)`` for CIFAR-10,
        ``(20, 100)`` for the coarse and the fine labels of CIFAR-100.
    most
        How many images there may be: a larger file is not read.

    Returns
    -------
    CifarRecords
        ``labels`` (image, label); ``pixels`` (image, 3072), which reshape to `IMAGE_SHAPE`, red
        first; ``md5`` of the file.

    Raises
    ------
    ValueError
        If the file is no whole number of records, has too many of them, or a label is out of
        range; names the file, and the byte.
    OSError
        If the file cannot be read.

    Notes
    -----
    Format: A. Krizhevsky, "Learning multiple layers of features from tiny images" (2009), and the
    page of the data sets. There is no header; nothing in the file is executed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = Path(directory, "two-images.bin")
    ...     _ = path.write_bytes(bytes([7, *[0] * 3072, 2, *[255] * 3072]))
    ...     records = read_cifar_records(path)
    >>> records.labels[:, 0], records.pixels.shape
    (array([7, 2], dtype=uint8), (2, 3072))
    """
    path = Path(path)
    size = len(classes) + _PIXELS
    with path.open("rb") as file:
        stated = os.fstat(file.fileno()).st_size
        if most is not None and stated > most * size:
            raise ValueError(
                f"{path} has {stated} bytes, expected at most {most * size}, {most} records of "
                f"{size} bytes"
            )
        return parse_cifar_records(file, path, classes)
