"""The former place of :mod:`infotheo.estimators.tasks`, for one release."""

import warnings

from infotheo.estimators.tasks import Task, linear_gaussian_layer, separated_clusters, tasks

__all__ = ["Task", "linear_gaussian_layer", "separated_clusters", "tasks"]

warnings.warn(
    "infotheo.ground_truth is now infotheo.estimators.tasks",
    DeprecationWarning,
    stacklevel=2,
)
