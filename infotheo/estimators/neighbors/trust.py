"""Doubts about a nearest-neighbour estimate, raised by the data it came from.

The estimators take the density as constant across a neighbourhood. In many dimensions the k-th
neighbour is as far as the data are wide, and they return far too little, quietly. So they are put
to the same test with a known answer: Gaussian samples of the same size, with the covariances of the
data, whose information has a closed form.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from infotheo.arrays.random_streams import numpy_generator
from infotheo.estimators.neighbors.search import Nearest, count_near
from infotheo.estimators.shannon import entropy

__all__ = [
    "NeighborTrustWarning",
    "describe_doubt",
    "describe_negative_value",
    "is_mostly_repeated",
    "joint_trial",
    "label_trial",
    "pair_trial",
]

MISSING = 0.25  # of the information: more than this, beyond chance, is too much
TRIED = 500  # samples of the trial for which the estimate is made
WEAK, PLANTED = (
    0.5,
    1.0,
)  # nats: less linear information than WEAK tests nothing, so some is planted
REPEATED = 0.1  # share of samples with repeated values whose neighbourhoods mix several of them
SYMBOLS = 40  # places, or one for each PER_SYMBOL samples: up to then samples are symbols
PER_SYMBOL = 20
FULL = 0.9  # of the ceiling

Terms = Callable[[Sequence[np.ndarray], np.ndarray], np.ndarray]  # (spaces, queries) -> (query,)
ClassTerms = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]  # (x, labels, queries)


class NeighborTrustWarning(UserWarning):
    """A nearest-neighbour estimate that its data do not support."""


def _queries(size: int) -> np.ndarray:
    return np.unique(np.linspace(0, size - 1, min(TRIED, size)).astype(np.int64))


def _verdict(
    estimated: np.ndarray, exact: np.ndarray, information: float, dimensions: str
) -> str | None:
    """Compare the estimate's terms with the true log density ratios of the same samples."""
    missing = exact - estimated
    error = missing.std() / math.sqrt(len(missing))
    if missing.mean() - 3 * error <= MISSING * information:
        return None
    return (
        f"in {dimensions} it finds {information - missing.mean():.2g} of {information:.2g} nats in "
        "as many Gaussian samples with the same covariances"
    )


