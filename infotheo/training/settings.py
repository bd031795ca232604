"""Training settings: how networks are optimised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["TrainingSettings"]


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How networks are optimised: all of ``training`` that is part of a network's identity.

    Parameters
    ----------
    optimizer, optimizer_settings, learning_rate
        Name in :data:`infotheo.training.optimizers.optimizers`, or a dotted path, and its keywords.
    batch_size, epochs
        Samples of each step, or ``"full"`` for all of them; passes over the samples. A last batch
        may be smaller.
    phases
        From which epoch or step on the learning rate and the batch size are others, see
        :func:`infotheo.training.timeline.timeline`.
    augmentation, augmentation_settings
        Name in :data:`infotheo.data.augmentation.augmentations`, or a dotted path, and its
        keywords: how the inputs of each mini-batch are changed at random.
    """

    optimizer: str = "adam"
    optimizer_settings: Mapping[str, Any] = field(default_factory=dict)
    learning_rate: float = 1e-4
    batch_size: int | Literal["full"] = 100
    epochs: int = 50
    phases: Sequence[Mapping[str, Any]] = ()
    augmentation: str | None = None
    augmentation_settings: Mapping[str, Any] = field(default_factory=dict)
