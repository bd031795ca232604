"""The terminal's lines while a study is made: one for each job, one for what failed.

Snakemake's own log in ``.snakemake/log`` and its dry runs stay as they are.
"""

from __future__ import annotations

import logging
import re
from typing import Any

_SILENT = re.compile(
    r"Select jobs to execute|Execute \d+ jobs|RuleException:\s+CalledProcessError|WorkflowError:"
    r"\s+At least one job did not|Exiting because a job execution failed|Building DAG of jobs"
)
_SILENT_EVENTS = {"WORKFLOW_STARTED", "RESOURCES_INFO", "JOB_FINISHED", "JOB_STARTED"}


class OneLinePerJob(logging.Formatter):
    """Formats Snakemake's events; what it does not know goes to the formatter it stands before."""

    def __init__(self, formatter: logging.Formatter, total: int):
        super().__init__()
        self.formatter, self.total, self.done = formatter, total, 0
        self.jobs: dict[int, str] = {}

    def format(self, record: logging.LogRecord) -> str:
        """Return the line for an event, or nothing."""
        event = getattr(getattr(record, "event", None), "name", "")
        fields = record.__dict__
        if event == "JOB_INFO":
            return self._start_line(fields)
        if event == "PROGRESS":
            self.done, self.total = fields["done"], fields["total"]
            return f"{self.done} of {self.total} done" if self.done == self.total else ""
        if event == "JOB_ERROR":
            job = self.jobs.get(fields["jobid"], fields["rule_name"])
            return f"failed: {job} (log: {', '.join(map(str, fields['log'])) or 'none'})"
        if event in _SILENT_EVENTS or _SILENT.match(str(record.msg).strip()):
            return ""
        return self.formatter.format(record)

    def _start_line(self, fields: dict[str, Any]) -> str:
        job = fields["rule_msg"] or fields["rule_name"]
        self.jobs[fields["jobid"]] = job
        width = len(str(self.total))
        return f"{self.done:{width}} of {self.total} done, now {job}"


def tell_less(logger: logging.Logger, total: int) -> None:
    """Have Snakemake's logger tell less of the ``total`` jobs on the terminal."""
    for handler in logger.handlers:
        if handler.name == "DefaultStreamHandler" and handler.formatter is not None:
            handler.setFormatter(OneLinePerJob(handler.formatter, total))
