"""Every public function against every kind of bad input: one clear line that names the argument.

Each function stands in CALLS with good values for all its parameters; each value has a kind, and
each kind its bad values. A new public function whose parameters are named as usual (USUAL) needs no
line here. A parameter of no kind stands in OPEN with the reason. One that is missing here fails the
first test.
"""

import inspect
import math
import warnings
from typing import NamedTuple

import numpy as np
import pytest
import torch

import infotheo as it

N = 24
GENERATOR = np.random.default_rng(0)
Z = GENERATOR.normal(size=(N, 3))
PARTNER = Z[:, :2] + GENERATOR.normal(size=(N, 2))
LABELS = np.arange(N) % 3
SEPARATED = Z + 20 * np.eye(3)[LABELS]
PROBABILITIES = np.full((N, 3), 0.2) + 0.4 * np.eye(3)[LABELS]


class Given(NamedTuple):
    """A good value, and the kind of bad values that may stand in its place."""

    value: object
    kind: str


def changed(array, index, value):
    array = np.array(array)
    array[index] = value
    return array


def bad_samples(z):
    z = np.asarray(z)
    return {
        "NaN": changed(z, (..., -1, 0), np.nan),
        "infinity": changed(z, (..., 0, -1), np.inf),
        "minus infinity": changed(z, (..., 0, 0), -np.inf),
        "no samples": z[..., :0, :],
        "no units": z[..., :, :0],
        "one sample": z[..., :1, :],
        "one dimension": z[..., 0].reshape(-1),
        "text": z.astype(str),
        "objects": np.where(z == z.flat[0], None, z),
        "complex": z * 1j,
        "nothing": None,
    }


def numbers(*bad):
    return lambda _: {repr(value): value for value in bad}


# what may stand in place of a good value of each kind
BAD = {
    "samples": bad_samples,
    "partner": lambda y: {**bad_samples(y), "other length": np.asarray(y)[:-1]},
    "tested": lambda y: {
        **{name: bad for name, bad in bad_samples(y).items() if name != "one sample"},
        "other units": np.asarray(y)[:, :-1],
    },
    "labels": lambda y: {
        "other length": np.asarray(y)[:-1],
        "fractions": np.asarray(y) / 2,
        "NaN": changed(np.asarray(y, float), 0, np.nan),
        "byte strings": np.asarray(y).astype("S"),
        "not one-hot": np.ones((len(y), 3)),
        "three dimensions": np.zeros((len(y), 2, 2), int),
        "a number": 3,
    },
    "weights": lambda w: {
        "other length": np.asarray(w)[:-1],
        "negative": changed(w, 0, -1.0),
        "NaN": changed(w, 0, np.nan),
        "all zero": np.zeros(len(w)),
        "text": np.asarray(w).astype(str),
    },
    "variance": lambda v: {
        "zero": 0.0,
        "negative": -1.0,
        "NaN": math.nan,
        "infinity": math.inf,
        "one of a sweep": [0.1, 0.0],
        "empty": [],
        "text": "large",
        "another shape": np.ones((2, 3, 4, 5)),
        "nothing": None,
    },
    "positive": numbers(0, -1, math.nan, math.inf, "much", None),
    "order": numbers(0, 1, -0.5, 1.5, math.nan, "half"),
    "count": numbers(0, -1, 2.5, "many"),
    "pieces": numbers(1, 0, -1, 2.5, "many"),
    "function": numbers(None, 3, "estimator"),
    "neighbours": numbers(0, -1, N, N + 5, 2.5, "many"),
    "units": numbers("bit", "Nats", 2, None),
    "components": numbers([0], [4], [1, 1], [1.5], [], 2, "many"),
    "choice": numbers("neither", 7),
    "switch": numbers("yes", 2, None, []),
    "classes": numbers(2, 0, 2.5, "many"),
    "entropy": numbers(-0.1, math.nan, math.inf, 5.0, "much"),
    "tolerance": numbers(-1.0, math.nan, "small"),
    "fractions": numbers((1.5,), (-0.1,), (math.nan,), ("half",), ()),
    "names": numbers(["nowhere"]),
    "module": numbers(None, 3, "net"),
    "tensor": lambda x: {
        "NaN": torch.full_like(x, math.nan),
        "NumPy": x.numpy(),
        "integers": x.long(),
        "no samples": x[:0],
    },
    "matrix": lambda w: {
        "NaN": changed(w, (0, 0), np.nan),
        "other length": w[:-1],
        "one dimension": w[0],
        "text": w.astype(str),
    },
    "rows": lambda w: {
        "NaN": changed(w, (0, 0), np.nan),
        "other width": w[:, :-1],
        "text": w.astype(str),
    },
    "vector": lambda v: {
        "NaN": changed(v, 0, np.nan),
        "text": np.asarray(v).astype(str),
    },
    "probabilities": lambda p: {
        **bad_samples(p),
        "negative": changed(p, (0, 0), -0.1),
        "not summing to one": p * 2,
        "one class": p[:, :1],
    },
    "seed": numbers(-1, 1.5, "seed"),
}


