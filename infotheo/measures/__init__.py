"""Measures of a study by name. The first parameter says what a measure looks at.

``activations``
    (seed, sample, unit) of a layer, a DataArray with coordinate ``class`` (sample); returned is one
    variable for each quantity, over seed and at most one sweep. Followed over training, the
    networks of all seeds and moments stand along ``seed``.
``logits``
    The same of the networks' outputs.
``network``
    One torch module in evaluation mode, and beside it ``inputs`` (sample, ...) and ``labels``
    (sample,), tensors; returned are variables over at most one dimension.

The other parameters are settings. What fails for one network is a value of the result (NaN, or a
flag), not an exception.
"""

from infotheo.measures.components import components
from infotheo.measures.diagnostics import diagnostics
from infotheo.measures.finite import measure_finite
from infotheo.measures.invertibility import invertibility
from infotheo.measures.layers import binned, characteristics, pairwise
from infotheo.measures.margins import margins
from infotheo.measures.predictions import error, prediction
from infotheo.measures.residual import residual

measures = {
    "pairwise": pairwise,
    "binned": binned,
    "characteristics": characteristics,
    "prediction": prediction,
    "error": error,
    "residual": residual,
    "invertibility": invertibility,
    "components": components,
    "margins": margins,
    "diagnostics": diagnostics,
}

__all__ = ["measure_finite", "measures"]
