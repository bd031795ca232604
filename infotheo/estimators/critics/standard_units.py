"""Units as the critics see them: standardised by each fold's training part, tails compressed."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from infotheo.estimators.far_samples import far_samples

__all__ = ["StandardUnits"]

CUT = 4.0  # training standard deviations beyond which a unit grows logarithmically


class StandardUnits:
    """Rows of (sample, unit) values for critics of several folds, prepared as they are asked for.

    Mean and standard deviation come from a fold's training part alone, without single samples that
    would decide them (:func:`~infotheo.estimators.far_samples.far_samples`). What lies more
    than four standard deviations out is compressed logarithmically: a bijection, which leaves the
    information as it is, and keeps a far sample from deciding the scores. Where single samples are
    so far that they decide the deviation, units end there. Constant units become 0.

    Parameters
    ----------
    values
        Finite values (sample, unit) on any device.
    training
        Indices (fold, sample) of the training parts, on that device.
    prepared
        Whether to take the values as they are (one-hot classes).

    Examples
    --------
    >>> units = StandardUnits(torch.tensor([[0.0], [2.0], [1e9]]), torch.tensor([[0, 1]]))
    >>> [round(v, 2) for v in units(torch.tensor([[0, 1, 2]])).flatten().tolist()]
    [-1.0, 1.0, 4.0]
    """

    def __init__(self, values: Tensor, training: Tensor, *, prepared: bool = False):
        # Moves and scales every unit into float32's range; what follows undoes any such choice, so
        # that held-out samples tell the critics nothing by it.
        values = values.double()
        self._limit: float | None = None
        if not prepared:
            shift = values[:1]
            remote = torch.as_tensor(far_samples(values.cpu().numpy()).any(0), device=values.device)
            self._limit = CUT if bool(remote.any()) else None
            if self._limit:  # beside a far sample float32 would lose the others
                shift = torch.where(remote, values.median(0).values, shift)
            values = values - shift
            largest = values.abs().amax(0)
            values = values / torch.where(largest > 0, largest, 1.0)
        self.values = values.float()
        self.prepared = prepared
        parts = [values[rows] for rows in training]
        mean = torch.stack([part.mean(0) for part in parts])
        deviation = torch.stack([part.std(0, correction=0) for part in parts])
        constant = torch.stack([(part == part[:1]).all(0) for part in parts])
        if not prepared:
            for fold, part in enumerate(parts):
                _leave_out_far_samples(part, mean[fold], deviation[fold])
        self._mean = mean.float().unsqueeze(1)  # (fold, 1, unit)
        self._scale = torch.where(constant, 0.0, 1 / deviation).float().unsqueeze(1)

    @property
    def count(self) -> int:
        """Number of units."""
        return self.values.shape[1]

    def __call__(self, rows: Tensor, fold: slice = slice(None)) -> Tensor:
        """Take rows (fold, n), in the folds of ``fold``; returns (fold, n, unit) float32."""
        x = self.values[rows]
        if self.prepared:
            return x
        x = (x - self._mean[fold]) * self._scale[fold]
        inner = x.clamp(-CUT, CUT)
        compressed = inner + torch.sign(x) * torch.log1p((x - inner).abs())
        return compressed if self._limit is None else compressed.clamp(-self._limit, self._limit)


def _leave_out_far_samples(part: Tensor, mean: Tensor, deviation: Tensor) -> None:
    """Put mean and deviation (unit,) of the other samples in place of those with far ones."""
    far = far_samples(part.cpu().numpy())
    for unit in np.flatnonzero(far.any(axis=0)):
        others = part[torch.as_tensor(~far[:, unit], device=part.device), unit]
        mean[unit], deviation[unit] = others.mean(), others.std(correction=0)
