"""Tasks whose mutual information is known, to see what an estimator is worth before using it.

``tasks`` holds them by name; :func:`linear_gaussian_layer` and :func:`separated_clusters` make
more. Every truth here is the mean of a log density ratio that is given too, so it can be checked.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from infotheo.arrays.conversion import read_real
from infotheo.arrays.numbers import check_count, check_number
from infotheo.arrays.random_streams import numpy_generator

__all__ = ["Task", "linear_gaussian_layer", "separated_clusters", "tasks"]

Ratio = Callable[[np.ndarray, np.ndarray], np.ndarray]
Draw = Callable[[int, np.random.Generator], tuple[np.ndarray, np.ndarray]]
Transform = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Task:
    """A pair of random variables with known mutual information.

    Attributes
    ----------
    name
        Its name in ``tasks``.
    mutual_information
        The truth, in nats.
    log_density_ratio
        ln p(x, y) / p(x) p(y) of samples x and y as ``sample`` gives them: (sample,), in nats. Its
        mean is the mutual information.
    discrete_y
        Whether y are integer labels (sample,) instead of samples (sample, unit).
    """

    name: str
    mutual_information: float
    draw: Draw
    log_density_ratio: Ratio
    discrete_y: bool = False

    def sample(self, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw x (sample, unit) and y, the same for the same seed.

        Examples
        --------
        >>> x, y = tasks["normal 0.75"].sample(100, seed=0)
        >>> x.shape, y.shape
        ((100, 1), (100, 1))
        """
        return self.draw(size, numpy_generator(seed, "task"))


