"""The common form of data sets, its checks and its round trip through a file."""

import numpy as np
import pytest
import xarray as xr

from infotheo.data.samples import checked_size, labelled_samples, require_part, split_of

LABELS = np.array([0, 2, 1, 0])
SPLIT = np.array([0, 1, 2, 0])


def pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize(("scale", "middle"), [(1 / 255, 0), (1 / 16, 0), (1 / 64, 120), (1, 255)])
def test_round_trip_through_netcdf_is_exact(tmp_path, scale, middle):
    every_byte = np.arange(256, dtype=np.uint8).reshape(4, 64)
    data = labelled_samples(every_byte, LABELS, SPLIT, name="bytes", scale=scale, middle=middle)
    centred = every_byte.astype(np.float32) - middle
    np.testing.assert_array_equal(data["input"], centred * np.float32(scale))
    data.to_netcdf(tmp_path / "data.nc", engine="netcdf4")
    with xr.open_dataset(tmp_path / "data.nc", mask_and_scale=False) as raw:
        assert raw["input"].dtype == np.int16
    with xr.open_dataset(tmp_path / "data.nc") as opened:
        xr.testing.assert_identical(opened.load(), data)
        assert opened["input"].dtype == np.float32
        assert opened["label"].dtype == np.int64
        assert opened["split"].dtype == np.int8
        assert opened["split"].attrs["flag_meanings"].split() == ["train", "validation", "test"]


def test_signed_whole_numbers_round_trip_too(tmp_path):
    numbers = (2 * np.arange(256, dtype=np.int16) - 255).reshape(4, 64)
    data = labelled_samples(numbers, LABELS, SPLIT, name="signed", scale=1 / 255)
    np.testing.assert_array_equal(data["input"], numbers * np.float32(1 / 255))
    assert data["input"].min() == -data["input"].max()
    data.to_netcdf(tmp_path / "data.nc", engine="netcdf4")
    with xr.open_dataset(tmp_path / "data.nc") as opened:
        xr.testing.assert_identical(opened.load(), data)


def test_images_keep_their_dimensions():
    data = labelled_samples(pixels(4, 3, 5, 6), LABELS, SPLIT, name="images")
    assert data["input"].dims == ("sample", "channel", "row", "column")
    assert data["input"].dtype == np.float32


def test_parts_are_contiguous_copies_in_order():
    inputs = np.random.default_rng(1).normal(size=(4, 3))
    data = labelled_samples(inputs, LABELS, SPLIT, name="normal", index=np.array([9, 5, 7, 1]))
    values, labels = split_of(data, "train")
    assert values.dtype == np.float32
    assert values.flags.c_contiguous
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(values, inputs[[0, 3]].astype(np.float32))
    np.testing.assert_array_equal(labels, [0, 0])
    values[:] = 0
    assert (data["input"] != 0).all()
    np.testing.assert_array_equal(data["sample"], [9, 5, 7, 1])
    everything = split_of(data, "all")
    np.testing.assert_array_equal(everything[0], inputs.astype(np.float32))
    np.testing.assert_array_equal(everything[1], LABELS)
    with pytest.raises(ValueError, match="one of train, validation, test, all, got 'tset'"):
        split_of(data, "tset")


def test_inputs_are_not_modified():
    inputs = pixels(4, 2)
    before = inputs.copy()
    labelled_samples(inputs, LABELS, SPLIT, name="bytes", scale=0.5)
    np.testing.assert_array_equal(inputs, before)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"inputs": np.ones(4)}, ValueError, r"inputs must have shape .* got \(4,\)"),
        ({"inputs": np.ones((0, 3))}, ValueError, "none empty"),
        ({"inputs": np.full((4, 2), np.nan)}, ValueError, "inputs must be finite, got 8 NaN"),
        ({"inputs": np.full((4, 2), "a")}, TypeError, "inputs must be real numbers"),
        ({"inputs": np.ones((4, 2)), "scale": 0.5}, TypeError, "inputs must be uint8 or int16"),
        (
            {"inputs": np.full((4, 2), -32768, np.int16), "scale": 0.5},
            ValueError,
            "inputs less middle must be above -32768, got -32768",
        ),
        (
            {"scale": 0.5, "middle": 256},
            ValueError,
            "middle must be from 0 to at most 255, got 256",
        ),
        ({"scale": 0.5, "middle": 0.5}, TypeError, "middle must be a whole number, got 0.5"),
        ({"middle": 3}, ValueError, "middle needs scale, got middle 3 alone"),
        ({"labels": LABELS[:3]}, ValueError, r"labels must have shape \(4,\).* got \(3,\)"),
        ({"labels": LABELS * 1.0}, TypeError, "labels must be integers, got float64"),
        ({"labels": LABELS - 1}, ValueError, r"labels must lie in 0 upwards, got -1\.\.1"),
        ({"labels": LABELS, "classes": 2}, ValueError, r"labels must lie in 0\.\.1, got 0\.\.2"),
        ({"split": SPLIT + 1}, ValueError, r"split must lie in 0\.\.2, got 1\.\.3"),
        ({"index": SPLIT[:2]}, ValueError, "index must have shape"),
    ],
)
def test_bad_input_is_named_in_one_line(change, error, message):
    arguments = {"inputs": pixels(4, 2), "labels": LABELS, "split": SPLIT, "name": "bad"} | change
    with pytest.raises(error, match=message) as caught:
        labelled_samples(**arguments)
    assert "\n" not in str(caught.value)


def test_sizes_are_whole_numbers_within_limits():
    assert checked_size("train_size", np.int64(3), 1, 3) == 3
    with pytest.raises(ValueError, match="train_size must be from 1 to at most 3, got 4"):
        checked_size("train_size", 4, 1, 3)
    for wrong in (True, 2.0, "2", None):
        with pytest.raises(TypeError, match="train_size must be a whole number, got"):
            checked_size("train_size", wrong, 1, 3)


def test_an_empty_part_is_refused():
    inputs, labels = np.eye(3), np.array([0, 1, 1])
    data = labelled_samples(inputs, labels, np.array([0, 0, 2]), name="eye")
    for part in ("train", "test", "all"):
        require_part(data, part)
    with pytest.raises(ValueError, match="'validation', but the data set has no such samples"):
        require_part(data, "validation")
