"""Evaluation mode of any torch module; its device, its batches, its finite weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from infotheo.arrays.wording import describe

__all__ = [
    "evaluation_mode",
    "find_device",
    "read_device",
    "require_batches",
    "require_finite_weights",
    "split_batch",
]


@contextmanager
def evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Put a module into evaluation mode, without gradients, and leave every part as it was.

    Examples
    --------
    >>> layer = nn.Dropout()
    >>> with evaluation_mode(layer):
    ...     layer.training
    False
    >>> layer.training
    True
    """
    modes = [(part, part.training) for part in module.modules()]  # some may be frozen
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, training in modes:
            part.training = training


def find_device(module: nn.Module) -> torch.device:
    """Return the device of a module's parameters; the host if it has none.

    Examples
    --------
    >>> find_device(nn.ReLU())
    device(type='cpu')
    """
    first = next(module.parameters(), None)
    return first.device if first is not None else torch.device("cpu")


def read_device(device: Any, module: nn.Module) -> torch.device:
    """Check a device to run on; ``None``: where the module's parameters are.

    Raises
    ------
    ValueError
        If torch knows no such device, or cannot use it here.

    Examples
    --------
    >>> read_device("cpu", nn.ReLU())
    device(type='cpu')
    """
    if device is None:
        return find_device(module)
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            f"device is {describe(device)}; expected one that torch can use here, such as 'cpu'"
        ) from error
    return place


def require_batches(batches: Any, name: str) -> None:
    """Refuse one tensor or array in the place of batches: its rows would be batches.

    Raises
    ------
    TypeError
        If it is one.

    Examples
    --------
    >>> require_batches(torch.ones(4, 3), "batches")
    Traceback (most recent call last):
    ...
    TypeError: batches: found one Tensor of shape (4, 3), expected a list of batches, such as [x]
    """
    if hasattr(batches, "shape") and hasattr(batches, "dtype"):
        raise TypeError(
            f"{name}: found one {type(batches).__name__} of shape {tuple(batches.shape)}, expected "
            "a list of batches, such as [x]"
        )


def split_batch(batch: Any, name: str) -> tuple[Any, Any]:
    """Split a batch as a data loader gives it: inputs, or inputs and labels (else None).

    Raises
    ------
    ValueError
        If it has more than two parts, or none.

    Examples
    --------
    >>> split_batch(["x", "y"], "batches"), split_batch("x", "batches")
    (('x', 'y'), ('x', None))
    """
    if not isinstance(batch, tuple | list):
        return batch, None
    if not 1 <= len(batch) <= 2:
        raise ValueError(
            f"{name}: found a batch of {len(batch)} parts, expected inputs, or inputs and labels"
        )
    return batch[0], batch[1] if len(batch) == 2 else None


def require_finite_weights(module: nn.Module, name: str) -> None:
    """Check that no parameter or buffer of a module has a NaN or an infinity.

    Raises
    ------
    ValueError
        For the first that has one.

    Examples
    --------
    >>> layer = nn.Linear(1, 1)
    >>> _ = nn.init.constant_(layer.bias, float("nan"))
    >>> require_finite_weights(layer, "network")
    Traceback (most recent call last):
    ...
    ValueError: network: 'bias' contains nan; expected finite weights
    """
    for key, value in (*module.named_parameters(), *module.named_buffers()):
        finite = value.detach().isfinite()
        if not bool(finite.all()):
            bad = float(value.detach()[~finite].flatten()[0])
            raise ValueError(f"{name}: {key!r} contains {bad}; expected finite weights")
