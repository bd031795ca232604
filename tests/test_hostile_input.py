"""Every public function against values that no one should pass: right, or one line by name.

The functions and their good values are those of test_bad_input; here each parameter gets values of
another kind altogether. A call may succeed, and returns what it returns for the good value where
the value is another form of it. It may not fail inside NumPy, torch or pandas.
"""

import collections
import datetime
import decimal
import enum
import fractions
import inspect
import io
import pathlib
import re
import traceback
import types
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from scipy import sparse

import infotheo as it
from tests.test_bad_input import CALLS, call

LONGEST = 500  # characters of a message


class Colour(enum.Enum):
    RED = 1


class Untrue:
    """Says neither yes nor no, and has no length."""

    def __bool__(self):
        raise RuntimeError("no truth")

    def __len__(self):
        raise RuntimeError("no length")

    def __repr__(self):
        return "first line\nsecond line"


class FailingArray:
    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("no array today")


class Matrix(np.ndarray):
    pass


def generic():
    """Values of all kinds, made anew: some are used up."""
    stream = np.random.default_rng(1)
    rows = stream.normal(size=(24, 3))
    return {
        "None": None,
        "true": True,
        "zero": 0,
        "minus one": -1,
        "half": 0.5,
        "NaN": float("nan"),
        "infinity": float("inf"),
        "a huge integer": 10**400,
        "minus a huge integer": -(10**400),
        "2^63": 2**63,
        "a tiny number": 5e-324,
        "a complex number": 1 + 2j,
        "text": "text",
        "empty text": "",
        "long text": "x" * 10_000,
        "two lines": "first\nsecond",
        "bytes": b"bytes",
        "an array of bytes": bytearray(24),
        "a memory view": memoryview(bytes(24)),
        "a dictionary": {"a": 1},
        "an empty dictionary": {},
        "a set": {1, 2, 3},
        "an object": object(),
        "an untrue object": Untrue(),
        "a class": int,
        "a function": len,
        "a lambda": lambda *arguments, **settings: None,
        "a module of Python": types,
        "a path": pathlib.Path("here"),
        "a file": io.BytesIO(b"123"),
        "an enumeration": Colour.RED,
        "a namespace": types.SimpleNamespace(shape=(24, 3), ndim=2, dtype="float64"),
        "a generator": (row for row in rows),
        "an iterator": iter(range(24)),
        "a range": range(24),
        "a slice": slice(3),
        "an ellipsis": ...,
        "NotImplemented": NotImplemented,
        "an error": ValueError("no"),
        "a date": datetime.date(2020, 1, 1),
        "a time difference": datetime.timedelta(1),
        "a decimal": decimal.Decimal("0.5"),
        "a fraction": fractions.Fraction(1, 2),
        "decimals": [[decimal.Decimal("0.5")] * 3] * 24,
        "an empty list": [],
        "an empty tuple": (),
        "lists of nothing": [[], []],
        "a ragged list": [[1.0], [1.0, 2.0]],
        "a list with a hole": [[1.0, None]] * 24,
        "a list of text and numbers": [[1.0, "one"]] * 24,
        "a list of arrays": [np.ones(3), np.ones(4)],
        "a list of tensors": [torch.ones(3), torch.ones(4)],
        "a list of itself": (lambda items: (items.append(items), items)[1])([]),
        "a deep list": np.ones((1,) * 30).tolist(),
        "a queue": collections.deque([1.0, 2.0]),
        "a named tuple": collections.namedtuple("Point", "x y")(1.0, 2.0),
        "0-d": np.array(1.0),
        "0-d NaN": np.array(np.nan),
        "0-d text": np.array("text"),
        "0-d object": np.array(None, dtype=object),
        "no values": np.empty(0),
        "no rows": np.empty((0, 3)),
        "no columns": np.empty((24, 0)),
        "33 dimensions": np.ones((1,) * 33),
        "one value": np.ones((1, 1)),
        "all NaN": np.full((24, 3), np.nan),
        "all infinite": np.full((24, 3), -np.inf),
        "complex": rows + 1j,
        "text array": rows.astype(str),
        "byte strings": rows.astype("S"),
        "objects": rows.astype(object),
        "objects with None": np.where(rows > 2, None, rows),
        "arrays in objects": np.array([np.ones(2), np.ones(3), None], dtype=object),
        "dates": np.full((24, 3), np.datetime64("2020-01-01")),
        "time differences": np.full((24, 3), np.timedelta64(1, "D")),
        "no dates": np.full(24, np.datetime64("NaT")),
        "a structured array": np.zeros(24, dtype=[("a", float), ("b", int)]),
        "a record array": np.rec.array([(1.0, 2)] * 24, dtype=[("a", float), ("b", int)]),
        "raw bytes": np.zeros((24, 3), dtype="V4"),
        "long double beyond float64": np.full((24, 3), np.longdouble("1e4000")),
        "unsigned 64-bit": np.full((24, 3), 2**64 - 1, dtype=np.uint64),
        "text labels with NaN": np.array(["a", np.nan] * 12, dtype=object),
        "a masked array": np.ma.masked_greater(rows, 0),
        "all masked": np.ma.masked_all((24, 3)),
        "the masked constant": np.ma.masked,
        "failing array": FailingArray(),
        "a frame with text": pd.DataFrame({"a": rows[:, 0], "b": ["b"] * 24}),
        "a frame with dates": pd.DataFrame({"a": pd.date_range("2020", periods=24)}),
        "a frame with missing integers": pd.DataFrame({"a": [1, None] * 12}, dtype="Int64"),
        "an empty frame": pd.DataFrame(),
        "a series with a hole": pd.Series([1, None] * 12, dtype="Int64"),
        "a series of text with a hole": pd.Series(["a", None] * 12),
        "categories with a hole": pd.Series(["a", None] * 12, dtype="category"),
        "a series of dates": pd.Series(pd.date_range("2020", periods=24)),
        "a series of intervals": pd.Series(pd.interval_range(0, 24)),
        "periods": pd.Series(pd.period_range("2020", periods=24)),
        "an index": pd.Index(["a", "b"]),
        "an index of several levels": pd.MultiIndex.from_product([["a", "b"], [1, 2]]),
        "groups": pd.DataFrame({"a": [1, 1]}).groupby("a"),
        "missing": pd.NA,
        "no time": pd.NaT,
        "a sparse matrix": sparse.csr_matrix(np.eye(24, 3)),
        "a sparse array": sparse.coo_array(np.eye(24, 3)),
        "a sparse frame": pd.DataFrame.sparse.from_spmatrix(sparse.csr_matrix(np.eye(24, 3))),
        "a sparse tensor": torch.eye(24, 3).to_sparse(),
        "a compressed tensor": compressed(),
        "a meta tensor": torch.ones(24, 3, device="meta"),
        "meta labels": torch.ones(24, dtype=torch.int64, device="meta"),
        "a nested tensor": torch.nested.nested_tensor(
            [torch.ones(2, 3), torch.ones(1, 3)], layout=torch.jagged
        ),
        "a strided nested tensor": nested(),
        "a quantized tensor": quantized(rows),
        "a complex tensor": torch.ones(24, 3, dtype=torch.complex64),
        "a conjugate tensor": torch.ones(24, 3, dtype=torch.complex64).conj(),
        "a tensor of 8-bit floats": torch.ones(24, 3).to(torch.float8_e4m3fn),
        "a tensor of bools": torch.ones(24, 3, dtype=torch.bool),
        "a tensor of NaN": torch.full((24, 3), float("nan")),
        "a 0-d tensor": torch.tensor(1.0),
        "an empty tensor": torch.ones(0, 3),
        "a tensor with gradient": torch.ones(24, 3, requires_grad=True),
        "a parameter": torch.nn.Parameter(torch.ones(24, 3)),
        "an uninitialized parameter": torch.nn.UninitializedParameter(),
        "a module": torch.nn.Linear(3, 3),
        "a dtype": torch.float32,
        "a generator of numbers": np.random.default_rng(0),
        "a generator of torch": torch.Generator(),
        "a labelled array with other dimensions": xr.DataArray(rows, dims=("time", "space")),
        "a labelled array without names": xr.DataArray(rows),
        "a labelled array of text": xr.DataArray(rows.astype(str), dims=("sample", "unit")),
        "a 0-d labelled array": xr.DataArray(1.0),
        "a dataset": xr.Dataset({"a": ("sample", rows[:, 0])}),
        "an empty dataset": xr.Dataset(),
        "a variable": xr.Variable(("sample", "unit"), rows),
        "a labelled array with a repeated index": xr.DataArray(
            rows, dims=("sample", "unit"), coords={"sample": [0] * 24}
        ),
        "a labelled array with three layers": xr.DataArray(
            np.stack([rows] * 3), dims=("layer", "sample", "unit")
        ),
        "a masked labelled array": xr.DataArray(
            np.ma.masked_greater(rows, 0), dims=("sample", "unit")
        ),
    }


