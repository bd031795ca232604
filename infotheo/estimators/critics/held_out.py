"""Scores of held-out samples: each by a critic fitted to other folds, which never saw it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from infotheo.arrays.conversion import as_writable
from infotheo.arrays.samples import Array, Samples
from infotheo.estimators.critics.bounds import (
    Estimate,
    PairScores,
    log_normalizer,
    read_scores,
    standard_error,
)
from infotheo.estimators.critics.calibration import Criterion, best_scale, clipped_normalizer
from infotheo.estimators.critics.fitting import Critic, Data, Settings, fit_critics
from infotheo.estimators.critics.folds import Fold
from infotheo.estimators.critics.objectives import Objective
from infotheo.estimators.critics.standard_units import StandardUnits
from infotheo.estimators.critics.targets import Target

__all__ = [
    "CrossFitted",
    "HeldOut",
    "combine_folds",
    "score_batch",
    "score_folds",
    "stack_batch",
]

CALIBRATED = {"separable": 1024, "concatenated": 256}  # samples of the validation part
EVALUATED = {"separable": 2048, "concatenated": 256}  # held-out samples whose pairs are all scored


@dataclass(frozen=True)
class HeldOut:
    """Scores of one fold's held-out samples, and how sure their offset is."""

    scores: PairScores
    offset_error: Tensor  # standard error of the offset, from the validation part


@dataclass(frozen=True)
class _Calibration:
    """How each fold's scores are settled on its validation part, (fold,)."""

    scales: Tensor
    offsets: Tensor
    errors: Tensor  # standard errors of the offsets
    largest: float  # size of a settled score


@dataclass(frozen=True)
class CrossFitted:
    """A bound over all held-out samples, in nats."""

    value: Tensor
    standard_error: Tensor
    per_fold: Tensor  # (fold,)


def score_batch(
    samples: Samples,
    target: Target,
    folds: Sequence[Fold],
    objective: Objective,
    criterion: Criterion,
    settings: Settings,
    *,
    seed: int,
    label: str | None = None,
) -> Iterator[list[HeldOut]]:
    """Yield :func:`score_folds` of one batch element after the other, seed and folds alike.

    The elements are independent jobs: one that is done alone has the same result.
    """
    inputs = torch.as_tensor(as_writable(samples.flat(None)))
    outputs = target.values(samples, inputs.device)
    for number in range(len(inputs)):
        name = label if label is None or len(inputs) == 1 else f"{label} {number + 1}/{len(inputs)}"
        y = outputs[number % len(outputs)]  # classes are shared
        yield score_folds(
            inputs[number],
            y,
            target.codes,
            folds,
            objective,
            criterion,
            settings,
            seed=seed,
            label=name,
        )


def stack_batch(values: Sequence[Tensor], samples: Samples) -> Array:
    """Stack one value of each batch element, in the caller's kind, with its leading dimensions."""
    return samples.unflat(samples.like(torch.stack(list(values))))


def score_folds(
    x: Tensor,
    y: Tensor,
    codes: np.ndarray | None,
    folds: Sequence[Fold],
    objective: Objective,
    criterion: Criterion,
    settings: Settings,
    *,
    seed: int,
    label: str | None = None,
) -> list[HeldOut]:
    """Fit one critic for each fold and score what that fold holds out.

    Parameters
    ----------
    x, y
        Values (sample, unit), or one-hot classes for discrete y, on the device to compute on.
    codes
        Classes (sample,) of discrete y.
    folds
        As of :func:`~infotheo.estimators.critics.folds.cross_fitting_folds`.
    objective, settings, seed, label
        Of :func:`~infotheo.estimators.critics.fitting.fit_critics`.
    criterion
        By which the validation part sets the scale of the scores. It sets their offset, too:
        exp f has mean 1 over the product.
    """
    device = x.device
    with torch.inference_mode(False), torch.enable_grad():
        training = _indices([fold.training for fold in folds], device)
        data = Data(
            StandardUnits(x.detach(), training),
            StandardUnits(y.detach(), training, prepared=codes is not None),
            training,
            _indices([fold.validation for fold in folds], device),
            None if codes is None else torch.tensor(codes, device=device),
        )
        fitted = fit_critics(data, objective, settings, seed=seed, label=label)
    with torch.no_grad():
        calibration = _calibrate(fitted, data, criterion, settings)
        return [
            HeldOut(
                _score(fitted, data, number, fold, calibration, settings),
                calibration.errors[number],
            )
            for number, fold in enumerate(folds)
        ]


def _indices(parts: Sequence[np.ndarray], device: torch.device) -> Tensor:
    """Stack index arrays, cut to the shortest: validation parts may differ by one."""
    shortest = min(map(len, parts))
    return torch.tensor(np.stack([part[:shortest] for part in parts]), device=device)


def _calibrate(
    fitted: Critic, data: Data, criterion: Criterion, settings: Settings
) -> _Calibration:
    rows = data.validation[:, : CALIBRATED[settings.architecture]]
    scores = fitted.critics(data.x(rows), data.y(rows))
    scales = torch.where(fitted.informed, best_scale(scores, criterion), 0.0)
    scores = scores * scales[:, None, None]
    # InfoNCE has a ceiling of its own; elsewhere one odd sample gets half of the product at most
    largest = math.inf if criterion == "infonce" else math.log(rows.shape[1] / 2)
    offsets = clipped_normalizer(scores, largest)
    settled = (scores - offsets[:, None, None]).clamp(-largest, largest)
    errors = [
        standard_error(log_normalizer(read_scores(fold_scores)).influence)
        for fold_scores in settled
    ]
    return _Calibration(scales, offsets, torch.stack(errors), largest)


def _score(
    fitted: Critic,
    data: Data,
    number: int,
    fold: Fold,
    calibration: _Calibration,
    settings: Settings,
) -> PairScores:
    critic = fitted.critics.take(number)
    rows = torch.tensor(fold.held_out, device=data.device).unsqueeze(0)
    count = -(-rows.shape[1] // EVALUATED[settings.architecture])
    fold_slice = slice(number, number + 1)
    scale, offset, largest = (
        calibration.scales[number],
        calibration.offsets[number],
        calibration.largest,
    )
    blocks = []
    for part in torch.tensor_split(rows, count, dim=1):
        scores = critic(data.x(part, fold_slice), data.y(part, fold_slice))[0] * scale - offset
        blocks.append(read_scores(scores.clamp(-largest, largest)))
    return PairScores(*(torch.cat(parts) for parts in zip(*blocks, strict=True)))


def combine_folds(
    bound: Callable[[PairScores], Estimate], held_out: Sequence[HeldOut]
) -> CrossFitted:
    """Combine a bound of each fold, in proportion to the samples that it holds out.

    The standard error is that of the held-out samples, the critics given: root of the sum of
    squared influences, over N.
    """
    estimates = [bound(part.scores) for part in held_out]
    sizes = [len(estimate.influence) for estimate in estimates]
    total = sum(sizes)
    value = sum(
        (estimate.value * (size / total) for estimate, size in zip(estimates, sizes, strict=True)),
        start=torch.zeros_like(estimates[0].value),
    )
    influence = torch.cat([estimate.influence for estimate in estimates])
    return CrossFitted(
        value, standard_error(influence), torch.stack([estimate.value for estimate in estimates])
    )
