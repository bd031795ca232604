"""Around every job's work: its threads, a record of it, and one clear line when it fails."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from workflows.records import forget, record


def _message(error: Exception, output: Iterable[Any]) -> str:
    """Return an error's text; one of the system without a file names what was being made."""
    if isinstance(error, OSError) and error.errno is not None:
        place = error.filename if error.filename is not None else ", ".join(map(str, output))
        return f"{place}: {error.strerror}"
    return str(error)


@contextmanager
def job(snakemake: Any) -> Iterator[None]:
    """Run a job: errors of the user's making become one line, others keep their trace in the log.

    Expected are ``ValueError``, ``TypeError`` and ``OSError``; their message names what is wrong.
    """
    for library in ("OMP", "MKL", "OPENBLAS"):  # read when torch is imported, inside the job
        os.environ[f"{library}_NUM_THREADS"] = str(snakemake.threads)
    log = Path(snakemake.log[0])
    logging.raiseExceptions = False  # a full disk takes no log; what failed is told below
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        logging.basicConfig(filename=log, filemode="w", level=logging.INFO, format="%(message)s")
        forget(snakemake.output)
        yield
        record(snakemake.output, snakemake.params.spec)
        logging.info("done")
    except Exception as error:
        with suppress(OSError):
            logging.error(traceback.format_exc())
        text = " ".join(_message(error, snakemake.output).split())
        if not isinstance(error, ValueError | TypeError | OSError):
            text = f"{type(error).__name__}: {text} (trace in {log})"
        # in one write: jobs that fail together must not end up on one line
        sys.stderr.write(f"{snakemake.config['file']}: {snakemake.rule}: {text}\n")
        sys.exit(1)
