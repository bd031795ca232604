"""Measures and records of networks at each snapshot of their training, or at its end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
import xarray as xr

from infotheo.modules.layers import require_layers
from infotheo.progress import progress
from infotheo.registry import lookup
from infotheo.study.measures import measures, prediction_measures
from infotheo.study.measures.networks import network_measures
from infotheo.study.trajectories.measuring import Subject, measure_moments
from infotheo.study.trajectories.rebuild import count_moments, replicas_over_time, time_dimension
from infotheo.study.trajectories.samples import select_samples
from infotheo.training.device import chosen_device
from infotheo.training.fit import build_network
from infotheo.training.replicas import Replicas

__all__ = ["REGISTRIES", "follow", "record"]

REGISTRIES = (measures, prediction_measures, network_measures)


def follow(
    samples: xr.Dataset,
    snapshots: xr.Dataset,
    *,
    network: Mapping[str, Any],
    regularizer: Mapping[str, Any],
    measure: str,
    subject: Subject,
    settings: Mapping[str, Any],
    layers: Sequence[str] = (),
    part: str = "test",
    count: int | None = None,
    device: str = "cpu",
    label: str = "measure",
) -> xr.Dataset:
    """Measure every network at every moment.

    Parameters
    ----------
    samples, network, regularizer
        As :func:`infotheo.training.fit.fit` was given.
    snapshots
        Weights over (seed, epoch) or (seed, step); over (seed) alone, the result has no time.
    measure, subject, settings
        The name of a measure in :mod:`infotheo.study.measures`, or a dotted path, what it looks
        at, and its keywords.
    layers
        For a measure of activations: which ones. The result has a dimension ``layer``.
    part, count
        Which samples: "train", "validation", "test" or "all"; so many of them, by chance.
    device
        Where the networks run: ``auto``, ``cpu``, ``cuda`` or ``mps``.
    label
        What the progress is called.

    Returns
    -------
    xarray.Dataset
        The measure's variables over ([layer,] seed[, epoch]) and what it adds; NaN where a network
        diverged. ``epoch`` and ``step`` are both there, one of them the dimension.

    Raises
    ------
    ValueError
        If there are no such samples, layers or measure, or the measure cannot be taken.
    """
    build = partial(build_network, samples, network, regularizer)
    require_layers(build(), layers)

    def moments() -> Iterator[tuple[int, Replicas]]:
        networks = replicas_over_time(
            samples,
            snapshots,
            network=network,
            regularizer=regularizer,
            device=chosen_device(device),
        )
        steps = progress(0, count_moments(snapshots), label, "moment")
        for (number, replicas), _ in zip(networks, steps, strict=True):
            yield number, replicas

    measured = measure_moments(
        lookup(measure, *REGISTRIES),
        subject,
        settings,
        moments,
        select_samples(samples, part, count),
        seeds=snapshots["seed"].values.tolist(),
        layers=layers,
        build=build,
    )
    return _label_times(measured, snapshots)


def record(
    samples: xr.Dataset,
    snapshots: xr.Dataset,
    *,
    network: Mapping[str, Any],
    regularizer: Mapping[str, Any],
    layer: str,
    part: str = "test",
    count: int | None = None,
    gigabytes: float = 4.0,
    device: str = "cpu",
) -> xr.Dataset:
    """Return ``activation`` (seed[, epoch or step], sample, unit) of a layer.

    Parameters are those of :func:`follow`: with snapshots for ``snapshots``, all along training,
    with the weights of trained networks as they are. ``gigabytes`` is the most that all of it may
    take.

    Raises
    ------
    ValueError
        If there are no such samples or there is no such layer, or the activations take more.
    """
    require_layers(build_network(samples, network, regularizer), [layer])
    selected = select_samples(samples, part, count)
    networks = replicas_over_time(
        samples,
        snapshots,
        network=network,
        regularizer=regularizer,
        device=chosen_device(device),
    )
    values: list[torch.Tensor] = []
    for _, replicas in networks:
        values.append(replicas.layer_outputs([layer], selected.inputs)[layer])
        needed = values[0].nbytes * count_moments(snapshots) / 1e9
        if needed > gigabytes:
            raise ValueError(
                f"activations of {layer} along training take {needed:.3g} GB, at most "
                f"{gigabytes:g} are allowed (snapshots.gigabytes): keep weights, or fewer samples"
            )
    rows = selected.rows(torch.stack(values, 1))
    rows = rows.assign_coords(
        seed=snapshots["seed"].values,
        moment=np.arange(len(values)),
        unit=np.arange(rows.sizes["unit"]),
    )
    rows = rows.assign_attrs(long_name=f"activation of {layer}", units="1", layer=layer)
    return _label_times(rows.to_dataset(name="activation"), snapshots)


def _label_times(dataset: xr.Dataset, snapshots: xr.Dataset) -> xr.Dataset:
    """Put epochs and steps in the place of the snapshots' numbers."""
    dimension = time_dimension(snapshots)
    if dimension is None:
        return dataset.squeeze("moment", drop=True)
    times = {
        name: ("moment", snapshots[name].values, snapshots[name].attrs)
        for name in ("epoch", "step")
        if name in snapshots.coords
    }
    # by number: a chunk in which every network diverged left nothing
    dataset = dataset.reindex(moment=np.arange(count_moments(snapshots))).assign_coords(times)
    return dataset.swap_dims(moment=dimension).drop_vars("moment")