def _normal_pair(rho: float) -> tuple[Draw, Ratio]:
    def draw(size: int, stream: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x, noise = stream.standard_normal((2, size, 1))
        return x, rho * x + math.sqrt(1 - rho**2) * noise

    def ratio(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        quadratic = 2 * rho * x * y - rho**2 * (x**2 + y**2)
        terms = quadratic / (2 * (1 - rho**2)) - 0.5 * math.log1p(-(rho**2))
        log_ratio: np.ndarray = terms[:, 0]
        return log_ratio

    return draw, ratio


def _transform_pair(
    draw: Draw,
    ratio: Ratio,
    forward: tuple[Transform, Transform],
    back: tuple[Transform, Transform],
) -> tuple[Draw, Ratio]:
    """Put x and y through increasing functions, which change no information."""

    def new_draw(size: int, stream: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x, y = draw(size, stream)
        return forward[0](x), forward[1](y)

    return new_draw, lambda x, y: ratio(back[0](x), back[1](y))


def _two_bumps(weight: float, first: float, second: float) -> tuple[Transform, Transform]:
    """Functions from a normal variable to a mixture of two normals and back, through quantiles."""
    from scipy.special import log_ndtr, ndtri_exp

    log_weights = math.log(weight), math.log1p(-weight)

    def back(t: np.ndarray) -> np.ndarray:
        # each tail from its own side, where its probability keeps its digits
        a, b = t - first, t - second
        below = np.logaddexp(log_weights[0] + log_ndtr(a), log_weights[1] + log_ndtr(b))
        above = np.logaddexp(log_weights[0] + log_ndtr(-a), log_weights[1] + log_ndtr(-b))
        normal: np.ndarray = np.where(below < above, ndtri_exp(below), -ndtri_exp(above))
        return normal

    def forward(x: np.ndarray) -> np.ndarray:
        low, high = x + min(first, second), x + max(first, second)
        for _ in range(12):  # into the reach of Newton's method
            middle = (low + high) / 2
            short = back(middle) < x
            low, high = np.where(short, middle, low), np.where(short, high, middle)
        t = (low + high) / 2
        for _ in range(5):
            now = back(t)
            density = weight * np.exp((now**2 - (t - first) ** 2) / 2)
            density += (1 - weight) * np.exp((now**2 - (t - second) ** 2) / 2)
            t = np.clip(t - (now - x) / density, low, high)
        return t

    return forward, back


def _additive(half_width: float) -> Task:
    """Make x uniform on (0, 1) and y = x + uniform noise on (-half_width, half_width)."""

    def draw(size: int, stream: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x = stream.uniform(size=(size, 1))
        return x, x + stream.uniform(-half_width, half_width, size=(size, 1))

    def ratio(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        overlap = np.minimum(y + half_width, 1) - np.maximum(y - half_width, 0)
        log_ratio: np.ndarray = -np.log(overlap)[:, 0]
        return log_ratio

    narrow = half_width <= 0.5
    truth = half_width - math.log(2 * half_width) if narrow else 1 / (4 * half_width)
    return Task(f"additive {half_width}", truth, draw, ratio)


def _mixture(values: int) -> Task:
    """Make x uniform on the whole numbers below ``values`` and y = x + uniform noise on (0, 2)."""

    def draw(size: int, stream: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x = stream.integers(values, size=(size, 1)).astype(np.float64)
        return x, x + stream.uniform(0, 2, size=(size, 1))

    def ratio(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        floor = np.floor(y)
        possible = np.where((floor < 1) | (floor >= values), 1, 2)
        return np.log(values / possible)[:, 0]

    truth = math.log(values) - (values - 1) * math.log(2) / values
    return Task(f"mixture {values}", truth, draw, ratio)


def _gaussian_halves(name: str, covariance: np.ndarray) -> Task:
    """Make x and y the halves of a Gaussian vector of this covariance."""
    half = len(covariance) // 2
    root = np.linalg.cholesky(covariance)
    parts = covariance[:half, :half], covariance[half:, half:]
    log_determinants = [np.linalg.slogdet(part)[1] for part in (*parts, covariance)]
    truth = (log_determinants[0] + log_determinants[1] - log_determinants[2]) / 2
    precisions = [np.linalg.inv(part) for part in (*parts, covariance)]

    def draw(size: int, stream: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        both = stream.standard_normal((size, len(covariance))) @ root.T
        return both[:, :half], both[:, half:]

    def ratio(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        form_x, form_y, form_both = (
            np.einsum("si,ij,sj->s", z, precision, z)
            for z, precision in zip((x, y, np.c_[x, y]), precisions, strict=True)
        )
        log_ratio: np.ndarray = truth + (form_x + form_y - form_both) / 2
        return log_ratio

    return Task(name, float(truth), draw, ratio)


def _student_halves(name: str, units: int, freedom: int) -> Task:
    """Make x and y the arcsinh of the halves of a Student vector of 2 ``units`` components."""
    from scipy.special import digamma, gammaln

    def entropy(d: int) -> float:
        """Differential entropy of d components of the vector."""
        a, b = freedom / 2, (freedom + d) / 2
        constant = gammaln(a) - gammaln(b) + d / 2 * math.log(freedom * math.pi)
        return float(constant + b * (digamma(b) - digamma(a)))

    def log_density(z: np.ndarray) -> np.ndarray:
        a, b = freedom / 2, (freedom + z.shape[1]) / 2
        constant = gammaln(b) - gammaln(a) - z.shape[1] / 2 * math.log(freedom * math.pi)
        log_densities: np.ndarray = constant - b * np.log1p((z**2).sum(axis=1) / freedom)
        return log_densities

    def draw(size: int, stream: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        normal = stream.standard_normal((size, 2 * units))
        both = np.arcsinh(normal / np.sqrt(stream.chisquare(freedom, size=(size, 1)) / freedom))
        return both[:, :units], both[:, units:]

    def ratio(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        x, y = np.sinh(x), np.sinh(y)
        log_ratio: np.ndarray = log_density(np.c_[x, y]) - log_density(x) - log_density(y)
        return log_ratio

    return Task(name, 2 * entropy(units) - entropy(2 * units), draw, ratio)


def linear_gaussian_layer(weights: np.ndarray, noise_deviation: float) -> Task:
    """Return the task of a linear layer, y = W x + noise, of normal input.

    Parameters
    ----------
    weights
        W, (unit, input).
    noise_deviation
        Standard deviation s of the noise of each unit.

    Returns
    -------
    Task
        Of mutual information ½ ln det(I + W Wᵀ / s²).

    Raises
    ------
    TypeError, ValueError
        If the weights are no matrix or the deviation is not positive.

    Examples
    --------
    >>> round(linear_gaussian_layer(np.eye(2), 1.0).mutual_information, 4)  # ln 2
    0.6931
    """
    w = read_real(weights, "weights").astype(np.float64)
    if w.ndim != 2 or w.size == 0:
        raise ValueError(f"weights has shape {w.shape}; expected (unit, input)")
    if not np.isfinite(w).all():
        raise ValueError(f"weights contains {w[~np.isfinite(w)][0]}; expected finite values only")
    check_number(noise_deviation, "noise_deviation", positive=True)
    variance = noise_deviation**2
    output = w @ w.T + variance * np.eye(len(w))
    if not 0 < variance < math.inf or np.linalg.cond(output) > 1 / np.finfo(np.float64).eps:
        raise ValueError(
            f"noise_deviation is {noise_deviation} for weights as large as {np.abs(w).max():.3g}; "
            "expected noise that double precision tells from 0 beside them"
        )
    truth = (np.linalg.slogdet(output)[1] - len(w) * math.log(variance)) / 2
    precision = np.linalg.inv(output)

    def draw(size: int, stream: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x = stream.standard_normal((size, w.shape[1]))
        return x, x @ w.T + noise_deviation * stream.standard_normal((size, len(w)))

    def ratio(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        error = ((y - x @ w.T) ** 2).sum(axis=1) / variance
        log_ratio: np.ndarray = truth + (np.einsum("si,ij,sj->s", y, precision, y) - error) / 2
        return log_ratio

    return Task(f"linear layer {w.shape[1]}-{len(w)}", float(truth), draw, ratio)


def separated_clusters(clusters: int, dimension: int, distance: float = 50.0) -> Task:
    """Return the task of far Gaussian clusters (x) against their label (y).

    Parameters
    ----------
    clusters
        Number of clusters, equally likely.
    dimension
        Units of x.
    distance
        Between neighbouring centres, which lie on a line in a diagonal direction, in standard
        deviations of a cluster's unit; at least 30, so that no sample leaves its cluster.

    Returns
    -------
    Task
        Of mutual information ln ``clusters``; y are integer labels.

    Raises
    ------
    TypeError, ValueError
        If there are fewer than two clusters, no unit, or too small a distance.

    Examples
    --------
    >>> round(separated_clusters(10, 32).mutual_information, 4)
    2.3026
    """
    check_count(clusters, "clusters", least=2)
    check_count(dimension, "dimension")
    if check_number(distance, "distance") < 30:
        raise ValueError(f"distance is {distance}; expected at least 30 standard deviations")
    step = distance / math.sqrt(dimension)

    def draw(size: int, stream: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        labels = stream.integers(clusters, size=size)
        return step * labels[:, None] + stream.standard_normal((size, dimension)), labels

    def ratio(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        half_squares = ((x[:, None] - step * np.arange(clusters)[:, None]) ** 2).sum(axis=2) / 2
        label_half_squares = half_squares[np.arange(len(y)), y]
        log_ratio: np.ndarray = -np.log(
            np.exp(label_half_squares[:, None] - half_squares).mean(axis=1)
        )
        return log_ratio

    return Task(f"clusters {clusters}", math.log(clusters), draw, ratio, discrete_y=True)


def _build() -> dict[str, Task]:
    draw, ratio = _normal_pair(0.75)
    truth = -0.5 * math.log1p(-(0.75**2))

    def half_cube(a: np.ndarray) -> np.ndarray:
        cubes: np.ndarray = a * np.sqrt(np.abs(a))
        return cubes

    def from_half_cube(a: np.ndarray) -> np.ndarray:
        roots: np.ndarray = np.sign(a) * np.abs(a) ** (2 / 3)
        return roots

    bumps = [_two_bumps(0.3, 0.0, 5.0), _two_bumps(0.5, -1.0, 3.0)]
    half_cubes = _transform_pair(draw, ratio, (half_cube,) * 2, (from_half_cube,) * 2)
    bimodal = _transform_pair(draw, ratio, (bumps[0][0], bumps[1][0]), (bumps[0][1], bumps[1][1]))
    layer = np.array([[1.0, 0.5, 0.0], [0.0, 1.0, -1.0]])
    built = [
        Task("normal 0.75", truth, draw, ratio),
        Task("half-cube", truth, *half_cubes),
        Task("bimodal", truth, *bimodal),
        _additive(0.1),
        _additive(0.75),
        _gaussian_halves("dense 5x5", 0.5 * np.eye(10) + 0.5),
        _student_halves("asinh-Student 5x5", 5, 2),
        _mixture(5),
        linear_gaussian_layer(layer, 0.5),
        separated_clusters(10, 32),
    ]
    return {task.name: task for task in built}


tasks: dict[str, Task] = _build()
