"""The noise variance under which each sample is best predicted by the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from infotheo.arrays.samples import Array, read_samples, to_numpy
from infotheo.arrays.scaling import divide
from infotheo.estimators.noise.variance import require_representable, settle_variances
from infotheo.estimators.pair_sums.distances import centred, squared_distance_tiles

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["likelihood_noise_variance"]

ZOOM_POINTS = 17  # candidates in one pass over the distances
ZOOM_PASSES = 6  # each pass narrows the bracket eightfold


def likelihood_noise_variance(
    z: Any, *, sample_dim: str = "sample", unit_dim: str = "unit"
) -> Array | xr.DataArray:
    r"""Noise variance that maximises the leave-one-out likelihood of the Gaussian mixture.

    Parameters
    ----------
    z
        Samples (..., sample, unit).
    sample_dim, unit_dim
        Names of the two dimensions of a DataArray.

    Returns
    -------
    array
        The maximiser of :math:`\sum_i \ln \sum_{j \ne i} N(z_i; z_j, \sigma^2 I)`, to a relative
        1e-4, in the squared unit of ``z``: a scalar, or (*batch, 1), or a DataArray with the
        leading dimensions. It carries no gradient. Multimodal likelihoods are searched on a grid
        first.

    Raises
    ------
    ValueError
        If every sample has an exact duplicate: the likelihood then grows without bound as the
        variance goes to 0.

    Notes
    -----
    At a maximum the variance equals a weighted mean of squared distances over the number of units,
    with weights that fall with distance; it lies between the mean over nearest neighbours and the
    mean over all pairs, which is the search interval. Kolchinsky & Tracey 2017, section V.

    Examples
    --------
    >>> round(float(likelihood_noise_variance([[0.0], [1.0], [2.0], [3.0]])), 3)
    2.111
    """
    samples = read_samples(z, sample_dim=sample_dim, unit_dim=unit_dim)
    xp = samples.namespace
    x = samples.flat()
    x, factors = divide(x.detach() if hasattr(x, "detach") else x, (1, 2), xp)
    x = centred(x, xp)
    variances = np.array(
        [_most_likely_variance(x[index : index + 1], xp) for index in range(x.shape[0])]
    )
    if np.any(factors != 1):
        with np.errstate(over="ignore"):
            variances = variances * factors[:, 0, 0] * factors[:, 0, 0]
        require_representable(variances, samples)
    values = samples.like(variances)[:, None]
    return settle_variances(values, samples, True, "likelihood_noise_variance", {})


def _most_likely_variance(x: Array, xp: Any) -> float:
    """Search ln variance on ever finer grids; each grid costs one pass over the distances."""
    size, units = x.shape[1:]
    nearest = _nearest_squared(x, xp)
    low = float(xp.mean(nearest)) / units
    high = float(xp.mean(xp.sum(x * x, axis=-1))) * 2 * size / (size - 1) / units
    if low <= 1e-14 * high or high == 0:
        raise ValueError(
            "z holds an exact duplicate of every sample; expected distinct samples (the likelihood "
            "grows without bound as the noise variance goes to 0)"
        )
    start, stop = np.log([low, max(high, low)])
    for _ in range(ZOOM_PASSES):
        grid = np.linspace(start, stop, ZOOM_POINTS)
        best = int(np.argmax(_leave_one_out(x, nearest, np.exp(grid), xp)))
        start, stop = grid[max(best - 1, 0)], grid[min(best + 1, ZOOM_POINTS - 1)]
    return float(np.exp((start + stop) / 2))


def _nearest_squared(x: Array, xp: Any) -> Array:
    """Squared distance of every sample to its nearest other one (sample,)."""
    nearest = xp.full_like(x[0, :, 0], float("inf"))
    for rows, columns, tile in squared_distance_tiles(x, xp):
        tile = tile[0]
        if rows == columns:
            far = xp.full_like(tile, float("inf"))
            tile = xp.where(xp.eye(tile.shape[0], device=tile.device) > 0, far, tile)
        nearest[rows] = xp.minimum(nearest[rows], xp.min(tile, axis=1))
        nearest[columns] = xp.minimum(nearest[columns], xp.min(tile, axis=0))
    return nearest


def _leave_one_out(x: Array, nearest: Array, noise_variances: np.ndarray, xp: Any) -> np.ndarray:
    """Mean leave-one-out log-likelihood at each variance, up to a constant."""
    sums = xp.stack([xp.zeros_like(nearest)] * len(noise_variances))  # (variance, sample)
    for rows, columns, tile in squared_distance_tiles(x, xp):
        off = tile[0]
        size = off.shape[0]
        mask = 1 - xp.eye(size, dtype=off.dtype, device=off.device) if rows == columns else 1
        for k, noise_variance in enumerate(noise_variances):
            factor = -0.5 / float(noise_variance)
            sums[k, rows] += xp.sum(xp.exp((off - nearest[rows, None]) * factor) * mask, axis=1)
            if rows != columns:
                sums[k, columns] += xp.sum(xp.exp((off - nearest[None, columns]) * factor), axis=0)
    logs = to_numpy(xp.mean(xp.log(sums), axis=1)) - float(xp.mean(nearest)) / (2 * noise_variances)
    likelihoods: np.ndarray = logs - x.shape[-1] / 2 * np.log(noise_variances)
    return likelihoods
