"""What every estimator of arrays promises: kinds, dtypes, labels, and one line for bad input."""

import copy
import json
import pickle
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest
import torch
import xarray as xr

import infotheo
from infotheo.arrays.results import FieldNote, wrap
from infotheo.arrays.samples import read_samples, to_numpy
from infotheo.estimators.binned.information import binned_information
from infotheo.estimators.noise.likelihood import likelihood_noise_variance
from infotheo.estimators.noise.variance import relative_noise_variance
from infotheo.estimators.pairwise.bounds import mixture_entropy, pairwise_information
from infotheo.estimators.prediction import prediction_information
from infotheo.representation.characteristics import characteristics

pytestmark = pytest.mark.filterwarnings("ignore::infotheo.SaturationWarning")

LABELLED = {
    "pairwise": lambda z, y, **dims: pairwise_information(z, y, noise_variance=0.5, **dims),
    "characteristics": lambda z, y, **dims: characteristics(z, y, **dims),
    "binned": lambda z, y, **dims: binned_information(z, y, bins=4, **dims),
    "prediction": lambda z, y, **dims: prediction_information(z, y, logits=True, **dims),
}
UNLABELLED = {
    **{name: lambda z, f=f, **dims: f(z, None, **dims) for name, f in LABELLED.items()},
    "entropy": lambda z, **dims: mixture_entropy(z, noise_variance=0.5, **dims),
    "relative": lambda z, **dims: relative_noise_variance(z, 0.1, **dims),
    "likelihood": lambda z, **dims: likelihood_noise_variance(z, **dims),
}
every = pytest.mark.parametrize("estimate", UNLABELLED.values(), ids=UNLABELLED.keys())
every_labelled = pytest.mark.parametrize("estimate", LABELLED.values(), ids=LABELLED.keys())

Z = np.random.default_rng(0).integers(-8, 8, size=(12, 3)) / 4  # exact in half precision
Y = np.arange(12) % 2


def values(result):
    """All numbers of a result of any kind, in float64; diagnostics are no numbers."""
    if isinstance(result, xr.Dataset):
        result = [result[name] for name in result.data_vars]
    fields = result if isinstance(result, tuple | list) else [result]
    estimate = [to_numpy(v) for v in fields if v is not None]
    return [v.astype(np.float64) for v in estimate if v.dtype != bool]


def same(a, b, tolerance):
    for x, y in zip(values(a), values(b), strict=True):
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)


BAD_SAMPLES = [
    (np.array([[0.0, 1], [np.nan, 2]]), ValueError, r"contains nan at index \(1, 0\)"),
    (np.array([[0.0, np.inf], [1, 2]]), ValueError, r"contains inf at index \(0, 1\)"),
    (torch.tensor([[0.0, 1], [2, float("nan")]]), ValueError, r"contains nan at index \(1, 1\)"),
    (np.zeros((0, 3)), ValueError, r"is empty \(shape \(0, 3\)\)"),
    (np.zeros((4, 0)), ValueError, r"is empty \(shape \(4, 0\)\)"),
    (np.zeros((0, 4, 2)), ValueError, r"is empty \(shape \(0, 4, 2\)\)"),
    (np.ones((1, 3)), ValueError, r"has 1 sample\(s\) \(shape \(1, 3\)\); expected at least 2"),
    (np.ones(3), ValueError, r"has shape \(3,\); expected \(\.\.\., sample, unit\)"),
    (np.float64(1), ValueError, r"has shape \(\); expected"),
    (np.array([["a", "b"], ["c", "d"]]), TypeError, "has dtype <U1; expected real numbers"),
    (np.array([[None, 1], [2, 3]]), TypeError, "has dtype object; expected real numbers"),
    (np.ma.array(Z, mask=Z > 1), TypeError, "is a masked array; expected all values"),
    (np.ones((3, 2)) * 1j, TypeError, "has dtype complex128; expected real numbers"),
    (torch.ones(3, 2) * 1j, TypeError, "has dtype torch.complex64; expected real numbers"),
    (
        xr.DataArray(Z, dims=("sample", "neuron")),
        ValueError,
        "has dimensions .* expected 'unit' among",
    ),
    (
        xr.DataArray(Z, dims=("image", "unit")),
        ValueError,
        "has dimensions .* expected 'sample' among",
    ),
    (xr.Dataset({"z": (("sample", "unit"), Z)}), TypeError, "is an xarray Dataset; expected"),
]


