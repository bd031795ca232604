"""The training of one chunk: replicas of a run, or the grid its loss weight is chosen from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from infotheo.data.samples import require_part
from infotheo.registry import import_function
from infotheo.training.fit import Fitted, check_layers, fit, fit_at_chosen_weight

__all__ = ["train_chunk"]


def train_chunk(
    samples: xr.Dataset,
    *,
    network: Mapping[str, Any],
    training: Mapping[str, Any],
    regularizer: Mapping[str, Any],
    seeds: Sequence[int],
    grid: bool = False,
    selection: Sequence[xr.Dataset] = (),
    snapshots: Mapping[str, Any] | None = None,
    in_place: str = "",
    gigabytes: float | None = None,
    layers: Sequence[str] = (),
    parts: Sequence[str] = (),
    device: str = "auto",
    label: str = "training",
    checkpoint_path: Path | None = None,
) -> Fitted:
    """Check what training and its measures need, then train.

    Parameters
    ----------
    samples, network, training, regularizer, seeds, device, label, checkpoint_path
        As for :func:`infotheo.training.fit.fit`. The regularizer's ``weight`` may be a list.
    grid
        Whether these are the networks that the loss weight is chosen from: one for each seed and
        weight.
    selection
        Weights, history and predictions of that grid, for a list of weights without ``grid``.
    snapshots
        Schedule of the snapshots; ``measures`` in it are taken in place of keeping the weights.
    in_place
        Path ``"package.module:function"`` of what makes ``at_snapshot`` of these measures.
    gigabytes
        The most that snapshots may take.
    layers, parts
        What the network and the samples must have for the measures that come after training.

    Raises
    ------
    ValueError
        For what is missing, before anything is trained; and as :func:`infotheo.training.fit.fit`.
    """
    check_layers(samples, network, regularizer, layers)
    for part in parts:
        require_part(samples, part)
    settings: dict[str, Any] = {
        "network": network,
        "training": training,
        "regularizer": regularizer,
        "seeds": seeds,
        "device": device,
        "label": label,
        "checkpoint_path": checkpoint_path,
    }
    if snapshots is not None:
        schedule = dict(snapshots)
        if measures := schedule.pop("measures", None):
            settings["at_snapshot"] = import_function(in_place, "function")(
                samples, network=network, regularizer=regularizer, measures=measures
            )
        if gigabytes is not None:
            schedule["gigabytes"] = gigabytes
        settings["snapshots"] = schedule
    weight = regularizer.get("weight")
    if grid:
        return fit(samples, loss_weights=weight or (), grid=True, **settings)
    if isinstance(weight, list):
        return fit_at_chosen_weight(samples, Fitted(*selection), **settings)
    return fit(samples, loss_weights=[] if weight is None else [weight], **settings)
