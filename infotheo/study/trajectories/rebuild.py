"""Networks rebuilt from stored weights, at any moment of their training."""

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
    "count_moments",
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
    replicas = _build_replicas(samples, snapshots, network, regularizer, device)
    state = {**replicas.parameters, **replicas.buffers}
    values = _check_values(
        snapshots, {name: tuple(value.shape[1:]) for name, value in state.items()}
    )
    for moment in range(count_moments(snapshots)):
        _set_state(state, {name: value[:, moment] for name, value in values.items()})
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
    moment_weights = snapshots
    if (dim := time_dimension(snapshots)) is not None:
        moment_weights = snapshots.isel({dim: moment}, drop=True)
    [(_, replicas)] = replicas_over_time(
        samples, moment_weights, network=network, regularizer=regularizer, device=device
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
    values = _check_values(snapshots, {name: tuple(value.shape) for name, value in state.items()})
    for index, seed in enumerate(snapshots["seed"].values):
        for moment in range(count_moments(snapshots)):
            _set_state(state, {name: value[index, moment] for name, value in values.items()})
            yield int(seed), moment, model


def _build_replicas(
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


def count_moments(snapshots: xr.Dataset) -> int:
    """Return how many moments there are; one for the weights of trained networks."""
    dim = time_dimension(snapshots)
    return 1 if dim is None else snapshots.sizes[dim]


def _check_values(
    snapshots: xr.Dataset, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, np.ndarray]:
    """Return (seed, moment, ...) of every parameter and buffer of the network."""
    weights = {str(name): array for name, array in snapshots.data_vars.items()}
    if weights.keys() != shapes.keys():
        different = sorted(weights.keys() ^ shapes.keys())
        place = "them" if different[0] in weights else "the network"
        raise ValueError(
            f"snapshots: {different[0]!r} is in {place} alone; expected the weights of this network"
        )
    dim = time_dimension(snapshots)
    values = {}
    for name, shape in shapes.items():
        array = weights[name] if dim else weights[name].expand_dims("moment")
        values[name] = array.transpose("seed", dim or "moment", ...).values
        if values[name].shape[2:] != shape:
            raise ValueError(
                f"snapshots: {name!r} has shape {values[name].shape[2:]}, expected {shape}, that "
                "of this network"
            )
    return values


@torch.no_grad()
def _set_state(state: Mapping[str, Tensor], values: Mapping[str, np.ndarray]) -> None:
    for name, target in state.items():
        target.copy_(torch.from_numpy(np.array(values[name])))
