"""The MNIST handwritten digits, from IDX files on disk or downloaded by checksum."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from infotheo.data.idx import read_idx
from infotheo.data.samples import checked_size, labelled_samples

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["mnist"]


class _File(NamedTuple):
    packed: str  # MD5 of the distributed .gz file
    content: str  # MD5 of the unpacked bytes: a file on disk may have been compressed anew
    shape: tuple[int, ...]


_FILES = {
    "train-images-idx3-ubyte": _File(
        "f68b3c2dcbeaaa9fbdd348bbdeb94873", "6bbc9ace898e44ae57da46a324031adb", (60_000, 28, 28)
    ),
    "train-labels-idx1-ubyte": _File(
        "d53e105ee54ea40749a09fcbcd1e9432", "a25bea736e30d166cdddb491f175f624", (60_000,)
    ),
    "t10k-images-idx3-ubyte": _File(
        "9fb629c4189551a2d022fa330f9573f3", "2646ac647ad5339dbf082846283269ea", (10_000, 28, 28)
    ),
    "t10k-labels-idx1-ubyte": _File(
        "ec29112dd5afa0611ce80d1b7f02629c", "27ae3e4e09519cfbb04c329615203637", (10_000,)
    ),
}
_SOURCE = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_TRAINING_PART = 50_000  # the samples of the training files from here on are for validation
_FILE_NAMES = ", ".join(f"{name}.gz" for name in _FILES)


def _find_file(name: str, directory: Path) -> Path:
    """Return the file, packed or not, in ``directory`` or its MNIST/raw."""
    for folder in (directory, directory / "MNIST" / "raw"):
        for candidate in (folder / name, folder / f"{name}.gz"):
            if candidate.is_file():
                return candidate
    problem = "lacks" if directory.is_dir() else "is not a directory, so it lacks"
    raise FileNotFoundError(
        f"data_dir {directory} {problem} {name}[.gz]; put {_FILE_NAMES} (packed or not) into it "
        "or its MNIST/raw, or leave data_dir out to download them"
    )


def _download(name: str) -> Path:
    """Return the file from the user's cache, fetched into it if it is not there yet."""
    import pooch

    file = f"{name}.gz"
    try:
        return Path(
            pooch.retrieve(
                url=_SOURCE + file,
                known_hash=f"md5:{_FILES[name].packed}",
                fname=file,
                path=pooch.os_cache("infotheo") / "mnist",
                progressbar=sys.stderr.isatty(),
            )
        )
    except OSError as error:
        cause = (str(error) or type(error).__name__).splitlines()[0]
        raise ConnectionError(
            f"could not fetch {_SOURCE}{file} ({cause}); to work offline put {_FILE_NAMES} into "
            "a directory and name it as data.data_dir"
        ) from error


def mnist(
    *,
    data_dir: str | os.PathLike[str] | None = None,
    train_size: int = 50_000,
    validation_size: int = 10_000,
    signed: bool = False,
    images: bool = False,
) -> xr.Dataset:
    """Return MNIST: 28 x 28 grey values as 784 inputs in [0, 1], 10 classes.

    Parameters
    ----------
    data_dir
        Directory with the four IDX files under their original names, packed or not, or with
        them in its MNIST/raw. None: they are downloaded once into the user's cache.
    train_size
        The first so many of the first 50,000 training samples.
    validation_size
        The first so many of the last 10,000 training samples.
    signed
        Whether inputs are in [-1, 1] instead, twice as far and black at -1, as A. Saxe et al.
        (2018) had them.
    images
        Whether inputs are images of one channel, 28 x 28, for convolutional networks.

    Returns
    -------
    xarray.Dataset
        As `infotheo.data.samples.labelled_samples` describes, the 10,000 test samples last.
        ``sample`` counts through the training files (0..59,999), then the test files. ``input``
        is exactly the stored byte (or twice it less 255) times ``float32(1 / 255)``.

    Raises
    ------
    ValueError
        If a size is out of range, or a file is damaged or has another checksum.
    FileNotFoundError
        If ``data_dir`` is given and lacks a file.
    ConnectionError
        If the files cannot be downloaded; says where to put them instead.

    Notes
    -----
    Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".

    Examples
    --------
    >>> mnist(train_size=60_000)
    Traceback (most recent call last):
        ...
    ValueError: train_size must be from 1 to at most 50000, got 60000
    """
    train_size = checked_size("train_size", train_size, 1, _TRAINING_PART)
    validation_size = checked_size("validation_size", validation_size, 0, 10_000)
    arrays = []
    for name, file in _FILES.items():
        path = _download(name) if data_dir is None else _find_file(name, Path(data_dir))
        arrays.append(read_idx(path, md5=file.content, shape=file.shape))
    training, labels, test, test_labels = arrays
    validation_end = _TRAINING_PART + validation_size
    first_test = len(training)
    rows = np.r_[:train_size, _TRAINING_PART:validation_end, first_test : first_test + len(test)]
    pixels = np.concatenate([training[:train_size], training[_TRAINING_PART:validation_end], test])
    if signed:
        pixels = 2 * pixels.astype(np.int16) - 255
    return labelled_samples(
        pixels[:, np.newaxis] if images else pixels.reshape(len(pixels), -1),
        np.concatenate([labels, test_labels])[rows],
        np.repeat([0, 1, 2], [train_size, validation_size, len(test)]),
        name="mnist",
        classes=10,
        index=rows,
        scale=1 / 255,
    )
