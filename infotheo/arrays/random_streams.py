"""Random streams by seed and purpose, none of which is the stream that a user draws data from.

``default_rng(seed)`` and ``torch.manual_seed(seed)`` are where data come from. Draws of an
estimator from the same stream would be its own data, and equal seeds would turn an estimate into
nonsense; so every use of a seed names its purpose.
"""

from __future__ import annotations

import hashlib

import numpy as np

__all__ = ["numpy_generator", "torch_seed"]


def numpy_generator(
    seed: int | np.random.Generator, purpose: str, *numbers: int
) -> np.random.Generator:
    """Return the generator of a seed for one purpose; a generator is taken as it is.

    Parameters
    ----------
    seed
        Whole number >= 0, or a generator of the caller's.
    purpose
        What is drawn: streams of different purposes are independent.
    *numbers
        What tells several streams of one purpose apart (a fold, a stage).

    Examples
    --------
    >>> stream, same, other = (numpy_generator(0, name) for name in ("order", "order", "folds"))
    >>> first = stream.random()
    >>> first == same.random(), first == other.random()
    (True, False)
    >>> first == np.random.default_rng(0).random()
    False
    """
    if isinstance(seed, np.random.Generator):
        return seed
    return np.random.default_rng(_sequence(seed, purpose, numbers))


def torch_seed(seed: int, purpose: str, *numbers: int) -> int:
    """Return the seed of a torch generator for one purpose, as :func:`numpy_generator` does.

    Examples
    --------
    >>> torch_seed(0, "probes") == torch_seed(0, "probes"), torch_seed(0, "probes") < 2**63
    (True, True)
    """
    state = _sequence(seed, purpose, numbers).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))  # torch takes a signed 64-bit seed


def _sequence(seed: int, purpose: str, numbers: tuple[int, ...]) -> np.random.SeedSequence:
    # behind a 64-bit number no `spawn` counts up to, nor any list of small seeds
    tag = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:8], "little")
    return np.random.SeedSequence(seed, spawn_key=(tag, *numbers))
