"""The former place of :mod:`infotheo.estimators.resampling`, for one release."""

import warnings

from infotheo.estimators.resampling import (
    PermutationTest,
    SubsampleError,
    permutation_test,
    subsample_error,
)

__all__ = ["PermutationTest", "SubsampleError", "permutation_test", "subsample_error"]

warnings.warn(
    "infotheo.uncertainty is now infotheo.estimators.resampling",
    DeprecationWarning,
    stacklevel=2,
)
