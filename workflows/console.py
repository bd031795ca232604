"""What is told on the terminal while a study is made: one line for each job, one for what failed.

Snakemake's own log in ``.snakemake/log`` and its dry runs stay as they are.
"""

from __future__ import annotations

import logging
import re
from typing import Any

_UNTOLD = re.compile(
    r"Select jobs to execute|Execute \d+ jobs|RuleException:\s+CalledProcessError|WorkflowError:"
    r"\s+At least one job did not|Exiting because a job execution failed|Building DAG of jobs"
)
_UNTOLD_EVENTS = {"WORKFLOW_STARTED", "RESOURCES_INFO", "JOB_FINISHED", "JOB_STARTED"}


class OneLinePerJob(logging.Formatter):
    """Formats Snakemake's events; what it does not know goes to the formatter it stands before."""

    def __init__(self, usual: logging.Formatter, total: int):
        super().__init__()
        self.usual, self.total, self.done = usual, total, 0
        self.jobs: dict[int, str] = {}

    def format(self, record: logging.LogRecord) -> str:
        """Return the line for an event, or nothing."""
        event = getattr(getattr(record, "event", None), "name", "")
        told = record.__dict__
        if event == "JOB_INFO":
            return self._started(told)
        if event == "PROGRESS":
            self.done, self.total = told["done"], told["total"]
            return f"{self.done} of {self.total} done" if self.done == self.total else ""
        if event == "JOB_ERROR":
            what = self.jobs.get(told["jobid"], told["rule_name"])
            return f"failed: {what} (log: {', '.join(map(str, told['log'])) or 'none'})"
        if event in _UNTOLD_EVENTS or _UNTOLD.match(str(record.msg).strip()):
            return ""
        return self.usual.format(record)

    def _started(self, told: dict[str, Any]) -> str:
        what = told["rule_msg"] or told["rule_name"]
        self.jobs[told["jobid"]] = what
        width = len(str(self.total))
        return f"{self.done:{width}} of {self.total} done, now {what}"


def shorten(logger: logging.Logger, total: int) -> None:
    """Have Snakemake's logger tell less of the ``total`` jobs on the terminal."""
    for handler in logger.handlers:
        if handler.name == "DefaultStreamHandler" and handler.formatter is not None:
            handler.setFormatter(OneLinePerJob(handler.formatter, total))
