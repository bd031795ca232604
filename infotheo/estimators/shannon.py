"""Shannon entropy of a few probabilities: the ceilings of the estimates."""

from __future__ import annotations

import numpy as np

__all__ = ["entropy"]


def entropy(probabilities: np.ndarray) -> float:
    """Shannon entropy in nats of probabilities that sum to one.

    Examples
    --------
    >>> round(entropy(np.array([0.5, 0.5, 0.0])), 4)
    0.6931
    >>> entropy(np.array([1.0]))
    0.0
    """
    p = probabilities[probabilities > 0]
    return float(0.0 - np.sum(p * np.log(p)))  # not -0.0
