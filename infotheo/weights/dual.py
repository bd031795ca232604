"""I(z;x) + TC(z) of a layer whose weights are noisy (paper 3, section 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from infotheo.arrays.conversion import read_array, read_real
from infotheo.arrays.labels import Units, nats_per
from infotheo.arrays.pairs import check_leading
from infotheo.arrays.results import FieldNote, wrap
from infotheo.arrays.samples import Array, Samples, check_dim_name, is_labelled, read_samples
from infotheo.arrays.scaling import divide
from infotheo.arrays.wording import describe
from infotheo.weights.logarithm import log_or_minus_infinity

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["DualInformation", "dual_information"]

LARGEST = 700  # exp(alpha) is still a float64
BLOCK = 1 << 22  # entries of a block of samples by outputs: 32 MiB of float64


class DualInformation(NamedTuple):
    """Result of :func:`dual_information`."""

    value: Array
    per_unit: Array


def dual_information(
    x: Any,
    weights: Any,
    alpha: Any,
    *,
    units: Units = "nats",
    sample_dim: str = "sample",
    unit_dim: str = "unit",
    output_dim: str = "output",
) -> DualInformation | xr.Dataset:
    r"""Information plus total correlation of a linear layer with multiplicative weight noise.

    Parameters
    ----------
    x
        What the layer receives, (..., sample, unit); leading dimensions are batch dimensions.
    weights
        Mean weights with a row for each output, z = Wx, as paper 3 writes them and
        ``torch.nn.Linear`` stores them: (output, unit), shared by the batch, or (*batch, output,
        unit). Of a DataArray, the dimensions ``output_dim`` and ``unit_dim``.
    alpha
        Variance of ln(w), > 0: a number, one for each output (output,), or one for each weight
        (output, unit) or (*batch, output, unit). The paper has one for each output.
    units
        "nats" or "bits".
    sample_dim, unit_dim, output_dim
        Names of the dimensions of DataArrays.

    Returns
    -------
    DualInformation or xarray.Dataset
        ``value``: I(z;x) + TC(z) of the layer (*batch), the sum of ``per_unit`` (*batch, output),
        each output's I(z_i;x). Less :func:`infotheo.total_correlation` of noisy activations it is
        I(z;x). Infinite if a sample is 0 in all units that an output looks at, which no noise then
        reaches; 0 for an output whose weights are all 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; the message names it and what was found.

    Notes
    -----
    With :math:`\tilde\alpha_i = e^{\alpha_i} - 1`, :math:`I(z;x) + TC(z) = -\tfrac12 \sum_i E_x
    \ln \frac{\tilde\alpha_i \hat W_i^2 \cdot x^2}{\hat W_i \cdot Cov(x) \hat W_i + \tilde\alpha_i
    \hat W_i^2 \cdot E x^2}`, with expectations and the covariance over the samples given (1/N).
    Exact if every :math:`z_i` and :math:`z_i|x` is Gaussian. They are sums over the layer's inputs,
    so this is an approximation for many inputs, none of which dominates, and inputs that do not
    fall into far clusters; it is no bound. There is no standard error: resample x for one. Noise
    for each weight enters as :math:`\sum_j \tilde\alpha_{ij} \hat W_{ij}^2 x_j^2`. Source: paper
    3, proposition 6.

    Examples
    --------
    >>> information = dual_information([[1.0, 1.0], [-1.0, -1.0]], [[1.0, 1.0]], alpha=np.log(2))
    >>> round(information.value, 4)  # noise 2, signal 4: ln(3) / 2
    np.float64(0.5493)
    """
    check_dim_name(output_dim, "output_dim")
    samples = read_samples(x, name="x", sample_dim=sample_dim, unit_dim=unit_dim)
    scale = nats_per(units)
    means = _read_weights(weights, samples, output_dim, unit_dim)
    spread = _read_noise(alpha, means, samples, output_dim, unit_dim)
    xp = samples.namespace
    # a ratio of variances: neither the scale of x nor that of the weights has a part in it
    x_scaled, means = divide(samples.flat(), (1, 2), xp)[0], divide(means, (1, 2), xp)[0]
    per_unit = samples.unflat(_gaussian_information(samples, x_scaled, means, spread)) / scale
    return wrap(
        DualInformation(xp.sum(per_unit, axis=-1), per_unit),
        samples,
        estimator="dual_information",
        settings={"inputs": samples.units, "outputs": int(means.shape[-2])},
        notes={
            "value": FieldNote(units, "I(z;x) + TC(z) of the layer"),
            "per_unit": FieldNote(units, "I(z_i;x) of each output"),
        },
        extra_dims=(output_dim,),
    )


def _gaussian_information(samples: Samples, x: Array, means: Array, spread: Array) -> Array:
    """Return E_x KL(N(w x, noise(x)) || N(E z, var z)) of each output, (batch, output)."""
    xp = samples.namespace
    centred = x - xp.mean(x, axis=1, keepdims=True)
    transposed, noise_weights = xp.matrix_transpose(means), xp.matrix_transpose(spread * means**2)
    size, rows = samples.size, max(1, BLOCK // (x.shape[0] * means.shape[-2]))
    signal: Array = 0.0
    mean_noise: Array = 0.0
    mean_log: Array = 0.0
    for start in range(0, size, rows):
        signal = signal + xp.sum((centred[:, start : start + rows] @ transposed) ** 2, axis=1)
        noise = x[:, start : start + rows] ** 2 @ noise_weights  # (batch, sample, output)
        mean_noise = mean_noise + xp.sum(noise, axis=1)
        mean_log = mean_log + xp.sum(log_or_minus_infinity(noise, xp), axis=1)
    total = (signal + mean_noise) / size
    silent = total == 0  # all weights 0, or all inputs: z is 0 whatever x is
    value = (xp.log(xp.where(silent, xp.ones_like(total), total)) - mean_log / size) / 2
    return xp.where(silent, xp.zeros_like(value), value)


def _read_weights(weights: Any, samples: Samples, output_dim: str, unit_dim: str) -> Array:
    """Return weights as (batch or 1, output, unit) beside the samples."""
    matrix = read_samples(
        weights, name="weights", sample_dim=output_dim, unit_dim=unit_dim, minimum=1
    )
    if matrix.units != samples.units:
        raise ValueError(
            f"weights has {matrix.units} columns; expected (output, {samples.units}), one column "
            "for each unit of x"
        )
    check_leading(matrix, samples, ("x", "weights"))
    return samples.like(matrix.flat())


def _read_noise(
    alpha: Any, means: Array, samples: Samples, output_dim: str, unit_dim: str
) -> Array:
    """Return exp(alpha) - 1 in a shape that goes with weights (batch or 1, output, unit)."""
    if is_labelled(alpha):
        named_dims = [dim for dim in (output_dim, unit_dim) if dim in alpha.dims]
        if named_dims == [unit_dim]:
            raise ValueError(
                f"alpha has dimensions {alpha.dims}; expected {describe(output_dim)} too"
            )
        alpha = alpha.transpose(..., *named_dims).values
    alpha = read_array(alpha, "alpha", "real numbers")
    variances = read_real(alpha, "alpha", kinds="fiu")
    outputs, inputs = (int(length) for length in means.shape[-2:])
    shapes = [(), (outputs,), (outputs, inputs), (*samples.batch_shape, outputs, inputs)]
    if variances.shape not in shapes:
        raise ValueError(
            f"alpha has shape {variances.shape}; expected a number, ({outputs},) or {shapes[-1]}"
        )
    bad = variances[~((variances > 0) & np.isfinite(variances))]
    if bad.size:
        raise ValueError(
            f"alpha contains {bad.flat[0]}; expected finite values > 0 (without noise the "
            "information is infinite)"
        )
    if variances.max() > LARGEST:
        raise ValueError(f"alpha contains {variances.max()}; expected at most {LARGEST}")
    values = samples.like(alpha)
    if variances.ndim == 1:
        values = values[:, None]
    elif variances.ndim > 2:
        values = samples.namespace.reshape(values, (-1, outputs, inputs))
    return samples.namespace.expm1(values)
