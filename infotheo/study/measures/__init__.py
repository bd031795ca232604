"""Measures of a study by name. The first parameter says what a measure looks at.

``activations``
    (seed, sample, unit) of a layer, a DataArray with coordinate ``class`` (sample); returned is one
    variable for each quantity, over seed and at most one sweep. Followed over training, the
    networks of all seeds and moments stand along ``seed``.
``logits``
    The same of the networks' outputs.
``network``
    One torch module in evaluation mode, and beside it ``inputs`` (sample, ...) and ``labels``
    (sample,), tensors; returned are variables over at most one dimension. These are registered in
    :mod:`infotheo.study.measures.networks`: measures of activations need no torch.

The other parameters are settings. What fails for one network is a value of the result (NaN, or a
flag), not an exception.
"""

from collections.abc import Callable

import xarray as xr

from infotheo.study.measures.binned import binned
from infotheo.study.measures.characteristics import characteristics
from infotheo.study.measures.diagnostics import diagnostics
from infotheo.study.measures.error import error
from infotheo.study.measures.finite import measure_finite
from infotheo.study.measures.pairwise import pairwise
from infotheo.study.measures.prediction import prediction

measures: dict[str, Callable[..., xr.Dataset]] = {
    "pairwise": pairwise,
    "binned": binned,
    "characteristics": characteristics,
    "prediction": prediction,
    "error": error,
    "diagnostics": diagnostics,
}

__all__ = ["measure_finite", "measures"]
