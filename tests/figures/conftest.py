import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for small_study, shared by the tests here

from small_study import make_correlations, make_study  # noqa: E402


@pytest.fixture
def runs():
    return make_study()


@pytest.fixture
def correlations(runs):
    return make_correlations(runs)
