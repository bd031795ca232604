"""Where the files of a study lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflows.plan.chunks import TRAINED, Chunk
from workflows.plan.runs import Run
from workflows.plan.sources import Definition, parameters

OUTPUT = "logits"  # the pseudo-layer of measures that look at predictions
FIGURE_DATA = ("runs", "correlations", "histories", "activations", "reference")


@dataclass(frozen=True)
class Entry:
    """A measure, figure or table with its settings."""

    name: str
    kind: str
    code: Definition
    settings: dict[str, Any]
    layer: str | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        """Which data a figure or table takes."""
        known = parameters(self.code) or {}
        return tuple(name for name in FIGURE_DATA if name in known)

    @property
    def of_logits(self) -> bool:
        """Whether a measure looks at logits rather than at a layer's activations."""
        return next(iter(parameters(self.code) or {}), "") == "logits"


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
        return [
            self.folder(run, chunk) / "estimates" / layer / f"{entry.name}.nc"
            for run in self.runs
            for chunk in run.chunks
            for entry in self.measures
            for layer in ([OUTPUT] if entry.of_logits else self.layers)
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
            for part in TRAINED
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
        entry = (self.figures if kind == "figure" else self.tables)[name]
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
            *self.trained_files(),
            *self.activation_files(),
            *self.estimate_files(),
        ]
