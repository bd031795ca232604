"""Where the files of a study lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workflows.plan.chunks import TRAINED, Chunk
from workflows.plan.entries import OUTPUT, Entry
from workflows.plan.runs import Run
from workflows.plan.snapshots import Snapshots

SNAPSHOTS, IN_PLACE = "snapshots", "trajectories"  # files of a training with snapshots
OF_NETWORK = "network_estimates"  # folder of the measures of whole networks


class Layout:
    """The files of a study, those that rules make and those that they need."""

    name: str
    results: Path
    config: dict[str, Any]
    layers: list[str]
    runs: list[Run]
    measures: list[Entry]
    figures: dict[str, Entry]
    tables: dict[str, Entry]
    animations: dict[str, Entry]
    snapshots: Snapshots | None

    @property
    def drawn(self) -> dict[str, dict[str, Entry]]:
        """Figures, tables and animations by their kind."""
        return {"figure": self.figures, "table": self.tables, "animation": self.animations}

    def label(self, run: Run) -> str:
        """Return what tells a run from the others of the study, in figures of all of them."""
        several = [
            name
            for name, values in (
                (run.condition, {each.condition for each in self.runs}),
                (run.regularizer, {each.regularizer for each in self.runs}),
            )
            if len(values) > 1
        ]
        return ", ".join(several) or (
            run.condition if run.condition != "default" else run.regularizer
        )

    def run(self, name: str) -> Run:
        """Return a run by its name."""
        return next(run for run in self.runs if run.name == name)

    def chunk(self, run: str, name: str) -> Chunk:
        """Return a chunk of a run by its name, the selection included."""
        of = self.run(run)
        candidates = (*of.chunks, *([of.selection] if of.selection else []))
        return next(chunk for chunk in candidates if chunk.name == name)

    def folder(self, run: Run, chunk: Chunk) -> Path:
        """Return where a chunk of a run lies."""
        return self.results / "runs" / run.name / chunk.name

    def data_file(self, run: str) -> Path:
        """Return the data set of a run."""
        return self.results / "data" / f"{self.run(run).data_name}.nc"

    def selection_files(self, run: str, chunk: str) -> list[Path]:
        """Return the trained grid that a chunk takes its loss weight from, if it does."""
        of = self.run(run)
        if of.selection is None or chunk == of.selection.name:
            return []
        return [self.folder(of, of.selection) / f"{part}.nc" for part in TRAINED]

    def measured_file(self, run: str, chunk: str, layer: str) -> Path:
        """Return what a measure looks at: a layer's activations, or the test set's logits."""
        folder = self.results / "runs" / run / chunk
        return folder / ("predictions.nc" if layer == OUTPUT else f"activations/{layer}.nc")

    def estimate_files(self) -> list[Path]:
        """Return the estimates of all runs, layers and measures."""
        places = {
            "activations": [f"estimates/{layer}" for layer in self.layers],
            "logits": [f"estimates/{OUTPUT}"],
            "network": [OF_NETWORK],
        }
        return [
            self.folder(run, chunk) / place / f"{entry.name}.nc"
            for run in self.runs
            for chunk in run.chunks
            for entry in self.measures
            for place in places[entry.of]
        ]

    def trained_parts(self) -> dict[str, str]:
        """Return the files of a trained chunk by what they hold."""
        parts = [*TRAINED]
        if self.snapshots is not None:
            parts.append(IN_PLACE if self.snapshots.keep == "measures" else SNAPSHOTS)
        return {part: f"{part}.nc" for part in parts}

    def trajectory_files(self, run: Run, chunk: Chunk) -> list[Path]:
        """Return what is measured along a chunk's training."""
        folder = self.folder(run, chunk)
        if self.snapshots is None:
            return []
        if self.snapshots.keep == "measures":
            return [folder / f"{IN_PLACE}.nc"]
        return [folder / IN_PLACE / f"{each.name}.nc" for each in self.snapshots.followed]

    def snapshot_activation_files(self) -> list[Path]:
        """Return the activations along training, where they are to be kept."""
        if self.snapshots is None or self.snapshots.keep != "activations":
            return []
        return [
            self.folder(run, chunk) / SNAPSHOTS / f"{layer}.nc"
            for run in self.runs
            for chunk in run.chunks
            for layer in self.snapshots.layers
        ]

    def history_files(self) -> list[Path]:
        """Return the histories of all runs."""
        return [self.folder(run, chunk) / "history.nc" for run in self.runs for chunk in run.chunks]

    def trained_files(self) -> list[Path]:
        """Return weights, histories and predictions of all runs, selections included."""
        return [
            self.folder(run, chunk) / f"{part}.nc"
            for run in self.runs
            for chunk in (*([run.selection] if run.selection else []), *run.chunks)
            for part in self.trained_parts()
        ]

    def activation_files(self) -> list[Path]:
        """Return the activations of all runs and layers."""
        return [
            self.folder(run, chunk) / "activations" / f"{layer}.nc"
            for run in self.runs
            for chunk in run.chunks
            for layer in self.layers
        ]

    def drawn_inputs(self, kind: str, name: str) -> dict[str, list[Path]]:
        """Return the files a figure or table needs, by the kind of data."""
        entry = self.drawn[kind][name]
        study = self.results / self.name
        first = next(iter(self.config["conditions"]))  # the one that changes nothing, if there is
        shown = [run for run in self.runs if run.condition == first]
        files: dict[str, list[Path]] = {
            "runs": [study / "runs.csv"],
            "correlations": [study / "correlations.csv"],
            "histories": [
                self.folder(run, chunk) / "history.nc" for run in shown for chunk in run.chunks
            ],
            "activations": [
                self.folder(run, chunk) / "activations" / f"{entry.layer}.nc"
                for run in shown
                for chunk in run.chunks[:1]
            ],
            "trajectories": [
                file
                for run in self.runs
                for chunk in run.chunks
                for file in self.trajectory_files(run, chunk)
            ],
        }
        return {need: files[need] for need in entry.needs if need in files}

    def targets(self) -> list[Path]:
        """Return what the study is to make and to keep: what is deleted of it is made again."""
        study = self.results / self.name
        return [
            study / "config.yaml",
            study / "runs.csv",
            study / "correlations.csv",
            *(study / "figures" / f"{name}.svg" for name in self.figures),
            *(study / "tables" / f"{name}.csv" for name in self.tables),
            *(study / "animations" / f"{name}.gif" for name in self.animations),
            *self.trained_files(),
            *self.activation_files(),
            *self.estimate_files(),
            *self.snapshot_activation_files(),
            *(
                file
                for run in self.runs
                for chunk in run.chunks
                for file in self.trajectory_files(run, chunk)
            ),
        ]
