"""What tests of all rooms share: one thread of torch, a made-up study, a tiny one run for real."""

import os
import time

import pytest
import torch

from tests.study.figures.small_study import make_correlations, make_study
from tests.workflows.snakemake_runs import copy_project, make
from tests.workflows.tiny_study import CONFIG, FOLLOWED


def pytest_collection_modifyitems(items):
    """Put studies that are run for real first: one worker is at them while others do the rest."""
    items.sort(key=lambda item: item.path.parent.name != "workflows")


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


def made_once(factory, name, config):
    """Return the folder of a study, done, with the project that made it; one worker makes it.

    It is there to look at; what a test changes is a copy of it.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, done, failed = base / name, base / f"{name}.done", base / f"{name}.failed"
    try:
        folder.mkdir()
    except FileExistsError:  # another worker is at it
        while not done.exists():
            assert not failed.exists(), f"the {name} study failed in another worker"
            time.sleep(0.5)
    else:
        try:
            copy_project(folder)
            make(folder, config)
        except BaseException:
            failed.touch()
            raise
        done.touch()
    return folder


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Return the folder of the tiny study, done."""
    return made_once(tmp_path_factory, "finished", CONFIG)


@pytest.fixture(scope="session")
def followed(tmp_path_factory):
    """Return the folder of a study of two conditions, followed over two epochs, done."""
    return made_once(tmp_path_factory, "followed", FOLLOWED)
