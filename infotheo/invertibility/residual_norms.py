"""The ratio |L(x)| / |x| of every residual block, from hooks."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from infotheo import __version__
from infotheo.invertibility.blocks import is_residual_block, parts_of
from infotheo.invertibility.evaluation import evaluation_mode, read_tensor, require_module
from infotheo.validation import check_choice

__all__ = ["Reference", "ZeroNormWarning", "residual_norms"]

Reference = Literal["input", "shortcut"]


class ZeroNormWarning(UserWarning):
    """Some samples have |x| = 0: their ratio is infinite, or not defined."""


class Tap(NamedTuple):
    """Where one block's two norms are read."""

    name: str
    block: nn.Module  # its first input is x, unless there is a shortcut
    branch: nn.Module  # its output is L(x)
    shortcut: nn.Module | None  # its output is x


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
        ``quantiles`` of the ratio; the counts ``infinite`` (|x| = 0 but |L(x)| > 0: these take
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
    >>> found = residual_norms(nn.Sequential(Block()), torch.ones(4, 2))
    >>> found["block"].values.tolist(), found["mean"].values.tolist()
    (['0'], [0.5])
    """
    require_module(model, "model")
    check_choice(reference, get_args(Reference), "reference")
    probabilities = _read_quantiles(quantiles)
    taps = _taps(model, branches, shortcuts, reference)
    where = torch.device(device) if device is not None else _device_of(model)
    recorder = _Recorder(taps, reference)
    with evaluation_mode(model), recorder:
        for number, batch in enumerate([x] if isinstance(x, Tensor) else _batches(x)):
            inputs = batch[0] if isinstance(batch, tuple | list) and batch else batch
            name = "x" if isinstance(x, Tensor) else f"x: batch {number}"
            model(read_tensor(inputs, name).to(where))
            recorder.settle(len(inputs))
    ratios = recorder.ratios()  # (block, sample)
    return _labelled(ratios, taps, recorder, probabilities, reference, per_sample)


def _batches(x: Any) -> Iterable[Any]:
    if isinstance(x, np.ndarray) or not isinstance(x, Iterable):
        kind = f"{type(x).__module__}.{type(x).__name__}".removeprefix("builtins.")
        raise TypeError(f"x is a {kind}; expected a torch.Tensor (sample, ...) or batches of them")
    return x


def _read_quantiles(quantiles: Sequence[float]) -> np.ndarray:
    found = np.asarray(quantiles)
    if found.dtype.kind not in "fiu":
        raise TypeError(f"quantiles are {quantiles}; expected numbers between 0 and 1")
    if found.ndim != 1 or not found.size or not np.all((found >= 0) & (found <= 1)):
        raise ValueError(f"quantiles are {quantiles}; expected numbers between 0 and 1")
    return found.astype(np.float64)


def _taps(
    model: nn.Module,
    branches: Sequence[str] | Mapping[str, str] | None,
    shortcuts: Mapping[str, str] | None,
    reference: Reference,
) -> list[Tap]:
    """Find the blocks that are meant."""
    modules = dict(model.named_modules())

    def named(name: Any, argument: str) -> nn.Module:
        if name not in modules:
            raise ValueError(
                f"{argument}: {name!r} is not in the model; its modules: "
                f"{', '.join(filter(None, modules))}"
            )
        return modules[name]

    def inner(block: str, part: str, argument: str) -> nn.Module:
        return named(f"{block}.{part}" if block else part, argument)

    def by_itself(name: str, block: nn.Module) -> Tap:
        parts = parts_of(block)
        return Tap(name, block, parts.branch, parts.shortcut)

    if isinstance(branches, str):
        raise TypeError(f"branches is the string {branches!r}; expected a sequence of names")
    if shortcuts is not None and not isinstance(branches, Mapping):
        raise ValueError("shortcuts need branches as a mapping of blocks to their branch's end")
    if branches is None:
        taps = [by_itself(name, part) for name, part in modules.items() if is_residual_block(part)]
        if not taps:
            raise ValueError(
                "model has no residual block (a module with a module 'branch'); name its branches"
            )
    elif isinstance(branches, Mapping):
        strangers = [name for name in shortcuts or {} if name not in branches]
        if strangers:
            raise ValueError(f"shortcuts: {strangers[0]!r} is not among the blocks of branches")
        taps = [
            Tap(
                block,
                named(block, "branches"),
                inner(block, end, "branches"),
                inner(block, shortcuts[block], "shortcuts")
                if shortcuts and block in shortcuts
                else None,
            )
            for block, end in branches.items()
        ]
    else:
        taps = []
        for name in branches:
            part = named(name, "branches")
            found = is_residual_block(part)
            taps.append(by_itself(name, part) if found else Tap(name, part, part, None))
    if not taps:
        raise ValueError("branches: found none, expected at least one name")
    return [tap._replace(shortcut=None) for tap in taps] if reference == "input" else taps


class _Recorder:
    """Hooks that keep each sample's norms of x and L(x), never the activations."""

    def __init__(self, taps: Sequence[Tap], reference: Reference) -> None:
        self.taps = taps
        self.reference = reference
        self.same_shape = [True] * len(taps)
        self._now: dict[tuple[int, str], tuple[Tensor, torch.Size]] = {}
        self._norms: list[list[np.ndarray]] = [[] for _ in taps]  # (2, sample) for each batch
        self._hooks: list[Any] = []

    def __enter__(self) -> None:
        for index, tap in enumerate(self.taps):
            if tap.shortcut is None:
                keep = self._keep(index, "x")
                self._hooks.append(
                    tap.block.register_forward_pre_hook(
                        lambda module, arguments, keep=keep: keep(
                            arguments[0] if arguments else None
                        )
                    )
                )
            else:
                self._hooks.append(self._on_output(tap.shortcut, self._keep(index, "x")))
            self._hooks.append(self._on_output(tap.branch, self._keep(index, "L(x)")))

    def __exit__(self, *exception: object) -> None:
        for hook in self._hooks:
            hook.remove()

    @staticmethod
    def _on_output(module: nn.Module, keep: Callable[[Any], None]) -> Any:
        return module.register_forward_hook(lambda module, arguments, output: keep(output))

    def _keep(self, index: int, what: str) -> Callable[[Any], None]:
        name = self.taps[index].name

        def keep(value: Any) -> None:
            # at once: a later layer may work in place
            if (index, what) in self._now:
                raise ValueError(
                    f"block {name!r}: {what} was computed twice in one pass; expected once"
                )
            if not isinstance(value, Tensor) or value.ndim < 2:
                found = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
                raise ValueError(f"block {name!r}: expected one tensor as {what}, found {found}")
            norms = torch.linalg.vector_norm(value.flatten(1), dim=1, dtype=torch.float64)
            self._now[index, what] = (norms, value.shape)

        return keep

    def settle(self, samples: int) -> None:
        """Take one batch's norms to the host."""
        for index, tap in enumerate(self.taps):
            pair = []
            for what in ("x", "L(x)"):
                if (index, what) not in self._now:
                    raise ValueError(f"block {tap.name!r}: {what} was not computed by the model")
                norms, shape = self._now[index, what]
                found = norms.cpu().numpy()
                if len(found) != samples:
                    raise ValueError(
                        f"block {tap.name!r}: expected {what} with {samples} samples first, found "
                        f"shape {tuple(shape)}"
                    )
                if not np.all(np.isfinite(found)):
                    sample = int(np.argmin(np.isfinite(found)))
                    raise ValueError(
                        f"block {tap.name!r}: |{what}| is {found[sample]} in sample {sample}; "
                        "expected finite weights and activations"
                    )
                pair.append(found)
            shapes = [self._now[index, what][1] for what in ("x", "L(x)")]
            if shapes[0] != shapes[1]:
                if self.reference == "shortcut":
                    raise ValueError(
                        f"block {tap.name!r}: the shortcut puts out {tuple(shapes[0])}, the branch "
                        f"{tuple(shapes[1])}; expected the same shape, as they are to be added"
                    )
                self.same_shape[index] = False
            self._norms[index].append(np.stack(pair))
        self._now.clear()

    def ratios(self) -> np.ndarray:
        """Return |L(x)| / |x| (block, sample): infinite or NaN where |x| is 0."""
        if not self._norms[0]:
            raise ValueError("x: found no batch, expected at least one")
        norms = np.stack([np.concatenate(parts, axis=1) for parts in self._norms], axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return norms[1] / norms[0]


def _labelled(
    ratios: np.ndarray,
    taps: Sequence[Tap],
    recorder: _Recorder,
    probabilities: np.ndarray,
    reference: Reference,
    per_sample: bool,
) -> xr.Dataset:
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
    long = "|L(x)| / |x|"
    counts = {"units": "sample"}
    fields: dict[str, tuple[Any, Any, dict[str, str]]] = {
        "mean": (
            "block",
            [row.mean() if len(row) else np.nan for row in defined],
            {"units": "1", "long_name": f"mean of {long}"},
        ),
        "quantiles": (
            ("block", "quantile"),
            np.stack([_quantiles(row, probabilities) for row in defined]),
            {"units": "1", "long_name": f"quantiles of {long}"},
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
        fields["ratio"] = (("block", "sample"), ratios, {"units": "1", "long_name": long})
    settings = {"reference": reference, "mode": "evaluation", "samples": ratios.shape[1]}
    provenance = {
        "estimator": "residual_norms",
        "settings": json.dumps(settings, sort_keys=True),
        "infotheo_version": __version__,
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
    return np.where(low == high, low, between)


def _device_of(model: nn.Module) -> torch.device:
    first = next(model.parameters(), None)
    return first.device if first is not None else torch.device("cpu")
