"""Outputs of the named layers of any torch module, recorded batch after batch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from infotheo.modules.evaluation_mode import (
    evaluation_mode,
    read_device,
    require_batches,
    split_batch,
)
from infotheo.modules.layers import require_distinct, require_layers, require_single_call
from infotheo.version import package_version


def dump_activations(
    model: nn.Module,
    batches: Iterable[Any],
    layers: Sequence[str],
    *,
    device: torch.device | str | None = None,
    dtype: str = "float32",
) -> xr.Dataset:
    """Run batches through a model and record the outputs of the named layers.

    Forward hooks do it, so the model needs no change; it runs in evaluation mode without
    gradients and is left as it was. Only one batch is on the device at a time. What a layer puts
    out is copied at once: a later layer that works in place does not spoil it.

    Parameters
    ----------
    model
        Any torch module.
    batches
        Inputs (sample, …), or pairs of inputs and labels (sample,), as a data loader gives them.
    layers
        Names as in ``model.named_modules()``, each once; modules that a pass calls once.
    device
        Where to run; where the model's parameters are by default.
    dtype
        Floating-point type of the result.

    Returns
    -------
    xarray.Dataset
        One variable for each layer, (sample, unit); more dimensions of an output are flattened.
        The unit dimension is ``unit`` for a single layer, else ``unit_<layer>``. With labels,
        coordinate ``class`` (sample).

    Raises
    ------
    ValueError
        If there is no such layer or it is named twice, no batch, a batch of more than two parts,
        or a layer is called twice in a pass or does not put out one tensor with a row for each
        sample.
    TypeError
        If ``batches`` is one tensor or array, or ``layers`` a text.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    >>> dump_activations(model, [(torch.ones(4, 3), torch.arange(4))], ["1"])["1"].shape
    (4, 2)
    """
    modules = dict(model.named_modules())
    require_layers(model, layers)
    require_distinct(layers)
    require_batches(batches, "batches")
    if not layers:
        raise ValueError("layers: found none, expected at least one name")
    place = read_device(device, model)
    recorded: dict[str, list[np.ndarray]] = {layer: [] for layer in layers}
    current: dict[str, Any] = {}

    def keep(layer: str, output: Any) -> None:
        require_single_call(layer, layer in current)
        current[layer] = _copy_output(output)

    hooks = [
        modules[layer].register_forward_hook(
            lambda module, arguments, output, layer=layer: keep(layer, output)
        )
        for layer in layers
    ]
    labels: list[np.ndarray] = []
    try:
        with evaluation_mode(model):
            for batch in batches:
                inputs, batch_labels = split_batch(batch, "batches")
                current.clear()
                model(inputs.to(place))
                for layer in layers:
                    recorded[layer].append(
                        _read_rows(current.get(layer), layer, len(inputs), dtype)
                    )
                if batch_labels is not None:
                    labels.append(np.asarray(torch.as_tensor(batch_labels).cpu()))
    finally:
        for hook in hooks:
            hook.remove()
    if not recorded[layers[0]]:
        raise ValueError("batches: found none, expected at least one batch")
    return xr.Dataset(
        {
            layer: (
                ("sample", "unit" if len(layers) == 1 else f"unit_{layer}"),
                np.concatenate(parts),
                {"long_name": f"activation of {layer}", "units": "1"},
            )
            for layer, parts in recorded.items()
        },
        {"class": ("sample", np.concatenate(labels))} if labels else None,
        {"infotheo_version": package_version()},
    )


def _copy_output(output: Any) -> Any:
    return output.detach().clone() if isinstance(output, Tensor) else output


def _read_rows(output: Any, layer: str, samples: int, dtype: str) -> np.ndarray:
    """Return the output as (sample, unit) on the host."""
    if not isinstance(output, Tensor) or output.ndim < 1 or output.shape[0] != samples:
        shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise ValueError(
            f"layer {layer!r}: expected one tensor with {samples} samples first, found {shape}"
        )
    rows = output.reshape(samples, math.prod(output.shape[1:])).cpu()
    # NumPy has no bfloat16
    floating = rows if rows.dtype == torch.float64 else rows.float()
    return floating.numpy().astype(dtype, copy=False)
