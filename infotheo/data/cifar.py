"""CIFAR-10 and CIFAR-100, from their binary files on disk or downloaded by checksum."""

from __future__ import annotations

import os
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from infotheo.data.cifar_records import (
    IMAGE_SHAPE,
    CifarRecords,
    parse_cifar_records,
    read_cifar_records,
)
from infotheo.data.samples import checked_size, labelled_samples

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["cifar10", "cifar100"]

_SOURCE = "https://www.cs.toronto.edu/~kriz/"
# with mean 120 and deviation 64 the bytes of the training images are nearly standard, and a power
# of two loses no digit
_MIDDLE, _DEVIATION = 120, 64


class _File(NamedTuple):
    name: str
    images: int
    md5: str


class _Source(NamedTuple):
    """One of the two distributions; the last file is the test set."""

    archive: str
    md5: str
    folder: str
    classes: tuple[int, ...]  # of each label byte
    files: tuple[_File, ...]

    @property
    def file_names(self) -> str:
        return ", ".join(file.name for file in self.files)


_CIFAR10 = _Source(
    "cifar-10-binary.tar.gz",
    "c32a1d4ab5d03f1284b67883e8d87530",
    "cifar-10-batches-bin",
    (10,),
    (
        _File("data_batch_1.bin", 10_000, "5dd7e06a14cb22eb9f671a540d1b7c25"),
        _File("data_batch_2.bin", 10_000, "5ea93a67294ea407fff1d09f752e9692"),
        _File("data_batch_3.bin", 10_000, "942cd6a4bcdd0dd3c604fbe906cb4421"),
        _File("data_batch_4.bin", 10_000, "ae636b3ba5c66a11e91e8cb52e771fcb"),
        _File("data_batch_5.bin", 10_000, "53f37980c15c3d472c316c40844f3f0d"),
        _File("test_batch.bin", 10_000, "803d5f7f4d78ea53de84dbe85f74fb6d"),
    ),
)
_CIFAR100 = _Source(
    "cifar-100-binary.tar.gz",
    "03b5dce01913d631647c71ecec9e9cb8",
    "cifar-100-binary",
    (20, 100),
    (
        _File("train.bin", 50_000, "6172c7755cfe09b2fe270c85cebc1b15"),
        _File("test.bin", 10_000, "4499cfba6c016c1be1438163640a0898"),
    ),
)


def _read_directory(source: _Source, directory: Path, subset: bool) -> dict[str, CifarRecords]:
    """Return the records of each file in ``directory`` or its folder of the archive's name."""
    inner = directory / source.folder
    folder = inner if inner.is_dir() else directory
    test = source.files[-1].name
    paths = {file.name: folder / file.name for file in source.files}
    present = {name: path for name, path in paths.items() if path.is_file()}
    missing = [name for name in paths if name not in present]
    if missing and (not subset or test in missing or len(present) < 2):
        problem = "lacks" if directory.is_dir() else "is not a directory, so it lacks"
        advice = f"put {source.file_names} into it or its {source.folder}"
        if test not in missing and len(present) > 1:
            advice += ", set data.subset: true to use the files that are there"
        raise FileNotFoundError(
            f"data_dir {directory} {problem} {', '.join(missing)}; {advice}, or leave data_dir out "
            "to download them"
        )
    return {
        file.name: read_cifar_records(present[file.name], classes=source.classes, most=file.images)
        for file in source.files
        if file.name in present
    }


def _download(source: _Source) -> dict[str, CifarRecords]:
    """Return the records of each file in the archive, fetched into the user's cache if need be."""
    import pooch

    try:
        archive = pooch.retrieve(
            url=_SOURCE + source.archive,
            known_hash=f"md5:{source.md5}",
            fname=source.archive,
            path=pooch.os_cache("infotheo") / "cifar",
            progressbar=sys.stderr.isatty(),
        )
    except OSError as error:
        cause = (str(error) or type(error).__name__).splitlines()[0]
        raise ConnectionError(
            f"could not fetch {_SOURCE}{source.archive} ({cause}); to work offline put "
            f"{source.file_names} into a directory and name it as data.data_dir"
        ) from error
    return _read_archive(source, archive)