def z(value=Z):
    return Given(value, "samples")


def units():
    return Given("nats", "units")


def noise(**more):
    return {"noise_variance": Given(0.5, "variance"), "noise_per": Given("layer", "choice"), **more}


def weights():
    return Given(np.ones(N), "weights")


MIXTURE = {"z": z(), **noise(), "weights": weights(), "units": units()}
ALPHA = {"alpha": Given(0.5, "order")}
DRAWS = {"draws": Given(50, "count"), "seed": Given(0, "seed")}
LABELLED = {"labels": Given(LABELS, "labels")}
PREDICTED = {
    "probabilities": Given(PROBABILITIES, "probabilities"),
    "logits": Given(False, "switch"),
}
UNIFORM = {"uniform_marginals": Given(False, "switch"), "units": units()}
LAYERS = {
    "layer": Given((np.ones((4, 3)), np.ones(3)), "layer"),
    "next_layer": Given((np.ones((3, 2)), np.ones(2)), "layer"),
    "q": Given(np.diag([1.0, 2.0, 3.0]), "square"),
    "m": Given(None, "shift"),
}
BLOCK = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Tanh())
SLACK = {"slack": Given(1.0, "tolerance"), "units": units()}
X = torch.zeros(4, 3)


def loss():
    return (WEIGHT**2).sum()


