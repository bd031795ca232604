"""Invertibility of residual blocks y = x + L(x): norms at the data, bounds, and the trial.

The ratio of norms ``|L(x)| / |x|`` at the data (papers 4 and 5) says nothing about the operator
norm of L, so four things are measured side by side: that ratio, lower and upper bounds of L's
Lipschitz constant, and an inversion.
"""

from infotheo.invertibility.inversion import Inversion, InversionWarning, invert_residual
from infotheo.invertibility.layer_norms import layer_norms
from infotheo.invertibility.layer_walk import LayerBound
from infotheo.invertibility.lipschitz import LipschitzBounds, lipschitz_bounds
from infotheo.invertibility.residual_norms import ZeroNormWarning, residual_norms

__all__ = [
    "Inversion",
    "InversionWarning",
    "LayerBound",
    "LipschitzBounds",
    "ZeroNormWarning",
    "invert_residual",
    "layer_norms",
    "lipschitz_bounds",
    "residual_norms",
]
