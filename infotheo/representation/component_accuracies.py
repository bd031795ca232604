"""Accuracies of a linear SVM and the nearest neighbour on leading principal components."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from infotheo.arrays.conversion import read_array
from infotheo.arrays.labels import read_classes
from infotheo.arrays.numbers import check_number
from infotheo.arrays.pairs import check_leading
from infotheo.arrays.results import FieldNote, wrap
from infotheo.arrays.samples import Array, read_samples, to_numpy
from infotheo.arrays.scaling import divide
from infotheo.arrays.wording import describe

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["ComponentAccuracies", "component_accuracies", "component_numbers"]

_TILE = 2**22  # distances held at a time
LARGEST_PENALTY = 1e12  # and the inverse the smallest: beyond, LIBLINEAR may not come to an end

FloatArray = NDArray[np.float64]


class ComponentAccuracies(NamedTuple):
    """Result of :func:`component_accuracies`."""

    svm: Array
    neighbor: Array
    explained_variance: Array


@overload
def component_accuracies(
    features: xr.DataArray,
    labels: Any,
    test_features: Any,
    test_labels: Any,
    *,
    components: Sequence[int] | None = None,
    penalty: float = 1.0,
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> xr.Dataset: ...


@overload
def component_accuracies(
    features: Any,
    labels: Any,
    test_features: Any,
    test_labels: Any,
    *,
    components: Sequence[int] | None = None,
    penalty: float = 1.0,
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> ComponentAccuracies: ...


def component_accuracies(
    features: Any,
    labels: Any,
    test_features: Any,
    test_labels: Any,
    *,
    components: Sequence[int] | None = None,
    penalty: float = 1.0,
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> ComponentAccuracies | xr.Dataset:
    r"""Accuracy of a linear SVM and of the nearest neighbour on the leading principal components.

    Parameters
    ----------
    features
        What the classifiers and the components are fitted to, (..., sample, unit); leading
        dimensions are batch dimensions.
    labels
        Their classes (sample,), integers or one-hot rows; two different ones at least.
    test_features
        What is classified, (..., sample, unit), of as many units; with the leading dimensions of
        ``features``, or none.
    test_labels
        Their classes. A class that ``labels`` lack is never predicted.
    components
        Numbers k of leading components, each at most the units and one less than the samples.
        None: 1, 2, 3, 5, 10, 20, 30, 50, ... as far as there are, and all.
    penalty
        What the SVM pays for a sample's violated margin (C), for features of mean square norm one.
    sample_dim, unit_dim
        Names of the dimensions of DataArrays.

    Returns
    -------
    ComponentAccuracies or xarray.Dataset
        Each (*batch, components): ``svm`` and ``neighbor``, the fractions of test samples that are
        classified rightly; ``explained_variance``, the share of the variance of ``features`` in
        the first k components, NaN where they are constant.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; the message names it and what was found.

    Notes
    -----
    Paper 5, section 3.5 and figure 7, from J.-H. Jacobsen, A. Smeulders, E. Oyallon, "i-RevNet:
    deep invertible networks" (2018). Components are those of ``features`` about their mean;
    directions in which these do not vary add nothing. All are divided by one number, the root of
    the mean square norm of the centred features, so that scale does not matter. SVM: one class
    against the rest, squared hinge loss summed over the samples, solved in the primal without
    randomness (LIBLINEAR). Nearest neighbour: Euclidean; of equally near ones the first. In float64
    on the host, without gradient.

    Examples
    --------
    >>> x = np.array([[-2.0, 0.1], [-2.0, -0.1], [2.0, 0.1], [2.0, -0.1]])
    >>> accuracies = component_accuracies(x, [0, 0, 1, 1], x + 0.01, [0, 0, 1, 1])
    >>> accuracies.svm, accuracies.neighbor, accuracies.explained_variance.round(4)
    (array([1., 1.]), array([1., 1.]), array([0.9975, 1.    ]))
    """
    fit = read_samples(features, name="features", sample_dim=sample_dim, unit_dim=unit_dim)
    test = read_samples(
        test_features, name="test_features", sample_dim=sample_dim, unit_dim=unit_dim, minimum=1
    )
    if test.units != fit.units:
        raise ValueError(
            f"test_features has {test.units} units, features has {fit.units}; expected as many"
        )
    check_leading(test, fit, ("features", "test_features"))
    classes = read_classes(labels, fit)
    if classes.count < 2:
        raise ValueError(
            f"labels has one class, {classes.labels[0]}; expected two different ones at least"
        )
    truths = read_classes(test_labels, test, "test_labels")
    kinds = [part.labels.dtype.kind == "U" for part in (classes, truths)]
    if kinds[0] != kinds[1]:
        text, numbers = ("labels", "test_labels")[:: 1 if kinds[0] else -1]
        raise TypeError(f"test_labels: {text} are text, {numbers} are not; expected the same kind")
    counts = _read_components(components, min(fit.units, fit.size - 1))
    penalty = check_number(penalty, "penalty", positive=True)
    if not 1 / LARGEST_PENALTY <= penalty <= LARGEST_PENALTY:
        raise ValueError(
            f"penalty is {penalty}; expected a number from {1 / LARGEST_PENALTY:g} to "
            f"{LARGEST_PENALTY:g}"
        )
    fit_labels, true_labels = classes.labels[classes.codes], truths.labels[truths.codes]
    fitted, tested = to_numpy(fit.flat()), to_numpy(test.flat())
    tested = np.broadcast_to(tested, (len(fitted), *tested.shape[1:]))
    rows = [
        _measure_accuracies(x, fit_labels, y, true_labels, counts, penalty)
        for x, y in zip(fitted, tested, strict=True)
    ]
    return wrap(
        ComponentAccuracies(
            *(fit.unflat(fit.like(np.stack(part))) for part in zip(*rows, strict=True))
        ),
        fit,
        estimator="component_accuracies",
        settings={"components": counts.tolist(), "penalty": penalty},
        notes={
            "svm": FieldNote("1", "accuracy of a linear SVM on the leading components"),
            "neighbor": FieldNote(
                "1", "accuracy of the nearest neighbour on the leading components"
            ),
            "explained_variance": FieldNote("1", "share of the variance in the leading components"),
        },
        extra_dims=("components",),
        extra_coords={"components": counts},
    )


def component_numbers(most: int) -> list[int]:
    """Return numbers of components that show a curve up to ``most``.

    Examples
    --------
    >>> component_numbers(64)
    [1, 2, 3, 5, 10, 20, 30, 50, 64]
    """
    numbers, decade = [], 1
    while decade < most:
        numbers += [step * decade for step in (1, 2, 3, 5) if step * decade < most]
        decade *= 10
    return [*numbers, most]


def _read_components(components: Sequence[int] | None, most: int) -> NDArray[np.int64]:
    if components is None:
        return np.array(component_numbers(most))
    counts = to_numpy(read_array(components, "components", "a list of whole numbers"))
    if counts.ndim != 1 or not counts.size or counts.dtype.kind not in "iu":
        raise TypeError(f"components is {describe(components)}; expected a list of whole numbers")
    for value in counts.tolist():
        if not 1 <= value <= most:
            raise ValueError(
                f"components has {value}; expected from 1 to {most}, the units of features or one "
                "less than their samples"
            )
    if len(np.unique(counts)) < len(counts):
        raise ValueError(f"components is {counts.tolist()}; expected each number once")
    return counts.astype(np.int64)


def _measure_accuracies(
    x: FloatArray,
    labels: NDArray[Any],
    y: FloatArray,
    true_labels: NDArray[Any],
    counts: NDArray[np.int64],
    penalty: float,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """One network: accuracies of both classifiers and the explained variance, each (count,)."""
    from sklearn.svm import LinearSVC

    x, factors = divide(x, (0, 1), np)
    if factors[0, 0] != 1:
        with np.errstate(over="ignore"):
            y = y / factors[0, 0]
        if not np.isfinite(y).all():
            raise ValueError(
                "test_features are larger than features by more than float64 holds; expected "
                "samples of one distribution"
            )
    mean = x.mean(axis=0)
    centred = x - mean
    # against overflow and underflow of squares: the scale cancels below
    scale = np.abs(centred).max() or 1.0
    centred = centred / scale
    _, values, directions = np.linalg.svd(centred, full_matrices=False)
    values[values <= values[0] * max(x.shape) * np.finfo(np.float64).eps] = 0.0
    norm = np.sqrt((values**2).sum() / len(x)) or 1.0
    directions = (directions * (values > 0)[:, None]).T / norm
    x, y = centred @ directions, (y - mean) / scale @ directions  # (sample, component)
    share = np.cumsum(values**2) / (values**2).sum() if values[0] else np.full(len(values), np.nan)
    svm = []
    for count in counts:
        model = LinearSVC(C=penalty, dual=False, max_iter=10_000)
        model.fit(x[:, :count], labels)
        svm.append(np.mean(model.predict(y[:, :count]) == true_labels))
    return np.array(svm), _neighbor_accuracies(x, labels, y, true_labels, counts), share[counts - 1]


def _neighbor_accuracies(
    x: FloatArray,
    labels: NDArray[Any],
    y: FloatArray,
    true_labels: NDArray[Any],
    counts: NDArray[np.int64],
) -> FloatArray:
    """Accuracy of the nearest neighbour for each number of components, (count,)."""
    from scipy.spatial.distance import cdist

    correct = np.zeros(len(counts))
    ascending = np.argsort(counts)
    rows = max(1, _TILE // len(x))
    for first in range(0, len(y), rows):
        part = slice(first, first + rows)
        distances = np.zeros((len(y[part]), len(x)))
        start = 0
        for place in ascending:  # each component is added once
            added = slice(start, counts[place])
            distances += cdist(y[part, added], x[:, added], "sqeuclidean")
            correct[place] += np.sum(labels[distances.argmin(axis=1)] == true_labels[part])
            start = counts[place]
    return correct / len(y)
