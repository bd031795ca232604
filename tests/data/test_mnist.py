"""MNIST from small files of the same make, and from the real ones where they are at hand."""

import gzip
import hashlib
import importlib
import os
import struct
from pathlib import Path

import numpy as np
import pooch
import pytest
import requests

from infotheo.data.samples import SPLITS, split_of

# the package's attribute of this name is the function
module = importlib.import_module("infotheo.data.mnist")
mnist = module.mnist

REAL = Path(
    os.environ.get(
        "INFOTHEO_MNIST_DIR", Path(__file__).parents[2] / ".." / "shared" / "data" / "mnist"
    )
)
needs_real_files = pytest.mark.skipif(
    not any(REAL.glob("**/t10k-labels-idx1-ubyte*")), reason="no MNIST files at hand"
)
TRAINING_FILE, TRAINING_PART, TESTS = 12, 8, 5


def idx(values: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    return header + values.tobytes()


def read_shape(content: bytes) -> tuple[int, ...]:
    return struct.unpack_from(f">{content[3]}I", content, 4)


@pytest.fixture
def small(monkeypatch) -> dict[str, bytes]:
    """Four tiny files, and checksums to match in place of the real ones'."""
    generator = np.random.default_rng(0)
    contents = {}
    for name in module._FILES:
        samples = TRAINING_FILE if name.startswith("train") else TESTS
        shape = (samples, 28, 28) if "images" in name else (samples,)
        high = 256 if "images" in name else 10
        contents[name] = idx(generator.integers(0, high, shape, dtype=np.uint8))
    sums = {
        name: module._File("0" * 32, hashlib.md5(content).hexdigest(), read_shape(content))
        for name, content in contents.items()
    }
    monkeypatch.setattr(module, "_FILES", sums)
    monkeypatch.setattr(module, "_TRAINING_PART", TRAINING_PART)
    return contents


def put(contents: dict[str, bytes], directory: Path, *, packed: bool) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        if packed:
            (directory / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (directory / name).write_bytes(content)
    return directory


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("folder", [".", "MNIST/raw"])
def test_takes_the_first_of_each_part(tmp_path, small, folder, packed):
    put(small, tmp_path / folder, packed=packed)
    data = mnist(data_dir=tmp_path, train_size=3, validation_size=2)
    np.testing.assert_array_equal(data["sample"], [0, 1, 2, 8, 9, 12, 13, 14, 15, 16])
    assert [len(split_of(data, part)[1]) for part in SPLITS] == [3, 2, TESTS]
    images = np.frombuffer(small["train-images-idx3-ubyte"][16:], np.uint8).reshape(-1, 784)
    labels = np.frombuffer(small["train-labels-idx1-ubyte"][8:], np.uint8)
    inputs, classes = split_of(data, "validation")
    np.testing.assert_array_equal(inputs, images[8:10] * np.float32(1 / 255))
    np.testing.assert_array_equal(classes, labels[8:10])
    inputs, classes = split_of(data, "test")
    test_labels = np.frombuffer(small["t10k-labels-idx1-ubyte"][8:], np.uint8)
    np.testing.assert_array_equal(classes, test_labels)
    assert data.attrs == {"name": "mnist", "classes": 10}


def test_signed_inputs_and_images(tmp_path, small):
    put(small, tmp_path, packed=False)
    settings = {"data_dir": tmp_path, "train_size": 3, "validation_size": 2}
    plain, signed = mnist(**settings), mnist(**settings, signed=True, images=True)
    assert signed["input"].dims == ("sample", "channel", "row", "column")
    assert signed["input"].shape == (10, 1, 28, 28)
    # one rounding of float32 each
    flat = signed["input"].values.reshape(10, 784)
    np.testing.assert_allclose(flat, 2 * plain["input"] - 1, rtol=0, atol=2e-7)
    images = np.frombuffer(small["train-images-idx3-ubyte"][16:], np.uint8).reshape(-1, 28, 28)
    expected = (2.0 * images[:3] - 255) * np.float32(1 / 255)
    np.testing.assert_array_equal(signed["input"][:3, 0], expected.astype(np.float32))
    assert signed["label"].equals(plain["label"])


def test_other_content_is_refused(tmp_path, small):
    put(small, tmp_path, packed=True)
    changed = bytearray(small["t10k-labels-idx1-ubyte"])
    changed[-1] = (changed[-1] + 1) % 10
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(bytes(changed)))
    with pytest.raises(ValueError, match=r"t10k-labels-idx1-ubyte\.gz has other content.*MD5"):
        mnist(data_dir=tmp_path, train_size=3, validation_size=2)


def test_a_missing_file_is_named_with_what_to_put_where(tmp_path, small):
    put(small, tmp_path, packed=True)
    (tmp_path / "t10k-images-idx3-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks t10k-images-idx3-ubyte\[\.gz\]; put") as e:
        mnist(data_dir=tmp_path, train_size=3, validation_size=2)
    assert str(tmp_path) in str(e.value)
    assert "\n" not in str(e.value)


def test_a_missing_directory_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere is not a directory, so it lacks train-"):
        mnist(data_dir=tmp_path / "nowhere")


@pytest.mark.parametrize(
    "error", [requests.exceptions.ConnectionError("no route\nto host"), TimeoutError()]
)
def test_offline_says_what_to_put_where(monkeypatch, error):
    def unreachable(**_):
        raise error

    monkeypatch.setattr(pooch, "retrieve", unreachable)
    with pytest.raises(ConnectionError, match=r"t10k-labels-idx1-ubyte\.gz.*data\.data_dir") as e:
        mnist()
    assert "\n" not in str(e.value)


def test_download_is_checked_and_kept_in_the_cache(tmp_path, small, monkeypatch):
    asked = []

    def retrieve(*, url, known_hash, fname, path, progressbar):
        asked.append((url, known_hash))
        return str(tmp_path / fname)

    put(small, tmp_path, packed=True)
    monkeypatch.setattr(pooch, "retrieve", retrieve)
    data = mnist(train_size=TRAINING_PART, validation_size=0)
    assert data.sizes["sample"] == TRAINING_PART + TESTS
    assert len(asked) == 4
    assert all(url.startswith("https://") and url.endswith(".gz") for url, _ in asked)
    assert all(known == "md5:" + "0" * 32 for _, known in asked)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"train_size": 50_001}, "train_size must be from 1 to at most 50000, got 50001"),
        ({"validation_size": 10_001}, "validation_size must be from 0 to at most 10000, got 10001"),
    ],
)
def test_sizes_out_of_range_are_named_before_any_file_is_read(sizes, message):
    with pytest.raises(ValueError, match=message):
        mnist(data_dir="nowhere", **sizes)


@needs_real_files
def test_the_real_files_pass_their_checksums():
    data = mnist(data_dir=REAL, train_size=100, validation_size=10)
    assert data.sizes == {"sample": 10_110, "unit": 784}
    inputs, labels = split_of(data, "train")
    np.testing.assert_array_equal(labels[:10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4])
    assert inputs.min() == 0
    assert inputs.max() == np.float32(255) * np.float32(1 / 255)
    np.testing.assert_array_equal(split_of(data, "test")[1][:5], [7, 2, 1, 0, 4])
    np.testing.assert_array_equal(split_of(data, "validation")[1][:3], [3, 8, 6])
