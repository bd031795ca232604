"""Arrays of other libraries: what they say in plain numbers is taken, what they hide is refused."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from scipy import sparse

import infotheo as it
from infotheo.arrays.conversion import read_array
from infotheo.arrays.samples import ImageShapeWarning, read_samples
from infotheo.arrays.wording import describe

N = 24
STREAM = np.random.default_rng(0)
Z = STREAM.normal(size=(N, 3))
LABELS = np.arange(N) % 3
WEIGHTS = STREAM.uniform(1, 2, size=N)
MASK = np.arange(N) == 5
pytestmark = pytest.mark.filterwarnings("ignore::infotheo.SaturationWarning")

MASKED = {
    "labels": np.ma.array(LABELS, mask=MASK),
    "weights": np.ma.array(WEIGHTS, mask=MASK),
    "noise_variance": np.ma.array([0.1, 0.2], mask=[False, True]),
}
TAKERS = [
    (it.pairwise_information, "labels", {"noise_variance": 0.1}),
    (it.pairwise_information, "weights", {"noise_variance": 0.1}),
    (it.pairwise_information, "noise_variance", {}),
    (it.mixture_entropy, "weights", {"noise_variance": 0.1}),
    (it.mixture_entropy, "noise_variance", {}),
    (it.mixture_entropy_monte_carlo, "weights", {"noise_variance": 0.1, "draws": 10, "seed": 0}),
    (it.mixture_entropy_monte_carlo, "noise_variance", {"draws": 10, "seed": 0}),
    (it.mixture_information_monte_carlo, "labels", {"noise_variance": 1, "draws": 10, "seed": 0}),
    (it.mixture_information_monte_carlo, "weights", {"noise_variance": 1, "draws": 10, "seed": 0}),
    (it.mixture_information_monte_carlo, "noise_variance", {"draws": 10, "seed": 0}),
    (it.binned_information, "labels", {}),
    (it.binned_information, "weights", {}),
    (it.characteristics, "labels", {}),
    (it.hard_margin, "labels", {}),
]


@pytest.mark.parametrize(("estimator", "name", "settings"), TAKERS)
def test_masked_arguments_are_refused_as_masked_samples_are(estimator, name, settings):
    with pytest.raises(TypeError, match=rf"^{name} is a masked array; expected all values"):
        estimator(Z, **settings, **{name: MASKED[name]})
    with pytest.raises(TypeError, match=rf"^{name} is a masked array"):
        estimator(Z, **settings, **{name: [MASKED[name][:2], MASKED[name][:2]]})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (sparse.csr_matrix(Z), r"z is a sparse csr_matrix; expected a dense array \(z.toarray"),
        (sparse.coo_array(Z), "z is a sparse coo_array"),
        (torch.tensor(Z).to_sparse(), "z is a sparse tensor; expected a dense tensor with values"),
        (torch.tensor(Z)[None].to_sparse(2), "z is a sparse tensor"),
        (torch.tensor(Z).to("meta"), "z is a tensor on the device 'meta'"),
        (torch.nn.UninitializedParameter(), "z is an uninitialized parameter"),
        (np.ma.masked, "z is a masked array"),
        ([np.ma.array([1.0, 2.0], mask=[0, 1])] * 3, "z is a masked array"),
        (pd.DataFrame({"a": [1, None]}, dtype="Int64"), r"z has a missing value at index \(1, 0\)"),
        ([[1.0], [1.0, 2.0]], "z has parts of different lengths; expected real numbers"),
        ((row for row in Z), "z is a generator; expected real numbers"),
        (None, "z is None; expected real numbers"),
        ({"a": 1}, r"z is \{'a': 1\}; expected real numbers"),
        (pd.DataFrame({"a": ["b"]}), "z has dtype <U1; expected real numbers"),
        (xr.Dataset({"a": 1}), "z is an xarray Dataset; expected a DataArray"),
    ],
)
def test_what_is_no_array_of_values_is_refused(value, message):
    with pytest.raises((TypeError, ValueError), match=f"^{message}"):
        read_samples(value)


@pytest.mark.filterwarnings("ignore:.*nested tensors:UserWarning")
def test_nested_tensors_are_refused():
    for layout in (torch.strided, torch.jagged):
        nested = torch.nested.nested_tensor([torch.ones(2, 3), torch.ones(1, 3)], layout=layout)
        with pytest.raises(TypeError, match="z is a nested tensor"):
            read_samples(nested)


def test_lazily_conjugated_and_negated_tensors_are_their_values():
    pair = torch.complex(torch.zeros(N, 3, dtype=torch.float64), -torch.tensor(Z)).conj()
    assert pair.imag.is_neg()
    for estimate in (it.binned_information, it.characteristics):
        expected = estimate(torch.tensor(Z), LABELS)[0]
        assert estimate(pair.imag, LABELS)[0] == expected
        assert estimate(torch.tensor(Z).conj(), torch.tensor(LABELS).conj())[0] == expected


FRAMES = [
    pd.DataFrame(Z),
    pd.DataFrame(Z, index=range(100, 100 + N)).convert_dtypes(),
    pd.DataFrame(Z).astype(object),
]
KINDS_OF_LABELS = [
    pd.Series(LABELS, index=range(100, 100 + N)),
    pd.Series(LABELS, dtype="Int64"),
    pd.array(LABELS, dtype="Int8"),
    pd.Series(LABELS, dtype="category"),
    np.array(["cat", "dog", "eel"])[LABELS],
    np.array(["cat", "dog", "eel"], dtype=object)[LABELS],
    np.array(["cat", "dog", "eel"])[LABELS].tolist(),
    pd.Series(np.array(["cat", "dog", "eel"])[LABELS]),
    pd.Series(np.array(["cat", "dog", "eel"])[LABELS], dtype="string"),
    pd.Series(np.array(["cat", "dog", "eel"])[LABELS], dtype="category"),
    pd.Categorical(np.array(["cat", "dog", "eel"])[LABELS]),
    xr.DataArray(np.array(["cat", "dog", "eel"])[LABELS], dims="sample"),
]
ESTIMATES = [
    lambda z, y: it.pairwise_information(z, y, noise_variance=0.1),
    lambda z, y: it.mixture_information_monte_carlo(z, y, noise_variance=0.1, draws=50, seed=0),
    it.binned_information,
    it.characteristics,
    lambda z, y: it.prediction_information(np.eye(3)[LABELS] * 0.7 + 0.1, y),
    lambda z, y: it.irrelevant_information(np.eye(3)[LABELS] * 0.7 + 0.1, y),
    lambda z, y: it.neighbor_information(z, y, discrete_y=True, check_trust=False),
    lambda z, y: it.hard_margin(np.asarray(z, float) + 20 * np.eye(3)[LABELS], y)[:3],
    lambda z, y: it.component_accuracies(z, y, z, y),
    lambda z, y: it.variational_information(
        z, y, discrete_y=True, folds=2, max_steps=1, seed=0, hidden=2
    ),
    lambda z, y: it.density_ratio_information(z, y, folds=2, max_steps=1, seed=0, hidden=2),
    lambda z, y: it.permutation_test(it.binned_information, z, y, permutations=9, seed=0),
    lambda z, y: it.subsample_error(it.binned_information, z, y, pieces=3, seed=0),
]


def equal(first, second):
    return len(first) == len(second) and all(
        a is b or np.allclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True)
        for a, b in zip(first, second, strict=True)
    )


@pytest.mark.filterwarnings("ignore::infotheo.VariationalWarning")
@pytest.mark.parametrize("estimate", ESTIMATES)
def test_frames_and_labels_of_all_kinds_give_the_same(estimate):
    expected = estimate(Z, LABELS)
    for frame in FRAMES:
        assert equal(estimate(frame, LABELS), expected)
    for labels in KINDS_OF_LABELS:
        assert equal(estimate(Z, labels), expected), type(labels)


def test_text_does_not_number_columns():
    with pytest.raises(TypeError, match=r"^labels are text \('0'\); expected integers that number"):
        it.margins(Z, np.eye(3), LABELS.astype(str))
    with pytest.raises(TypeError, match="test_labels: labels are text, test_labels are not"):
        it.component_accuracies(Z, LABELS.astype(str), Z, LABELS)


@pytest.mark.parametrize(
    "labels",
    [
        pd.Series([0, None] * 12, dtype="Int64"),
        pd.Series(["a", None] * 12),
        pd.Series(["a", None] * 12, dtype="category"),
    ],
)
def test_missing_labels_are_refused(labels):
    with pytest.raises(ValueError, match=r"^labels has a missing value at index \(1,\)"):
        it.binned_information(Z, labels)


def test_series_and_frames_are_shuffled_and_split_by_position():
    x, y = Z[:, 0], Z[:, 0] + Z[:, 1]
    index = STREAM.permutation(N)
    for test in (
        lambda a, b: it.permutation_test(it.gaussian_information, a, b, seed=0, permutations=19),
        lambda a, b: it.subsample_error(it.gaussian_information, a, b, seed=0, pieces=3),
    ):
        frames = (pd.DataFrame({"x": x}, index=index), pd.DataFrame({"y": y}, index=index))
        assert equal(test(*frames), test(x[:, None], y[:, None]))


def test_images_with_the_samples_first_are_warned_of():
    maps = np.random.default_rng(0).normal(size=(64, 3, 8, 8))
    with pytest.warns(ImageShapeWarning, match=r"is read as 192 batch elements of 8 samples"):
        it.relative_noise_variance(maps, 0.1)
    with pytest.warns(ImageShapeWarning, match=r"z of shape \(300, 3, 224, 224\)"):
        read_samples(np.zeros((300, 3, 224, 224), dtype=np.float32))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        it.relative_noise_variance(maps.reshape(len(maps), -1), 0.1)
        read_samples(np.zeros((2, 3, 100, 7)))  # replicas, epochs
        read_samples(np.zeros((50, 8, 8)))  # one leading dimension
        read_samples(xr.DataArray(maps, dims=("seed", "epoch", "sample", "unit")))


def test_the_wording_of_a_value_is_one_short_line():
    for value in (np.zeros((3, 4)), "x" * 999, [1] * 999, 10**5000, {"a": "b" * 99}, "a\nb"):
        text = describe(value)
        assert len(text) < 80
        assert "\n" not in text


def test_a_plain_array_passes_as_it_is():
    assert read_array(Z, "z") is Z
