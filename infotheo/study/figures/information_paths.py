"""I(X;T) and I(T;Y) of every layer over training, binned or between the pairwise bounds."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray
from numpy.typing import NDArray

from infotheo.arrays.labels import Units, nats_per
from infotheo.study.columns import swept_variable
from infotheo.study.figures import over_time

__all__ = [
    "Estimator", "Noise", "Paths", "choose_noise", "estimators", "layer_names", "noise_text",
    "noises", "read_paths",
]  # fmt: skip

Estimator = Literal["binned", "pairwise"]
Noise = tuple[str, float]  # the setting's name and value

NOISES = ("noise_variance", "relative_noise_variance")
SIDES = ("lower", "upper")
# Which estimate of I(T;Y) belongs to which bound of I(X;T): the same divergence in all terms.
SAME_SIDE = ("chernoff", "kl")


class Paths(NamedTuple):
    """Information over training of one label's networks, in one unit.

    ``input``, ``label`` and ``label_bounds`` have dimensions (side, layer, seed, time): one side if
    binned; two, lower and upper, if pairwise. ``label`` are then the estimates of I(T;Y) from one
    divergence (Chernoff, Kullback-Leibler), ``label_bounds`` its rigorous bounds. ``places`` are
    the layers' places among all that the label's networks have.
    """

    layers: list[str]
    places: list[int]
    time: NDArray[np.float64]
    time_name: str
    input: NDArray[np.float64]
    label: NDArray[np.float64]
    label_bounds: NDArray[np.float64]
    input_ceiling: float
    label_ceiling: float


def estimators(estimator: str, figure: str) -> list[Estimator]:
    """Estimators that a setting ``"both"``, ``"binned"`` or ``"pairwise"`` stands for.

    Examples
    --------
    >>> estimators("both", "information_plane")
    ['binned', 'pairwise']
    """
    known: dict[str, list[Estimator]] = {
        "both": ["binned", "pairwise"], "binned": ["binned"], "pairwise": ["pairwise"],
    }  # fmt: skip
    if estimator not in known:
        raise ValueError(
            f"{figure}: estimator: expected one of {', '.join(known)}, found {estimator!r}"
        )
    return known[estimator]


def noises(trajectories: Mapping[str, xarray.Dataset], figure: str) -> list[Noise]:
    """Every noise variance that all trajectories were measured at, absolute ones first.

    Raises
    ------
    ValueError
        If they have none in common.
    """
    if not trajectories:
        raise ValueError(f"{figure}: trajectories is empty")
    common = []
    first, *others = trajectories.values()
    for name in NOISES:
        variable = swept_variable("pairwise_input_lower", name)
        if all(variable in dataset for dataset in (first, *others)):
            for value in first[name].values:
                if all(np.isclose(other[name].values, value, rtol=1e-6).any() for other in others):
                    common.append((name, float(value)))
    if not common:
        # says which trajectories lack it and what makes it
        variable = swept_variable("pairwise_input_lower", "noise_variance")
        over_time.require_variables(trajectories, [variable], figure)
        raise ValueError(f"{figure}: trajectories have no noise variance in common")
    return common


def choose_noise(
    trajectories: Mapping[str, xarray.Dataset],
    noise_variance: float | None,
    relative_noise_variance: float | None,
    figure: str,
) -> Noise:
    """Noise variance that two settings ask for; the first that was measured for None and None."""
    known = noises(trajectories, figure)
    settings = {
        "noise_variance": noise_variance,
        "relative_noise_variance": relative_noise_variance,
    }
    chosen = {name: value for name, value in settings.items() if value is not None}
    if len(chosen) > 1:
        raise ValueError(f"{figure}: expected one of {' and '.join(NOISES)}, found both")
    if not chosen:
        return known[0]
    ((name, value),) = chosen.items()
    for noise in known:
        if noise[0] == name and math.isclose(noise[1], value, rel_tol=1e-6):
            return noise
    listed = ", ".join(f"{variance:g}" for setting, variance in known if setting == name) or "none"
    raise ValueError(
        f"{figure}: {name} {value:g} was not measured (known: {listed}); the config key"
        f" 'measures: pairwise: {name}' lists them"
    )


def noise_text(noise: Noise) -> str:
    """State a noise variance; a relative one is a fraction of the mean variance of the units.

    Examples
    --------
    >>> noise_text(("noise_variance", 0.1)), noise_text(("relative_noise_variance", 0.1))
    ('σ² = 0.1', 'σ² = 0.1 × variance')
    """
    name, value = noise
    rest = " × variance" if name == "relative_noise_variance" else ""
    return f"σ² = {value:g}{rest}"


def read_paths(
    trajectories: Mapping[str, xarray.Dataset],
    estimator: Estimator,
    figure: str,
    *,
    noise: Noise | None = None,
    units: Units = "nats",
) -> dict[str, Paths]:
    """Information of all layers, seeds and times for every label.

    Parameters
    ----------
    trajectories
        Measures over training, in nats, one dataset per label.
    estimator
        ``"binned"`` or ``"pairwise"``.
    figure
        Who asks, for messages.
    noise
        Name and value of the noise variance; needed for ``"pairwise"``.
    units
        Of what is returned.

    Raises
    ------
    ValueError
        If a variable or a dimension is missing.
    """
    factor = 1 / _nats_per(units, figure)
    place: dict[str, Any] = {}
    if estimator == "binned":
        names = {"input": ["binned_input"], "label": ["binned_label"]}
        names["label_bounds"] = names["label"]
    else:
        if noise is None:
            raise ValueError(f"{figure}: pairwise information needs a noise variance")
        place = {noise[0]: noise[1]}
        names = {
            "input": [swept_variable(f"pairwise_input_{side}", noise[0]) for side in SIDES],
            "label": [swept_variable(f"pairwise_label_{side}", noise[0]) for side in SAME_SIDE],
            "label_bounds": [swept_variable(f"pairwise_label_{side}", noise[0]) for side in SIDES],
        }
    variables = [name for group in names.values() for name in group]
    over_time.require_variables(trajectories, variables, figure)
    paths_by_label = {}
    for label, dataset in trajectories.items():
        all_layers = layer_names(dataset, variables[0], label, figure)
        places = _measured_layers(dataset, variables)
        layers = [all_layers[place] for place in places]
        curves = {
            group: [[over_time.series(dataset, variable, layer=layer, **place) for layer in layers]
                    for variable in listed]
            for group, listed in names.items()
        }  # fmt: skip
        any_curve = curves["input"][0][0]
        values = {
            group: factor * np.array([[curve.to_numpy() for curve in side] for side in sides])
            for group, sides in curves.items()
        }
        paths_by_label[label] = Paths(
            [str(layer) for layer in layers],
            places,
            over_time.times(any_curve),
            over_time.time_dimension(any_curve),
            **values,
            input_ceiling=factor * _ceiling(dataset, f"{estimator}_input_ceiling"),
            label_ceiling=factor * _ceiling(dataset, f"{estimator}_label_ceiling"),
        )
    return paths_by_label


def layer_names(dataset: xarray.Dataset, variable: str, label: str, figure: str) -> list[Any]:
    """Coordinate values of a variable's dimension ``layer``, in their order."""
    if "layer" not in dataset[variable].dims:
        raise ValueError(
            f"{figure}: {variable!r} of {label!r} has dimensions {dataset[variable].dims};"
            " expected 'layer' among them"
        )
    if "layer" not in dataset.coords:
        raise ValueError(f"{figure}: trajectories of {label!r} have no coordinate 'layer'")
    return list(dataset["layer"].values)


