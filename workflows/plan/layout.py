"""Where the files of a study lie."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from workflows.plan.chunks import TRAINED, Chunk
from workflows.plan.entries import OUTPUT, Drawing, Measure
from workflows.plan.runs import Run
from workflows.plan.snapshots import Snapshots, Trajectory

SNAPSHOTS, TRAJECTORIES = "snapshots", "trajectories"  # files of a training with snapshots
_SUFFIXES = {"figure": ("svg", "png"), "table": ("csv",), "animation": ("gif",)}
NETWORK_ESTIMATES = "network_estimates"  # folder of the measures of whole networks


@dataclass(frozen=True)
class Layout:
    """The files of a study, those that rules make and those that they need."""

    study: str
    results: Path
    runs: Sequence[Run]
    layers: Sequence[str]
    measures: Sequence[Measure]
    drawings: Mapping[str, Mapping[str, Drawing]]  # by kind and name
    snapshots: Snapshots | None
    first_condition: str  # the one that changes nothing, if there is

    @cached_property
    def _runs_by_name(self) -> dict[str, Run]:
        return {run.name: run for run in self.runs}

    def run(self, name: str) -> Run:
        """Return a run by its name."""
        return self._runs_by_name[name]

    def chunk(self, run: str, name: str) -> Chunk:
        """Return a chunk of a run by its name, the selection included."""
        chunks = self._with_selection(self.run(run))
        return next(chunk for chunk in chunks if chunk.name == name)

    def _with_selection(self, run: Run) -> list[Chunk]:
        return [*([run.selection] if run.selection else []), *run.chunks]

    def chunks(self) -> Iterator[tuple[Run, Chunk]]:
        """Yield every run with each of its chunks, selections left out."""
        return ((run, chunk) for run in self.runs for chunk in run.chunks)

    def folder(self, run: Run, chunk: Chunk) -> Path:
        """Return where a chunk of a run lies."""
        return self.results / "runs" / run.name / chunk.name

    def data_file(self, run: str) -> Path:
        """Return the data set of a run."""
        return self.results / "data" / f"{self.run(run).data_name}.nc"

    def selection_files(self, run: str, chunk: str) -> list[Path]:
        """Return the trained grid that a chunk takes its loss weight from, if it does."""
        selection = self.run(run).selection
        if selection is None or chunk == selection.name:
            return []
        return [self.folder(self.run(run), selection) / f"{part}.nc" for part in TRAINED]

    def measured_file(self, run: str, chunk: str, layer: str) -> Path:
        """Return what a measure looks at: a layer's activations, or the test set's logits."""
        folder = self.results / "runs" / run / chunk
        return folder / ("predictions.nc" if layer == OUTPUT else f"activations/{layer}.nc")

    def estimates(self) -> Iterator[tuple[Path, Run, Measure]]:
        """Yield the estimates of all runs, layers and measures."""
        folders = {
            "activations": [f"estimates/{layer}" for layer in self.layers],
            "logits": [f"estimates/{OUTPUT}"],
            "network": [NETWORK_ESTIMATES],
        }
        for run, chunk in self.chunks():
            for measure in self.measures:
                for folder in folders[measure.subject]:
                    yield self.folder(run, chunk) / folder / f"{measure.name}.nc", run, measure

    def estimate_files(self) -> list[Path]:
        """Return the estimates of all runs, layers and measures."""
        return [file for file, *_ in self.estimates()]

    def trained_parts(self) -> dict[str, str]:
        """Return the files of a trained chunk by what they hold."""
        parts = [*TRAINED]
        if self.snapshots is not None:
            parts.append(TRAJECTORIES if self.snapshots.keep == "measures" else SNAPSHOTS)
        return {part: f"{part}.nc" for part in parts}

    def trajectories(self) -> Iterator[tuple[Path, Run, Trajectory]]:
        """Yield what is measured along training from the weights that were kept."""
        if self.snapshots is None or self.snapshots.keep == "measures":
            return
        for run, chunk in self.chunks():
            for trajectory in self.snapshots.trajectories:
                folder = self.folder(run, chunk) / TRAJECTORIES
                yield folder / f"{trajectory.name}.nc", run, trajectory

    def trajectory_files(self) -> list[Path]:
        """Return what is measured along training, in place or afterwards."""
        if self.snapshots is not None and self.snapshots.keep == "measures":
            return [self.folder(run, chunk) / f"{TRAJECTORIES}.nc" for run, chunk in self.chunks()]
        return [file for file, *_ in self.trajectories()]

    def activations(self) -> Iterator[tuple[Path, Run, str]]:
        """Yield the activations of all runs and layers."""
        for run, chunk in self.chunks():
            for layer in self.layers:
                yield self.folder(run, chunk) / "activations" / f"{layer}.nc", run, layer

    def drawn_activations(self) -> Iterator[tuple[Path, Run, str]]:
        """Yield the activations that are recorded for a figure alone, of no layer of the study."""
        layers = {
            drawing.layer
            for drawings in self.drawings.values()
            for drawing in drawings.values()
            if "activations" in drawing.needs
        }
        for run, chunk in self.chunks():
            for layer in sorted(layers.difference(self.layers)):
                yield self.folder(run, chunk) / "activations" / f"{layer}.nc", run, layer

    def snapshot_activations(self) -> Iterator[tuple[Path, Run, str]]:
        """Yield the activations along training, where they are to be kept."""
        if self.snapshots is None or self.snapshots.keep != "activations":
            return
        for run, chunk in self.chunks():
            for layer in self.snapshots.layers:
                yield self.folder(run, chunk) / SNAPSHOTS / f"{layer}.nc", run, layer

    def trained(self) -> Iterator[tuple[Path, Run, Chunk]]:
        """Yield weights, histories and predictions of all runs, selections included."""
        for run in self.runs:
            for chunk in self._with_selection(run):
                for file in self.trained_parts().values():
                    yield self.folder(run, chunk) / file, run, chunk

    def history_files(self) -> list[Path]:
        """Return the histories of all runs."""
        return [self.folder(run, chunk) / "history.nc" for run, chunk in self.chunks()]

    def drawn(self) -> Iterator[tuple[Path, str, str]]:
        """Yield the files of figures, tables and animations, their kinds and names."""
        for kind, drawings in self.drawings.items():
            for name in drawings:
                for suffix in _SUFFIXES[kind]:
                    yield self.results / self.study / f"{kind}s" / f"{name}.{suffix}", kind, name

    def drawing_inputs(self, kind: str, name: str) -> dict[str, list[Path]]:
        """Return the files a figure or table needs, by the kind of data."""
        drawing = self.drawings[kind][name]
        study = self.results / self.study
        drawn = [run for run in self.runs if run.condition == self.first_condition]
        files: dict[str, list[Path]] = {
            "runs": [study / "runs.csv"],
            "correlations": [study / "correlations.csv"],
            "histories": [
                self.folder(run, chunk) / "history.nc" for run in drawn for chunk in run.chunks
            ],
            "activations": [
                self.folder(run, run.chunks[0]) / "activations" / f"{drawing.layer}.nc"
                for run in drawn
            ],
            "trajectories": self.trajectory_files(),
        }
        return {need: files[need] for need in drawing.needs if need in files}

    def targets(self) -> list[Path]:
        """Return what the study is to make and to keep: what is deleted of it is made again."""
        study = self.results / self.study
        return [
            *(study / name for name in ("config.yaml", "runs.csv", "correlations.csv")),
            *(file for file, *_ in self.drawn()),
            *(file for file, *_ in self.trained()),
            *(file for file, *_ in self.activations()),
            *self.estimate_files(),
            *(file for file, *_ in self.snapshot_activations()),
            *self.trajectory_files(),
        ]
