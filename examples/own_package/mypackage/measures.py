"""A measure of a layer's activations."""

import numpy as np
import xarray as xr


def effective_dimension(activations: xr.DataArray, *, centred: bool = True) -> xr.Dataset:
    """Return the participation ratio of the principal components' variances, for each seed.

    ``activations`` is (seed, sample, unit); each variable of what is returned becomes a column of
    ``runs.csv`` and is correlated with the test error and the generalization gap.
    """
    values = activations - activations.mean("sample") if centred else activations
    singular = np.linalg.svd(values.transpose("seed", "sample", "unit").values, compute_uv=False)
    variances = singular.astype(float) ** 2  # (seed, component)
    ratio = variances.sum(1) ** 2 / (variances**2).sum(1)
    attributes = {"long_name": "effective dimension", "units": "1"}
    return xr.Dataset(
        {"effective_dimension": ("seed", ratio, attributes)}, {"seed": values["seed"]}
    )
