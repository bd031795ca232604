"""Hooks that keep the norms of what passes through residual blocks, never the activations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from infotheo.invertibility.taps import Reference, Tap

__all__ = ["NormRecorder"]


class NormRecorder:
    """Hooks that keep each sample's norms of x and L(x), never the activations.

    A norm that is not finite is an error, or with ``overflow`` makes all of its block NaN.
    """

    def __init__(
        self, taps: Sequence[Tap], reference: Reference, *, overflow: bool = False
    ) -> None:
        self.overflow = overflow
        self.overflown = np.zeros(len(taps), dtype=bool)
        self.taps = taps
        self.reference = reference
        self.same_shape = [True] * len(taps)
        self._current: dict[tuple[int, str], tuple[Tensor, torch.Size]] = {}
        self._norms: list[list[np.ndarray]] = [[] for _ in taps]  # (2, sample) for each batch
        self._hooks: list[RemovableHandle] = []

    def __enter__(self) -> None:
        for index, tap in enumerate(self.taps):
            if tap.shortcut is None:
                keep = self._make_recorder(index, "x")
                self._hooks.append(
                    tap.block.register_forward_pre_hook(
                        lambda module, arguments, keep=keep: keep(
                            arguments[0] if arguments else None
                        )
                    )
                )
            else:
                self._hooks.append(self._hook_output(tap.shortcut, self._make_recorder(index, "x")))
            self._hooks.append(self._hook_output(tap.branch, self._make_recorder(index, "L(x)")))

    def __exit__(self, *exception: object) -> None:
        for hook in self._hooks:
            hook.remove()

    @staticmethod
    def _hook_output(module: nn.Module, keep: Callable[[Any], None]) -> RemovableHandle:
        return module.register_forward_hook(lambda module, arguments, output: keep(output))

    def _make_recorder(self, index: int, quantity: str) -> Callable[[Any], None]:
        name = self.taps[index].name

        def keep(value: Any) -> None:
            # at once: a later layer may work in place
            if (index, quantity) in self._current:
                raise ValueError(
                    f"block {name!r}: {quantity} was computed twice in one pass; expected once"
                )
            if not isinstance(value, Tensor) or value.ndim < 2:
                received = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
                raise ValueError(
                    f"block {name!r}: expected one tensor as {quantity}, found {received}"
                )
            norms = torch.linalg.vector_norm(value.flatten(1), dim=1, dtype=torch.float64)
            self._current[index, quantity] = (norms, value.shape)

        return keep

    def finish_batch(self, samples: int) -> None:
        """Take one batch's norms to the host."""
        for index, tap in enumerate(self.taps):
            pair = []
            for quantity in ("x", "L(x)"):
                if (index, quantity) not in self._current:
                    raise ValueError(
                        f"block {tap.name!r}: {quantity} was not computed by the model"
                    )
                norms, shape = self._current[index, quantity]
                values = norms.cpu().numpy()
                if len(values) != samples:
                    raise ValueError(
                        f"block {tap.name!r}: expected {quantity} with {samples} samples first, "
                        f"found shape {tuple(shape)}"
                    )
                if not np.all(np.isfinite(values)):
                    self.overflown[index] = True
                if self.overflown[index] and not self.overflow:
                    sample = int(np.argmin(np.isfinite(values)))
                    raise ValueError(
                        f"block {tap.name!r}: |{quantity}| is {values[sample]} in sample {sample}; "
                        "expected finite weights and activations"
                    )
                pair.append(values)
            shapes = [self._current[index, quantity][1] for quantity in ("x", "L(x)")]
            if shapes[0] != shapes[1]:
                if self.reference == "shortcut":
                    raise ValueError(
                        f"block {tap.name!r}: the shortcut puts out {tuple(shapes[0])}, the branch "
                        f"{tuple(shapes[1])}; expected the same shape, as they are to be added"
                    )
                self.same_shape[index] = False
            self._norms[index].append(np.stack(pair))
        self._current.clear()

    def ratios(self) -> tuple[np.ndarray, np.ndarray]:
        """Return |L(x)| / |x| (block, sample), and that of all samples as one tensor (block).

        Infinite or NaN where |x| is 0.
        """
        if not self._norms[0]:
            raise ValueError("x: found no batch, expected at least one")
        norms = np.stack([np.concatenate(parts, axis=1) for parts in self._norms], axis=1)
        norms[:, self.overflown] = np.nan
        with np.errstate(divide="ignore", invalid="ignore"):
            pooled = np.linalg.norm(norms, axis=-1)
            return norms[1] / norms[0], pooled[1] / pooled[0]