def _read_archive(source: _Source, archive: str | os.PathLike[str]) -> dict[str, CifarRecords]:
    """Return the records of each file in an archive, of which nothing is written to disk."""
    expected = {f"{source.folder}/{file.name}": file for file in source.files}
    records: dict[str, CifarRecords] = {}
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            file = expected.get(member.name)
            size = 0 if file is None else file.images * (len(source.classes) + 3072)
            # links, folders, files of other names or sizes: nothing that is asked for
            if file is None or not member.isreg() or member.size != size:
                continue
            stream = tar.extractfile(member)
            assert stream is not None  # a regular file has content
            name = f"{archive}:{member.name}"
            records[file.name] = parse_cifar_records(stream, name, source.classes)
    lacking = [file.name for file in source.files if file.name not in records]
    if lacking:
        raise ValueError(f"{archive} lacks {', '.join(lacking)} of the expected size")
    return {file.name: records[file.name] for file in source.files}


def _check_content(source: _Source, records: dict[str, CifarRecords]) -> None:
    for file in source.files:
        content = records[file.name]
        advice = "; set data.subset: true to use such files all the same"
        if len(content.labels) != file.images:
            raise ValueError(
                f"{file.name} has {len(content.labels)} images, expected {file.images}{advice}"
            )
        if content.md5 != file.md5:
            raise ValueError(
                f"{file.name} has other content than expected: its MD5 is {content.md5}, expected "
                f"{file.md5}{advice}"
            )


def _build_samples(
    source: _Source,
    data_dir: str | os.PathLike[str] | None,
    train_size: int | None,
    validation_size: int,
    subset: bool,
    standardize: bool,
    *,
    name: str,
    label: int,
) -> xr.Dataset:
    if subset and data_dir is None:
        raise ValueError("subset needs data_dir, the directory with the files to use")
    if not subset:  # sizes that no file could mend are refused before one is looked for
        _check_sizes(train_size, validation_size, sum(file.images for file in source.files[:-1]))
    if data_dir is None:
        records = _download(source)
    else:
        records = _read_directory(source, Path(data_dir), subset)
    if not subset:
        _check_content(source, records)
    sums = ", ".join(f"{file} md5 {part.md5}" for file, part in records.items())
    *training, test = records.values()
    images = sum(len(part.labels) for part in training)
    train_size, validation_size = _check_sizes(train_size, validation_size, images)
    selected = np.zeros(images, dtype=bool)
    selected[:train_size] = True
    selected[images - validation_size :] = True
    starts = np.cumsum([len(part.labels) for part in training])[:-1]
    pixels = np.concatenate(
        [part.pixels[rows] for part, rows in zip(training, np.split(selected, starts), strict=True)]
        + [test.pixels]
    )
    labels = np.concatenate([part.labels[:, label] for part in training])[selected]
    labels = np.concatenate([labels, test.labels[:, label]])
    # the files' bytes are let go before the images are made numbers of four bytes
    del records, training, test
    tests = len(labels) - int(selected.sum())
    samples = labelled_samples(
        pixels.reshape(-1, *IMAGE_SHAPE),
        labels,
        np.repeat([0, 1, 2], [train_size, validation_size, tests]),
        name=name,
        classes=source.classes[label],
        index=np.r_[np.flatnonzero(selected), images : images + tests],
        scale=1 / _DEVIATION if standardize else 1 / 255,
        middle=_MIDDLE if standardize else 0,
    )
    return samples.assign_attrs(subset_of_files=sums) if subset else samples


