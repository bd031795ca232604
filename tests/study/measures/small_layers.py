"""A layer's activations and the logits of three networks, made up for the measures."""

import numpy as np
import xarray as xr

SEEDS = [4, 7, 9]
LABELS = np.arange(24) % 3


def labelled(values):
    return xr.DataArray(
        values,
        dims=("seed", "sample", "unit"),
        coords={
            "seed": SEEDS,
            "sample": np.arange(100, 124),
            "unit": np.arange(values.shape[2]),
            "class": ("sample", LABELS),
        },
    )


def make_activations():
    """Networks of different scale, half of the values 0 as behind a ReLU."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(3, 3, 5))
    values = centres[:, LABELS] + 0.3 * random.normal(size=(3, 24, 5))
    return labelled(np.maximum(values * np.array([0.3, 1.0, 5.0])[:, None, None], 0))


def make_logits():
    """Predictions that are mostly right."""
    return labelled(3 * np.random.default_rng(1).normal(size=(3, 24, 3)) + 2 * np.eye(3)[LABELS])
