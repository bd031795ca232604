"""Measures of networks while they are trained, where their weights would not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import xarray as xr

from infotheo.modules.layers import require_layers
from infotheo.registry import lookup
from infotheo.study.trajectories.follow import REGISTRIES
from infotheo.study.trajectories.measuring import DivergedError, measure_moments
from infotheo.study.trajectories.samples import select_samples
from infotheo.training.fit import build_network
from infotheo.training.replicas import Replicas

__all__ = ["in_place_measure"]


def in_place_measure(
    samples: xr.Dataset,
    *,
    network: Mapping[str, Any],
    regularizer: Mapping[str, Any],
    measures: Sequence[Mapping[str, Any]],
) -> Callable[[Any, Replicas], xr.Dataset]:
    """Return the function that measures all networks at a moment, for ``at_snapshot``.

    Parameters
    ----------
    samples, network, regularizer
        As for :func:`infotheo.study.trajectories.follow.follow`.
    measures
        For each: ``measure``, ``subject``, ``settings``, ``part``, ``count`` (of samples) and, for
        one of activations, ``layers``. Bins of no stated range span that of the moment.

    Raises
    ------
    ValueError
        If there are no such samples, layers or measure.
    """
    build = partial(build_network, samples, network, regularizer)
    for entry in measures:
        require_layers(build(), entry.get("layers", ()))
    chosen = [
        partial(
            measure_moments,
            lookup(entry["measure"], *REGISTRIES),
            entry["subject"],
            entry["settings"],
            samples=select_samples(samples, entry["part"], entry["count"]),
            layers=entry.get("layers", ()),
            build=build,
        )
        for entry in measures
    ]

    # an outer join would sort them
    layers = list(dict.fromkeys(name for entry in measures for name in entry.get("layers", ())))

    def measure_all(moment: Any, replicas: Replicas) -> xr.Dataset:
        parts = [_measure_moment(measure, replicas, build) for measure in chosen]
        joined = xr.merge(parts, compat="equals", join="outer", combine_attrs="drop_conflicts")
        return joined.reindex(layer=layers) if layers else joined

    return measure_all


def _measure_moment(
    measure: Callable[..., xr.Dataset], replicas: Replicas, build: Callable[[], Any]
) -> xr.Dataset:
    """Measure the networks as they stand; the same variables, empty, if all of them diverged."""

    def measure_replicas(networks: Replicas) -> xr.Dataset:
        seeds = range(len(networks))
        return measure(moments=lambda: [(0, networks)], seeds=seeds).squeeze("moment", drop=True)

    try:
        return measure_replicas(replicas)
    except DivergedError:
        # what is measured of networks that are not trained has the same variables
        variables = measure_replicas(Replicas(build, replicas.seeds, replicas.device))
        return variables.map(lambda array: array.where(False) if "seed" in array.dims else array)
