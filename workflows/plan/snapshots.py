"""What a study keeps along training, and what it measures there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workflows.plan.config import MEASURES
from workflows.plan.entries import OUTPUT, Entry
from workflows.plan.errors import ConfigError
from workflows.plan.identity import digest, readable
from workflows.plan.settings import found, minimal, takes
from workflows.plan.sources import Definition, definition

_SCHEDULE = {"every": "epoch", "count": None, "points": None}
_SHOWN = {"part": "test", "samples": None}


@dataclass(frozen=True)
class Followed:
    """A measure along training: its name, its code and all that it is made with."""

    name: str
    code: Definition
    spec: dict[str, Any]


@dataclass(frozen=True)
class Snapshots:
    """The snapshots of a study."""

    keep: str
    layers: list[str]
    shown: dict[str, Any]  # part and number of the samples
    schedule: dict[str, Any]
    followed: list[Followed]

    @property
    def of_training(self) -> dict[str, Any]:
        """What a training does for them, as a part of its identity."""
        if self.keep != "measures":
            return self.schedule
        return self.schedule | {"measures": [each.spec for each in self.followed]}

    @property
    def code_of_training(self) -> list[Definition]:
        """Code that a training runs for them besides the trainer's own."""
        if self.keep != "measures":
            return []
        in_place = definition("infotheo.study.trajectories.in_place", "measuring_in_place")
        assert in_place is not None
        return [in_place, *(each.code for each in self.followed)]


def read_snapshots(
    config: Mapping[str, Any], measures: Sequence[Entry], layers: Sequence[str], file: str
) -> Snapshots | None:
    """Return what the configuration keeps and follows, ``None`` if it does not.

    Parameters
    ----------
    config
        The checked configuration.
    measures, layers
        Those of the trained networks, which are followed where nothing else is said.
    file
        The configuration's file, for messages.

    Raises
    ------
    ConfigError
        For a measure that does not exist or does not take its settings.
    """
    if "snapshots" not in config:
        return None
    given = config["snapshots"] or {}
    if "count" in given and "points" in given:
        raise ConfigError(f"{file}: snapshots.points: found beside count, expected one of the two")
    if given.get("every") == "step" and not {"count", "points"} & set(given):
        raise ConfigError(f"{file}: snapshots.count: missing; by steps, give count or points")
    schedule = {
        key: given.get(key, default)
        for key, default in _SCHEDULE.items()
        if given.get(key, default) is not None
    }
    shown = {key: given.get(key, default) for key, default in _SHOWN.items()}
    own_layers = given.get("layers", list(layers))
    if OUTPUT in own_layers:
        raise ConfigError(f"{file}: snapshots.layers: found {OUTPUT!r}, expected layers")
    entries = given.get("measures")
    followed = [
        _followed(name, settings, shown, own_layers, file)
        for name, settings in (
            (
                (entry.kind, entry.settings | ({"part": entry.part} if entry.part else {}))
                for entry in measures
            )
            if entries is None
            else ((name, settings or {}) for name, settings in entries.items())
        )
    ]
    keep = given.get("keep", "weights")
    for each in followed if keep == "measures" else ():
        own = each.spec["settings"]
        if takes(each.code, "range") and not {"range", "edges", "bin_width"} & set(own):
            raise ConfigError(
                f"{file}: snapshots.measures.{each.spec['measure']}: bins span a network's range "
                "over all of training, which keep: measures does not know; state range, bin_width "
                "or edges"
            )
    return Snapshots(keep, own_layers, shown, schedule, followed)


def _followed(
    name: str,
    settings: Mapping[str, Any],
    shown: Mapping[str, Any],
    layers: Sequence[str],
    file: str,
) -> Followed:
    key = f"{file}: snapshots.measures.{name}"
    code = found(name, MEASURES, key)
    entry = Entry(name, name, code, {})
    own = {k: v for k, v in settings.items() if k not in ("part", "layers")}
    spec = {
        "measure": name,
        "settings": minimal(own, code, key, positional=entry.positional),
        "part": settings.get("part", shown["part"]),
        "samples": shown["samples"],
    }
    if entry.of == "activations":
        spec["layers"] = settings.get("layers", list(layers))
    elif "layers" in settings:
        raise ConfigError(
            f"{key}.layers: found {settings['layers']}, but {name} looks at {entry.of}"
        )
    return Followed(f"{readable(name)}-{digest(spec, 6)}", code, spec)
