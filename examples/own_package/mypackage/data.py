"""A synthetic data set: points on noisy rings, one ring for each class."""

import numpy as np
import xarray as xr

from infotheo.data.samples import labelled_samples


def rings(
    *, samples: int = 600, classes: int = 3, noise: float = 0.2, data_seed: int = 0
) -> xr.Dataset:
    """Return points of the plane labelled by the ring they lie on, half of them for training."""
    generator = np.random.default_rng(data_seed)
    labels = generator.integers(classes, size=samples)
    angles = generator.uniform(0, 2 * np.pi, samples)
    radii = 1 + labels + noise * generator.standard_normal(samples)
    inputs = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)  # (sample, unit)
    # 0 train, 1 validation, 2 test
    split = np.repeat(
        [0, 1, 2], [samples // 2, samples // 4, samples - samples // 2 - samples // 4]
    )
    return labelled_samples(inputs, labels, split, name="rings", classes=classes)
