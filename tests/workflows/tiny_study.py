"""Two studies small enough to be run for real in a test: two seeds, two epochs."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

CONFIG: dict[str, Any] = {
    "study": "tiny",
    "data": {"name": "digits", "train_size": 200},
    "network": {"name": "mlp", "width": 20, "hidden_layers": 2},
    "training": {"batch_size": 50, "epochs": 2, "seeds": 2, "regularized_layer": "hidden2"},
    "regularizers": {
        "baseline": None,
        "L2W": {"weight": 0.001},
        "VR": {"weight": [0.01, 0.1]},
    },
    "layers": ["hidden2"],
    "measures": {"pairwise": {"noise_variance": [1]}, "binned": {"bins": 10}},
    "correlation": {"resamples": 100, "permutations": 99},
    "figures": {"error_and_gap": None, "saturation": None},
    "tables": {"regularizer_table": None},
}


def changed(changes: Mapping[str, Any], base: Mapping[str, Any] = CONFIG) -> dict[str, Any]:
    """Return the configuration with values put at dotted keys; ``...`` takes a key out.

    >>> changed({"training.epochs": 3, "tables": ...})["training"]["epochs"]
    3
    """
    config = copy.deepcopy(dict(base))
    for path, value in changes.items():
        *folders, last = path.split(".")
        section = config
        for folder in folders:
            if section.get(folder) is None:
                section[folder] = {}
            section = section[folder]
        if value is ...:
            del section[last]
        else:
            section[last] = value
    return config


def reordered(value: Any) -> Any:
    """Return the same configuration with every mapping turned around."""
    if isinstance(value, Mapping):
        return {key: reordered(value[key]) for key in reversed(list(value))}
    return value


FOLLOWED = changed(
    {
        "regularizers": {"baseline": None},
        "conditions": {"relu": {}, "tanh": {"network": {"activation": "tanh"}}},
        "measures": {"binned": {"bins": 10}},
        "snapshots": {
            "every": "epoch",
            "points": [0, 1, 2],
            "part": "train",
            "keep": "activations",
            "layers": ["hidden1"],
            "measures": {"binned": {"bins": 10}, "error": {"part": "test"}, "margins": None},
        },
        "figures": {"information_over_training": {"estimator": "binned"}},
        "tables": {"phase_table": {"resamples": 100}},
    }
)
