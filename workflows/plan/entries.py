"""Measures, figures, tables and animations of a study, and what each of them is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workflows.plan.sources import Definition, Passed, parameters, passed, registered

OUTPUT = "logits"  # the pseudo-layer of measures that look at predictions
MEASURES = ("measure", "prediction measure", "network measure")


@dataclass(frozen=True)
class Measure:
    """A measure with its settings."""

    name: str  # of its files
    function: str  # a registered name, or a path
    code: Definition
    settings: dict[str, Any]
    part: str | None = None

    @property
    def subject(self) -> str:
        """What it looks at: a layer's ``activations``, ``logits`` or the ``network``."""
        return measure_arguments(self.code).positional[0]


def measure_arguments(code: Definition) -> Passed:
    """Return what a measure is passed; the first parameter of one of the user's tells."""
    for kind in MEASURES:
        if code in registered(kind).values():
            return passed(kind)
    first = next(iter(parameters(code) or {}), "")
    kinds = (kind for kind in MEASURES if passed(kind).positional[0] == first)
    return passed(next(kinds, MEASURES[0]))


@dataclass(frozen=True)
class Drawing:
    """A figure, table or animation with its settings."""

    kind: str
    function: str
    code: Definition
    settings: dict[str, Any]
    layer: str

    @property
    def needs(self) -> tuple[str, ...]:
        """Which of the study's data it takes."""
        known = parameters(self.code) or {}
        return tuple(name for name in passed(self.kind).context if name in known)
