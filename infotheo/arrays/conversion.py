"""Arrays of any library as kernels take them: dense, with every value there, of NumPy or torch.

What an array cannot say in NumPy's or torch's terms (a mask, a missing value, values that are
nowhere) is refused here, as a conversion would drop it without a word. No library is imported to
ask whether a value is of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import is_torch_array

from infotheo.arrays.wording import describe

__all__ = ["Array", "as_writable", "is_labelled", "read_array", "read_real", "to_numpy"]

Array = Any  # an array of NumPy or torch (any array-API library); xarray only at the door

REAL = "real numbers"


def is_labelled(array: Any) -> bool:
    """Whether ``array`` is an xarray object, asked without importing xarray."""
    return _library(array) == "xarray"


def to_numpy(array: Any) -> np.ndarray:
    """Return a NumPy view or copy of an array of any kind, off its device and gradient."""
    if is_torch_array(array):
        tensor = array.detach().cpu().resolve_conj().resolve_neg()
        widened = str(tensor.dtype).startswith(("torch.bfloat", "torch.float8"))  # not in NumPy
        values: np.ndarray = (tensor.float() if widened else tensor).numpy()
        return values
    return np.asarray(array)


def read_array(value: Any, name: str, expected: str = f"an array of {REAL}") -> Array:
    """Return the argument ``name`` as a NumPy array or as a dense torch tensor, of any dtype.

    Parameters
    ----------
    value
        NumPy, torch (with its gradient), pandas (nullable numbers as plain ones, categories as what
        they stand for), an xarray DataArray (its values), or what ``np.asarray`` takes.
    name, expected
        The argument's name, and what it should be, for messages.

    Raises
    ------
    TypeError
        If it is no array, or one that is masked, sparse, nested, quantized or without values.
    ValueError
        If rows differ in length, or values are missing.

    Examples
    --------
    >>> read_array([1, 2], "z")
    array([1, 2])
    >>> read_array(np.ma.array([1.0, 2.0], mask=[False, True]), "weights")
    Traceback (most recent call last):
    ...
    TypeError: weights is a masked array; expected all values (drop the masked samples)
    >>> read_array({1: 2}, "z")
    Traceback (most recent call last):
    ...
    TypeError: z is {1: 2}; expected an array of real numbers
    """
    if is_torch_array(value):
        return _read_tensor(value, name)
    if is_labelled(value):
        if not hasattr(value, "dims") or not isinstance(value.values, np.ndarray):
            kind = type(value).__name__
            raise TypeError(f"{name} is an xarray {kind}; expected a DataArray (pick one variable)")
        value = value.values
    parts = value if isinstance(value, list | tuple) else ()
    if any(isinstance(part, np.ma.MaskedArray) for part in (value, *parts)):
        raise TypeError(f"{name} is a masked array; expected all values (drop the masked samples)")
    if _library(value) == "scipy" and hasattr(value, "toarray"):
        raise TypeError(
            f"{name} is a sparse {type(value).__name__}; expected a dense array ({name}.toarray())"
        )
    pandas = _library(value) == "pandas" and hasattr(value, "__array__")
    if pandas and hasattr(value, "isna") and not hasattr(value, "levels"):
        missing = np.argwhere(np.asarray(value.isna(), dtype=bool) & ~_is_float(value))
        if len(missing):
            index = tuple(missing[0].tolist())
            raise ValueError(f"{name} has a missing value at index {index}; expected all values")
    try:
        array = np.asarray(value)
    except ValueError as error:
        if "inhomogeneous" not in str(error):
            raise _refusal(value, name, expected) from error
        raise ValueError(
            f"{name} has parts of different lengths; expected {expected}, each part of one length"
        ) from error
    except Exception as error:  # a stranger's __array__ may do anything
        raise _refusal(value, name, expected) from error
    if pandas and array.dtype.kind == "O":
        return _plain(array)
    if array.dtype.kind in "OV" and array.ndim == 0:
        raise _refusal(value, name, expected)
    return array


def read_real(value: Any, name: str, expected: str = REAL, kinds: str = "fiub") -> np.ndarray:
    """Return the argument ``name`` as a NumPy array of real numbers, off its gradient.

    Examples
    --------
    >>> read_real([1, 2], "biases")
    array([1, 2])
    >>> read_real(["a"], "biases")
    Traceback (most recent call last):
    ...
    TypeError: biases has dtype <U1; expected real numbers
    """
    array = to_numpy(read_array(value, name, expected))
    if array.dtype.kind not in kinds:
        raise TypeError(f"{name} has dtype {array.dtype}; expected {expected}")
    return array


def as_writable(array: Array) -> Array:
    """Return an array that torch takes: a NumPy array that is read-only or runs back is copied.

    Examples
    --------
    >>> as_writable(np.arange(3)[::-1]).strides
    (8,)
    """
    return np.require(array, requirements=["C", "W"]) if isinstance(array, np.ndarray) else array


def _library(value: Any) -> str:
    """Name of the library that a value's type comes from."""
    return type(value).__module__.partition(".")[0]


def _refusal(value: Any, name: str, expected: str) -> TypeError:
    return TypeError(f"{name} is {describe(value)}; expected {expected}")


def _read_tensor(tensor: Any, name: str) -> Array:
    """Check that a tensor is dense and has values; resolve views that NumPy does not know."""
    kind = None
    if type(tensor).__name__.startswith("Uninitialized"):
        kind = "an uninitialized parameter"
    elif tensor.is_nested:
        kind = "a nested tensor"
    elif tensor.is_sparse or not str(tensor.layout).endswith("strided"):
        kind = "a sparse tensor"
    elif tensor.is_quantized:
        kind = "a quantized tensor"
    elif tensor.is_meta:
        kind = "a tensor on the device 'meta', without values"
    if kind is not None:
        raise TypeError(f"{name} is {kind}; expected a dense tensor with values")
    tensor = tensor.resolve_conj().resolve_neg()
    return tensor.float() if str(tensor.dtype).startswith("torch.float8") else tensor


def _is_float(value: Any) -> np.ndarray:
    """Which columns of a frame, or whether a series, is of NumPy's floats: NaN is a value there."""
    dtypes = list(value.dtypes) if hasattr(value, "columns") else [getattr(value, "dtype", None)]
    floats = [isinstance(dtype, np.dtype) and dtype.kind == "f" for dtype in dtypes]
    return np.array(floats if hasattr(value, "columns") else floats[0], dtype=bool)


def _plain(array: np.ndarray) -> np.ndarray:
    """Give objects of pandas, all values there, their plain dtype: numbers, truths or text."""
    items = array.ravel().tolist()
    if all(isinstance(item, str) for item in items):
        return array.astype(np.str_)
    if all(isinstance(item, bool | int | float | np.number | np.bool) for item in items):
        plain = np.array(items)
        return array if plain.dtype.kind == "O" else plain.reshape(array.shape)
    return array