WEIGHT = torch.ones(3, requires_grad=True)
HESSIAN = {
    "loss": Given(loss, "function"),
    "weights": Given(WEIGHT, "tensors"),
    "seed": Given(0, "seed"),
    "probes": Given(4, "count"),
    "batch": Given(2, "count"),
}
FIT = {
    "folds": Given(2, "pieces"),
    "seed": Given(0, "seed"),
    "architecture": Given("separable", "choice"),
    "hidden": Given(4, "count"),
    "embedding": Given(2, "count"),
    "learning_rate": Given(1e-3, "positive"),
    "weight_decay": Given(2.0, "tolerance"),
    "batch_size": Given(4, "pieces"),
    "max_steps": Given(2, "count"),
    "units": units(),
    "progress": Given(False, "switch"),
}
CALLS = {
    "density_ratio_information": {"z": z(), "nuisance": Given(PARTNER, "partner"), **FIT},
    "variational_information": {
        "x": z(),
        "y": Given(PARTNER, "partner"),
        "bound": Given("dv", "choice"),
        "discrete_y": Given(False, "switch"),
        **FIT,
    },
    "pairwise_information": {**MIXTURE, **LABELLED, **ALPHA},
    "mixture_entropy": {**MIXTURE, **ALPHA},
    "mixture_entropy_monte_carlo": {**MIXTURE, **DRAWS},
    "mixture_information_monte_carlo": {**MIXTURE, **LABELLED, **DRAWS},
    "relative_noise_variance": {
        "z": z(),
        "fraction": Given(0.1, "variance"),
        "per": Given("layer", "choice"),
    },
    "likelihood_noise_variance": {"z": z()},
    "binned_information": {
        "z": z(),
        **LABELLED,
        "bins": Given(5, "count"),
        "range": Given((-1, 1), "range"),
        "bin_width": Given(None, "width"),
        "edges": Given(None, "edges"),
        "inputs": Given(np.arange(N), "inputs"),
        "weights": weights(),
        "correction": Given(None, "choice"),
        "units": units(),
    },
    "prediction_information": {**PREDICTED, **LABELLED, **UNIFORM},
    "irrelevant_information": {**PREDICTED, **LABELLED, **UNIFORM},
    "prediction_variance": {**PREDICTED, "measure": Given("joint", "choice")},
    "fano_error_bound": {
        "conditional_entropy": Given(1.0, "entropy"),
        "classes": Given(10, "classes"),
    },
    "characteristics": {"z": z(), **LABELLED, "positive_only": Given(True, "switch")},
    "component_accuracies": {
        "features": z(),
        "labels": Given(LABELS, "labels"),
        "test_features": Given(Z[::2], "tested"),
        "test_labels": Given(LABELS[::2], "labels"),
        "components": Given([1, 3], "components"),
        "penalty": Given(1.0, "positive"),
    },
    "margins": {
        "features": z(),
        "weights": Given(np.eye(3), "matrix"),
        "labels": Given(LABELS, "labels"),
        "biases": Given(np.zeros(3), "vector"),
    },
    "hard_margin": {
        "features": z(SEPARATED),
        "labels": Given(LABELS, "labels"),
        "bias": Given(True, "choice"),
        "most_constraints": Given(100, "count"),
    },
    "direction_angle": {
        "weights": Given(np.eye(3), "matrix"),
        "others": Given(np.eye(3), "matrix"),
    },
    "neighbor_information": {
        "x": z(),
        "y": Given(PARTNER, "partner"),
        "k": Given(3, "neighbours"),
        "discrete_y": Given(False, "switch"),
        "algorithm": Given("ksg1", "choice"),
        "standardize": Given(None, "choice"),
        "check_trust": Given(True, "switch"),
        "units": units(),
    },
    "gaussian_information": {
        "x": z(),
        "y": Given(PARTNER, "partner"),
        "correction": Given("wishart", "choice"),
        "units": units(),
    },
    "total_correlation": {
        "z": z(),
        "method": Given("neighbors", "choice"),
        "correction": Given("wishart", "choice"),
        "k": Given(3, "neighbours"),
        "algorithm": Given("ksg1", "choice"),
        "standardize": Given(None, "choice"),
        "check_trust": Given(True, "switch"),
        "units": units(),
    },
    "permutation_test": {
        "estimator": Given(it.gaussian_information, "function"),
        "x": z(),
        "y": Given(PARTNER, "partner"),
        "seed": Given(0, "seed"),
        "permutations": Given(3, "count"),
        "field": Given("value", "choice"),
    },
    "subsample_error": {
        "estimator": Given(it.gaussian_information, "function"),
        "seed": Given(0, "seed"),
        "pieces": Given(2, "pieces"),
        "repeats": Given(1, "count"),
        "field": Given("value", "choice"),
    },
    "linear_gaussian_layer": {
        "weights": Given(np.eye(2), "square"),
        "noise_deviation": Given(1.0, "positive"),
    },
    "separated_clusters": {
        "clusters": Given(3, "pieces"),
        "dimension": Given(2, "count"),
        "distance": Given(50.0, "positive"),
    },
    "weight_information": {"alpha": Given(np.full(3, 0.5), "positive"), "units": units()},
    "uniform_dual_information": {
        "alpha": Given(0.5, "positive"),
        "outputs": Given(3, "count"),
        **SLACK,
    },
    "multilayer_information_bound": {
        "alphas": Given([0.5, 0.5], "positive"),
        "outputs": Given([3, 2], "count"),
        **SLACK,
    },
    "flat_minimum_bound": {
        "weights": Given(np.ones(3), "vector"),
        "beta": Given(1.0, "positive"),
        "diagonal": Given(None, "vector"),
        "hessian": Given(None, "square"),
        "nuclear_norm": Given(2.0, "positive"),
        "units": units(),
    },
    "dual_information": {
        "x": z(),
        "weights": Given(np.ones((2, 3)), "rows"),
        "alpha": Given(0.5, "positive"),
        "units": units(),
    },
    "hessian_trace": HESSIAN,
    "hessian_diagonal": HESSIAN,
    "identical_output_network": {
        **LAYERS,
        "activation": Given("relu", "choice"),
        "max_condition": Given(None, "condition"),
    },
    "comparable_output_network": LAYERS,
    "whitening": {"z": z(), "tolerance": Given(1e-10, "tolerance")},
    "residual_norms": {
        "model": Given(torch.nn.Sequential(BLOCK), "module"),
        "x": Given(X, "tensor"),
        "branches": Given(["0"], "names"),
        "shortcuts": Given(None, "names"),
        "reference": Given("input", "choice"),
        "quantiles": Given((0.5,), "fractions"),
        "per_sample": Given(False, "switch"),
    },
    "lipschitz_bounds": {
        "branch": Given(BLOCK, "module"),
        "x": Given(X, "tensor"),
        "iterations": Given(2, "count"),
        "tolerance": Given(0.01, "tolerance"),
        "seed": Given(0, "seed"),
    },
    "invert_residual": {
        "branch": Given(BLOCK, "module"),
        "y": Given(X, "tensor"),
        "iterations": Given(2, "count"),
        "tolerance": Given(1e-3, "tolerance"),
        "x0": Given(X, "tensor"),
    },
}

