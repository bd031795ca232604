"""The 1,797 handwritten digits of 8 x 8 pixels that scikit-learn carries: a data set offline."""

from __future__ import annotations

import gzip
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from infotheo.arrays.subsets import stratified_order
from infotheo.data.samples import checked_size, labelled_samples

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["digits"]

_SAMPLES, _UNITS, _CLASSES = 1797, 64, 10


def _read_table() -> np.ndarray:
    """Return scikit-learn's table (sample, 64 grey values 0..16 and the label) as uint8."""
    # its file is read without importing scikit-learn, which takes seconds in every job
    package = find_spec("sklearn")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError(
            "the digits data set comes with scikit-learn, which is not installed"
        )
    path = Path(package.submodule_search_locations[0], "datasets", "data", "digits.csv.gz")
    if path.is_file():
        with gzip.open(path, "rt", encoding="ascii") as file:
            table = np.loadtxt(file, delimiter=",", dtype=np.float64)
    else:  # a scikit-learn that keeps its file elsewhere
        from sklearn.datasets import load_digits

        bunch = load_digits()
        table = np.column_stack([bunch.data, bunch.target])
    if table.shape != (_SAMPLES, _UNITS + 1):
        raise ValueError(
            f"scikit-learn's digits must be {_SAMPLES} rows of {_UNITS + 1}, found {table.shape}"
        )
    return table.astype(np.uint8)


def digits(
    *,
    train_size: int = 1000,
    validation_size: int = 297,
    split_seed: int = 0,
    images: bool = False,
) -> xr.Dataset:
    """Return scikit-learn's digits: 8 x 8 grey values as 64 inputs in [0, 1], 10 classes.

    Parameters
    ----------
    train_size, validation_size
        Numbers of samples; the other ones, at least one, are the test set (500 of 1,797). The
        validation set does not depend on ``train_size``, and a smaller training set is the
        beginning of a larger one.
    split_seed
        Seed of the division into parts, which keeps the shares of the classes.
    images
        Whether inputs are images of one channel, 8 x 8, for convolutional networks.

    Returns
    -------
    xarray.Dataset
        As `infotheo.data.samples.labelled_samples` describes, in the order train, validation,
        test; ``sample`` is the row in scikit-learn's file.

    Raises
    ------
    ValueError
        If a size is out of range.

    Notes
    -----
    E. Alpaydin, C. Kaynak, "Optical recognition of handwritten digits", UCI repository (1998).

    Examples
    --------
    >>> data = digits(train_size=100)
    >>> dict(data.sizes), [int((data.split == part).sum()) for part in (0, 1, 2)]
    ({'sample': 1797, 'unit': 64}, [100, 297, 1400])
    """
    validation_size = checked_size("validation_size", validation_size, 0, _SAMPLES - 2)
    train_size = checked_size("train_size", train_size, 1, _SAMPLES - 1 - validation_size)
    split_seed = checked_size("split_seed", split_seed, 0, 2**63 - 1)
    table = _read_table()
    order = stratified_order(table[:, -1], np.random.default_rng(split_seed))
    validation, remaining = order[:validation_size], order[validation_size:]
    order = np.concatenate([remaining[:train_size], validation, remaining[train_size:]])
    table = table[order]
    pixels = table[:, :-1]
    return labelled_samples(
        pixels.reshape(-1, 1, 8, 8) if images else pixels,
        table[:, -1],
        np.repeat([0, 1, 2], [train_size, validation_size, len(remaining) - train_size]),
        name="digits",
        classes=_CLASSES,
        index=order,
        scale=1 / 16,
    )
