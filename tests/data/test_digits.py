"""scikit-learn's digits: the same numbers, a fixed and fair division."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits

from infotheo.data import datasets
from infotheo.data.digits import digits
from infotheo.data.samples import SPLITS, split_of


def test_holds_every_sample_of_the_source_once():
    data, source = digits(), load_digits()
    order = data["sample"].to_numpy()
    assert sorted(order) == list(range(1797))
    np.testing.assert_array_equal(data["input"], source.data[order].astype(np.float32) / 16)
    np.testing.assert_array_equal(data["label"], source.target[order])
    assert [len(split_of(data, part)[1]) for part in SPLITS] == [1000, 297, 500]
    assert data.attrs == {"name": "digits", "classes": 10}


def test_classes_have_nearly_equal_shares_in_every_part():
    data = digits(train_size=200)
    shares = np.bincount(data["label"]) / 1797
    for part in SPLITS:
        labels = split_of(data, part)[1]
        counts = np.bincount(labels, minlength=10)
        assert np.abs(counts - shares * len(labels)).max() < 2


def test_division_is_fixed_by_its_seed_and_nested():
    data, again, other = digits(), digits(), digits(split_seed=1)
    assert data.identical(again)
    assert (data["sample"].to_numpy() != other["sample"].to_numpy()).any()
    small = digits(train_size=300)
    np.testing.assert_array_equal(split_of(small, "validation")[0], split_of(data, "validation")[0])
    np.testing.assert_array_equal(split_of(small, "train")[0], split_of(data, "train")[0][:300])


def test_images_are_the_rows_of_the_source():
    flat, images = digits(), digits(images=True)
    assert images["input"].dims == ("sample", "channel", "row", "column")
    np.testing.assert_array_equal(images["input"].values.reshape(1797, 64), flat["input"])
    source = load_digits().images[images["sample"].to_numpy()]
    np.testing.assert_array_equal(images["input"][:, 0], source.astype(np.float32) / 16)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"train_size": 1500}, "train_size must be from 1 to at most 1499, got 1500"),
        ({"train_size": 0}, "train_size must be from 1 to at most 1499, got 0"),
        ({"validation_size": 1796}, "validation_size must be from 0 to at most 1795, got 1796"),
        ({"split_seed": -1}, "split_seed must be from 0"),
    ],
)
def test_sizes_out_of_range_are_named(sizes, message):
    with pytest.raises(ValueError, match=message):
        digits(**sizes)


def test_the_registry_imports_nothing_slow():
    code = "import infotheo.data, sys; print(*{'sklearn', 'pooch', 'xarray'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
    assert set(datasets) >= {"cifar10", "cifar100", "digits", "mnist", "twelve_bit"}
