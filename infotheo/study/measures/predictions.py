"""Measures of a network's outputs: logits (seed, sample, unit) with coordinate ``class``."""

from __future__ import annotations

import numpy as np
import xarray as xr

from infotheo.estimators.prediction import irrelevant_information, prediction_information


def prediction(logits: xr.DataArray) -> xr.Dataset:
    """Information of the prediction about input and label, and what is irrelevant, nats."""
    labels = logits["class"].values
    return xr.Dataset(
        {
            "prediction_input": prediction_information(logits, logits=True)["value"],
            "prediction_label": prediction_information(logits, labels, logits=True)["value"],
            "prediction_irrelevant": irrelevant_information(logits, labels, logits=True)["value"],
        }
    )


def error(logits: xr.DataArray) -> xr.Dataset:
    """Fraction of wrong predictions, and the cross-entropy, nats."""
    values = logits.transpose("seed", "sample", "unit").values.astype("float64")
    labels = logits["class"].values
    wrong = (values.argmax(-1) != labels).mean(-1)
    own = np.take_along_axis(values, labels[None, :, None], axis=-1)[..., 0]
    largest = values.max(-1)
    total = np.log(np.exp(values - largest[..., None]).sum(-1)) + largest
    loss = (total - own).mean(-1)
    return xr.Dataset(
        {
            "error": ("seed", wrong, {"long_name": "fraction wrong", "units": "1"}),
            "cross_entropy": ("seed", loss, {"long_name": "cross-entropy", "units": "nats"}),
        },
        {"seed": logits["seed"]},
    )
