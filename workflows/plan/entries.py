"""Measures, figures, tables and animations of a study: what each looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workflows.plan.sources import Definition, parameters

OUTPUT = "logits"  # the pseudo-layer of measures that look at predictions
FIGURE_DATA = ("runs", "correlations", "histories", "activations", "trajectories", "reference")


@dataclass(frozen=True)
class Entry:
    """A measure, figure or table with its settings."""

    name: str
    kind: str
    code: Definition
    settings: dict[str, Any]
    layer: str | None = None
    part: str | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        """Which data a figure or table takes."""
        known = parameters(self.code) or {}
        return tuple(name for name in FIGURE_DATA if name in known)

    @property
    def of(self) -> str:
        """What a measure looks at: a layer's ``activations``, ``logits`` or the ``network``."""
        first = next(iter(parameters(self.code) or {}), "")
        return first if first in ("logits", "network") else "activations"

    @property
    def positional(self) -> int:
        """How many arguments of a measure are no settings."""
        return 3 if self.of == "network" else 1
