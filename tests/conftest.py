"""What tests of all rooms share: one thread of torch, a made-up study, a tiny one run for real."""

import os
import time

import pytest
import torch

from tests.study.figures.small_study import make_correlations, make_study
from tests.workflows.snakemake_runs import copy_project, make
from tests.workflows.tiny_study import CONFIG


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Networks of the tests are too small for more, and the workers share the machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def runs():
    """Return the table of runs of a made-up study."""
    return make_study()


@pytest.fixture
def correlations(runs):
    """Return the correlations of a made-up study."""
    return make_correlations(runs)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Return the folder of the tiny study, done, with the project that made it.

    It is there to look at; what a test changes is a copy of it. One worker makes it for all.
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