def _principal(space: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Factor centred data into orthonormal scores (sample, rank) and loadings (rank, unit)."""
    centred = space - space.mean(axis=0)
    scores, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    rank = int(np.sum(sizes > sizes[0] * max(space.shape) * 2.0**-52)) if sizes[0] > 0 else 0
    return scores[:, :rank], sizes[:rank, None] * axes[:rank]


def _true_correlations(squared: np.ndarray, share_x: float, share_y: float) -> np.ndarray:
    """Undo the inflation of squared canonical correlations by many dimensions.

    ``share_x`` and ``share_y`` are dimensions per sample. A true value r appears as
    (r + (1 - r) share_x) (r + (1 - r) share_y) / r, Bao, Hu, Pan & Zhou 2019, theorem 1.8; one that
    chance can give, as 0.

    Examples
    --------
    >>> _true_correlations(np.array([0.02, 0.5]), 0.01, 0.01).round(3).tolist()
    [0.0, 0.49]
    """
    a = (1 - share_x) * (1 - share_y)
    b = share_y * (1 - share_x) + share_x * (1 - share_y) - squared
    rest = b * b - 4 * a * share_x * share_y
    return np.where(rest > 0, np.clip((-b + np.sqrt(np.maximum(rest, 0))) / (2 * a), 0, 1), 0)


def pair_trial(x: np.ndarray, y: np.ndarray, terms: Terms) -> str | None:
    """Try an estimator of I(x;y) on Gaussian samples like x and y; say what it misses."""
    size = len(x)
    (u, loadings_x), (v, loadings_y) = _principal(x), _principal(y)
    if not (len(loadings_x) and len(loadings_y)):
        return None  # constant: nothing to find
    if len(loadings_x) + len(loadings_y) >= size - 1:
        return f"{x.shape[1]} + {y.shape[1]} units are too many for {size} samples"
    left, correlations, right = np.linalg.svd(u.T @ v, full_matrices=True)
    squared = _true_correlations(correlations**2, len(loadings_x) / size, len(loadings_y) / size)
    squared = np.minimum(squared, 1 - 1e-12)
    if -0.5 * np.log1p(-squared).sum() >= WEAK:
        loadings_x, loadings_y = left.T @ loadings_x, right @ loadings_y
    else:  # between the directions of most variance, where it is easiest to see
        squared = np.zeros_like(squared)
        squared[0] = 1 - math.exp(-2 * PLANTED)
    stream = numpy_generator(0, "pair trial")
    a, b = (stream.standard_normal((size, len(loadings))) for loadings in (loadings_x, loadings_y))
    m, rho = len(squared), np.sqrt(squared)
    b[:, :m] = rho * a[:, :m] + np.sqrt(1 - squared) * b[:, :m]
    queries = _queries(size)
    p, q = a[queries, :m], b[queries, :m]
    information = -0.5 * np.log1p(-squared)
    true = information + (2 * rho * p * q - squared * (p**2 + q**2)) / (2 * (1 - squared))
    scale = math.sqrt(size - 1)
    results = terms([a @ loadings_x / scale, b @ loadings_y / scale], queries)
    dimensions = f"{x.shape[1]} + {y.shape[1]} dimensions"
    return _verdict(results, true.sum(axis=1), float(information.sum()), dimensions)


def joint_trial(z: np.ndarray, terms: Terms) -> str | None:
    """Try an estimator of total correlation on Gaussian samples like z; say what it misses."""
    size = len(z)
    z = z[:, z.std(axis=0) > 0]
    if z.shape[1] < 2:
        return None
    if z.shape[1] >= size - 1:
        return f"{z.shape[1]} units are too many for {size} samples"
    deviation = z.std(axis=0)
    correlation = np.atleast_2d(np.corrcoef(z, rowvar=False))
    # chance correlations, of about 1/sqrt(N) each, add up over many pairs
    chance = z.shape[1] * (z.shape[1] - 1) / (4 * size)
    eigenvalues = np.linalg.eigvalsh(correlation)
    if eigenvalues[0] < 1e-10 or -0.5 * np.log(eigenvalues).sum() - chance < WEAK:
        correlation = np.eye(z.shape[1])
        first, second = np.argsort(deviation)[-2:]
        correlation[first, second] = correlation[second, first] = math.sqrt(
            1 - math.exp(-2 * PLANTED)
        )
    root = np.linalg.cholesky(correlation)
    information = -float(np.log(np.diagonal(root)).sum())
    white = numpy_generator(0, "joint trial").standard_normal(z.shape)
    samples = white @ root.T
    queries = _queries(size)
    true = information + 0.5 * ((samples**2).sum(axis=1) - (white**2).sum(axis=1))[queries]
    results = terms([column[:, None] for column in (samples * deviation).T], queries)
    return _verdict(results, true, information, f"{z.shape[1]} dimensions")


def label_trial(x: np.ndarray, codes: np.ndarray, value: float, terms: ClassTerms) -> str | None:
    """Try an estimator of I(x;label) on Gaussian x whose leading direction decides the label."""
    size = len(x)
    shares = np.bincount(codes) / size
    label_entropy = entropy(shares)
    _, loadings = _principal(x)
    if not len(loadings) or value >= (1 - MISSING) * label_entropy:
        return None  # nothing to find; or nothing more that could be missing
    if len(loadings) >= size - 1:
        return f"{x.shape[1]} units are too many for {size} samples"
    scores = numpy_generator(0, "label trial").standard_normal((size, len(loadings)))
    labels = np.empty(size, np.int64)
    labels[np.argsort(scores[:, 0])] = np.sort(codes)
    queries = _queries(size)
    estimated = terms(scores @ loadings, labels, queries)
    missing = -np.log(shares[labels[queries]]) - estimated
    if missing.mean() - 3 * missing.std() / math.sqrt(len(queries)) <= MISSING * label_entropy:
        return None
    return (
        f"in {x.shape[1]} dimensions it finds {label_entropy - missing.mean():.2g} of "
        f"{label_entropy:.2g} nats in as many Gaussian samples with the same covariance, labelled "
        "by their leading direction"
    )


def _mixes_values(space: np.ndarray, neighborhoods: Nearest, space_index: int, k: int) -> bool:
    """Whether neighbourhoods span several of the repeated values of a space."""
    if len(np.unique(space[:, 0])) > (1 - REPEATED) * len(space):
        return False
    everyone = np.arange(len(space))
    place_counts = count_near(space, np.zeros(len(space)), queries=everyone)
    return bool(
        np.mean((place_counts >= k) & (neighborhoods.counts[space_index] > place_counts)) > REPEATED
    )


def _describe_repeats(spaces: Sequence[np.ndarray]) -> str | None:
    """Say so if rows repeat that are no symbols: rows copied, or one place beside a continuum."""
    size = len(spaces[0])
    if any(len(np.unique(space[:, 0])) > (1 - REPEATED / 2) * size for space in spaces):
        return None
    rows = np.concatenate(spaces, axis=1)
    _, counts = np.unique(rows, axis=0, return_counts=True)
    repeated = int(counts[counts > 1].sum())
    if repeated <= REPEATED * size or len(counts) <= max(SYMBOLS, size / PER_SYMBOL):
        return None
    if counts.max() > REPEATED * size:
        return (
            f"{counts.max()} of {size} samples are at one place and {len(counts) - 1} others "
            "elsewhere; expected a continuum, or few values (leave out zeros or imputed values)"
        )
    return (
        f"{repeated} of {size} samples repeat others exactly, of {len(counts)} different ones; "
        "expected each sample once (leave out copied rows), or few values"
    )


def describe_doubt(
    spaces: Sequence[np.ndarray],
    names: Sequence[str],
    neighborhoods: Nearest,
    terms: np.ndarray,
    k: int,
    ceiling: float,
) -> str | None:
    """Say what in the estimate itself speaks against it: repeated values, ceiling, sign."""
    for space_index, name in enumerate(names):
        if _mixes_values(spaces[space_index], neighborhoods, space_index, k):
            distinct = len(np.unique(spaces[space_index], axis=0))
            return (
                f"{name} takes {distinct} distinct values in {len(terms)} samples and "
                "neighbourhoods mix them; if they are classes, pass them as y with discrete_y=True"
            )
    repeats = _describe_repeats(spaces)
    if repeats:
        return repeats
    value = terms.mean()
    if value >= FULL * ceiling > 0 and not is_mostly_repeated(neighborhoods):
        return (
            f"{value:.3g} nats is within 10% of {ceiling:.3g}, the most that {len(terms)} samples "
            "can show"
        )
    return describe_negative_value(terms)


def describe_negative_value(terms: np.ndarray) -> str | None:
    """Say so if the mean of the terms is negative by more than four standard errors."""
    value = terms.mean()
    if value >= -4 * terms.std() / math.sqrt(len(terms)) - 1e-9:
        return None
    return f"{value:.3g} nats is negative beyond chance"


def is_mostly_repeated(neighborhoods: Nearest) -> bool:
    """Whether most samples coincide with k others: then symbols are counted, not distances."""
    return bool(np.mean(neighborhoods.radius == 0) > 0.5)
