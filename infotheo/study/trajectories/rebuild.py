"""Back from weights on disk to networks that compute, at any moment of their training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from infotheo.training.fit import build_network
from infotheo.training.replicas import Replicas

__all__ = [
    "moments_of",
    "networks_over_time",
    "replicas_at",
    "replicas_over_time",
    "time_dimension",
]


def replicas_over_time(
    samples: xr.Dataset,
    snapshots: xr.Dataset,
    *,
    network: Mapping[str, Any],
    regularizer: Mapping[str, Any],
    device: torch.device | str = "cpu",
) -> Iterator[tuple[int, Replicas]]:
    """Yield the number of each moment and the networks of all seeds as they were then.

    They are the same object each time, with other weights: look at them before going on.

    Parameters
    ----------
    samples, network, regularizer
        As :func:`infotheo.training.fit.fit` was given.
    snapshots
        Every parameter and buffer over (seed, epoch, ...) or (seed, step, ...), as ``fit``
        returned them; or its ``weights``, which are those of one moment.
    device
        Where the networks are to run.

    Raises
    ------
    ValueError
        If the weights are not those of this network.
    """
    replicas = _replicas(samples, snapshots, network, regularizer, device)
    state = {**replicas.parameters, **replicas.buffers}
    values = _values(snapshots, {name: tuple(value.shape[1:]) for name, value in state.items()})
    for moment in range(moments_of(snapshots)):
        _set(state, {name: value[:, moment] for name, value in values.items()})
        yield moment, replicas


def replicas_at(
    samples: xr.Dataset,
    snapshots: xr.Dataset,
    moment: int = -1,
    *,
    network: Mapping[str, Any],
    regularizer: Mapping[str, Any],
    device: torch.device | str = "cpu",
) -> Replicas:
    """Return the networks of all seeds as they were at one moment, by default the last.

    Parameters are those of :func:`replicas_over_time`; ``moment`` counts along the snapshots.

    Raises
    ------
    IndexError, ValueError
        If there is no such moment, or the weights are not those of this network.
    """
    own = snapshots
    if (dim := time_dimension(snapshots)) is not None:
        own = snapshots.isel({dim: moment}, drop=True)
    [(_, replicas)] = replicas_over_time(
        samples, own, network=network, regularizer=regularizer, device=device
    )
    return replicas


def networks_over_time(
    samples: xr.Dataset,
    snapshots: xr.Dataset,
    *,
    network: Mapping[str, Any],
    regularizer: Mapping[str, Any],
    device: torch.device | str = "cpu",
) -> Iterator[tuple[int, int, nn.Module]]:
    """Yield seed, number of the moment and the network as it was then, in evaluation mode.

    Parameters are those of :func:`replicas_over_time`. All moments of a seed come before the next
    seed; the network is the same object each time, with other weights.

    Raises
    ------
    ValueError
        If the weights are not those of this network.
    """
    with torch.random.fork_rng(devices=[]):
        model = build_network(samples, network, regularizer).to(device).eval()
    state = model.state_dict()
    values = _values(snapshots, {name: tuple(value.shape) for name, value in state.items()})
    for index, seed in enumerate(snapshots["seed"].values):
        for moment in range(moments_of(snapshots)):
            _set(state, {name: value[index, moment] for name, value in values.items()})
            yield int(seed), moment, model


def _replicas(
    samples: xr.Dataset,
    snapshots: xr.Dataset,
    network: Mapping[str, Any],
    regularizer: Mapping[str, Any],
    device: torch.device | str,
) -> Replicas:
    build = partial(build_network, samples, network, regularizer)
    return Replicas(build, snapshots["seed"].values.tolist(), torch.device(device))


def time_dimension(snapshots: xr.Dataset) -> str | None:
    """Return ``epoch`` or ``step``, the dimension of the moments; ``None`` if there is but one.

    Examples
    --------
    >>> time_dimension(xr.Dataset(coords={"step": [0, 10]}))
    'step'
    """
    return next((dim for dim in ("step", "epoch") if dim in snapshots.dims), None)


def moments_of(snapshots: xr.Dataset) -> int:
    """Return how many moments there are; one for the weights of trained networks."""
    dim = time_dimension(snapshots)
    return 1 if dim is None else snapshots.sizes[dim]


def _values(snapshots: xr.Dataset, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Return (seed, moment, ...) of every parameter and buffer of the network."""
    found = {str(name): of for name, of in snapshots.data_vars.items()}
    if found.keys() != shapes.keys():
        different = sorted(found.keys() ^ shapes.keys())
        place = "them" if different[0] in found else "the network"
        raise ValueError(
            f"snapshots: {different[0]!r} is in {place} alone; expected the weights of this network"
        )
    dim = time_dimension(snapshots)
    values = {}
    for name, shape in shapes.items():
        own = found[name] if dim else found[name].expand_dims("moment")
        values[name] = own.transpose("seed", dim or "moment", ...).values
        if values[name].shape[2:] != shape:
            raise ValueError(
                f"snapshots: {name!r} has shape {values[name].shape[2:]}, expected {shape}, that "
                "of this network"
            )
    return values


@torch.no_grad()
def _set(state: Mapping[str, Tensor], values: Mapping[str, np.ndarray]) -> None:
    for name, target in state.items():
        target.copy_(torch.from_numpy(np.array(values[name])))