def quiet(function):
    def without_warnings(*arguments):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*arguments)

    return without_warnings


@quiet
def compressed():
    return torch.eye(24, 3).to_sparse_csr()


@quiet
def nested():
    return torch.nested.nested_tensor([torch.ones(2, 3), torch.ones(1, 3)])


@quiet
def quantized(rows):
    return torch.quantize_per_tensor(torch.tensor(rows).float(), 0.1, 10, torch.qint8)


def reordered(array):
    return np.asfortranarray(array[::-1])[::-1]


def same_values(value):
    """Other forms of a good array: the same result, or one line by name."""
    plain = np.array(value, dtype=float if np.asarray(value).dtype.kind == "f" else None)
    zeros = torch.zeros(plain.shape, dtype=torch.float64)
    forms = {
        "nested lists": plain.tolist(),
        "tuples": tuple(map(tuple, plain.tolist())) if plain.ndim == 2 else tuple(plain.tolist()),
        "read-only": readonly(plain),
        "in another order": reordered(plain),
        "big-endian": plain.astype(plain.dtype.newbyteorder(">")),
        "a subclass": plain.view(Matrix),
        "long double": plain.astype(np.longdouble) if plain.dtype.kind == "f" else plain,
        "objects": plain.astype(object),
        "masked, nothing hidden": np.ma.array(plain),
        "masked": np.ma.masked_where(np.arange(plain.size).reshape(plain.shape) == 1, plain),
        "a labelled masked array": xr.DataArray(plain, dims=("sample", "unit")[: plain.ndim]),
        "a tensor": torch.tensor(plain),
        "a tensor with gradient": torch.tensor(plain).double().requires_grad_(),
        "a conjugated tensor": torch.tensor(plain).conj(),
        "a negated view": torch.complex(zeros, -torch.tensor(plain).double()).conj().imag,
        "a sparse tensor": torch.tensor(plain).to_sparse(),
        "a meta tensor": torch.tensor(plain).to("meta"),
    }
    if plain.ndim == 2:
        forms |= {
            "a frame": pd.DataFrame(plain, index=range(100, 100 + len(plain))),
            "a frame of nullable numbers": pd.DataFrame(plain).convert_dtypes(),
            "a frame of objects": pd.DataFrame(plain).astype(object),
            "a sparse matrix": sparse.csr_matrix(plain),
        }
    if plain.ndim == 1:
        forms |= {
            "a series": pd.Series(plain, index=range(100, 100 + len(plain))),
            "a series of nullable numbers": pd.Series(plain).convert_dtypes(),
            "an index": pd.Index(plain),
            "an array of pandas": pd.array(plain),
        }
    if plain.dtype.kind == "i":
        forms |= {
            "text": plain.astype(str),
            "a series of text": pd.Series(plain.astype(str)),
            "categories": pd.Series(plain.astype(str), dtype="category"),
            "a categorical": pd.Categorical(plain.astype(str)),
            "categories of integers": pd.Series(plain, dtype="category"),
        }
    return forms


