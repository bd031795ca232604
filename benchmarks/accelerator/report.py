"""Rows of the accelerator's table: written by the parts as they come, read by the command."""

from __future__ import annotations

import csv
import json
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import NamedTuple

__all__ = ["ROOT", "Options", "Report", "Row", "read_rows", "write_tables"]

ROOT = Path(__file__).parents[2]  # of the project


class Options(NamedTuple):
    """Where a part runs, and at which size."""

    device: str
    small: bool


@dataclass(frozen=True)
class Row:
    """One line of the table; ``ratio`` is peer over ours, or ours over a floor."""

    part: str
    name: str
    ours: float | None = None  # seconds
    peer: float | None = None
    ratio: float | None = None
    required: str = ""  # ">= 5", "<= 3.5", or empty
    note: str = ""

    @property
    def failed(self) -> bool:
        """Whether something did not run, or was wrong."""
        return self.note.startswith("failed")

    @property
    def met(self) -> str:
        """Whether the ratio is as required; empty where nothing is."""
        if not self.required or self.ratio is None:
            return ""
        sign, bound = self.required.split()
        met = self.ratio >= float(bound) if sign == ">=" else self.ratio <= float(bound)
        return "yes" if met else "no"

    def cells(self) -> list[str]:
        """Text of every column."""
        numbers = ("" if n is None else f"{n:.4g}" for n in (self.ours, self.peer, self.ratio))
        return [self.part, self.name, *numbers, self.required, self.met, self.note]


COLUMNS = ("part", "what", "ours (s)", "against (s)", "ratio", "required", "met", "note")


@dataclass(frozen=True)
class Report:
    """Where a part writes its rows, one line each, so that none is lost if it ends early.

    A row of a name that was there replaces it.
    """

    part: str
    path: Path

    def add(
        self,
        name: str,
        ours: float | None = None,
        peer: float | None = None,
        ratio: float | None = None,
        *,
        required: str = "",
        note: str = "",
    ) -> None:
        """Write a row and print it."""
        row = Row(self.part, name, ours, peer, ratio, required, note)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(row)) + "\n")
        print("  " + " | ".join(cell for cell in row.cells() if cell), flush=True)

    @contextmanager
    def attempt(self, name: str) -> Iterator[None]:
        """Turn an error into a row, and go on."""
        try:
            yield
        except Exception as error:
            traceback.print_exc()
            message = (str(error).strip() or "no message").splitlines()[0]
            self.add(name, note=f"failed: {type(error).__name__}: {message[:200]}")


def read_rows(path: Path) -> list[Row]:
    """Rows that a part has written; a last line that is torn is left out."""
    rows = {}
    names = {field.name for field in fields(Row)}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            values = json.loads(line)
        except json.JSONDecodeError:
            continue
        row = Row(**{name: values[name] for name in names & values.keys()})
        rows[row.name] = row
    return list(rows.values())


def write_tables(rows: list[Row], heading: list[str], folder: Path) -> str:
    """Write the table as ``accelerator.md`` and ``accelerator.csv``; return the former."""
    cells = [[cell.replace("|", "/").replace("\n", " ") for cell in row.cells()] for row in rows]
    lines = ["# On an accelerator", "", *heading, ""]
    lines += [f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}"]
    lines += [f"| {' | '.join(row)} |" for row in cells]
    text = "\n".join(lines) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "accelerator.md").write_text(text, encoding="utf-8")
    with (folder / "accelerator.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *(row.cells() for row in rows)])
    return text
