"""Call a measure for networks at one moment of their training after another."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from infotheo.study.measures import measure_finite
from infotheo.study.trajectories.samples import LOGITS, LookedAt, outputs
from infotheo.training.replicas import Replicas

__all__ = ["DivergedError", "Subject", "measure_moments"]

Measure = Callable[..., xr.Dataset]
Subject = Literal["activations", "logits", "network"]
Moments = Callable[[], Iterable[tuple[int, Replicas]]]  # may be gone through more than once

HELD = 2**28  # bytes of activations held at once: several moments of a small network


class DivergedError(ValueError):
    """Every network diverged before the first moment: there is nothing to measure."""

    def __init__(self) -> None:
        super().__init__("every network diverged before the first moment: nothing to measure")


def measure_moments(
    measure: Measure,
    subject: Subject,
    settings: Mapping[str, Any],
    moments: Moments,
    of: LookedAt,
    *,
    seeds: Sequence[int],
    layers: Sequence[str],
    build: Callable[[], nn.Module],
) -> xr.Dataset:
    """Measure all networks at all moments.

    Parameters
    ----------
    measure, subject, settings
        As :mod:`infotheo.study.measures` describes them.
    moments
        Called for pairs of a number and the networks at that moment.
    of
        The samples.
    seeds
        Those of the networks, in their order.
    layers
        For a measure of activations.
    build
        Makes one network, for a measure of networks.

    Returns
    -------
    xarray.Dataset
        Over ([layer,] seed, moment, ...); NaN where a network diverged.

    Raises
    ------
    DivergedError
        If every network diverged before the first moment.
    """
    if subject == "network":
        return _of_networks(measure, settings, moments(), of, seeds, build)
    places = [LOGITS] if subject == "logits" else list(layers)
    ends = _ends(moments(), of, places) if _spans_training(measure, settings) else {}
    found: dict[str, list[xr.Dataset]] = {place: [] for place in places}
    for numbers, values in _held(moments(), of, places):
        for place in places:
            rows = of.rows(values[place]).assign_coords(seed=list(seeds), moment=numbers)
            if place in ends:
                low, high = ends[place]
                spread = {"smallest": ("seed", low), "largest": ("seed", high)}
                rows = rows.assign_coords(spread)
            measured = measure_finite(measure, rows, settings)
            found[place].append(measured.drop_vars(["smallest", "largest"], errors="ignore"))
    return _joined(found, seeds)


def _spans_training(measure: Measure, settings: Mapping[str, Any]) -> bool:
    """Whether a measure divides the range of the values and is not told which range."""
    told = {name for name, value in settings.items() if value is not None}
    takes_range = "range" in inspect.signature(measure).parameters
    return takes_range and not told & {"range", "edges", "bin_width"}


def _ends(
    moments: Iterable[tuple[int, Replicas]], of: LookedAt, places: Sequence[str]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return each network's smallest and largest value in each layer, over all moments."""
    ends: dict[str, tuple[Tensor, Tensor]] = {}
    for _, replicas in moments:
        for place, values in outputs(replicas, of, places).items():
            flat = values.flatten(1)
            # a network that is not finite is not measured: its values widen no cell
            whole = flat.isfinite().all(1)
            low = flat.amin(1).where(whole, torch.inf)
            high = flat.amax(1).where(whole, -torch.inf)
            if place in ends:
                low, high = low.minimum(ends[place][0]), high.maximum(ends[place][1])
            ends[place] = low, high
    return {place: (low.numpy(), high.numpy()) for place, (low, high) in ends.items()}


def _held(
    moments: Iterable[tuple[int, Replicas]], of: LookedAt, places: Sequence[str]
) -> Iterator[tuple[list[int], dict[str, Tensor]]]:
    """Yield as many moments together as may be held: numbers and (seed, moment, sample, unit)."""
    numbers: list[int] = []
    parts: list[dict[str, Tensor]] = []
    size = 0
    for number, replicas in moments:
        own = outputs(replicas, of, places)
        bytes_of_own = sum(values.nbytes for values in own.values())
        if parts and size + bytes_of_own > HELD:
            yield numbers, _together(parts)
            numbers, parts, size = [], [], 0
        numbers.append(number)
        parts.append(own)
        size += bytes_of_own
    if parts:
        yield numbers, _together(parts)


def _together(parts: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {place: torch.stack([part[place] for part in parts], 1) for place in parts[0]}


def _joined(found: Mapping[str, Sequence[xr.Dataset]], seeds: Sequence[int]) -> xr.Dataset:
    """Join the moments of each layer, and the layers."""
    of_places = {
        place: _concatenated(measured, "moment")
        for place, parts in found.items()
        if (measured := [part for part in parts if part.data_vars])
    }
    if not of_places:
        raise DivergedError
    if LOGITS in of_places:
        whole = of_places[LOGITS]
    else:
        labelled = [own.expand_dims(layer=[place]) for place, own in of_places.items()]
        whole = _concatenated(labelled, "layer").reindex(layer=list(found))
    return whole.reindex(seed=list(seeds))


def _concatenated(parts: Sequence[xr.Dataset], dim: str) -> xr.Dataset:
    """Concatenate what varies; ceilings are the same everywhere and stay as they are."""
    varying = [
        [name for name, of in part.data_vars.items() if {"seed", "moment"} & set(of.dims)]
        for part in parts
    ]
    constant = parts[0].drop_vars(varying[0])
    if "layer" in constant.dims:
        constant = constant.isel(layer=0, drop=True)
    joined = [part[names] for part, names in zip(parts, varying, strict=True)]
    return _concat(joined, dim).merge(constant, join="outer", compat="override")


def _concat(parts: Sequence[xr.Dataset], dim: str) -> xr.Dataset:
    return xr.concat(
        parts, dim, join="outer", coords="minimal", compat="override", combine_attrs="override"
    )


def _of_networks(
    measure: Measure,
    settings: Mapping[str, Any],
    moments: Iterable[tuple[int, Replicas]],
    of: LookedAt,
    seeds: Sequence[int],
    build: Callable[[], nn.Module],
) -> xr.Dataset:
    """Call a measure for one network after another; stack to (seed, moment, ...)."""
    with torch.random.fork_rng(devices=[]):
        network = build().eval()
    rows: dict[int, list[xr.Dataset]] = {seed: [] for seed in seeds}
    where = None
    for number, replicas in moments:
        if where is None:
            where = replicas.device
            network, inputs, labels = network.to(where), of.inputs.to(where), of.labels.to(where)
        weights = {**replicas.parameters, **replicas.buffers}
        for index, seed in enumerate(seeds):
            state = {name: value[index].detach() for name, value in weights.items()}
            if not all(bool(value.isfinite().all()) for value in state.values()):
                continue
            network.load_state_dict(state)
            with warnings.catch_warnings():
                # what a measure warns of stands in its result, for every network
                warnings.filterwarnings("ignore", category=UserWarning, module=r"infotheo\.")
                found = measure(network, inputs, labels, **settings)
            rows[seed].append(found.expand_dims(seed=[seed], moment=[number]))
    of_seeds = [_concat(own, "moment") for own in rows.values() if own]
    if not of_seeds:
        raise DivergedError
    whole = _concat(of_seeds, "seed").reindex(seed=list(seeds))
    return whole.transpose("seed", "moment", ...)
