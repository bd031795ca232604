"""The device to compute on."""

from __future__ import annotations

import torch


def chosen_device(name: str = "auto") -> torch.device:
    """Return the device of this name; ``auto`` takes CUDA, then MPS, then the CPU.

    Raises
    ------
    ValueError
        If the device is asked for by name and is not there.

    Examples
    --------
    >>> chosen_device("cpu")
    device(type='cpu')
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(kind for kind, present in available.items() if present))
    kind = name.partition(":")[0]
    if not available.get(kind, False):
        raise ValueError(
            f"device: found {name!r}, which this machine does not have; expected auto or one of "
            + ", ".join(kind for kind, present in available.items() if present)
        )
    return torch.device(name)
