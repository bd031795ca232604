"""The tiny study, run for real once in a test session, whatever the number of workers."""

import os
import time

import pytest

from tests.pipeline.snakemake_runs import copy_project, make
from tests.pipeline.tiny_study import CONFIG


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Return the folder of a study that is done, with the project that made it.

    It is there to look at; what a test changes is a copy of it.
    """
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, done, failed = base / "finished", base / "finished.done", base / "finished.failed"
    try:
        folder.mkdir()
    except FileExistsError:  # another worker is at it
        while not done.exists():
            assert not failed.exists(), "the tiny study failed in another worker"
            time.sleep(0.5)
    else:
        try:
            copy_project(folder)
            make(folder, CONFIG)
        except BaseException:
            failed.touch()
            raise
        done.touch()
    return folder
