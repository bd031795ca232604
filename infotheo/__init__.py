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
from importlib.metadata import PackageNotFoundError, version
from typing import Any

try:
    __version__ = version("infotheo")
except PackageNotFoundError:  # run from a checkout without being installed
    __version__ = "0+unknown"

_HOMES = {
    "binned_information": "infotheo.information.binned",
    "characteristics": "infotheo.representation.characteristics",
    "correlation_table": "infotheo.correlation",
    "dump_activations": "infotheo.activations",
    "fano_error_bound": "infotheo.information.prediction",
    "irrelevant_information": "infotheo.information.prediction",
    "likelihood_noise_variance": "infotheo.information.likelihood_noise",
    "mixture_entropy": "infotheo.information.pairwise",
    "pairwise_information": "infotheo.information.pairwise",
    "prediction_information": "infotheo.information.prediction",
    "regularizers": "infotheo.penalties",
    "relative_noise_variance": "infotheo.information.noise",
    "SaturationWarning": "infotheo.information.pairwise",
}

__all__ = [*_HOMES, "__version__"]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'infotheo' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    # The next use finds it without asking here.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
