"""Loss and gradients of one mini-batch of each replica."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from infotheo.penalties.loss_term import Penalty
from infotheo.training.random_streams import Masks, generators
from infotheo.training.replicas import Replicas

__all__ = ["Augmentation", "Draws", "Objective"]

# (inputs (replica, sample, …), one generator for each replica) -> inputs of the same shape
Augmentation = Callable[[Tensor, Sequence[torch.Generator]], Tensor]


class Draws:
    """What the replicas draw in one epoch, each from its own streams."""

    def __init__(self, seeds: Sequence[int], epoch: int, device: torch.device):
        self.masks = Masks(seeds, epoch, device)
        self.augmentation = generators(seeds, "augmentation", epoch, device)


@dataclass(frozen=True)
class Objective:
    """What is minimised: the samples, and what comes on top of their cross-entropy."""

    inputs: Tensor  # (sample, …) float32
    labels: Tensor  # (sample,) int64
    weights: Tensor  # (replica,) of the penalty
    penalty: Penalty | None
    augmentation: Augmentation | None

    def differentiate(
        self,
        replicas: Replicas,
        parts: Sequence[tuple[slice, Replicas]],
        chosen: Tensor,
        draws: Draws,
    ) -> tuple[Tensor, Tensor]:
        """Set the parameters' gradients; return the sums of losses and penalties, (replica,).

        ``parts`` is :meth:`Replicas.parts`, ``chosen`` (replica, sample) indices.
        """
        results = [
            self._differentiate_part(place, part, chosen[place], draws) for place, part in parts
        ]
        parameters = replicas.parameters.values()
        by_part = (gradients for _, _, gradients in results)
        for parameter, *gradients in zip(parameters, *by_part, strict=True):
            parameter.grad = _join(gradients)
        losses, terms = [loss for loss, _, _ in results], [term for _, term, _ in results]
        return torch.cat(losses), torch.cat(terms)

    def _differentiate_part(
        self, place: slice, part: Replicas, chosen: Tensor, draws: Draws
    ) -> tuple[Tensor, Tensor, tuple[Tensor | None, ...]]:
        count, size = chosen.shape
        flat = chosen.reshape(-1)
        batch = self.inputs.index_select(0, flat).view(count, size, *self.inputs.shape[1:])
        if self.augmentation is not None:
            batch = self.augmentation(batch, draws.augmentation[place])
        truth = self.labels.index_select(0, flat)
        logits, activations = part(batch, draws.masks[place])
        losses = cross_entropy(logits.flatten(0, 1), truth, reduction="none").view(count, size)
        loss = losses.mean(1)  # (replica,)
        total = loss.sum()  # gradients of different replicas never meet
        term = torch.zeros_like(loss)
        if self.penalty is not None:
            term = self.penalty(part.parameters, activations, truth.view(count, size))
            total = total + (self.weights[place] * term).sum()
        # a module of the user's own may have parameters that this loss does not reach
        gradients = torch.autograd.grad(total, list(part.parameters.values()), allow_unused=True)
        return loss.detach() * size, term.detach() * size, gradients


def _join(gradients: Sequence[Tensor | None]) -> Tensor | None:
    """Join what the parts found for one parameter, in memory as the parameter lies."""
    if gradients[0] is None:
        return None
    tensors = [gradient for gradient in gradients if gradient is not None]
    # a fused optimiser takes the gradient to lie in memory as its parameter does
    return tensors[0].contiguous() if len(tensors) == 1 else torch.cat(tensors)
