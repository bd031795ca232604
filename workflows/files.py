"""The pipeline's files: written whole or not at all, without time stamps, never unpickled."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from infotheo.version import package_version

_NEARLY_FULL = 2**20
_PACKING = ("dtype", "scale_factor", "_FillValue")


def write_atomically(path: str | Path, write: Callable[[Path], Any]) -> None:
    """Have ``write`` make the file beside its place, then rename it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".partial-{path.name}")
    try:
        write(partial)
        os.replace(partial, path)
    except RuntimeError as error:  # how netCDF says that it cannot write
        raise OSError(f"{path} could not be written: {_cause(path, error)}") from error
    except OSError as error:
        raise OSError(f"{path} could not be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)


def _cause(path: Path, error: RuntimeError) -> str:
    free = shutil.disk_usage(path.parent).free
    return "no space left on device" if free < _NEARLY_FULL else str(error)


def write_dataset(path: str | Path, dataset: xr.Dataset, **provenance: Any) -> None:
    """Write netCDF, compressed, with the package's version and the provenance as attributes."""
    dataset = dataset.assign_attrs(infotheo_version=package_version())
    dataset.attrs |= {key: str(value) for key, value in provenance.items()}
    encoding = {}
    for name, variable in dataset.data_vars.items():
        compression = {"zlib": True, "complevel": 1, "shuffle": True} if variable.ndim else {}
        packing = {key: variable.encoding[key] for key in _PACKING if key in variable.encoding}
        encoding[name] = compression | packing

    def write(file: Path) -> None:
        dataset.to_netcdf(file, engine="netcdf4", encoding=encoding)

    write_atomically(path, write)


def read_dataset(path: str | Path) -> xr.Dataset:
    """Read netCDF into memory."""
    with xr.open_dataset(path, engine="netcdf4") as dataset:
        return dataset.load()


def write_table(path: str | Path, table: pd.DataFrame) -> None:
    """Write CSV with every digit that float64 needs."""
    write_atomically(path, lambda file: table.to_csv(file, index=False))


def read_table(path: str | Path) -> pd.DataFrame:
    """Read CSV; nothing but an empty cell is missing, names like ``None`` stay names."""
    return pd.read_csv(path, keep_default_na=False, na_values=[""])
