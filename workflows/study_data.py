"""Read what a figure or a table is made from, by the kind of data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from workflows.files import read_dataset, read_table

REFERENCE = Path(__file__).parent / "reference"


def read_needed(inputs: Mapping[str, Iterable[str]], shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a figure or table.

    Parameters
    ----------
    inputs
        Kind of data → files.
    shown
        ``run/chunk`` → its regularizer, the key of histories and activations, and its seeds.
    """
    needed: dict[str, Any] = {}
    for kind, files in inputs.items():
        if kind in ("runs", "correlations"):
            (file,) = files
            needed[kind] = read_table(file)
        elif kind in ("histories", "activations"):
            needed[kind] = _by_regularizer(files, shown, kind)
    return needed


def _by_regularizer(files: Iterable[str], shown: Mapping[str, Any], kind: str) -> dict[str, Any]:
    chunks: dict[str, list[xr.Dataset]] = {}
    for file in files:
        # results/runs/<run>/<chunk>/…
        label, seeds = next(of for key, of in shown.items() if f"/{key}/" in Path(file).as_posix())
        chunks.setdefault(label, []).append(read_dataset(file).sel(seed=seeds))
    whole = {label: xr.concat(parts, "seed", join="exact") for label, parts in chunks.items()}
    if kind == "histories":
        return whole
    return {label: dataset["activation"] for label, dataset in whole.items()}
