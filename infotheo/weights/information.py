"""Information that noisy weights keep about their training data (paper 3, claim 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from infotheo.arrays.labels import Units, nats_per
from infotheo.arrays.results import FieldNote, wrap
from infotheo.arrays.samples import Array, to_numpy
from infotheo.weights.parameters import Parameters, read_parameters

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["WeightInformation", "read_alpha", "weight_information"]


class WeightInformation(NamedTuple):
    """Result of :func:`weight_information`."""

    value: Array
    shared_alpha: Array


def weight_information(
    alpha: Any, *, batch_dims: int | Sequence[str] = 0, units: Units = "nats"
) -> WeightInformation | xr.Dataset:
    r"""Information I(w;D) in weights with multiplicative log-normal noise, up to a constant.

    Parameters
    ----------
    alpha
        Noise of each weight, the variance of ln(w), > 0: an array of any shape with one number for
        each weight (broadcast a shared one to the weights' shape yourself), a DataArray, or a
        mapping of names to arrays whose information adds up.
    batch_dims
        How many leading dimensions (or, of a DataArray, their names) count replicas or epochs and
        come back in the result; the sum runs over all others.
    units
        "nats" or "bits".

    Returns
    -------
    WeightInformation or xarray.Dataset
        ``value``: the information (*batch). ``shared_alpha``: the one noise variance that holds as
        much in as many weights, exp(-2 value / dim w), as propositions 6 and 7 take it.

    Raises
    ------
    TypeError, ValueError
        If ``alpha`` is empty, not finite or not positive, or ``batch_dims`` does not fit.

    Notes
    -----
    :math:`I(w;D) = -\tfrac12 \sum_i \ln \alpha_i` for :math:`w_i = \epsilon_i \hat w_i`,
    :math:`\epsilon_i \sim \log N(-\alpha_i/2, \alpha_i)` and a log-uniform prior on every weight.
    The prior is improper, so a constant is arbitrary: it is 0 here, as in paper 3, remark 4.3.
    Only differences between networks of one architecture mean something; the value is negative
    where the noise is large (:math:`\alpha_i > 1`) and no floor is applied. Gradients flow to
    torch input: times :math:`\beta` it is the penalty of eq. 3. Source: paper 3, claim 1.

    Examples
    --------
    >>> information = weight_information([[0.01, 0.04], [1.0, 1.0]])
    >>> round(information.value, 4)  # -(ln 0.01 + ln 0.04) / 2
    np.float64(3.912)
    """
    noise = read_alpha(alpha, batch_dims)
    scale = nats_per(units)
    xp = noise.samples.namespace
    value = -xp.sum(xp.log(noise.values), axis=-1) / 2
    return wrap(
        WeightInformation(value / scale, xp.exp(-2 * value / noise.count)),
        noise.samples,
        estimator="weight_information",
        settings={"weights": noise.count, "constant": 0},
        notes={
            "value": FieldNote(units, "I(w;D), information in the weights, constant 0"),
            "shared_alpha": FieldNote("1", "one noise variance of ln(w) with the same I(w;D)"),
        },
    )


def read_alpha(
    alpha: Any, batch_dims: int | Sequence[str] = 0, *, name: str = "alpha"
) -> Parameters:
    """Check noise variances of ln(w), one for each weight.

    Raises
    ------
    ValueError
        If one is not positive and finite.

    Examples
    --------
    >>> read_alpha([0.5, 0.0])
    Traceback (most recent call last):
    ...
    ValueError: alpha contains 0.0; expected values > 0 (without noise the information is infinite)
    """
    noise = read_parameters(alpha, name=name, batch_dims=batch_dims)
    smallest = float(to_numpy(noise.values).min())
    if smallest <= 0:
        raise ValueError(
            f"{name} contains {smallest}; expected values > 0 (without noise the information is "
            "infinite)"
        )
    return noise