def _measured_layers(dataset: xarray.Dataset, variables: Collection[str]) -> list[int]:
    """Places of the layers that variables were measured in.

    Not measured is a layer with no finite value of these variables, but of another over seeds: the
    measures along training may be followed in different layers. Networks that diverged from the
    start have no finite value of any and keep their layers, as do variables that have none at all.
    """
    finite = {
        name: np.isfinite(
            array.transpose("layer", ...).to_numpy().reshape(array.sizes["layer"], -1)
        )
        for name, array in dataset.data_vars.items()
        if {"layer", "seed"} <= set(array.dims) and array.dtype.kind in "fiub"
    }
    measured = np.any([finite[name].any(axis=1) for name in variables], axis=0)
    elsewhere = np.any([array.any(axis=1) for array in finite.values()], axis=0)
    layers = measured | ~elsewhere if measured.any() else np.ones_like(measured)
    return [int(place) for place in np.flatnonzero(layers)]


def _nats_per(units: Units, figure: str) -> float:
    try:
        return float(nats_per(units))
    except ValueError as error:
        raise ValueError(f"{figure}: {error}") from None


def _ceiling(dataset: xarray.Dataset, variable: str) -> float:
    """Greatest value, as ceilings of chunks and layers may stand side by side; NaN if none."""
    if variable not in dataset:
        return math.nan
    values = np.asarray(dataset[variable].values, dtype=np.float64)
    finite = values[np.isfinite(values)]
    return float(finite.max()) if finite.size else math.nan
