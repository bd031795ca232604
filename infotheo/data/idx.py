"""The IDX format: two zero bytes, element type, number of dimensions, sizes, then the elements."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

__all__ = ["read_idx"]

# the third byte of the file; elements are stored with the most significant byte first
_ELEMENT_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_RATIO = 1032  # a byte of a deflate stream unpacks to at most so many
_MOST_DIMENSIONS = 32  # of an array in every version of NumPy
_BLOCK = 2**20


class _Readable(Protocol):
    """An open file, or what is unpacked from one."""

    def read(self, size: int = ..., /) -> bytes: ...


def _parse(
    stream: _Readable, path: Path, md5: str | None, expected_shape: Sequence[int] | None, most: int
) -> np.ndarray:
    """Read an array; the stream has at most so many bytes, of which no more than needed is read."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _ELEMENT_TYPES or not magic[3]:
        codes = "/".join(f"{code:02x}" for code in _ELEMENT_TYPES)
        raise ValueError(
            f"{path} is not an IDX file: expected it to begin with the bytes 00 00, {codes} and the"
            f" number of dimensions, found {magic.hex(' ') or 'nothing'}"
        )
    dimensions = magic[3]
    if dimensions > _MOST_DIMENSIONS:
        raise ValueError(
            f"{path} states {dimensions} dimensions, expected at most {_MOST_DIMENSIONS}"
        )
    sizes = stream.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise ValueError(
            f"{path} is truncated: expected {4 * dimensions} bytes of sizes for {dimensions} "
            f"dimensions, found {len(sizes)}"
        )
    shape = tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
    element = np.dtype(_ELEMENT_TYPES[magic[2]])
    expected = math.prod(shape) * element.itemsize
    if expected_shape is not None and shape != tuple(expected_shape):
        raise ValueError(f"{path} states shape {shape}, expected {tuple(expected_shape)}")
    if expected > most:
        raise ValueError(
            f"{path} is truncated: expected {expected} bytes of elements for shape {shape}, but a "
            f"file of its size holds at most {most}"
        )
    body = bytearray()
    while len(body) < expected and (block := stream.read(min(_BLOCK, expected - len(body)))):
        body += block
    if len(body) < expected:
        raise ValueError(
            f"{path} is truncated: expected {expected} bytes of elements for shape {shape}, "
            f"found {len(body)}"
        )
    if stream.read(1):  # also the end of a gzip stream, where its checksum is verified
        raise ValueError(f"{path} has extra bytes after the {expected} that shape {shape} needs")
    if md5 is not None:
        digest = hashlib.md5(magic + sizes + body, usedforsecurity=False).hexdigest()
        if digest != md5:
            raise ValueError(
                f"{path} has other content than expected: its unpacked bytes have MD5 {digest}, "
                f"expected {md5}"
            )
    return np.frombuffer(body, element).reshape(shape).astype(element.newbyteorder("="))


def read_idx(
    path: str | os.PathLike[str],
    *,
    md5: str | None = None,
    shape: Sequence[int] | None = None,
) -> np.ndarray:
    """Read an IDX file, plain or gzip-compressed (told by its content, not by its name).

    Parameters
    ----------
    path
        The file.
    md5
        MD5 of the unpacked bytes, checked if given.
    shape
        Of the array, if it is known: a file that states another is not read.

    Returns
    -------
    numpy.ndarray
        Array of the shape and element type that the file states, in the machine's byte order.

    Raises
    ------
    ValueError
        If the file is not IDX, is truncated, has extra bytes, is corrupt gzip or has another
        shape or checksum; names the file, what was found and what was expected.
    OSError
        If the file cannot be opened.

    Notes
    -----
    Format: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits". Only as
    many bytes as the header announces are unpacked, and nothing in the file is executed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = Path(directory, "three-labels")
    ...     _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
    ...     read_idx(path)
    array([7, 2, 1], dtype=uint8)
    """
    path = Path(path)
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        packed = file.read(2) == _GZIP_MAGIC
        file.seek(0)
        if not packed:
            return _parse(file, path, md5, shape, size)
        try:
            with gzip.GzipFile(fileobj=file) as stream:
                return _parse(stream, path, md5, shape, size * _GZIP_RATIO)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(
                f"{path} is corrupt: expected a complete gzip file, found: {error}"
            ) from error
