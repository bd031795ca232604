"""Logits and errors of replicas in evaluation mode."""

from __future__ import annotations

import torch
from torch import Tensor

from infotheo.training.replicas import Replicas

__all__ = ["classification_error", "error", "logits"]


@torch.no_grad()
def logits(replicas: Replicas, inputs: Tensor, chunk: int = 1000) -> Tensor:
    """Return logits (replica, sample, class) in evaluation mode, a chunk of samples at a time."""
    parts = []
    for part in torch.split(inputs, chunk):
        shared = part.to(replicas.device).expand(len(replicas), *part.shape)
        parts.append(replicas(shared)[0])
    return torch.cat(parts, dim=1)


def error(replicas: Replicas, split: tuple[Tensor, Tensor]) -> Tensor:
    """Return each replica's fraction of wrong predictions, (replica,); NaN where it diverged."""
    inputs, labels = split
    if not len(labels):
        return torch.full((len(replicas),), torch.nan)
    return classification_error(logits(replicas, inputs).cpu(), labels)


def classification_error(predicted: Tensor, labels: Tensor) -> Tensor:
    """Fraction of samples whose largest logit is not the label's, (replica,)."""
    wrong = (predicted.argmax(-1) != labels).float().mean(-1)
    return torch.where(predicted.isfinite().all(-1).all(-1), wrong, torch.nan)
