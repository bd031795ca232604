"""The snapshots of a study, and the trajectories measured along them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workflows.plan.entries import MEASURES, OUTPUT, Measure, measure_arguments
from workflows.plan.errors import ConfigError
from workflows.plan.identity import digest, readable
from workflows.plan.settings import minimal, resolve, takes
from workflows.plan.sources import Definition, definition

# What measures networks while they are trained. It is named here alone: as text, for only a
# training that keeps nothing but measures depends on its code.
IN_PLACE = "infotheo.study.trajectories.in_place:in_place_measure"
_SCHEDULE = {"every": "epoch", "count": None, "points": None}


@dataclass(frozen=True)
class Trajectory:
    """A measure along training: its name, its code and all that it is made with."""

    name: str
    code: Definition
    spec: dict[str, Any]


@dataclass(frozen=True)
class Snapshots:
    """The snapshots of a study."""

    keep: str
    layers: list[str]
    samples: dict[str, Any]  # part and number of the samples that are looked at
    schedule: dict[str, Any]
    trajectories: list[Trajectory]

    @property
    def training_spec(self) -> dict[str, Any]:
        """What a training does for them, as a part of its identity."""
        if self.keep != "measures":
            return self.schedule
        return self.schedule | {"measures": [trajectory.spec for trajectory in self.trajectories]}

    @property
    def training_code(self) -> list[Definition]:
        """Code that a training runs for them besides the trainer's own."""
        if self.keep != "measures":
            return []
        module, _, name = IN_PLACE.partition(":")
        in_place = definition(module, name)
        assert in_place is not None
        return [in_place, *(trajectory.code for trajectory in self.trajectories)]


def read_snapshots(
    config: Mapping[str, Any], measures: Sequence[Measure], layers: Sequence[str], file: str
) -> Snapshots | None:
    """Return what the configuration keeps and measures along training, ``None`` if nothing.

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
    settings = config["snapshots"] or {}
    key = f"{file}: snapshots"
    if "count" in settings and "points" in settings:
        raise ConfigError(f"{key}.points: found beside count, expected one of the two")
    if settings.get("every") == "step" and not {"count", "points"} & set(settings):
        raise ConfigError(f"{key}.count: missing; by steps, give count or points")
    schedule = {
        name: settings.get(name, default)
        for name, default in _SCHEDULE.items()
        if settings.get(name, default) is not None
    }
    samples = {"part": settings.get("part", "test"), "count": settings.get("samples")}
    layers = list(settings.get("layers", layers))
    if OUTPUT in layers:
        raise ConfigError(f"{key}.layers: found {OUTPUT!r}, expected layers")
    trajectories = [
        _trajectory(name, measure_settings, samples, layers, file)
        for name, measure_settings in _measures_along_training(settings, measures)
    ]
    keep = settings.get("keep", "weights")
    if keep == "measures":
        for trajectory in trajectories:
            _check_range(trajectory, key)
    return Snapshots(keep, layers, samples, schedule, trajectories)


def _measures_along_training(
    settings: Mapping[str, Any], measures: Sequence[Measure]
) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Return names and settings: those of the trained networks where none are stated."""
    if settings.get("measures") is not None:
        return [(name, stated or {}) for name, stated in settings["measures"].items()]
    return [
        (measure.function, measure.settings | ({"part": measure.part} if measure.part else {}))
        for measure in measures
    ]


def _trajectory(
    name: str,
    settings: Mapping[str, Any],
    samples: Mapping[str, Any],
    layers: Sequence[str],
    file: str,
) -> Trajectory:
    key = f"{file}: snapshots.measures.{name}"
    code = resolve(name, MEASURES, key)
    passed = measure_arguments(code)
    stated = {k: v for k, v in settings.items() if k not in ("part", "layers")}
    spec = {
        "measure": name,
        "subject": passed.positional[0],
        "settings": minimal(stated, code, key, passed),
        "part": settings.get("part", samples["part"]),
        "count": samples["count"],
    }
    if spec["subject"] == "activations":
        spec["layers"] = settings.get("layers", list(layers))
    elif "layers" in settings:
        raise ConfigError(
            f"{key}.layers: found {settings['layers']}, but {name} looks at {spec['subject']}"
        )
    return Trajectory(f"{readable(name)}-{digest(spec, 6)}", code, spec)


def _check_range(trajectory: Trajectory, key: str) -> None:
    stated = set(trajectory.spec["settings"])
    if takes(trajectory.code, "range") and not {"range", "edges", "bin_width"} & stated:
        raise ConfigError(
            f"{key}.measures.{trajectory.spec['measure']}: bins span a network's range over all of "
            "training, which keep: measures does not know; state range, bin_width or edges"
        )
