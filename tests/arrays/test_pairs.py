import numpy as np
import pytest
import torch
import xarray as xr

from infotheo.arrays.pairs import read_paired

X = np.arange(24.0).reshape(2, 4, 3)
Y = -np.arange(16.0).reshape(2, 4, 2)


def test_one_row_for_each_row():
    x, y = read_paired(X, Y)
    np.testing.assert_array_equal(x.values, X)
    np.testing.assert_array_equal(y.values, Y)


def test_what_is_shared_is_repeated_over_the_batch():
    _, y = read_paired(X, Y[1])
    np.testing.assert_array_equal(y.values, [Y[1], Y[1]])


def test_the_second_follows_the_kind_of_the_first():
    given = torch.tensor(Y, requires_grad=True)
    _, y = read_paired(torch.tensor(X), given)
    assert y.values is given
    _, y = read_paired(torch.tensor(X), Y)
    assert isinstance(y.values, torch.Tensor)
    _, y = read_paired(X, given)
    assert isinstance(y.values, np.ndarray)


def test_labelled_arrays_are_aligned_by_name():
    x = xr.DataArray(X, dims=("seed", "sample", "unit"), coords={"seed": [5, 6]})
    y = xr.DataArray(Y, dims=("seed", "sample", "unit"), coords={"seed": [5, 6]})
    opened, other = read_paired(x, y.transpose("unit", "sample", "seed"))
    np.testing.assert_array_equal(other.values, Y)
    assert opened.batch_dims == ("seed",)
    two = x.expand_dims(epoch=2)
    opened, other = read_paired(two, y.expand_dims(epoch=2).transpose("sample", "seed", ...))
    np.testing.assert_array_equal(other.values, [Y, Y])


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (Y[:, :3], "y has 3 samples, x has 4; expected one row of y for each row of x"),
        (np.zeros((5, 4, 1)), r"y has leading dimensions \(5,\), x \(2,\); expected those of x"),
        (np.zeros(4), r"y has shape \(4,\); .* use y\[:, None\]"),
        (np.full((4, 1), np.nan), r"y contains nan at index \(0, 0\)"),
    ],
)
def test_what_does_not_belong_together_is_refused(y, message):
    with pytest.raises(ValueError, match=message):
        read_paired(X, y)


def test_other_coordinates_are_refused():
    x = xr.DataArray(X, dims=("seed", "sample", "unit"), coords={"sample": [0, 1, 2, 3]})
    y = xr.DataArray(Y, dims=("seed", "sample", "unit"), coords={"sample": [1, 0, 2, 3]})
    with pytest.raises(ValueError, match="y and x have different coordinates along 'sample'"):
        read_paired(x, y)
    with pytest.raises(ValueError, match=r"y has leading dimensions \('epoch',\), x \('seed',\)"):
        read_paired(x, y.rename(seed="epoch"))