def readonly(array):
    array = np.array(array)
    array.flags.writeable = False
    return array


def array_of(given):
    """Return a good value as a NumPy array, if it is one."""
    value = given.value
    if isinstance(value, torch.Tensor):
        return value.detach().numpy()
    listed = isinstance(value, list) and value and not isinstance(value[0], str)
    return np.array(value) if listed or isinstance(value, np.ndarray) else None


def answer(function, arguments, allowed):
    """Return the result, or None if refused; fail if that is not done in one line by name."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(**arguments)
    except Exception as error:
        message = str(error)
        innermost = traceback.extract_tb(error.__traceback__)[-1].filename
        ours = type(error) in (ValueError, TypeError) or type(error).__module__[:9] == "infotheo."
        named = any(re.search(rf"(?<!\w){name}(?!\w)", message) for name in allowed)
        line = "\n" not in message and len(message) <= LONGEST
        if ours and named and line and "/infotheo/" in innermost:
            return None
        return Fault(f"{type(error).__name__}: {message[:300]} ({innermost})")


class Fault(str):
    """What is wrong with an answer."""


def check(name):
    """Try values for every parameter of a function; return the faults."""
    faults = []
    for argument, given in CALLS[name].items():
        array = array_of(given)
        # a switch makes other arguments mean something else
        allowed = CALLS[name] if given.kind == "switch" else (argument,)
        values = generic() if array is None else generic() | same_values(array)
        for what, value in values.items():
            result = answer(lambda **changes: call(name, **changes), {argument: value}, allowed)
            if isinstance(result, Fault):
                faults.append(f"{argument}, {what}: {result}")
    return faults


@pytest.mark.gate
@pytest.mark.parametrize("name", CALLS)
def test_hostile_values_are_right_or_refused_by_name(name):
    faults = check(name)
    assert not faults, "\n".join((f"{len(faults)} faults", *faults[:20]))


def leaves(result):
    """Return the arrays of a result."""
    if isinstance(result, xr.Dataset):
        return {key: np.asarray(value) for key, value in result.data_vars.items()}
    fields = result._asdict() if hasattr(result, "_asdict") else {"": result}
    plain = {key: v.detach() if hasattr(v, "detach") else v for key, v in fields.items()}
    return {
        key: np.asarray(value)
        for key, value in plain.items()
        if not isinstance(value, tuple | torch.nn.Module) and value is not None
    }


@pytest.mark.gate
@pytest.mark.parametrize("name", CALLS)
def test_another_form_of_a_value_gives_the_same(name):
    expected = None
    for argument, given in CALLS[name].items():
        array = array_of(given)
        for what, value in {} if array is None else same_values(array).items():
            result = answer(lambda **changes: call(name, **changes), {argument: value}, [argument])
            if result is None or isinstance(result, Fault):
                continue  # refused; faults are found above
            expected = leaves(call(name)) if expected is None else expected
            for key, values in leaves(result).items():
                if key in expected and values.dtype.kind == "f":
                    right = expected[key].ravel()
                    np.testing.assert_allclose(
                        values.ravel(), right, rtol=1e-6, atol=1e-9, err_msg=f"{argument}, {what}"
                    )


NAMES = {"sample_dim", "unit_dim", "class_dim", "output_dim", "device", "batch_dims"}


@pytest.mark.parametrize("name", CALLS)
def test_hostile_names_of_dimensions_and_devices(name):
    """With a labelled array, whose dimensions are asked for, and without."""
    parameters = inspect.signature(getattr(it, name)).parameters
    for argument in NAMES & parameters.keys():
        values = [v for v in generic().values() if not isinstance(v, torch.nn.Module)]
        for labelled in (False, True):
            for value in values[::3]:
                arguments = {argument: value}
                first = next(iter(CALLS[name]))
                array = array_of(CALLS[name][first])
                if labelled and array is not None:
                    dims = ("sample", "unit") if array.ndim == 2 else ("unit",)
                    arguments[first] = xr.DataArray(array, dims=dims)
                result = answer(
                    lambda **given: call(name, **given), arguments, [argument, "dim", "dimensions"]
                )
                assert not isinstance(result, Fault), result
