r"""The problem of pair sums: every sample's kernel sum over all samples, and over its class.

Whatever the bounds need of the N x N distances are the sums :math:`\sum_j w_j e^{f D_{ij}}`, over
all j and over the j of the class of i. What they are sums of is one record; it is built once and
handed whole to whichever backend computes them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from types import ModuleType
from typing import Literal

import numpy as np
from array_api_compat import array_namespace

from infotheo.arrays.samples import Array
from infotheo.estimators.pair_sums.factors import Factors

__all__ = ["PairProblem", "Precision", "RowSums"]

Precision = Literal["float32", "float64"]

# Sums over all samples and, with classes, over those of the sample's class: each
# (2 [chernoff, kl], batch, sweep, sample) float64. The term j = i is exactly its weight.
RowSums = tuple[Array, Array | None]


@dataclass(frozen=True, eq=False)
class PairProblem:
    """Points, what makes their squared distances exponents, and how well to compute.

    Examples
    --------
    >>> factors = Factors(np.array([[-0.5]]), chernoff_ratio=0.25)
    >>> problem = PairProblem(np.array([[[0.0], [1.0]]]), factors)
    >>> problem.precision, problem.exact, problem.size
    ('float64', False, 2)
    """

    points: Array  # (batch, sample, unit) in the dtype of a product, class after class
    factors: Factors
    weights: Array | None = None  # (sample,) float64; None: each sample counts 1
    class_starts: np.ndarray | None = None  # first sample of each class, ascending from 0
    precision: Precision = "float64"  # of exponentials; float32: relative error 1e-5 at most
    exact: bool = False  # squared distances from differences, not from a Gram product

    @cached_property
    def namespace(self) -> ModuleType:
        """Array-API namespace of the points."""
        return np if isinstance(self.points, np.ndarray) else array_namespace(self.points)

    @property
    def size(self) -> int:
        """Number of samples."""
        return int(self.points.shape[1])

    def elements(self, chosen: np.ndarray) -> PairProblem:
        """Return the problem of some elements of the batch; all of them are the problem itself."""
        if len(chosen) == len(self.points):
            return self
        factors = self.factors
        if len(factors.kl) > 1:
            factors = replace(factors, kl=self._elements(factors.kl, chosen))
        return replace(self, points=self._elements(self.points, chosen), factors=factors)

    def _elements(self, values: Array, chosen: np.ndarray) -> Array:
        if not len(chosen):
            return values[:0]
        return self.namespace.stack([values[int(element)] for element in chosen])