def _check_sizes(train_size: int | None, validation_size: int, images: int) -> tuple[int, int]:
    validation_size = checked_size("validation_size", validation_size, 0, images - 1)
    remaining = images - validation_size
    if train_size is None:
        return remaining, validation_size
    return checked_size("train_size", train_size, 1, remaining), validation_size


def cifar10(
    *,
    data_dir: str | os.PathLike[str] | None = None,
    train_size: int | None = None,
    validation_size: int = 10_000,
    subset: bool = False,
    standardize: bool = True,
) -> xr.Dataset:
    """Return CIFAR-10: colour images of 32 x 32 pixels, 10 classes.

    Parameters
    ----------
    data_dir
        Directory with the six files of the binary version under their original names, or with
        them in its cifar-10-batches-bin. None: they are downloaded once into the user's cache.
    train_size
        The first so many of the training images; None: all that are not for validation.
    validation_size
        The last so many of the 50,000 training images; 0 gives them back to training.
    subset
        Use the files of ``data_dir`` that are there (the test batch and one other at least), with
        as many images as they have and whatever their checksum. The result's attribute
        ``subset_of_files`` then tells what was read.
    standardize
        Whether inputs are (byte - 120) / 64, whose mean is near 0 and whose variance is near 1
        over the training images, the same map for all pixels and colours; else byte / 255.

    Returns
    -------
    xarray.Dataset
        As `infotheo.data.samples.labelled_samples` describes, input (sample, channel, row,
        column) with red first, the test images last. ``sample`` counts through the training
        files, then the test file.

    Raises
    ------
    ValueError
        If a size is out of range, or a file is damaged, or has another number of images or
        another checksum and ``subset`` is not set.
    FileNotFoundError
        If ``data_dir`` is given and lacks a file.
    ConnectionError
        If the archive cannot be downloaded; says where to put its files instead.

    Notes
    -----
    A. Krizhevsky, "Learning multiple layers of features from tiny images" (2009). He et al. (2016)
    subtract the mean image instead; a fixed map keeps the stored numbers whole and looks at no
    data. The archive is read in place: only the files named above, nothing is unpacked to disk.

    Examples
    --------
    >>> cifar10(train_size=50_000)
    Traceback (most recent call last):
        ...
    ValueError: train_size must be from 1 to at most 40000, got 50000
    """
    return _build_samples(
        _CIFAR10,
        data_dir,
        train_size,
        validation_size,
        subset,
        standardize,
        name="cifar10",
        label=0,
    )


def cifar100(
    *,
    data_dir: str | os.PathLike[str] | None = None,
    train_size: int | None = None,
    validation_size: int = 10_000,
    subset: bool = False,
    standardize: bool = True,
    labels: Literal["fine", "coarse"] = "fine",
) -> xr.Dataset:
    """Return CIFAR-100: colour images of 32 x 32 pixels, 100 classes in 20 groups.

    Parameters
    ----------
    data_dir
        Directory with train.bin and test.bin of the binary version, or with them in its
        cifar-100-binary. None: they are downloaded once into the user's cache.
    train_size, validation_size, subset, standardize
        As for `cifar10`.
    labels
        "fine": the 100 classes; "coarse": the 20 groups.

    Returns
    -------
    xarray.Dataset
        As for `cifar10`.

    Raises
    ------
    ValueError, FileNotFoundError, ConnectionError
        As for `cifar10`; also if there are no such ``labels``.

    Notes
    -----
    A. Krizhevsky, "Learning multiple layers of features from tiny images" (2009).

    Examples
    --------
    >>> cifar100(labels="middling")
    Traceback (most recent call last):
        ...
    ValueError: labels must be 'fine' or 'coarse', got 'middling'
    """
    if labels not in ("fine", "coarse"):
        raise ValueError(f"labels must be 'fine' or 'coarse', got {labels!r}")
    return _build_samples(
        _CIFAR100,
        data_dir,
        train_size,
        validation_size,
        subset,
        standardize,
        name="cifar100",
        label=("coarse", "fine").index(labels),
    )
