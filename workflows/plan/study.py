"""The plan of a study: its files, and what each of them is made with."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from workflows.plan.config import checked
from workflows.plan.device import gpus_of_a_job
from workflows.plan.entries import MEASURES, OUTPUT, Drawing, Measure, measure_arguments
from workflows.plan.errors import ConfigError
from workflows.plan.fingerprint import fingerprint
from workflows.plan.identity import digest, readable
from workflows.plan.layout import Layout
from workflows.plan.runs import Run, expand, locations
from workflows.plan.settings import minimal, resolve
from workflows.plan.snapshots import IN_PLACE, read_snapshots
from workflows.plan.sources import (
    Definition,
    definition,
    parameters,
    passed,
    passed_by_position,
    summary,
)
from workflows.records import is_stale

_SCRIPTS = "workflows.scripts"
_DRAWING_SCRIPTS = {"figure": "draw_figure", "table": "make_table", "animation": "draw_animation"}
_PUBLISHED = Path(__file__).parents[1] / "reference"


class Study:
    """The plan of a study: what its configuration, checked, comes to.

    Parameters
    ----------
    config
        The configuration as loaded.
    file
        Its file, for messages.
    results
        The folder of results, looked into for chunks of seeds that exist.

    Raises
    ------
    ConfigError
        For the first thing that is wrong with the configuration.
    """

    def __init__(self, config: Mapping[str, Any], file: str, results: str | Path = "results"):
        self.config = checked(config, file)
        self.name: str = self.config["study"]
        self.gpu = gpus_of_a_job(self.config.get("device", "auto"), file)
        self.layers: list[str] = self.config["layers"]
        if OUTPUT in self.layers:
            raise ConfigError(
                f"{file}: layers: found {OUTPUT!r}, which names what a network predicts and is "
                "always kept; expected other layers"
            )
        self.measures = [
            self._measure(name, settings, file)
            for name, settings in self.config["measures"].items()
        ]
        self.snapshots = read_snapshots(self.config, self.measures, self.layers, file)
        training_spec, training_code = {}, []
        if self.snapshots is not None:
            training_spec = self.snapshots.training_spec
            training_code = self.snapshots.training_code
        folder = Path(results) / "runs"
        self.runs = expand(self.config, file, folder, training_spec, training_code)
        self.drawings = {
            kind: {
                name: self._drawing(kind, name, settings, file)
                for name, settings in self.config[f"{kind}s"].items()
            }
            for kind in _DRAWING_SCRIPTS
        }
        self.layout = Layout(
            self.name,
            Path(results),
            self.runs,
            self.layers,
            self.measures,
            self.drawings,
            self.snapshots,
            first_condition=next(iter(self.config["conditions"])),
        )

    def _measure(self, name: str, settings: Mapping[str, Any], file: str) -> Measure:
        key = f"{file}: measures.{name}"
        code = resolve(name, MEASURES, key)
        stated = {k: v for k, v in settings.items() if k != "part"}
        minimum = minimal(stated, code, key, measure_arguments(code))
        part = settings.get("part")
        # functions of one name in two modules are two measures
        identity: Any = [name, minimum] if ":" in name else minimum
        if part not in (None, "test"):
            identity = [identity, part]
        measure = Measure(f"{readable(name)}-{digest(identity, 6)}", name, code, minimum, part)
        if "part" in settings and measure.subject != "network":
            raise ConfigError(
                f"{key}.part: found {part!r}, but {name} looks at {measure.subject} of the test "
                "samples"
            )
        return measure

    def _drawing(self, kind: str, name: str, settings: Mapping[str, Any], file: str) -> Drawing:
        key = f"{file}: {kind}s.{name}"
        function = settings.get(kind, name)
        code = resolve(function, (kind,), key)
        # the layer whose activations are read, and whose columns, where a function looks at these
        reserved = {kind, "layer"} - set(parameters(code) or ())
        stated = {k: v for k, v in settings.items() if k not in reserved}
        if "layer" in stated:
            if stated["layer"] not in self.layers:
                raise ConfigError(
                    f"{key}.layer: found {stated['layer']!r}, expected one of "
                    f"{', '.join(self.layers)}"
                )
            if stated["layer"] == self.layers[0]:  # its columns bear no layer's name
                del stated["layer"]
        minimum = minimal(stated, code, key, passed(kind))
        layer = settings.get("layer", self.layers[0])
        drawing = Drawing(kind, function, code, minimum, layer)
        if "trajectories" in drawing.needs and self.snapshots is None:
            raise ConfigError(f"{key}: needs a study that has snapshots; found no key 'snapshots'")
        return drawing

    def label(self, run: Run) -> str:
        """Return what tells a run from the others of the study, in figures of all of them."""
        several = [
            name
            for name, names in (
                (run.condition, {other.condition for other in self.runs}),
                (run.regularizer, {other.regularizer for other in self.runs}),
            )
            if len(names) > 1
        ]
        return ", ".join(several) or (
            run.condition if run.condition != "default" else run.regularizer
        )

    def check_writable(self) -> None:
        """Check that results can be written, before anything is trained for them.

        Raises
        ------
        ConfigError
            If something else stands in their place, or the folder belongs to another.
        """
        results = self.layout.results
        for folder in (results, results / self.name):
            if folder.exists() and not folder.is_dir():
                raise ConfigError(f"{folder}: found a file, expected a folder for the results")
            if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
                raise ConfigError(f"{folder}: not writable; expected a folder for the results")

    def check_code(self) -> None:
        """Read all code that results depend on.

        Raises
        ------
        ConfigError
            If some of it cannot be read.
        """
        for run in self.runs:
            self.data_params(run.data_name)
            self.train_params(run.name, run.chunks[0].name)
        for measure in self.measures:
            self.estimate_params(measure.name)
        for trajectory in self.snapshots.trajectories if self.snapshots else ():
            self.trajectory_params(self.runs[0].name, trajectory.name)
        for kind, drawings in self.drawings.items():
            for name in drawings:
                self.drawing_params(kind, name)

    def jobs(self) -> dict[str, dict[str, Any]]:
        """Return what jobs need besides their parameters: no part of a result, so never hashed."""
        device = self.config.get("device", "auto")
        snapshots = self.config.get("snapshots") or {}
        limit = {"gigabytes": snapshots["gigabytes"]} if "gigabytes" in snapshots else {}
        where = {place: v for place, v in self.config["data"].items() if place in locations()}
        train = {"device": device, "layers": self.layers, "in_place": IN_PLACE, **limit}
        if self.snapshots is not None:
            specs = [trajectory.spec for trajectory in self.snapshots.trajectories]
            measured = [layer for spec in specs for layer in spec.get("layers", ())]
            train["layers"] = [*self.layers, *self.snapshots.layers, *measured]
            train["parts"] = sorted({spec["part"] for spec in specs})
        return {
            "data": where,
            "train": train,
            "measure": {"device": device},
            "record": {"device": device, **limit},
        }

    def stale_files(self) -> list[Path]:
        """Return the files that exist, but were made with other parameters or other code."""
        return [file for file, params in self._params() if is_stale(file, params)]

    def _params(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Yield every file of the study and the parameters of the job that makes it."""
        layout = self.layout
        study = layout.results / self.name
        for data in sorted({run.data_name for run in self.runs}):
            yield layout.results / "data" / f"{data}.nc", self.data_params(data)
        for file, run, chunk in layout.trained():
            yield file, self.train_params(run.name, chunk.name)
        for file, run, layer in chain(layout.activations(), layout.drawn_activations()):
            yield file, self.activation_params(run.name, layer)
        for file, run, layer in layout.snapshot_activations():
            yield file, self.snapshot_activation_params(run.name, layer)
        for file, run, measure in layout.estimates():
            if measure.subject == "network":
                yield file, self.network_estimate_params(run.name, measure.name)
            else:
                yield file, self.estimate_params(measure.name)
        for file, run, trajectory in layout.trajectories():
            yield file, self.trajectory_params(run.name, trajectory.name)
        yield study / "config.yaml", self.resolved()
        yield study / "runs.csv", self.collect_params()
        yield study / "correlations.csv", self.correlate_params()
        for file, kind, name in layout.drawn():
            yield file, self.drawing_params(kind, name)

    # What each rule is called with: one plain dictionary, so that nothing else reruns it.

    def data_params(self, data: str) -> dict[str, Any]:
        """Return the settings of a data set and the code that makes it."""
        spec = next(run.spec["data"] for run in self.runs if run.data_name == data)
        code = resolve(spec["name"], ("data set",), "data")
        return {"code": fingerprint([f"{_SCRIPTS}.prepare_data", code]), **spec}

    def train_params(self, run: str, chunk: str) -> dict[str, Any]:
        """Return what a chunk of a run trains."""
        planned = self.layout.run(run)
        keys = ("network", "training", "regularizer", "snapshots")
        return {
            "code": fingerprint([f"{_SCRIPTS}.train", *planned.code]),
            "chunk": {
                "grid": chunk.startswith("selection"),
                "seeds": list(self.layout.chunk(run, chunk).seeds),
                **{key: planned.spec[key] for key in keys if key in planned.spec},
            },
        }

    def activation_params(self, run: str, layer: str) -> dict[str, Any]:
        """Return which network is rebuilt to record a layer."""
        return {"layer": layer, **self._network_params(run, "record_activations")}

    def snapshot_activation_params(self, run: str, layer: str) -> dict[str, Any]:
        """Return which layer is recorded along a run's training, on which samples."""
        assert self.snapshots is not None
        return {**self.activation_params(run, layer), **self.snapshots.samples}

    def estimate_params(self, estimate: str) -> dict[str, Any]:
        """Return which measure, with which settings."""
        measure = next(measure for measure in self.measures if measure.name == estimate)
        code = fingerprint([f"{_SCRIPTS}.estimate", measure.code])
        return {"code": code, "measure": measure.function, "settings": measure.settings}

    def network_estimate_params(self, run: str, estimate: str) -> dict[str, Any]:
        """Return which measure of which whole network, on which samples."""
        measure = next(measure for measure in self.measures if measure.name == estimate)
        return {
            "measure": measure.function,
            "subject": measure.subject,
            "settings": measure.settings,
            "part": measure.part or "test",
            **self._network_params(run, "follow", measure.code),
        }

    def trajectory_params(self, run: str, estimate: str) -> dict[str, Any]:
        """Return what is measured along a run's training."""
        assert self.snapshots is not None
        trajectories = self.snapshots.trajectories
        trajectory = next(planned for planned in trajectories if planned.name == estimate)
        return {**trajectory.spec, **self._network_params(run, "follow", trajectory.code)}

    def _network_params(self, run: str, script: str, *code: Definition) -> dict[str, Any]:
        """Return which network a script builds again, and the code of both."""
        planned = self.layout.run(run)
        return {
            "code": fingerprint([f"{_SCRIPTS}.{script}", *code, *planned.network_code]),
            "network": planned.spec["network"],
            "regularizer": planned.spec["regularizer"],
        }

    def collect_params(self) -> dict[str, Any]:
        """Return which runs, in which order, and which of their seeds."""
        return {
            "code": fingerprint([f"{_SCRIPTS}.collect"]),
            "layers": self.layers,
            "measures": [measure.name for measure in self.measures],
            "rows": [
                [run.condition, run.regularizer, run.name, chunk.name, list(chunk.wanted)]
                for run, chunk in self.layout.chunks()
            ],
            "study": self.name,
        }

    def correlate_params(self) -> dict[str, Any]:
        """Return the settings of the correlation table."""
        function = definition("infotheo.study.correlation", "correlation_table")
        assert function is not None
        given = self.config.get("correlation", {})
        settings = minimal(given, function, "correlation", passed_by_position(function))
        return {"code": fingerprint([f"{_SCRIPTS}.correlate"]), "settings": settings}

    def drawing_params(self, kind: str, name: str) -> dict[str, Any]:
        """Return the settings of a figure, table or animation."""
        drawing = self.drawings[kind][name]
        of_networks = {"histories", "activations"} & set(drawing.needs)
        # run and chunk → what it is called, and which of its seeds this study asks for
        params: dict[str, Any] = {
            "code": fingerprint([f"{_SCRIPTS}.{_DRAWING_SCRIPTS[kind]}", drawing.code]),
            kind: drawing.function,
            "shown": {
                f"{run.name}/{chunk.name}": [run.regularizer, list(chunk.wanted)]
                for run, chunk in (self.layout.chunks() if of_networks else ())
            },
            "reference": published() if "reference" in drawing.needs else "",
            "settings": drawing.settings,
        }
        if "trajectories" in drawing.needs and self.snapshots is not None:
            params["trajectories"] = [planned.name for planned in self.snapshots.trajectories]
            params["followed"] = {
                f"{run.name}/{chunk.name}": [self.label(run), list(chunk.wanted)]
                for run, chunk in self.layout.chunks()
            }
        return params

    def resolved(self) -> dict[str, Any]:
        """Return the checked configuration without what only says where things lie."""
        config = {key: value for key, value in self.config.items() if key != "device"}
        config["data"] = {k: v for k, v in config["data"].items() if k not in locations()}
        return config

    def captions(self) -> dict[str, str]:
        """Return one sentence for each figure and table: how its function describes itself."""
        return {
            name: summary(drawing.code)
            for drawings in self.drawings.values()
            for name, drawing in drawings.items()
        }


def published() -> str:
    """Return a hash of the published numbers, which figures and tables are set beside."""
    return digest([[file.name, file.read_text()] for file in sorted(_PUBLISHED.glob("*.csv"))])


__all__ = ["OUTPUT", "ConfigError", "Study"]
