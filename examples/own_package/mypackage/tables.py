"""A data set that is read from a file."""

from pathlib import Path

import numpy as np
import xarray as xr

from infotheo.data.samples import labelled_samples


def table(path: Path, *, train_share: float = 0.5, data_seed: int = 0) -> xr.Dataset:
    """Return the rows of a CSV file: columns of numbers, the last one the class from 0 on.

    A setting that is annotated ``Path`` names a file (or a folder): what it holds is part of the
    data set, and editing it makes again what depends on it. It is relative to the directory where
    the command is given.
    """
    rows = np.loadtxt(path, delimiter=",", skiprows=1)
    order = np.random.default_rng(data_seed).permutation(len(rows))
    rows = rows[order]
    training = round(train_share * len(rows))
    validation = (len(rows) - training) // 2
    split = np.repeat([0, 1, 2], [training, validation, len(rows) - training - validation])
    return labelled_samples(rows[:, :-1], rows[:, -1].astype(int), split, name="table", index=order)
