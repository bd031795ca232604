"""A study that is killed on the way comes out the same, byte for byte, on any number of cores."""

import os

import pytest

from tests.workflows.kill_study import disturb
from tests.workflows.snakemake_runs import tables, would_run
from tests.workflows.tiny_study import CONFIG


@pytest.mark.gate
@pytest.mark.skipif(os.name != "posix", reason="needs process groups")
def test_two_kills_on_one_core_instead_of_two(finished, tmp_path):
    folder = tmp_path / "disturbed"
    folder.mkdir()
    (folder / "project").symlink_to(finished / "project")
    left = disturb(folder, CONFIG, cores=1, kills=2, seed=3, longest=20)
    assert tables(folder) == tables(finished)
    assert left == []
    assert would_run(folder, CONFIG) == []
