"""Measure networks while they are trained, where their weights would not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import xarray as xr

from infotheo.modules.layers import require_layers
from infotheo.registry import lookup
from infotheo.study.trajectories.follow import REGISTRIES
from infotheo.study.trajectories.measuring import DivergedError, measure_moments
from infotheo.study.trajectories.samples import looked_at
from infotheo.training.fit import build_network
from infotheo.training.replicas import Replicas

__all__ = ["measuring_in_place"]


def measuring_in_place(
    samples: xr.Dataset,
    *,
    network: Mapping[str, Any],
    regularizer: Mapping[str, Any],
    measures: Sequence[Mapping[str, Any]],
) -> Callable[[Any, Replicas], xr.Dataset]:
    """Return what measures all networks at a moment, for ``at_snapshot`` of a training.

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
    for each in measures:
        require_layers(build(), each.get("layers", ()))
    chosen = [
        partial(
            measure_moments,
            lookup(each["measure"], *REGISTRIES),
            each["subject"],
            each["settings"],
            of=looked_at(samples, each["part"], each["count"]),
            layers=each.get("layers", ()),
            build=build,
        )
        for each in measures
    ]

    # an outer join would sort them
    layers = list(dict.fromkeys(name for each in measures for name in each.get("layers", ())))

    def measured(moment: Any, replicas: Replicas) -> xr.Dataset:
        found = [_at_once(measure, replicas, build) for measure in chosen]
        joined = xr.merge(found, compat="equals", join="outer", combine_attrs="drop_conflicts")
        return joined.reindex(layer=layers) if layers else joined

    return measured


def _at_once(
    measure: Callable[..., xr.Dataset], replicas: Replicas, build: Callable[[], Any]
) -> xr.Dataset:
    """Measure the networks as they stand; the same variables, empty, if all of them diverged."""

    def of(networks: Replicas) -> xr.Dataset:
        seeds = range(len(networks))
        return measure(moments=lambda: [(0, networks)], seeds=seeds).squeeze("moment", drop=True)

    try:
        return of(replicas)
    except DivergedError:
        # what is measured of networks that are not trained has the same variables
        found = of(Replicas(build, replicas.seeds, replicas.device))
        return found.map(lambda each: each.where(False) if "seed" in each.dims else each)
