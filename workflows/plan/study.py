"""All files of a study and what each one is made with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflows.plan.config import MEASURES, checked
from workflows.plan.device import gpus_of_a_job
from workflows.plan.entries import FIGURE_DATA, OUTPUT, Entry
from workflows.plan.errors import ConfigError
from workflows.plan.fingerprint import fingerprint
from workflows.plan.identity import digest, readable
from workflows.plan.layout import Layout
from workflows.plan.runs import LOCATIONS, expand
from workflows.plan.settings import found, minimal
from workflows.plan.snapshots import read_snapshots
from workflows.plan.sources import Definition, definition, summary

_SCRIPTS = "workflows.scripts"
_PUBLISHED = Path(__file__).parents[1] / "reference"


class Study(Layout):
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
        self.results = Path(results)
        self.measures = [
            self._measure(name, settings, file)
            for name, settings in self.config["measures"].items()
        ]
        self.snapshots = read_snapshots(self.config, self.measures, self.layers, file)
        of_training, code = {}, []
        if self.snapshots is not None:
            of_training, code = self.snapshots.of_training, self.snapshots.code_of_training
        self.runs = expand(self.config, file, self.results / "runs", of_training, code)
        self.figures, self.tables, self.animations = (
            {
                name: self._drawn(kind, name, settings, file)
                for name, settings in self.config[f"{kind}s"].items()
            }
            for kind in ("figure", "table", "animation")
        )

    def _measure(self, name: str, settings: Mapping[str, Any], file: str) -> Entry:
        key = f"{file}: measures.{name}"
        code = found(name, MEASURES, key)
        entry = Entry(name, name, code, {})
        part = settings.get("part")
        if "part" in settings and entry.of != "network":
            raise ConfigError(
                f"{key}.part: found {part!r}, but {name} looks at {entry.of} of the test samples"
            )
        own = {k: v for k, v in settings.items() if k != "part"}
        kept = minimal(own, code, key, positional=entry.positional)
        # functions of one name in two modules are two measures
        identity: Any = [name, kept] if ":" in name else kept
        if part not in (None, "test"):
            identity = [identity, part]
        return Entry(f"{readable(name)}-{digest(identity, 6)}", name, code, kept, part=part)

    def _drawn(self, kind: str, name: str, settings: Mapping[str, Any], file: str) -> Entry:
        key = f"{file}: {kind}s.{name}"
        source = settings.get(kind, name)
        code = found(source, (kind,), key)
        own = {k: v for k, v in settings.items() if k not in (kind, "layer")}
        kept = minimal(own, code, key, positional=0, given=FIGURE_DATA)
        entry = Entry(name, source, code, kept, settings.get("layer", self.layers[0]))
        if "trajectories" in entry.needs and self.snapshots is None:
            raise ConfigError(f"{key}: needs a study that has snapshots; found no key 'snapshots'")
        return entry

    def check_writable(self) -> None:
        """Check that results can be written, before anything is trained for them.

        Raises
        ------
        ConfigError
            If something else stands in their place, or the folder belongs to another.
        """
        for folder in (self.results, self.results / self.name):
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
        for entry in self.measures:
            self.estimate_params(entry.name)
        for followed in self.snapshots.followed if self.snapshots else ():
            self.trajectory_params(self.runs[0].name, followed.name)
        for kind, entries in self.drawn.items():
            for name in entries:
                self.drawn_params(kind, name)

    # What each rule is called with: one plain dictionary, so that nothing else reruns it.

    def data_params(self, data: str) -> dict[str, Any]:
        """Return the settings of a data set and the code that makes it."""
        run = next(run for run in self.runs if run.data_name == data)
        code = found(run.spec["data"]["name"], ("data set",), "data")
        return {"code": fingerprint([f"{_SCRIPTS}.prepare_data", code]), **run.spec["data"]}

    def train_params(self, run: str, chunk: str) -> dict[str, Any]:
        """Return what a chunk of a run trains."""
        of = self.run(run)
        seeds = self.chunk(run, chunk).seeds
        code = fingerprint([f"{_SCRIPTS}.train", *of.code])
        grid = chunk.startswith("selection")
        return {"code": code, "grid": grid, "seeds": list(seeds), **of.spec}

    def activation_params(self, run: str, layer: str) -> dict[str, Any]:
        """Return which network is rebuilt to record a layer."""
        of = self.run(run)
        code = fingerprint([f"{_SCRIPTS}.record_activations", *of.network_code])
        own = {key: of.spec[key] for key in ("network", "regularizer")}
        return {"code": code, "layer": layer, **own}

    def estimate_params(self, estimate: str) -> dict[str, Any]:
        """Return which measure, with which settings."""
        entry = next(entry for entry in self.measures if entry.name == estimate)
        code = fingerprint([f"{_SCRIPTS}.estimate", entry.code])
        return {"code": code, "measure": entry.kind, "settings": entry.settings}

    def network_estimate_params(self, run: str, estimate: str) -> dict[str, Any]:
        """Return which measure of which whole network, on which samples."""
        of = self.run(run)
        entry = next(entry for entry in self.measures if entry.name == estimate)
        roots: list[Definition | str] = [f"{_SCRIPTS}.follow", entry.code, *of.network_code]
        own = {key: of.spec[key] for key in ("network", "regularizer")}
        return {
            "code": fingerprint(roots),
            "measure": entry.kind,
            "settings": entry.settings,
            "part": entry.part or "test",
            **own,
        }

    def trajectory_params(self, run: str, estimate: str) -> dict[str, Any]:
        """Return what is measured along a run's training."""
        assert self.snapshots is not None
        of = self.run(run)
        followed = next(each for each in self.snapshots.followed if each.name == estimate)
        roots: list[Definition | str] = [f"{_SCRIPTS}.follow", followed.code, *of.network_code]
        own = {key: of.spec[key] for key in ("network", "regularizer")}
        return {"code": fingerprint(roots), **followed.spec, **own}

    def snapshot_activation_params(self, run: str, layer: str) -> dict[str, Any]:
        """Return which layer is recorded along a run's training, on which samples."""
        assert self.snapshots is not None
        of = self.run(run)
        code = fingerprint([f"{_SCRIPTS}.record_activations", *of.network_code])
        own = {key: of.spec[key] for key in ("network", "regularizer")}
        return {"code": code, "layer": layer, **self.snapshots.shown, **own}

    def collect_params(self) -> dict[str, Any]:
        """Return which runs, in which order, and which of their seeds."""
        rows = [
            [run.condition, run.regularizer, run.name, chunk.name, list(chunk.wanted)]
            for run in self.runs
            for chunk in run.chunks
        ]
        return {
            "code": fingerprint([f"{_SCRIPTS}.collect"]),
            "layers": self.layers,
            "rows": rows,
            "study": self.name,
        }

    def correlate_params(self) -> dict[str, Any]:
        """Return the settings of the correlation table."""
        function = definition("infotheo.study.correlation", "correlation_table")
        assert function is not None
        settings = minimal(
            self.config.get("correlation", {}), function, "correlation", positional=2
        )
        return {"code": fingerprint([f"{_SCRIPTS}.correlate"]), "settings": settings}

    def drawn_params(self, kind: str, name: str) -> dict[str, Any]:
        """Return the settings of a figure or a table."""
        entry = self.drawn[kind][name]
        script = {"figure": "draw_figure", "table": "make_table", "animation": "draw_animation"}
        return {
            "code": fingerprint([f"{_SCRIPTS}.{script[kind]}", entry.code]),
            kind: entry.kind,
            # run and chunk → what it is called, and which of its seeds this study asks for
            "shown": {
                f"{run.name}/{chunk.name}": [run.regularizer, list(chunk.wanted)]
                for run in (self.runs if {"histories", "activations"} & set(entry.needs) else ())
                for chunk in run.chunks
            },
            **self._followed_params(entry),
            "reference": published() if "reference" in entry.needs else "",
            "settings": entry.settings,
        }

    def _followed_params(self, entry: Entry) -> dict[str, Any]:
        """Return run and chunk → label and seeds; nothing for what does not look at training."""
        if "trajectories" not in entry.needs:
            return {}
        return {
            "followed": {
                f"{run.name}/{chunk.name}": [self.label(run), list(chunk.wanted)]
                for run in self.runs
                for chunk in run.chunks
            }
        }

    def resolved(self) -> dict[str, Any]:
        """Return the checked configuration without what only says where things lie."""
        own = {key: value for key, value in self.config.items() if key != "device"}
        own["data"] = {k: v for k, v in own["data"].items() if k not in LOCATIONS}
        return own

    def captions(self) -> dict[str, str]:
        """Return one sentence for each figure and table: how its function describes itself."""
        drawn = {**self.figures, **self.tables, **self.animations}
        return {name: summary(entry.code) for name, entry in drawn.items()}


def published() -> str:
    """Return a hash of the published numbers, which figures and tables are set beside."""
    return digest([[file.name, file.read_text()] for file in sorted(_PUBLISHED.glob("*.csv"))])


__all__ = ["OUTPUT", "ConfigError", "Study"]
