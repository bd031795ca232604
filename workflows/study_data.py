"""Read what a figure or a table is made from, by the kind of data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import xarray as xr

from workflows.files import read_dataset, read_table

REFERENCE = Path(__file__).parent / "reference"


def read_needed(
    inputs: Iterable[tuple[str, Iterable[str]]], spec: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the arguments of a figure, table or animation.

    Parameters
    ----------
    inputs
        Pairs of a kind of data and its files.
    spec
        ``shown``: ``run/chunk`` → its regularizer, the key of histories and activations, and its
        seeds; ``followed``: the same with the key of trajectories; ``reference``: empty where the
        published numbers are not asked for.
    """
    needed: dict[str, Any] = {}
    for kind, files in inputs:
        if kind in ("runs", "correlations"):
            (file,) = files
            needed[kind] = read_table(file)
        elif kind in ("histories", "activations"):
            whole = _by_label(files, spec["shown"])
            if kind == "activations":
                whole = {label: of["activation"] for label, of in whole.items()}
            needed[kind] = whole
        elif kind == "trajectories":
            needed[kind] = _by_label(files, spec["followed"])
    if spec["reference"]:
        needed["reference"] = str(REFERENCE)
    return needed


def _by_label(files: Iterable[str], labels: Mapping[str, Any]) -> dict[str, Any]:
    """Return all that lies in the chunks of one label as one dataset over its seeds."""
    chunks: dict[str, dict[str, list[xr.Dataset]]] = {}
    for file in files:
        # results/runs/<run>/<chunk>/…
        key, (label, seeds) = next(
            (key, of) for key, of in labels.items() if f"/{key}/" in Path(file).as_posix()
        )
        own = read_dataset(file)
        own = own.sel(seed=seeds) if "seed" in own.dims else own
        chunks.setdefault(label, {}).setdefault(key, []).append(own)
    return {
        label: xr.concat(
            [
                xr.merge(
                    _of_the_same_layers(parts),
                    join="outer",
                    compat="equals",
                    combine_attrs="drop_conflicts",
                )
                for parts in of.values()
            ],
            "seed",
            join="exact",
            data_vars="minimal",
            coords="minimal",
            compat="equals",
        )
        for label, of in chunks.items()
    }


def _of_the_same_layers(parts: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """Give all parts the same layers in the same order; NaN where one was not measured.

    Parameters
    ----------
    parts
        One chunk's files; some may have no layers.

    Returns
    -------
    In the order of the first part that has all layers. If none has, in the order in which they
    appear, part after part: an outer join would sort them by name, hidden10 before hidden2.
    """
    named = [part["layer"].values.tolist() for part in parts if "layer" in part.dims]
    every = set(chain(*named))
    whole: list[str] = next((names for names in named if set(names) == every), [])
    layers = list(dict.fromkeys(chain(whole, *named)))
    return [part.reindex(layer=layers) if "layer" in part.dims else part for part in parts]
