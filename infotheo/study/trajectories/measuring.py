"""Calls of a measure for networks at one moment of their training after another."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor, nn

from infotheo.study.measures import measure_finite
from infotheo.study.trajectories.samples import LOGITS, SelectedSamples, outputs
from infotheo.training.replicas import Replicas

__all__ = ["DivergedError", "Subject", "measure_moments"]

Measure = Callable[..., xr.Dataset]
Values = NDArray[np.floating[Any]]
Subject = Literal["activations", "logits", "network"]
Moments = Callable[[], Iterable[tuple[int, Replicas]]]  # may be gone through more than once

MAX_BYTES = 2**28  # of activations held at once: several moments of a small network


class DivergedError(ValueError):
    """Every network diverged before the first moment: there is nothing to measure."""

    def __init__(self) -> None:
        super().__init__("every network diverged before the first moment: nothing to measure")


def measure_moments(
    measure: Measure,
    subject: Subject,
    settings: Mapping[str, Any],
    moments: Moments,
    samples: SelectedSamples,
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
    samples
        Those that the networks are measured on.
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
        return _measure_networks(measure, settings, moments(), samples, seeds, build)
    places = [LOGITS] if subject == "logits" else list(layers)
    ends = _value_ranges(moments(), samples, places) if _spans_training(measure, settings) else {}
    parts: dict[str, list[xr.Dataset]] = {place: [] for place in places}
    for numbers, values in _batch_moments(moments(), samples, places):
        for place in places:
            rows = samples.rows(values[place]).assign_coords(seed=list(seeds), moment=numbers)
            if place in ends:
                low, high = ends[place]
                spread = {"smallest": ("seed", low), "largest": ("seed", high)}
                rows = rows.assign_coords(spread)
            measured = measure_finite(measure, rows, settings)
            parts[place].append(measured.drop_vars(["smallest", "largest"], errors="ignore"))
    return _join(parts, seeds)


def _spans_training(measure: Measure, settings: Mapping[str, Any]) -> bool:
    """Whether a measure divides the range of the values and is not told which range."""
    stated = {name for name, value in settings.items() if value is not None}
    takes_range = "range" in inspect.signature(measure).parameters
    return takes_range and not stated & {"range", "edges", "bin_width"}


def _value_ranges(
    moments: Iterable[tuple[int, Replicas]], samples: SelectedSamples, places: Sequence[str]
) -> dict[str, tuple[Values, Values]]:
    """Return each network's smallest and largest value in each layer, over all moments."""
    ends: dict[str, tuple[Tensor, Tensor]] = {}
    for _, replicas in moments:
        for place, values in outputs(replicas, samples, places).items():
            flat = values.flatten(1)
            # a network that is not finite is not measured: its values widen no cell
            finite = flat.isfinite().all(1)
            low = flat.amin(1).where(finite, torch.inf)
            high = flat.amax(1).where(finite, -torch.inf)
            if place in ends:
                low, high = low.minimum(ends[place][0]), high.maximum(ends[place][1])
            ends[place] = low, high
    return {place: (low.numpy(), high.numpy()) for place, (low, high) in ends.items()}


def _batch_moments(
    moments: Iterable[tuple[int, Replicas]], samples: SelectedSamples, places: Sequence[str]
) -> Iterator[tuple[list[int], dict[str, Tensor]]]:
    """Yield as many moments together as may be held: numbers and (seed, moment, sample, unit)."""
    numbers: list[int] = []
    parts: list[dict[str, Tensor]] = []
    size = 0
    for number, replicas in moments:
        values = outputs(replicas, samples, places)
        added = sum(array.nbytes for array in values.values())
        if parts and size + added > MAX_BYTES:
            yield numbers, _stack(parts)
            numbers, parts, size = [], [], 0
        numbers.append(number)
        parts.append(values)
        size += added
    if parts:
        yield numbers, _stack(parts)


def _stack(parts: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {place: torch.stack([part[place] for part in parts], 1) for place in parts[0]}


def _join(parts: Mapping[str, Sequence[xr.Dataset]], seeds: Sequence[int]) -> xr.Dataset:
    """Join the moments of each layer, and the layers."""
    joined = {
        place: _concatenate(measured, "moment")
        for place, moments in parts.items()
        if (measured := [moment for moment in moments if moment.data_vars])
    }
    if not joined:
        raise DivergedError
    if LOGITS in joined:
        dataset = joined[LOGITS]
    else:
        labelled = [layer.expand_dims(layer=[place]) for place, layer in joined.items()]
        dataset = _concatenate(labelled, "layer").reindex(layer=list(parts))
    return dataset.reindex(seed=list(seeds))


def _concatenate(parts: Sequence[xr.Dataset], dim: str) -> xr.Dataset:
    """Concatenate what varies; ceilings are the same everywhere and stay as they are."""
    varying = [
        [name for name, array in part.data_vars.items() if {"seed", "moment"} & set(array.dims)]
        for part in parts
    ]
    constant = parts[0].drop_vars(varying[0])
    if "layer" in constant.dims:
        constant = constant.isel(layer=0, drop=True)
    selected = [part[names] for part, names in zip(parts, varying, strict=True)]
    return _concat(selected, dim).merge(constant, join="outer", compat="override")


def _concat(parts: Sequence[xr.Dataset], dim: str) -> xr.Dataset:
    return xr.concat(
        parts, dim, join="outer", coords="minimal", compat="override", combine_attrs="override"
    )


def _measure_networks(
    measure: Measure,
    settings: Mapping[str, Any],
    moments: Iterable[tuple[int, Replicas]],
    samples: SelectedSamples,
    seeds: Sequence[int],
    build: Callable[[], nn.Module],
) -> xr.Dataset:
    """Call a measure for one network after another; stack to (seed, moment, ...)."""
    with torch.random.fork_rng(devices=[]):
        network = build().eval()
    rows: dict[int, list[xr.Dataset]] = {seed: [] for seed in seeds}
    inputs, labels = samples.inputs, samples.labels
    for number, replicas in moments:
        network = network.to(replicas.device)  # the same for all moments: nothing to do but once
        inputs, labels = inputs.to(replicas.device), labels.to(replicas.device)
        weights = {**replicas.parameters, **replicas.buffers}
        for index, seed in enumerate(seeds):
            state = {name: value[index].detach() for name, value in weights.items()}
            if not all(bool(value.isfinite().all()) for value in state.values()):
                continue
            network.load_state_dict(state)
            with warnings.catch_warnings():
                # what a measure warns of stands in its result, for every network
                warnings.filterwarnings("ignore", category=UserWarning, module=r"infotheo\.")
                variables = measure(network, inputs, labels, **settings)
            rows[seed].append(variables.expand_dims(seed=[seed], moment=[number]))
    by_seed = [_concat(measured, "moment") for measured in rows.values() if measured]
    if not by_seed:
        raise DivergedError
    dataset = _concat(by_seed, "seed").reindex(seed=list(seeds))
    return dataset.transpose("seed", "moment", ...)
