"""Mutual information from nearest neighbours: Kraskov's two estimators, and Ross's for classes.

Kraskov, Stoegbauer & Grassberger, Phys. Rev. E 69, 066138 (2004); Ross, PLoS ONE 9, e87357 (2014);
repeated points as Gao, Kannan, Oh & Viswanath, NeurIPS (2017).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from infotheo.arrays.labels import Classes, Units, check_choice, nats_per, read_classes
from infotheo.arrays.numbers import check_switch
from infotheo.arrays.pairs import read_paired
from infotheo.arrays.results import FieldNote, wrap
from infotheo.arrays.samples import Array, read_samples, to_numpy
from infotheo.arrays.scaling import divide, largest_magnitude, scales
from infotheo.arrays.wording import describe
from infotheo.estimators.far_samples import far_samples
from infotheo.estimators.neighbors.search import Nearest, count_near, find_nearest
from infotheo.estimators.neighbors.trust import (
    NeighborTrustWarning,
    describe_doubt,
    describe_negative_value,
    is_mostly_repeated,
    label_trial,
    pair_trial,
)
from infotheo.estimators.shannon import entropy

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "NeighborInformation",
    "NeighborTrustWarning",
    "check_neighbors",
    "neighbor_information",
    "product_terms",
    "scale_together",
    "standardize_space",
    "warn_if_doubtful",
]


class NeighborInformation(NamedTuple):
    """Result of :func:`neighbor_information`."""

    value: Array
    ceiling: Array


def neighbor_information(
    x: Any,
    y: Any,
    *,
    k: int = 3,
    discrete_y: bool = False,
    algorithm: Literal["ksg1", "ksg2"] = "ksg1",
    standardize: Literal["sides", "units"] | None = None,
    check_trust: bool = True,
    units: Units = "nats",
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> NeighborInformation | xr.Dataset:
    r"""Estimate I(X;Y) from the distances to nearest neighbours, in few dimensions.

    Parameters
    ----------
    x
        Samples (..., sample, unit); leading dimensions are batch dimensions.
    y
        Samples (..., sample, unit) with the leading dimensions of ``x`` or none; with
        ``discrete_y``, integer class labels (sample,) or one-hot rows, shared by the batch.
    k
        Which neighbour sets the scale: small k, little bias; large k, little variance.
    discrete_y
        Whether y are classes: Ross's estimator instead of ``algorithm``.
    algorithm
        "ksg1": balls, eq. 8 of Kraskov et al.; "ksg2": rectangles, eq. 9.
    standardize
        Divide beforehand by the standard deviation of each side as a whole ("sides") or of each
        unit ("units"). ``None``: the published estimators, which compare distances in x with
        distances in y, and of units with each other, as they are: a side a hundred times smaller
        than the other costs a third of 1.2 nats, without a warning.
    check_trust
        Whether to warn where the estimate cannot be trusted, at a few percent of the cost for large
        samples.
    units
        "nats" or "bits".
    sample_dim, unit_dim
        Names of the two dimensions of a DataArray.

    Returns
    -------
    NeighborInformation or xarray.Dataset
        ``value``: may be negative by chance, and is not cut at 0. ``ceiling``: the most that the
        estimator can return for this sample size, :math:`\psi(N) - \psi(k)` without repeated
        points; with ``discrete_y`` the label entropy H(Y), at which ``value`` is cut, because
        Ross's estimator can exceed it by up to about C / 2N for C classes.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, k is not below the number of samples, or a class has
        one sample only; the message names it and what was found.

    Warns
    -----
    NeighborTrustWarning
        If one of these holds. (1) In as many Gaussian samples with the covariances of x and y and
        their linear dependence, the estimator misses more than a quarter of the information, which
        is known there, beyond three standard errors. Where the linear dependence is below 0.5 nats,
        1 nat between the leading principal directions is planted instead; for classes, a label that
        the leading principal direction decides (unless the value is above 3/4 of H(Y)).
        (2) Repeated values on one side, as class labels are, get mixed in the neighbourhoods.
        (3) The value is within 10 % of the ceiling. (4) It is negative beyond chance. (5) A class
        has at most k samples, so that its neighbourhoods are of fewer. (6) More than a tenth of the
        samples repeat others in x and y, though the data take many values: copied rows, or a place
        (zeros of a ReLU, imputed values) beside a continuum. Data of few values are no such case.

    Notes
    -----
    In the maximum norm, with :math:`\epsilon_i` the distance of sample i to its k-th neighbour and
    :math:`n_x(i)` the number of others nearer than that in x (strictly),

    .. math::
        I_1 = \psi(k) + \psi(N) - \langle \psi(n_x + 1) + \psi(n_y + 1) \rangle, \qquad
        I_2 = \psi(k) - 1/k + \psi(N) - \langle \psi(n_x) + \psi(n_y) \rangle,

    where :math:`I_2` counts those within (not strictly) the sides of the smallest rectangle around
    the k neighbours. Ross: the k-th neighbour among the :math:`N_y` of the same class, and
    :math:`\psi(k) + \psi(N) - \langle \psi(N_y) + \psi(m) \rangle`, m one more than the number of
    samples strictly nearer. No noise is added to break ties: k is replaced, sample by sample, by
    the least k with the same distance (by the largest for :math:`I_2`), and where the distance is
    0, by the number of samples at this place. So a constant side gives exactly 0, and discrete data
    a bias-corrected count of symbols. A side that is constant within a rectangle is counted as in
    :math:`I_1`, without its share of 1/k.

    Computed on the host in float64, on OMP_NUM_THREADS threads (default: the cores of the process);
    no gradient. Standard errors: :func:`~infotheo.subsample_error`.

    Examples
    --------
    >>> stream = np.random.default_rng(0)
    >>> x = stream.normal(size=(1000, 1))
    >>> y = 0.75 * x + 0.4375**0.5 * stream.normal(size=(1000, 1))
    >>> round(neighbor_information(x, y).value, 2)  # the truth is 0.41
    np.float64(0.42)
    """
    check_choice(algorithm, ("ksg1", "ksg2"), "algorithm")
    check_choice(standardize, (None, "sides", "units"), "standardize")
    discrete_y = check_switch(discrete_y, "discrete_y")
    check_trust = check_switch(check_trust, "check_trust")
    scale = nats_per(units)
    if discrete_y:
        samples = read_samples(x, name="x", sample_dim=sample_dim, unit_dim=unit_dim)
        k = check_neighbors(k, samples.size)
        classes = read_classes(y, samples, "y")
        _check_classes(classes)
        estimates = [
            _estimate_classes(a, classes, k, standardize, check_trust)
            for a in to_numpy(samples.flat())
        ]
    else:
        samples, other = read_paired(x, y, sample_dim=sample_dim, unit_dim=unit_dim)
        k = check_neighbors(k, samples.size)
        pairs = zip(to_numpy(samples.flat()), to_numpy(other.flat()), strict=True)
        estimates = [_estimate_pair(a, b, k, algorithm, standardize, check_trust) for a, b in pairs]
    values, ceilings, reasons = zip(*estimates, strict=True)
    warn_if_doubtful(reasons)
    kind = "Ross" if discrete_y else algorithm
    one_ceiling = ceilings[0] if discrete_y else samples.unflat(samples.like(np.array(ceilings)))
    return wrap(
        NeighborInformation(
            value=samples.unflat(samples.like(np.array(values))) / scale,
            ceiling=samples.like(one_ceiling) / scale,
        ),
        samples,
        estimator="neighbor_information",
        settings={"k": k, "algorithm": kind.lower(), "standardize": standardize},
        notes={
            "value": FieldNote(units, f"nearest-neighbour estimate of I(X;Y), {kind}"),
            "ceiling": FieldNote(
                units, "label entropy H(Y)" if discrete_y else "most that the estimator can return"
            ),
        },
    )


def check_neighbors(k: Any, size: int) -> int:
    """Check a number of neighbours: whole, at least 1, below the number of samples.

    Examples
    --------
    >>> check_neighbors(5, 5)
    Traceback (most recent call last):
    ...
    ValueError: k is 5; expected at least 1 and fewer than the 5 samples
    """
    if isinstance(k, bool) or not isinstance(k, int | np.integer):
        raise TypeError(f"k is {describe(k)}; expected a whole number")
    if not 1 <= k < size:
        raise ValueError(
            f"k is {describe(k)}; expected at least 1 and fewer than the {size} samples"
        )
    return int(k)


def standardize_space(space: np.ndarray, standardize: str | None) -> np.ndarray:
    """Divide samples (sample, unit) by a standard deviation; constant ones stay.

    Single samples that would decide it have no part in it.

    Examples
    --------
    >>> standardize_space(np.array([[1.0, 5.0], [3.0, 5.0]]), "units").tolist()
    [[1.0, 5.0], [3.0, 5.0]]
    """
    if standardize is None:
        return space
    space = divide(space, 0 if standardize == "units" else (0, 1), np)[0]
    constant = np.all(space == space[0], axis=0)
    variance = np.where(constant, 0.0, space.var(axis=0))
    far = far_samples(space)
    for unit in np.flatnonzero(far.any(axis=0)):
        variance[unit] = space[~far[:, unit], unit].var()
    deviation = np.sqrt(variance if standardize == "units" else variance.mean())
    return space / np.where(deviation > 0, deviation, 1.0)


def scale_together(*spaces: np.ndarray) -> tuple[np.ndarray, ...]:
    """Divide spaces by one power of two, if their distances would overflow or lose digits.

    Examples
    --------
    >>> scale_together(np.array([[2.0**900]]), np.array([[2.0**899]]))
    (array([[1.]]), array([[0.5]]))
    """
    largest = max(float(largest_magnitude(space, (0, 1), np)[0, 0]) for space in spaces)
    factor = float(scales(np.array(largest)))
    return spaces if factor == 1 else tuple(space / factor for space in spaces)


def product_terms(neighborhoods: Nearest, k: int, size: int, rectangle: bool) -> np.ndarray:
    """Each query's term of Kraskov's estimators for any number of spaces, eq. 23 and 24 there.

    Examples
    --------
    >>> spaces = [np.array([[0.0], [1.0], [3.0]]), np.zeros((3, 1))]
    >>> product_terms(find_nearest(spaces, 1), 1, 3, False).round(9).tolist()
    [0.0, 0.0, 0.0]
    """
    from scipy.special import digamma

    counts = np.stack(
        [neighborhoods.counts[space_index] for space_index in range(len(neighborhoods.sides))]
    )
    terms: np.ndarray = digamma(neighborhoods.order) + (len(counts) - 1) * digamma(size)
    if rectangle:
        constant = neighborhoods.sides == 0
        spread = np.maximum((~constant).sum(axis=0) - 1, 0)
        terms = terms - spread / neighborhoods.order - digamma(counts + constant).sum(axis=0)
    else:
        terms = terms - digamma(counts + 1).sum(axis=0)
    return terms


def _estimate_pair(
    x: np.ndarray, y: np.ndarray, k: int, algorithm: str, standardize: str | None, check_trust: bool
) -> tuple[float, float, str | None]:
    """Value, ceiling and the first reason for doubt, if asked for."""
    from scipy.special import digamma

    rectangle, size = algorithm == "ksg2", len(x)
    x, y = standardize_space(x, standardize), standardize_space(y, standardize)
    x, y = scale_together(x, y)
    spaces = [x, y]
    neighborhoods = find_nearest(spaces, k, rectangle=rectangle)
    terms = product_terms(neighborhoods, k, size, rectangle)
    order = neighborhoods.order
    spread = np.all(neighborhoods.sides > 0, axis=0) / order if rectangle else 0.0
    ceiling = float(np.mean(digamma(size) - digamma(order) - spread))

    def trial(spaces: Sequence[np.ndarray], queries: np.ndarray) -> np.ndarray:
        trial_neighborhoods = find_nearest(spaces, k, queries=queries, rectangle=rectangle)
        return product_terms(trial_neighborhoods, k, len(spaces[0]), rectangle)

    reason = None
    if check_trust:
        reason = describe_doubt(spaces, ("x", "y"), neighborhoods, terms, k, ceiling)
        if not is_mostly_repeated(neighborhoods):
            far = np.zeros(size, dtype=bool)
            if standardize is not None:
                far = np.any(far_samples(np.concatenate(spaces, axis=1)), axis=1)
            reason = reason or pair_trial(x[~far], y[~far], trial)
    return float(terms.mean()), ceiling, reason


def _class_terms(
    x: np.ndarray, codes: np.ndarray, queries: np.ndarray | None = None, *, k: int
) -> np.ndarray:
    """Each query's term of Ross's estimator."""
    from scipy.special import digamma

    size = len(x)
    queries = np.arange(size) if queries is None else queries
    radius, order = np.empty(size), np.empty(size, np.int64)
    for code in np.unique(codes[queries]):
        members = np.flatnonzero(codes == code)
        class_queries = np.intersect1d(members, queries)
        neighborhoods = find_nearest(
            [x[members]],
            min(k, len(members) - 1),
            queries=np.searchsorted(members, class_queries),
            count=False,
        )
        radius[class_queries], order[class_queries] = neighborhoods.radius, neighborhoods.order
    within = count_near(x, radius[queries], queries=queries) + 1
    class_sizes = np.bincount(codes)[codes[queries]]
    terms: np.ndarray = (
        digamma(order[queries]) + digamma(size) - digamma(class_sizes) - digamma(within)
    )
    return terms


def _estimate_classes(
    x: np.ndarray, classes: Classes, k: int, standardize: str | None, check_trust: bool
) -> tuple[float, float, str | None]:
    """Value, ceiling and the first reason for doubt, if asked for."""
    ceiling = entropy(classes.probabilities())
    (x,) = scale_together(standardize_space(x, standardize))
    terms = _class_terms(x, classes.codes, k=k)
    value = min(float(terms.mean()), ceiling)
    reason = None
    if check_trust:
        reason = _describe_small_class(classes, k) or describe_negative_value(terms)
        reason = reason or label_trial(x, classes.codes, value, partial(_class_terms, k=k))
    return value, ceiling, reason


def _check_classes(classes: Classes) -> None:
    alone = classes.labels[np.bincount(classes.codes) < 2]
    if len(alone):
        raise ValueError(
            f"y has 1 sample of class {alone[0]}; expected at least 2 of each class, to be "
            "neighbours"
        )


def _describe_small_class(classes: Classes, k: int) -> str | None:
    counts = np.bincount(classes.codes)
    if counts.min() > k:
        return None
    label, size = classes.labels[counts.argmin()], counts.min()
    return f"class {label} has {size} samples, so k is {size - 1} there, not {k}"


def warn_if_doubtful(reasons: Sequence[str | None]) -> None:
    """Warn of the first reason, and say how many batch elements have one."""
    doubts = [reason for reason in reasons if reason]
    if doubts:
        share = f" ({len(doubts)} of {len(reasons)} batch elements)" if len(reasons) > 1 else ""
        warnings.warn(
            f"the nearest-neighbour estimate cannot be trusted{share}: {doubts[0]}",
            NeighborTrustWarning,
            stacklevel=3,
        )
