"""Information that a network's predictions carry."""

from __future__ import annotations

import xarray as xr

from infotheo.estimators.prediction import irrelevant_information, prediction_information

__all__ = ["prediction"]


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
