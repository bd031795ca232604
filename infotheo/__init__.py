"""Information theory for neural-network representations.

Names are imported when they are first used, so ``import infotheo`` costs no more than what a
program asks of it: estimators need NumPy alone until they are given torch tensors.

Examples
--------
>>> import infotheo as it
>>> float(it.fano_error_bound(1.0, classes=10)) > 0
True
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "binned_information": "infotheo.estimators.binned.information",
    "characteristics": "infotheo.representation.characteristics",
    "comparable_output_network": "infotheo.networks.identical_output",
    "component_accuracies": "infotheo.representation.component_accuracies",
    "correlation_table": "infotheo.study.correlation",
    "density_ratio_information": "infotheo.estimators.critics.density_ratio",
    "DependenceWarning": "infotheo.estimators.gaussian",
    "direction_angle": "infotheo.representation.direction_angle",
    "dual_information": "infotheo.weights.dual",
    "dump_activations": "infotheo.modules.activations",
    "fano_error_bound": "infotheo.estimators.prediction",
    "flat_minimum_bound": "infotheo.weights.flat_minimum",
    "gaussian_information": "infotheo.estimators.gaussian",
    "hard_margin": "infotheo.representation.hard_margin",
    "HardMarginWarning": "infotheo.representation.hard_margin",
    "hessian_diagonal": "infotheo.weights.curvature",
    "hessian_trace": "infotheo.weights.curvature",
    "identical_output_network": "infotheo.networks.identical_output",
    "InversionWarning": "infotheo.invertibility.inversion",
    "invert_residual": "infotheo.invertibility.inversion",
    "irrelevant_information": "infotheo.estimators.prediction",
    "likelihood_noise_variance": "infotheo.estimators.noise.likelihood",
    "linear_gaussian_layer": "infotheo.estimators.tasks",
    "lipschitz_bounds": "infotheo.invertibility.lipschitz",
    "margins": "infotheo.representation.margins",
    "mixture_entropy": "infotheo.estimators.pairwise.bounds",
    "mixture_entropy_monte_carlo": "infotheo.estimators.pairwise.monte_carlo",
    "mixture_information_monte_carlo": "infotheo.estimators.pairwise.monte_carlo",
    "multilayer_information_bound": "infotheo.weights.uniform",
    "neighbor_information": "infotheo.estimators.neighbors.information",
    "NeighborTrustWarning": "infotheo.estimators.neighbors.information",
    "NotSeparableError": "infotheo.representation.hard_margin",
    "pairwise_information": "infotheo.estimators.pairwise.bounds",
    "permutation_test": "infotheo.estimators.resampling",
    "prediction_information": "infotheo.estimators.prediction",
    "prediction_variance": "infotheo.estimators.variance_diagnostic",
    "regularizers": "infotheo.penalties",
    "relative_noise_variance": "infotheo.estimators.noise.variance",
    "residual_norms": "infotheo.invertibility.residual_norms",
    "SaturationWarning": "infotheo.estimators.pairwise.bounds",
    "separated_clusters": "infotheo.estimators.tasks",
    "subsample_error": "infotheo.estimators.resampling",
    "tasks": "infotheo.estimators.tasks",
    "total_correlation": "infotheo.estimators.total_correlation",
    "UndecidedSeparationError": "infotheo.representation.hard_margin",
    "uniform_dual_information": "infotheo.weights.uniform",
    "variational_information": "infotheo.estimators.critics.variational",
    "VariationalWarning": "infotheo.estimators.critics.trust",
    "weight_information": "infotheo.weights.information",
    "whitening": "infotheo.networks.transforms",
    "ZeroNormWarning": "infotheo.invertibility.residual_norms",
}

__all__ = [*_HOMES, "__version__"]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("infotheo.version").package_version()
    if name not in _HOMES:
        raise AttributeError(f"module 'infotheo' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    # The next use finds it without asking here.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
