"""Random streams of a replica, each derived from its own seed and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch

# One number for each purpose: a stream never overlaps another of the same seed.
_PURPOSES = {"initialization": 0, "order": 1, "masks": 2, "augmentation": 3, "forward": 4}


def generator(
    seed: int, purpose: str, epoch: int = 0, device: torch.device | str = "cpu"
) -> torch.Generator:
    """Return the generator of one replica (by its seed), one purpose and one epoch.

    Examples
    --------
    >>> first = torch.rand(2, generator=generator(3, "order"))
    >>> second = torch.rand(2, generator=generator(3, "order"))
    >>> bool((first == second).all())
    True
    """
    state = np.random.SeedSequence([seed, _PURPOSES[purpose], epoch]).generate_state(1, np.uint64)
    # torch takes a signed 64-bit seed.
    return torch.Generator(device=device).manual_seed(int(state[0] >> np.uint64(1)))


def orders(seeds: Sequence[int], epoch: int, samples: int) -> torch.Tensor:
    """Return each replica's order of the samples in this epoch, (replica, sample) int64."""
    return torch.stack(
        [torch.randperm(samples, generator=generator(seed, "order", epoch)) for seed in seeds]
    )


def generators(
    seeds: Sequence[int], purpose: str, epoch: int, device: torch.device | str = "cpu"
) -> list[torch.Generator]:
    """Return each replica's generator for one purpose and one epoch."""
    return [generator(seed, purpose, epoch, device) for seed in seeds]


class Masks:
    """Dropout masks of one epoch: each replica draws its own, in the order of the steps."""

    def __init__(self, seeds: Sequence[int], epoch: int, device: torch.device):
        self._generators = generators(seeds, "masks", epoch, device)
        self._forward = generators(seeds, "forward", epoch)
        self._device = device

    def __getitem__(self, place: slice) -> Masks:
        """Return the masks of the replicas at this place; they go on from where these stand."""
        masks = copy.copy(self)
        masks._generators = self._generators[place]
        masks._forward = self._forward[place]
        return masks

    def draw(self, shape: Sequence[int], rate: float) -> torch.Tensor:
        """Return (replica, *shape): 0 with probability ``rate``, else 1 / (1 − rate)."""
        size = (len(self._generators), *shape)
        mask = torch.empty(size, dtype=torch.float32, device=self._device)
        for replica, stream in enumerate(self._generators):
            mask[replica].bernoulli_(1 - rate, generator=stream)
        return mask.div_(1 - rate) if rate < 1 else mask

    @contextmanager
    def seeding_torch(self, replica: int) -> Iterator[None]:
        """Set torch's global generators from a stream of this replica's, and put them back after.

        What a network's ``forward`` draws by itself then follows from its seed, epoch and step.
        """
        seed = int(torch.randint(2**62, (), generator=self._forward[replica]))
        with restored_generators(self._device) as defaults:
            for default in defaults:
                default.manual_seed(seed)
            yield


@contextmanager
def restored_generators(device: torch.device) -> Iterator[list[torch.Generator]]:
    """Yield torch's global generators of the host and of a CUDA device; put them back after."""
    defaults = [torch.default_generator]
    if device.type == "cuda":
        index = device.index if device.index is not None else torch.cuda.current_device()
        defaults.append(torch.cuda.default_generators[index])
    states = [default.get_state() for default in defaults]
    try:
        yield defaults
    finally:
        for default, state in zip(defaults, states, strict=True):
            default.set_state(state)
