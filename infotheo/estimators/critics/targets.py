"""Targets, with which the critics contrast the samples: continuous rows, or classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from infotheo.arrays.conversion import as_writable, read_array
from infotheo.arrays.labels import Classes, read_classes
from infotheo.arrays.pairs import read_paired
from infotheo.arrays.samples import Array, Samples, read_samples
from infotheo.estimators.shannon import entropy

__all__ = ["Target", "read_target"]


@dataclass(frozen=True)
class Target:
    """Second variable of an information: rows of a batch, or classes that the batch shares."""

    rows: Array | None = None  # (*batch, sample, unit)
    classes: Classes | None = None

    @property
    def codes(self) -> np.ndarray | None:
        """Class of each sample, if discrete."""
        return None if self.classes is None else self.classes.codes

    def values(self, samples: Samples, device: torch.device) -> Tensor:
        """Return (batch or 1, sample, unit) values, one-hot for classes."""
        if self.classes is not None:
            codes = torch.tensor(self.classes.codes, device=device)
            return torch.nn.functional.one_hot(codes, self.classes.count).float().unsqueeze(0)
        rows = torch.as_tensor(as_writable(self.rows), device=device)
        return rows.reshape(-1, *rows.shape[-2:])

    def entropy(self) -> float | None:
        """Entropy of the classes in nats."""
        if self.classes is None:
            return None
        return entropy(self.classes.probabilities())


def read_target(
    x: Any,
    y: Any,
    *,
    names: tuple[str, str],
    discrete: bool,
    sample_dim: str,
    unit_dim: str,
) -> tuple[Samples, Target]:
    """Open x, and y as classes (one-dimensional integers, or ``discrete``) or as rows.

    Examples
    --------
    >>> _, target = read_target(
    ...     [[0.0], [1.0], [2.0]], [7, 9, 7],
    ...     names=("x", "y"), discrete=False, sample_dim="sample", unit_dim="unit",
    ... )
    >>> target.codes.tolist()
    [0, 1, 0]
    """
    if discrete or _are_classes(read_array(y, names[1])):
        samples = read_samples(x, name=names[0], sample_dim=sample_dim, unit_dim=unit_dim)
        return samples, Target(classes=read_classes(y, samples, names[1]))
    samples, other = read_paired(x, y, names=names, sample_dim=sample_dim, unit_dim=unit_dim)
    return samples, Target(rows=other.values)


def _are_classes(y: Array) -> bool:
    """Whether an array is one of integers, truths or text, one for each sample."""
    if y.ndim != 1:
        return False
    if isinstance(y, Tensor):
        return not (y.is_floating_point() or y.is_complex())
    text = y.dtype.kind == "O" and all(isinstance(value, str) for value in y)
    return text or y.dtype.kind in "iubU"
