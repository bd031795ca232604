"""Differentiable penalties on a layer's mini-batch activations.

Activations are (..., sample, unit); leading dimensions (replicas) stay in the result. Statistics
over samples divide by the number of samples, over pairs of units by the number of distinct pairs
(paper 2, table 1), so one loss weight means the same at any width. ``normalized=False`` gives the
plain sums of paper 1, table 5. Only shapes and dtypes are checked, and labels where they lie on
the CPU: nothing waits for an accelerator, and a diverging replica spoils only its own result.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from infotheo.penalties.amplitude import amplitude_penalty
from infotheo.penalties.covariance import class_wise_covariance_penalty, covariance_penalty
from infotheo.penalties.logit_terms import output_objectives
from infotheo.penalties.rank import class_wise_rank_penalty, rank_penalty
from infotheo.penalties.variance import class_wise_variance_penalty, variance_penalty
from infotheo.penalties.weights import logit_penalty, weight_regularizers
from infotheo.registry import Registry

__all__ = ["logit_penalty", "output_objectives", "regularizers", "weight_regularizers"]

regularizers: Registry[Callable[..., Tensor]] = Registry(
    {
        "CR": covariance_penalty,
        "cw-CR": class_wise_covariance_penalty,
        "VR": variance_penalty,
        "cw-VR": class_wise_variance_penalty,
        "L1R": amplitude_penalty,
        "RR": rank_penalty,
        "cw-RR": class_wise_rank_penalty,
    },
    kind="regularizer",
    positional=("activations", "labels"),
    context=("classes",),
)