@every
@pytest.mark.parametrize(("bad", "error", "message"), BAD_SAMPLES)
def test_bad_samples(estimate, bad, error, message):
    with pytest.raises(error, match=rf"^(z|probabilities) {message}") as caught:
        estimate(bad)
    assert "\n" not in str(caught.value)


@every_labelled
@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (np.arange(11) % 2, ValueError, r"has shape \(11,\); expected \(12,\) integers"),
        (np.zeros((12, 2, 1), int), ValueError, r"has shape \(12, 2, 1\)"),
        (3, ValueError, r"has shape \(\)"),
        (Y / 2, TypeError, "has dtype float64; expected integer class labels or one-hot"),
        (torch.tensor(Y) / 2, TypeError, "has dtype float32"),
        (np.array(list("abababababab")).astype("S"), TypeError, "has dtype [|]S1"),
        (np.ones((12, 2)), TypeError, r"of shape \(12, 2\) are not one-hot"),
        (np.eye(2)[Y] * 0.5, TypeError, r"of shape \(12, 2\) are not one-hot"),
        (xr.DataArray(Y, dims="image"), ValueError, r"has dimensions \('image',\); expected 'sam"),
    ],
)
def test_bad_labels(estimate, labels, error, message):
    with pytest.raises(error, match=f"^labels {message}") as caught:
        estimate(Z, labels)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        (np.ones(11), ValueError, r"weights has shape \(11,\); expected \(12,\)"),
        (-np.ones(12), ValueError, r"weights contains -1\.0; expected finite values >= 0"),
        (np.full(12, np.nan), ValueError, "weights contains nan"),
        (np.zeros(12), ValueError, "weights sum to 0.0; expected a positive sum"),
        (["a"] * 12, TypeError, "weights has dtype"),
    ],
)
def test_bad_weights(weights, error, message):
    for estimate in (
        lambda: pairwise_information(Z, noise_variance=1, weights=weights),
        lambda: mixture_entropy(Z, noise_variance=1, weights=weights),
        lambda: binned_information(Z, weights=weights),
    ):
        with pytest.raises(error, match=message):
            estimate()


@pytest.mark.parametrize("alpha", [0, 1, -0.5, 1.5, float("nan")])
@pytest.mark.parametrize("estimator", [pairwise_information, mixture_entropy])
def test_bad_alpha(estimator, alpha):
    with pytest.raises(ValueError, match=f"alpha is {alpha}; expected a number between 0 and 1"):
        estimator(Z, noise_variance=1.0, alpha=alpha)
    with pytest.raises(TypeError, match="alpha is 'half'"):
        estimator(Z, noise_variance=1.0, alpha="half")


@every
def test_kinds_in_kinds_out(estimate):
    expected = estimate(Z)
    tensor = estimate(torch.tensor(Z))
    array = estimate(xr.DataArray(Z, dims=("sample", "unit")))
    listed = estimate(Z.tolist())
    for fields, kind in ((expected, np.generic), (listed, np.generic), (tensor, torch.Tensor)):
        for field in fields if isinstance(fields, tuple) else [fields]:
            assert field is None or isinstance(field, kind)
    assert type(array).__module__.startswith("xarray")
    # the same operations in float64, in another library's order of summation
    same(tensor, expected, 1e-9)
    same(array, expected, 1e-12)
    same(listed, expected, 0)


@every
def test_dtypes(estimate):
    expected = estimate(Z)
    for dtype in (np.float16, np.float32, ">f8"):
        # float32 input may use float32 exponentials; the documented error is 1e-4
        same(estimate(Z.astype(dtype)), expected, 1e-4)
    same(estimate(torch.tensor(Z, dtype=torch.bfloat16)), expected, 1e-4)
    integers = (Z * 4).astype(int)
    for dtype in (np.int8, np.int64):
        same(estimate(integers.astype(dtype)), estimate(integers.astype(float)), 1e-12)
    same(estimate(torch.tensor(integers)), estimate(integers.astype(float)), 1e-9)


@every
def test_booleans_are_zeros_and_ones(estimate):
    bits = np.unpackbits(np.arange(12, dtype=np.uint8)[:, None], axis=1)[:, 4:]
    same(estimate(bits.astype(bool)), estimate(bits.astype(np.float32)), 0)


@every_labelled
def test_label_forms_agree(estimate):
    expected = estimate(Z, Y)
    one_hot = np.eye(2, dtype=int)[Y]
    forms = [Y.tolist(), Y * 5 - 3, Y.astype(np.uint8), Y.astype(bool), one_hot, one_hot * 1.0]
    for labels in [*forms, torch.tensor(Y), torch.tensor(one_hot), xr.DataArray(Y, dims="sample")]:
        same(estimate(Z, labels), expected, 1e-13)


