"""The pipeline's files: written whole or not at all, without time stamps, never unpickled.

A netCDF file carries checksums: HDF5's own (Fletcher's, of each chunk of every variable, for all
who read it), and a digest of all that can be read of it, which text, single numbers and attributes
are under, too. What does not agree with them is not read.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pandas as pd
import xarray as xr

from infotheo.version import package_version
from infotheo.whole_files import partial_file

_NEARLY_FULL = 2**20
_PACKING = ("dtype", "scale_factor", "_FillValue")
_COMPRESSION = {"zlib": True, "complevel": 1, "shuffle": True}
_DIGEST = "content_digest"
_NAMES = ("study", "condition", "regularizer", "measure", "target", "level", "method")


def write_atomically(path: str | Path, write: Callable[[Path], Any]) -> None:
    """Have ``write`` make the file beside its place, then rename it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with partial_file(path) as partial:
            write(partial)
    except RuntimeError as error:  # how netCDF says that it cannot write
        raise OSError(f"{path} could not be written: {_cause(path, error)}") from error
    except OSError as error:
        raise OSError(f"{path} could not be written: {error.strerror or error}") from error


def _cause(path: Path, error: RuntimeError) -> str:
    free = shutil.disk_usage(path.parent).free
    return "no space left on device" if free < _NEARLY_FULL else str(error)


def write_dataset(path: str | Path, dataset: xr.Dataset, **provenance: Any) -> None:
    """Write netCDF, compressed, with checksums, the package's version and the provenance."""
    dataset = dataset.assign_attrs(infotheo_version=package_version())
    dataset.attrs |= {key: str(value) for key, value in provenance.items()}
    encoding = {}
    for name, variable in dataset.variables.items():
        filters: dict[str, Any] = {}
        if variable.ndim and name in dataset.data_vars:
            filters |= _COMPRESSION
        if variable.ndim and variable.dtype.kind not in "OU":  # text lies outside the chunks
            filters["fletcher32"] = True
        packing = {key: variable.encoding[key] for key in _PACKING if key in variable.encoding}
        encoding[name] = filters | (packing if name in dataset.data_vars else {})

    def write(file: Path) -> None:
        dataset.to_netcdf(file, engine="netcdf4", encoding=encoding)
        digest = _digest(_read_raw(file))
        with netCDF4.Dataset(file, "a") as written:
            written.setncattr(_DIGEST, digest)

    write_atomically(path, write)


def read_dataset(path: str | Path) -> xr.Dataset:
    """Read netCDF into memory.

    Raises
    ------
    OSError
        If there is no such file, or it is damaged: it cannot be read, or says other than was
        written.
    """
    try:
        raw = _read_raw(Path(path))
        expected = raw.attrs.pop(_DIGEST, None)
        intact = expected is None or expected == _digest(raw)
        dataset = xr.decode_cf(raw).load() if intact else None
    except (FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # a damaged file fails anywhere in HDF5, netCDF or xarray
        raise OSError(f"{path} {_DAMAGED}") from error
    if dataset is None:
        raise OSError(f"{path} {_DAMAGED}")
    return dataset


_DAMAGED = "is damaged: found other content than was written; delete it, and it is made again"


def _read_raw(path: Path) -> xr.Dataset:
    """Read netCDF as it stands in the file: nothing scaled, masked or interpreted."""
    with xr.open_dataset(path, engine="netcdf4", decode_cf=False) as raw:
        return raw.load()


def _digest(raw: xr.Dataset) -> str:
    """Hash all names, sizes, attributes and values."""
    digest = hashlib.sha256()

    def add(name: Any, dims: Any, kind: str, shape: Any, attrs: Any) -> None:
        plain = [[key, np.asarray(value).dtype.str, np.asarray(value).tolist()]
                 for key, value in attrs.items()]  # fmt: skip
        digest.update(json.dumps([name, dims, kind, shape, plain]).encode())

    add("", "", "", dict(raw.sizes), raw.attrs)
    for name, variable in raw.variables.items():
        values = np.ascontiguousarray(variable.values)
        add(name, variable.dims, values.dtype.str, values.shape, variable.attrs)
        if values.dtype.kind == "O":
            digest.update(json.dumps(values.tolist()).encode())
        else:
            digest.update(values.view(np.uint8).data if values.size else b"")
    return digest.hexdigest()


def write_table(path: str | Path, table: pd.DataFrame) -> None:
    """Write CSV with every digit that float64 needs."""
    write_atomically(path, lambda file: table.to_csv(file, index=False))


def read_table(path: str | Path) -> pd.DataFrame:
    """Read CSV; nothing but an empty cell is missing, and names stay names: ``None``, ``01``."""
    names = dict.fromkeys(_NAMES, str)
    return pd.read_csv(path, keep_default_na=False, na_values=[""], dtype=names)
