"""Measures of a study by name, a registry for each subject: what a measure looks at.

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

The other parameters are settings; the first parameter's name tells the subject of a measure of a
user's own package. What fails for one network is a value of the result (NaN, or a
flag), not an exception.
"""

from collections.abc import Callable

import xarray as xr

from infotheo.registry import Registry
from infotheo.study.measures.binned import binned
from infotheo.study.measures.characteristics import characteristics
from infotheo.study.measures.diagnostics import diagnostics
from infotheo.study.measures.error import error
from infotheo.study.measures.finite import measure_finite
from infotheo.study.measures.pairwise import pairwise
from infotheo.study.measures.prediction import prediction

measures: Registry[Callable[..., xr.Dataset]] = Registry(
    {"pairwise": pairwise, "binned": binned, "characteristics": characteristics},
    kind="measure",
    positional=("activations",),
)

prediction_measures: Registry[Callable[..., xr.Dataset]] = Registry(
    {"prediction": prediction, "error": error, "diagnostics": diagnostics},
    kind="measure",
    positional=("logits",),
)

__all__ = ["measure_finite", "measures", "prediction_measures"]