@every
def test_inputs_are_never_modified(estimate):
    frozen = Z.copy()
    frozen.flags.writeable = False
    estimate(frozen)
    tensor = torch.tensor(Z)
    estimate(tensor)
    np.testing.assert_array_equal(tensor, Z)
    array = xr.DataArray(Z.copy(), dims=("sample", "unit"), attrs={"kept": 1})
    estimate(array)
    xr.testing.assert_identical(array, xr.DataArray(Z, dims=("sample", "unit"), attrs={"kept": 1}))


@every
def test_labelled_dimensions_in_any_order_and_by_any_name(estimate):
    batch = np.stack([Z, Z * 2 + 1])
    array = xr.DataArray(
        batch,
        dims=("seed", "image", "neuron"),
        coords={"seed": [7, 9], "condition": ("seed", ["a", "b"]), "digit": ("image", Y)},
    )
    result = estimate(
        array.transpose("neuron", "seed", "image"), sample_dim="image", unit_dim="neuron"
    )
    same(result, estimate(xr.DataArray(batch, dims=("seed", "sample", "unit"))), 1e-12)
    assert result.seed.values.tolist() == [7, 9]
    assert result.condition.values.tolist() == ["a", "b"]
    assert "digit" not in result.coords
    assert not {"image", "neuron"} & set(result.dims)


@every_labelled
def test_datasets_carry_provenance_and_survive_a_file(estimate, tmp_path):
    array = xr.DataArray(Z[None], dims=("seed", "sample", "unit"), coords={"seed": [1]})
    result = estimate(array, Y)
    for variable in result.data_vars.values():
        assert variable.attrs["units"]
        assert variable.attrs["long_name"]
        assert variable.attrs["estimator"] == result.attrs["estimator"]
        assert variable.attrs["infotheo_version"]
        assert isinstance(json.loads(variable.attrs["settings"]), dict)
    result.to_netcdf(tmp_path / "found.nc")
    with xr.open_dataset(tmp_path / "found.nc") as opened:
        xr.testing.assert_identical(opened.load(), result)


def test_numpy_input_imports_neither_torch_nor_xarray():
    code = """
import sys, numpy as np
from infotheo.representation.characteristics import characteristics
from infotheo.estimators.binned.information import binned_information
from infotheo.estimators.pairwise.bounds import pairwise_information
z, y = np.eye(4), [0, 0, 1, 1]
pairwise_information(z, y, noise_variance=1.0), binned_information(z, y), characteristics(z, y)
print([name for name in ("torch", "xarray", "sklearn", "scipy") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_opened_samples_of_a_tensor_keep_device_and_gradient():
    z = torch.tensor(Z, requires_grad=True)
    opened = read_samples(z)
    assert opened.values is z
    assert opened.like(z * 2).requires_grad
    assert opened.like([1.0, 2.0]).device == z.device


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an accelerator")
@every_labelled
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_results_stay_on_the_accelerator(estimate, dtype):
    for labels in (None, torch.tensor(Y, device="cuda")):
        result = estimate(torch.tensor(Z, dtype=dtype, device="cuda"), labels)
        for field in result:
            assert field is None or field.device.type == "cuda"
        expected = estimate(Z, None if labels is None else Y)
        # float32 input may use float32 products and exponentials; the documented error is 1e-4
        same(result, expected, 1e-4 if dtype == torch.float32 else 1e-9)


class Pair(NamedTuple):
    value: float
    ceiling: float


def test_a_named_tuple_says_where_it_comes_from():
    """Units, settings and version go with the result, and survive pickling and copying."""
    opened = read_samples([[0.0], [1.0]])
    notes = {"value": FieldNote("bits", "a"), "ceiling": FieldNote("bits", "b")}
    estimate = wrap(Pair(1.0, 2.0), opened, estimator="pair", settings={"k": 3}, notes=notes)
    for result in (estimate, pickle.loads(pickle.dumps(estimate)), copy.deepcopy(estimate)):
        assert isinstance(result, Pair)
        assert result == (1.0, 2.0)
        value, ceiling = result
        assert (value, ceiling) == (result.value, result.ceiling)
        assert repr(result) == "Pair(value=1.0, ceiling=2.0)"
        assert result.attrs == {
            "estimator": "pair",
            "settings": '{"k": 3}',
            "infotheo_version": infotheo.__version__,
            "units": {"value": "bits", "ceiling": "bits"},
        }
