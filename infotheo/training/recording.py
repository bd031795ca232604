"""Record a layer's activations for every replica of a trained chunk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import xarray as xr

from infotheo.activations import dump_activations
from infotheo.data.samples import SPLITS, split_of
from infotheo.training.fit import build_network, state_of


def record(
    samples: xr.Dataset,
    weights: xr.Dataset,
    *,
    network: Mapping[str, Any],
    regularizer: Mapping[str, Any],
    layer: str,
    device: torch.device | str = "cpu",
    part: str = "test",
    batch_size: int = 1000,
) -> xr.Dataset:
    """Return variable ``activation`` (seed, sample, unit) of the layer, with coordinate ``class``.

    Parameters
    ----------
    samples, network, regularizer
        As :func:`infotheo.training.fit.fit` was given.
    weights
        What it returned.
    layer
        Name of a module of the network.
    device, part, batch_size
        Where to run, on which samples, how many at a time.

    Raises
    ------
    ValueError
        If the network has no such layer.
    """
    inputs, labels = split_of(samples, part)
    model = build_network(samples, network, regularizer).to(device)
    batches = [
        (torch.from_numpy(own_inputs), torch.from_numpy(own_labels))
        for own_inputs, own_labels in zip(
            np.split(inputs, range(batch_size, len(inputs), batch_size)),
            np.split(labels, range(batch_size, len(labels), batch_size)),
            strict=True,
        )
    ]
    recorded = []
    for seed in weights["seed"].values:
        model.load_state_dict(state_of(weights, int(seed)))
        recorded.append(dump_activations(model, batches, [layer])[layer])
    activation = xr.concat(recorded, "seed", join="exact").assign_coords(seed=weights["seed"])
    source = samples["sample"].values[samples["split"].values == SPLITS.index(part)]
    named = activation.assign_coords(sample=source, unit=np.arange(activation.sizes["unit"]))
    return named.assign_attrs(units="1", layer=layer).to_dataset(name="activation")
