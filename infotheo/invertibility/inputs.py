"""Checked modules and tensors of samples, in parts: what residual branches are measured on."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from infotheo.arrays.conversion import read_array
from infotheo.arrays.subsets import random_subset

__all__ = [
    "NotFiniteError",
    "branch_output",
    "branch_outputs",
    "random_samples",
    "read_branch",
    "read_tensor",
    "require_finite",
    "require_module",
    "sample_chunks",
]

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
HOST_CHUNK = 2**18  # numbers: 1 MiB of float32 stays near the cache
DEVICE_CHUNK = 2**23  # 32 MiB fills an accelerator


class NotFiniteError(ValueError):
    """A value is infinite or NaN, such as where a network's activations overflow."""


def require_module(module: Any, name: str) -> nn.Module:
    """Check that an argument is a torch module.

    Raises
    ------
    TypeError
        If it is anything else.
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"{name} is a {type(module).__name__}; expected a torch.nn.Module")
    return module


def read_branch(branch: Any) -> nn.Module:
    """Check that L is a module that, in evaluation mode, treats each sample by itself.

    Raises
    ------
    TypeError
        If it is no module.
    ValueError
        If a batch norm has no running statistics.
    """
    module = require_module(branch, "branch")
    for name, part in module.named_modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_var is None:
            raise ValueError(
                f"branch: layer {name or 'itself'!r} ({type(part).__name__}) without running "
                "statistics mixes the samples of a batch; expected track_running_stats=True"
            )
    return module


def read_tensor(x: Any, name: str, *, minimum: int = 1) -> Tensor:
    """Check a tensor of samples (sample, …); it leaves without a graph, and is never modified.

    Raises
    ------
    TypeError
        If it is no torch tensor of floating-point numbers.
    ValueError
        If it is empty, has too few samples, or a value is not finite.

    Examples
    --------
    >>> read_tensor([1.0], "x")
    Traceback (most recent call last):
    ...
    TypeError: x is a list; expected a torch.Tensor (sample, ...)
    """
    if not isinstance(x, Tensor):
        kind = type(x)
        type_name = (
            kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
        )
        raise TypeError(f"{name} is a {type_name}; expected a torch.Tensor (sample, ...)")
    x = read_array(x, name)
    if not x.is_floating_point() or x.dtype not in FLOATS:
        raise TypeError(f"{name} has dtype {x.dtype}; expected floating-point numbers")
    if x.ndim < 2 or x.numel() == 0:
        raise ValueError(
            f"{name} has shape {tuple(x.shape)}; expected samples of shape (sample, ...)"
        )
    if len(x) < minimum:
        raise ValueError(f"{name} has {len(x)} sample(s); expected at least {minimum}")
    require_finite(x, name)
    return cast(Tensor, x.detach())


def require_finite(x: Tensor, name: str) -> None:
    """Raise a NotFiniteError that names the first sample with a NaN or an infinity."""
    finite = x.isfinite().flatten(1).all(1)
    if not bool(finite.all()):
        sample = int((~finite).nonzero()[0])
        values = x[sample]
        bad = values[~values.isfinite()].flatten()[0]
        raise NotFiniteError(
            f"{name} contains {float(bad)} in sample {sample}; expected finite values"
        )


def run_module(module: nn.Module, x: Tensor, name: str, x_name: str) -> object:
    """Run a module on a copy of x; a failure inside of torch names both.

    Raises
    ------
    ValueError
        If torch refuses: other shapes, other dtypes, another device.
    """
    try:
        return module(x.clone())
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        reason = str(error).partition("\n")[0][:200]
        raise ValueError(
            f"{name} does not take {x_name} of shape {tuple(x.shape)} and {x.dtype} ({reason})"
        ) from error


def branch_output(branch: nn.Module, x: Tensor) -> Tensor:
    """Run L on a copy of x, as a branch may begin with a layer that works in place.

    Raises
    ------
    ValueError
        If it does not put out one tensor with a row for each sample.
    """
    output = run_module(branch, x, "branch", "x")
    if not isinstance(output, Tensor) or output.ndim < 1 or len(output) != len(x):
        returned = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise ValueError(
            f"branch: expected one tensor with {len(x)} samples first, found {returned}"
        )
    return output


def branch_outputs(branch: nn.Module, x: Tensor) -> Tensor:
    """Run L on all samples, part by part.

    Raises
    ------
    ValueError
        If it does not put out a row for each sample, or a value is not finite.
    """
    outputs = torch.cat([branch_output(branch, part) for part in sample_chunks(x)])
    require_finite(outputs, "L(x)")
    return outputs


def sample_chunks(x: Tensor, *, least: int = 1) -> tuple[Tensor, ...]:
    """Split a tensor of samples into parts that are worth a pass through a branch of their own.

    At least so many parts as ``least``, to hold but a share of the samples in memory.

    Examples
    --------
    >>> [len(part) for part in sample_chunks(torch.ones(5, 2**17))]
    [2, 2, 1]
    """
    chunk = HOST_CHUNK if x.device.type == "cpu" else DEVICE_CHUNK
    return torch.split(x, max(1, min(chunk * len(x) // x.numel(), len(x) // least)))


def random_samples(x: Tensor, count: int, seed: int, purpose: str) -> Tensor:
    """Take so many samples, or all: at random, as their classes may be in order or in turn.

    Examples
    --------
    >>> random_samples(torch.arange(10.0), 3, seed=0, purpose="example").shape
    torch.Size([3])
    """
    if count >= len(x):
        return x
    return x[torch.from_numpy(random_subset(len(x), count, seed, purpose)).to(x.device)]
