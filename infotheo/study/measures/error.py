"""Error and cross-entropy of a network's predictions."""

from __future__ import annotations

import numpy as np
import xarray as xr

__all__ = ["error"]


def error(logits: xr.DataArray) -> xr.Dataset:
    """Fraction of wrong predictions, and the cross-entropy, nats."""
    values = logits.transpose("seed", "sample", "unit").values.astype("float64")
    labels = logits["class"].values
    wrong = (values.argmax(-1) != labels).mean(-1)
    label_logits = np.take_along_axis(values, labels[None, :, None], axis=-1)[..., 0]
    largest = values.max(-1)
    total = np.log(np.exp(values - largest[..., None]).sum(-1)) + largest
    loss = (total - label_logits).mean(-1)
    return xr.Dataset(
        {
            "error": ("seed", wrong, {"long_name": "fraction wrong", "units": "1"}),
            "cross_entropy": ("seed", loss, {"long_name": "cross-entropy", "units": "nats"}),
        },
        {"seed": logits["seed"]},
    )
