"""Module paths that the reference named stay importable for one release, and say where to go."""

import importlib
import sys

import pytest


@pytest.mark.parametrize(
    ("former", "present", "names"),
    [
        ("ground_truth", "tasks", ["Task", "linear_gaussian_layer", "separated_clusters", "tasks"]),
        ("uncertainty", "resampling", ["PermutationTest", "permutation_test", "subsample_error"]),
    ],
)
def test_former_places_hand_on_and_warn(former, present, names):
    sys.modules.pop(f"infotheo.{former}", None)
    with pytest.warns(DeprecationWarning, match=f"now infotheo.estimators.{present}"):
        module = importlib.import_module(f"infotheo.{former}")
    home = importlib.import_module(f"infotheo.estimators.{present}")
    for name in names:
        assert getattr(module, name) is getattr(home, name)
