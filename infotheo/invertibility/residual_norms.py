"""The ratio |L(x)| / |x| of every residual block, from hooks."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from infotheo.arrays.conversion import read_real
from infotheo.arrays.labels import check_choice
from infotheo.arrays.numbers import check_switch
from infotheo.arrays.wording import describe
from infotheo.invertibility.inputs import read_tensor, require_module, run_module
from infotheo.invertibility.norm_recorder import NormRecorder
from infotheo.invertibility.taps import Reference, find_taps
from infotheo.modules.evaluation_mode import evaluation_mode, find_device, read_device, split_batch
from infotheo.version import package_version

__all__ = ["Reference", "ZeroNormWarning", "norms_at_overflow", "residual_norms"]


class ZeroNormWarning(UserWarning):
    """Some samples have |x| = 0: their ratio is infinite, or not defined."""


def residual_norms(
    model: nn.Module,
    x: Any,
    *,
    branches: Sequence[str] | Mapping[str, str] | None = None,
    shortcuts: Mapping[str, str] | None = None,
    reference: Reference = "input",
    quantiles: Sequence[float] = (0.05, 0.25, 0.5, 0.75, 0.95),
    per_sample: bool = False,
    device: torch.device | str | None = None,
) -> xr.Dataset:
    r"""Measure :math:`|L(x)| / |x|` in every residual block of a model in evaluation mode.

    The ratio of two norms at the data is neither the operator norm nor the Lipschitz constant of L,
    and below 1 it does not make x + L(x) invertible: see
    :func:`~infotheo.lipschitz_bounds`.

    Parameters
    ----------
    model
        Any torch module. Forward hooks do it, so it needs no change; it is left as it was.
    x
        A tensor (sample, …), or batches: tensors, or pairs of inputs and labels. One batch is on
        the device at a time, and of activations only norms are kept.
    branches
        Which modules are residual branches, by their names in ``model.named_modules()``. A sequence
        names the branches L themselves (or blocks that have one), whose own input is x. A mapping
        names, for each block, the submodule whose output is L(x), before the last activation:
        ``{"layer1.0": "bn2"}``. ``None``: every module that has a module ``branch``.
    shortcuts
        For each block of a mapping, the submodule whose output is the shortcut; the identity for
        those not named. Blocks found by their ``branch`` say it with an attribute ``shortcut``.
    reference
        What x is: the block's "input", or the "shortcut" 's output, after down-sampling.
    quantiles
        Of the ratio over the samples, interpolated linearly.
    per_sample
        Whether to return every sample's ratio, too.
    device
        Where to run; where the model's parameters are by default.

    Returns
    -------
    xarray.Dataset
        Over ``block``, named as in the model: ``mean`` and, with dimension ``quantile``,
        ``quantiles`` of the ratio; ``pooled``, the ratio of the norms of all samples as one tensor,
        as paper 5 takes a batch; the counts ``infinite`` (|x| = 0 but |L(x)| > 0: these take
        part, so the mean is infinite) and ``undefined`` (both 0: left out); ``same_shape``, whether
        x and L(x) could be added; on request ``ratio`` (block, sample), NaN where undefined.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, the model has no residual block or not this one, a
        shortcut's output and L(x) differ in shape, or a norm is not finite; the message names it.

    Warns
    -----
    ZeroNormWarning
        If a ratio is infinite or undefined.

    Notes
    -----
    Source: paper 5, section 3.3, and paper 4, appendix D, whose x is not stated. Costs one forward
    pass of the model.

    Examples
    --------
    >>> class Block(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.branch = nn.Linear(2, 2, bias=False)
    ...         _ = nn.init.constant_(self.branch.weight, 0.25)
    ...
    ...     def forward(self, x):
    ...         return torch.relu(x + self.branch(x))
    >>> norms = residual_norms(nn.Sequential(Block()), torch.ones(4, 2))
    >>> norms["block"].values.tolist(), norms["mean"].values.tolist()
    (['0'], [0.5])
    """
    require_module(model, "model")
    check_choice(reference, get_args(Reference), "reference")
    per_sample = check_switch(per_sample, "per_sample")
    probabilities = _read_quantiles(quantiles)
    taps = find_taps(model, branches, shortcuts, reference)
    target = read_device(device, model)
    recorder = NormRecorder(taps, reference)
    _record(recorder, model, x, target)
    return _label(recorder, probabilities, reference, per_sample)


def norms_at_overflow(
    model: nn.Module, x: Tensor, *, reference: Reference, quantiles: Sequence[float]
) -> tuple[xr.Dataset, np.ndarray]:
    """Return :func:`residual_norms` of a model whose activations may overflow, and in which blocks.

    Everything of a block where they do is NaN, and its counts say nothing.
    """
    check_choice(reference, get_args(Reference), "reference")
    recorder = NormRecorder(find_taps(model, None, None, reference), reference, overflow=True)
    _record(recorder, model, x, find_device(model))
    return _label(recorder, _read_quantiles(quantiles), reference, False), recorder.overflown


def _record(recorder: NormRecorder, model: nn.Module, x: Any, device: torch.device) -> None:
    """Run the model on every batch."""
    with evaluation_mode(model), recorder:
        for number, batch in enumerate([x] if isinstance(x, Tensor) else _check_batches(x)):
            inputs, _ = split_batch(batch, "x")
            name = "x" if isinstance(x, Tensor) else f"x: batch {number}"
            run_module(model, read_tensor(inputs, name).to(device), "model", "x")
            recorder.finish_batch(len(inputs))


def _check_batches(x: Any) -> Iterable[Any]:
    if isinstance(x, np.ndarray) or not isinstance(x, Iterable) or hasattr(x, "dtype"):
        kind = f"{type(x).__module__}.{type(x).__name__}".removeprefix("builtins.")
        raise TypeError(f"x is a {kind}; expected a torch.Tensor (sample, ...) or batches of them")
    return x


def _read_quantiles(quantiles: Sequence[float]) -> np.ndarray:
    expected = "numbers between 0 and 1"
    probabilities = read_real(quantiles, "quantiles", expected, kinds="fiu")
    inside = (probabilities >= 0) & (probabilities <= 1)
    if probabilities.ndim != 1 or not probabilities.size or not np.all(inside):
        raise ValueError(f"quantiles are {describe(quantiles)}; expected {expected}")
    return probabilities.astype(np.float64)


def _label(
    recorder: NormRecorder,
    probabilities: np.ndarray,
    reference: Reference,
    per_sample: bool,
) -> xr.Dataset:
    ratios, pooled = recorder.ratios()
    taps = recorder.taps
    undefined = np.isnan(ratios).sum(axis=1)
    infinite = np.isinf(ratios).sum(axis=1)
    if np.any(undefined + infinite):
        first = int(np.argmax(undefined + infinite > 0))
        warnings.warn(
            f"|x| = 0 in {int(np.sum(undefined + infinite))} ratios, first in block "
            f"{taps[first].name!r}: {int(infinite.sum())} infinite, {int(undefined.sum())} "
            "undefined (|L(x)| = 0 too)",
            ZeroNormWarning,
            stacklevel=3,
        )
    defined = [row[~np.isnan(row)] for row in ratios]
    ratio_name = "|L(x)| / |x|"
    counts = {"units": "sample"}
    fields: dict[str, tuple[Any, Any, dict[str, str]]] = {
        "mean": (
            "block",
            [row.mean() if len(row) else np.nan for row in defined],
            {"units": "1", "long_name": f"mean of {ratio_name}"},
        ),
        "quantiles": (
            ("block", "quantile"),
            np.stack([_quantiles(row, probabilities) for row in defined]),
            {"units": "1", "long_name": f"quantiles of {ratio_name}"},
        ),
        "pooled": (
            "block",
            pooled,
            {"units": "1", "long_name": f"{ratio_name} of all samples as one tensor"},
        ),
        "infinite": ("block", infinite, {**counts, "long_name": "samples with |x| = 0 < |L(x)|"}),
        "undefined": ("block", undefined, {**counts, "long_name": "samples with |x| = |L(x)| = 0"}),
        "same_shape": (
            "block",
            recorder.same_shape,
            {"units": "1", "long_name": "whether x and L(x) have the same shape"},
        ),
    }
    if per_sample:
        fields["ratio"] = (("block", "sample"), ratios, {"units": "1", "long_name": ratio_name})
    settings = {"reference": reference, "mode": "evaluation", "samples": ratios.shape[1]}
    provenance = {
        "estimator": "residual_norms",
        "settings": json.dumps(settings, sort_keys=True),
        "infotheo_version": package_version(),
    }
    return xr.Dataset(
        {key: (dims, data, {**notes, **provenance}) for key, (dims, data, notes) in fields.items()},
        {"block": [tap.name for tap in taps], "quantile": probabilities},
        provenance,
    )


def _quantiles(values: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Quantiles that stay right next to infinities, where NumPy's are NaN."""
    if not len(values):
        return np.full(len(probabilities), np.nan)
    ordered = np.sort(values)
    places = probabilities * (len(values) - 1)
    below = np.floor(places).astype(int)
    share = places - below
    low, high = ordered[below], ordered[np.ceil(places).astype(int)]
    with np.errstate(invalid="ignore"):
        between = low + share * (high - low)
    quantiles: np.ndarray = np.where(low == high, low, between)
    return quantiles
