"""The one form of all data sets: inputs, labels and the part that each sample belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["PARTS", "SPLITS", "checked_size", "labelled_samples", "require_part", "split_of"]

SPLITS = ("train", "validation", "test")
# what may be asked for: one of the splits, or all samples in the order of the data set
PARTS = {**{name: [code] for code, name in enumerate(SPLITS)}, "all": [*range(len(SPLITS))]}
_MISSING = -(2**15)
_DIMENSIONS = {2: ("sample", "unit"), 4: ("sample", "channel", "row", "column")}


def checked_size(name: str, value: int, minimum: int, maximum: int) -> int:
    """Return ``value`` if it is a whole number from ``minimum`` to ``maximum``.

    Raises
    ------
    TypeError, ValueError
        Otherwise; the message holds ``name``, the value and the limits.

    Examples
    --------
    >>> checked_size("train_size", 100, 1, 50_000)
    100
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if not minimum <= value <= maximum:
        raise ValueError(f"{name} must be from {minimum} to at most {maximum}, got {value}")
    return int(value)


def _check_inputs(inputs: np.ndarray) -> np.ndarray:
    if inputs.ndim not in _DIMENSIONS or 0 in inputs.shape:
        raise ValueError(
            "inputs must have shape (sample, unit) or (sample, channel, row, column), none empty,"
            f" got {inputs.shape}"
        )
    if inputs.dtype.kind not in "fiu":
        raise TypeError(f"inputs must be real numbers, got {inputs.dtype}")
    if inputs.dtype.kind == "f" and not np.isfinite(inputs).all():
        raise ValueError(f"inputs must be finite, got {np.sum(~np.isfinite(inputs))} NaN or inf")
    return inputs


def _check_codes(name: str, codes: np.ndarray, samples: int, count: int | None) -> np.ndarray:
    if codes.shape != (samples,):
        raise ValueError(
            f"{name} must have shape ({samples},), one for each sample, got {codes.shape}"
        )
    if codes.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers, got {codes.dtype}")
    low, high = int(codes.min()), int(codes.max())
    if low < 0 or (count is not None and high >= count):
        limit = "0 upwards" if count is None else f"0..{count - 1}"
        raise ValueError(f"{name} must lie in {limit}, got {low}..{high}")
    return codes


def labelled_samples(
    inputs: np.ndarray,
    labels: np.ndarray,
    split: np.ndarray,
    *,
    name: str,
    classes: int | None = None,
    index: np.ndarray | None = None,
    scale: float | None = None,
    middle: int = 0,
) -> xr.Dataset:
    """Build a data set in the form that training expects.

    Parameters
    ----------
    inputs
        (sample, unit), or (sample, channel, row, column) for images.
    labels
        Integer class of each sample, 0..classes-1.
    split
        Part of each sample: 0 train, 1 validation, 2 test.
    name
        Name of the data set.
    classes
        Number of classes; None: one more than the largest label.
    index
        Position of each sample in the source; None: 0, 1, 2, ...
    scale
        For inputs of type uint8 or int16: what to multiply them by. A netCDF file then stores the
        whole numbers, and what is read from it equals ``input`` exactly.
    middle
        With ``scale``: the whole number, at most 255, that is subtracted before and becomes 0.

    Returns
    -------
    xarray.Dataset
        ``input`` (float32), ``label`` (int64), coordinates ``sample`` and ``split`` (int8),
        attributes ``name`` and ``classes``.

    Raises
    ------
    ValueError
        If shapes do not agree, or a value is not finite or out of range; names the argument.
    TypeError
        If inputs are not real numbers, labels or split not integers.

    Examples
    --------
    >>> import numpy as np
    >>> data = labelled_samples(np.eye(3), np.array([0, 1, 1]), np.array([0, 0, 2]), name="eye")
    >>> data.attrs["classes"], data["input"].dtype, data["input"].dims
    (2, dtype('float32'), ('sample', 'unit'))
    """
    import xarray as xr

    inputs = _check_inputs(np.asarray(inputs))
    samples = len(inputs)
    labels = _check_codes("labels", np.asarray(labels), samples, classes)
    split = _check_codes("split", np.asarray(split), samples, len(SPLITS))
    positions = np.arange(samples) if index is None else np.asarray(index)
    positions = _check_codes("index", positions, samples, None)
    values = inputs.astype(np.float32)
    encoding: dict[str, object] = {"zlib": True, "complevel": 1}
    if scale is None and middle:
        raise ValueError(f"middle needs scale, got middle {middle} alone")
    if scale is not None:
        if inputs.dtype not in (np.uint8, np.int16):
            raise TypeError(
                f"inputs must be uint8 or int16 where scale is given, got {inputs.dtype}"
            )
        values -= np.float32(checked_size("middle", middle, 0, 255))
        if (low := values.min()) <= _MISSING:
            raise ValueError(f"inputs less middle must be above {_MISSING}, got {low:.0f}")
        values *= np.float32(scale)
        # two bytes, because all values of one are taken and xarray wants a mark for missing ones
        encoding |= {"dtype": np.dtype(np.int16), "_FillValue": np.int16(_MISSING)}
        encoding["scale_factor"] = np.float32(scale)
    dimensions = _DIMENSIONS[inputs.ndim]
    meanings = {
        "long_name": "part of the data set",
        "flag_values": np.arange(len(SPLITS), dtype=np.int8),
        "flag_meanings": " ".join(SPLITS),
    }
    return xr.Dataset(
        {
            "input": (dimensions, values, {"long_name": "network input", "units": "1"}, encoding),
            "label": ("sample", labels.astype(np.int64), {"long_name": "class", "units": "1"}),
        },
        coords={
            "sample": ("sample", positions.astype(np.int64), {"long_name": "index in the source"}),
            "split": ("sample", split.astype(np.int8), meanings),
        },
        attrs={"name": name, "classes": int(labels.max()) + 1 if classes is None else classes},
    )


def split_of(dataset: xr.Dataset, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the inputs and labels of one part of a data set.

    Parameters
    ----------
    dataset
        As `labelled_samples` builds it.
    part
        "train", "validation", "test" or "all".

    Returns
    -------
    tuple of numpy.ndarray
        Inputs (sample, ...), float32 and contiguous; labels (sample,), int64. Both copies, and
        empty if the part is.

    Raises
    ------
    ValueError
        If there is no such part.

    Examples
    --------
    >>> import numpy as np
    >>> data = labelled_samples(np.eye(3), np.array([0, 1, 1]), np.array([0, 0, 2]), name="eye")
    >>> split_of(data, "test")
    (array([[0., 0., 1.]], dtype=float32), array([1]))
    """
    if part not in PARTS:
        raise ValueError(f"part must be one of {', '.join(PARTS)}, got {part!r}")
    chosen = np.isin(dataset["split"].to_numpy(), PARTS[part])
    inputs = dataset["input"].to_numpy()[chosen]
    labels = dataset["label"].to_numpy()[chosen]
    return np.ascontiguousarray(inputs, np.float32), labels.astype(np.int64)


def require_part(dataset: xr.Dataset, part: str) -> None:
    """Check that a part of a data set has samples.

    Raises
    ------
    ValueError
        If it has none.

    Examples
    --------
    >>> import numpy as np
    >>> data = labelled_samples(np.eye(3), np.array([0, 1, 1]), np.array([0, 0, 2]), name="eye")
    >>> require_part(data, "test")
    """
    if not np.isin(dataset["split"].to_numpy(), PARTS[part]).any():
        raise ValueError(f"part: found {part!r}, but the data set has no such samples")
