"""Read what a table of runs, a figure or a table is made from, by the kind of data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from infotheo.study.chunks import join_chunks
from infotheo.study.runs_table import MeasuredChunk
from workflows.files import read_dataset, read_table

REFERENCE = Path(__file__).parent / "reference"
# Folders in the place of a layer's: what is measured of predictions and of whole networks.
NO_LAYERS = ("logits", "network_estimates")


def read_chunks(rows: Iterable[Sequence[Any]], estimates: Iterable[str]) -> Iterator[MeasuredChunk]:
    """Read the chunks of a table of runs one after another.

    Parameters
    ----------
    rows
        For each chunk its condition, regularizer, run and name, and the seeds that are asked for.
    estimates
        The files ``results/runs/<run>/<chunk>/estimates/<layer>/<estimate>.nc`` and
        ``results/runs/<run>/<chunk>/network_estimates/<estimate>.nc`` of all of them.
    """
    files: dict[Path, list[Path]] = {}
    for file in map(Path, estimates):
        files.setdefault(Path(*file.parts[:4]), []).append(file)
    for condition, regularizer, run, chunk, seeds in rows:
        folder = Path("results", "runs", run, chunk)
        measured = [
            (None if file.parent.name in NO_LAYERS else file.parent.name, read_dataset(file))
            for file in files.get(folder, ())
        ]
        history = read_dataset(folder / "history.nc")
        yield MeasuredChunk(condition, regularizer, history, measured, seeds)


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
        elif kind == "histories":
            needed[kind] = _by_label(files, spec["shown"])
        elif kind == "activations":
            recorded = _by_label(files, spec["shown"])
            needed[kind] = {label: dataset["activation"] for label, dataset in recorded.items()}
        elif kind == "trajectories":
            needed[kind] = _by_label(files, spec["followed"])
    if spec["reference"]:
        needed["reference"] = str(REFERENCE)
    return needed


def _by_label(files: Iterable[str], labels: Mapping[str, Any]) -> dict[str, xr.Dataset]:
    """Return all that lies in the chunks of one label as one dataset over its seeds."""
    chunks: dict[str, dict[str, list[xr.Dataset]]] = {}
    for file in files:
        # results/runs/<run>/<chunk>/…
        key = next(key for key in labels if f"/{key}/" in Path(file).as_posix())
        label, _ = labels[key]
        chunks.setdefault(label, {}).setdefault(key, []).append(read_dataset(file))
    return {
        label: join_chunks((labels[key][1], parts) for key, parts in parts_of.items())
        for label, parts_of in chunks.items()
    }
