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
    "binned_information": "infotheo.information.binned.information",
    "characteristics": "infotheo.representation.characteristics",
    "comparable_output_network": "infotheo.networks.identical_output",
    "component_accuracies": "infotheo.representation.component_accuracies",
    "correlation_table": "infotheo.correlation",
    "density_ratio_information": "infotheo.critics.density_ratio",
    "DependenceWarning": "infotheo.information.gaussian",
    "direction_angle": "infotheo.representation.direction_angle",
    "dual_information": "infotheo.weights.dual",
    "dump_activations": "infotheo.activations",
    "fano_error_bound": "infotheo.information.prediction",
    "flat_minimum_bound": "infotheo.weights.flat_minimum",
    "gaussian_information": "infotheo.information.gaussian",
    "hard_margin": "infotheo.representation.hard_margin",
    "HardMarginWarning": "infotheo.representation.hard_margin",
    "hessian_diagonal": "infotheo.weights.curvature",
    "hessian_trace": "infotheo.weights.curvature",
    "identical_output_network": "infotheo.networks.identical_output",
    "InversionWarning": "infotheo.invertibility.inversion",
    "invert_residual": "infotheo.invertibility.inversion",
    "irrelevant_information": "infotheo.information.prediction",
    "likelihood_noise_variance": "infotheo.information.noise.likelihood",
    "linear_gaussian_layer": "infotheo.ground_truth",
    "lipschitz_bounds": "infotheo.invertibility.lipschitz",
    "margins": "infotheo.representation.margins",
    "mixture_entropy": "infotheo.information.pairwise.bounds",
    "mixture_entropy_monte_carlo": "infotheo.information.pairwise.monte_carlo",
    "mixture_information_monte_carlo": "infotheo.information.pairwise.monte_carlo",
    "multilayer_information_bound": "infotheo.weights.uniform",
    "neighbor_information": "infotheo.information.neighbors.information",
    "NeighborTrustWarning": "infotheo.information.neighbors.information",
    "NotSeparableError": "infotheo.representation.hard_margin",
    "pairwise_information": "infotheo.information.pairwise.bounds",
    "permutation_test": "infotheo.uncertainty",
    "prediction_information": "infotheo.information.prediction",
    "prediction_variance": "infotheo.information.variance_diagnostic",
    "regularizers": "infotheo.penalties",
    "relative_noise_variance": "infotheo.information.noise.variance",
    "residual_norms": "infotheo.invertibility.residual_norms",
    "SaturationWarning": "infotheo.information.pairwise.bounds",
    "separated_clusters": "infotheo.ground_truth",
    "subsample_error": "infotheo.uncertainty",
    "tasks": "infotheo.ground_truth",
    "total_correlation": "infotheo.information.total_correlation",
    "UndecidedSeparationError": "infotheo.representation.hard_margin",
    "uniform_dual_information": "infotheo.weights.uniform",
    "variational_information": "infotheo.critics.variational",
    "VariationalWarning": "infotheo.critics.trust",
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
