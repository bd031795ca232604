"""Around every job's work: its threads, a record of it, and one clear line when it fails."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from workflows.records import forget, record


@contextmanager
def job(snakemake: Any) -> Iterator[None]:
    """Run a job: errors of the user's making become one line, others keep their trace in the log.

    Expected are ``ValueError``, ``TypeError`` and ``OSError``; their message names what is wrong.
    """
    for library in ("OMP", "MKL", "OPENBLAS"):  # read when torch is imported, inside the job
        os.environ[f"{library}_NUM_THREADS"] = str(snakemake.threads)
    log = Path(snakemake.log[0])
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        logging.basicConfig(filename=log, filemode="w", level=logging.INFO, format="%(message)s")
        forget(snakemake.output)
        yield
        record(snakemake.output, snakemake.params.spec)
        logging.info("done")
    except Exception as error:
        with suppress(OSError):  # a full disk takes no log either
            logging.error(traceback.format_exc())
        text = " ".join(str(error).split())
        if not isinstance(error, ValueError | TypeError | OSError):
            text = f"{type(error).__name__}: {text} (trace in {log})"
        # in one write: jobs that fail together must not end up on one line
        sys.stderr.write(f"{snakemake.config['file']}: {snakemake.rule}: {text}\n")
        sys.exit(1)