# parameters whose bad values have tests of their own, beside the function's others
ELSEWHERE = {
    "subsample_error": {"arrays"},
    "linear_gaussian_layer": {"weights"},
    "binned_information": {"range", "bin_width", "edges", "inputs"},
    "identical_output_network": {"layer", "next_layer", "q", "m", "max_condition"},
    "comparable_output_network": {"layer", "next_layer", "q", "m"},
    "flat_minimum_bound": {"diagonal", "hessian", "batch_dims"},
    "weight_information": {"batch_dims"},
    "hessian_trace": {"loss", "weights"},
    "hessian_diagonal": {"loss", "weights"},
}
# names of dimensions, devices and switches: any value of theirs is a name, a device, true or false
OPEN = {"sample_dim", "unit_dim", "class_dim", "output_dim", "device"}
NO_ESTIMATORS = {"correlation_table", "dump_activations"}  # tests/study/figures, tests/training


# what a parameter of this name takes, wherever no line of CALLS says otherwise
USUAL = {
    **{name: z() for name in ("z", "x")},
    "y": Given(PARTNER, "partner"),
    **LABELLED,
    **PREDICTED,
    **noise(weights=weights(), units=units()),
    **ALPHA,
    **DRAWS,
    "bins": Given(5, "count"),
    "classes": Given(10, "classes"),
    "k": Given(3, "neighbours"),
    "standardize": Given(None, "choice"),
    "progress": Given(False, "switch"),
}
FUNCTIONS = {name: f for name in it.__all__ if inspect.isfunction(f := getattr(it, name))}
for name in sorted(FUNCTIONS.keys() - CALLS.keys() - NO_ESTIMATORS):
    parameters = inspect.signature(FUNCTIONS[name]).parameters
    CALLS[name] = {key: USUAL[key] for key in parameters if key in USUAL}


@pytest.mark.parametrize("name", CALLS)
def test_every_parameter_stands_here(name):
    known = set(CALLS[name]) | ELSEWHERE.get(name, set()) | OPEN
    assert set(inspect.signature(FUNCTIONS[name]).parameters) <= known


def call(name, **changes):
    values = {key: given.value for key, given in CALLS[name].items()}
    if name == "subsample_error":
        estimator = changes.pop("estimator", values.pop("estimator"))
        arrays = (Z, PARTNER)
        return it.subsample_error(estimator, *arrays, **{**values, **changes})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is warned of is no matter here
        return FUNCTIONS[name](**{**values, **changes})


@pytest.mark.parametrize("name", CALLS)
def test_the_good_values_are_good(name):
    call(name)


CASES = [
    pytest.param(name, argument, value, id=f"{name}-{argument}-{what}")
    for name, arguments in CALLS.items()
    for argument, given in arguments.items()
    if argument not in ELSEWHERE.get(name, ())
    for what, value in BAD[given.kind](given.value).items()
]


@pytest.mark.parametrize(("name", "argument", "value"), CASES)
def test_bad_input_is_one_line_that_names_the_argument(name, argument, value):
    with pytest.raises((ValueError, TypeError)) as caught:
        call(name, **{argument: value})
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(argument) or f" {argument} " in f" {message} "
