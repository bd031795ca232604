"""Files that Snakemake is to make again, although it has no reason of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def force(workflow: Any, files: Iterable[str]) -> None:
    """Have Snakemake make these files again, as ``--forcerun`` on the command line would.

    A Snakefile has no word for this: the command line's settings come to the workflow after the
    Snakefile was read, so they are added to where the graph of jobs is made.
    """
    prepare, forced = workflow._prepare_dag, set(files)

    def prepare_forced(*args: Any, **settings: Any) -> Any:
        known = workflow.dag_settings
        known.forcerun = {*known.forcerun, *forced}
        return prepare(*args, **settings)

    if forced:
        workflow._prepare_dag = prepare_forced
