"""The samples on which networks are measured, and the networks' outputs for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from infotheo.arrays.subsets import random_subset
from infotheo.data.samples import PARTS, require_part, split_of
from infotheo.training.errors import logits
from infotheo.training.replicas import Replicas

__all__ = ["LOGITS", "SelectedSamples", "outputs", "select_samples"]

LOGITS = ""  # the place of what the networks predict; no layer bears this name


class SelectedSamples(NamedTuple):
    """Samples: inputs (sample, ...), labels (sample,) and their positions in the source."""

    inputs: Tensor
    labels: Tensor
    source: NDArray[np.integer[Any]]

    def rows(self, values: Tensor) -> xr.DataArray:
        """Name the dimensions of (seed, moment, sample, unit)."""
        return xr.DataArray(
            values.numpy(),
            dims=("seed", "moment", "sample", "unit"),
            coords={"sample": self.source, "class": ("sample", self.labels.numpy())},
        )


def select_samples(
    samples: xr.Dataset, part: str = "test", count: int | None = None
) -> SelectedSamples:
    """Return so many samples of a part, chosen at random in the shares of the classes.

    Parameters
    ----------
    samples
        A data set in the form of :mod:`infotheo.data.samples`.
    part
        "train", "validation", "test" or "all".
    count
        How many; all of the part by default.

    Raises
    ------
    ValueError
        If there is no such part, it is empty, or it has fewer samples.
    """
    inputs, labels = split_of(samples, part)
    require_part(samples, part)
    if count is not None and count > len(labels):
        raise ValueError(
            f"samples: found {count}, expected at most {len(labels)}, those of part {part!r}"
        )
    source = samples["sample"].values[np.isin(samples["split"].values, PARTS[part])]
    size = len(labels)
    rows = random_subset(size, size if count is None else count, 0, "looked at", labels)
    # of the type in which torch builds networks
    values = torch.from_numpy(inputs[rows]).to(torch.get_default_dtype())
    return SelectedSamples(values, torch.from_numpy(labels[rows]), source[rows])


def outputs(
    replicas: Replicas, samples: SelectedSamples, places: Sequence[str]
) -> dict[str, Tensor]:
    """Return (seed, sample, unit) of each layer, or of the logits, on the host."""
    layers = [place for place in places if place != LOGITS]
    values = dict(replicas.layer_outputs(layers, samples.inputs)) if layers else {}
    if LOGITS in places:
        values[LOGITS] = logits(replicas, samples.inputs).cpu()
    return values
