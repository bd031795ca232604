"""CIFAR from small files of the same make, and from a real part of it where one is at hand."""

import hashlib
import importlib
import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pooch
import pytest
import requests
import xarray as xr

from infotheo.data.samples import SPLITS, split_of

module = importlib.import_module("infotheo.data.cifar")
DATA_SETS = {"_CIFAR10": module.cifar10, "_CIFAR100": module.cifar100}
REAL = Path(
    os.environ.get(
        "INFOTHEO_CIFAR10_DIR", Path(__file__).parents[2] / ".." / "shared" / "data" / "cifar10"
    )
)
needs_real_files = pytest.mark.skipif(
    not any(REAL.glob("**/test_batch.bin")), reason="no CIFAR-10 files at hand"
)
IMAGES, TESTS = 4, 3  # of each training file, of the test file


def content_of(source, images: int, seed: int) -> bytes:
    generator = np.random.default_rng(seed)
    labels = [generator.integers(0, count, (images, 1)) for count in source.classes]
    pixels = generator.integers(0, 256, (images, 3072))
    return np.hstack([*labels, pixels]).astype(np.uint8).tobytes()


@pytest.fixture(params=list(DATA_SETS))
def small(request, monkeypatch):
    """A data set's function, its source with numbers for tiny files, and those files' bytes."""
    source = getattr(module, request.param)
    contents, files = {}, []
    for seed, file in enumerate(source.files):
        images = TESTS if "test" in file.name else IMAGES
        contents[file.name] = content_of(source, images, seed)
        md5 = hashlib.md5(contents[file.name]).hexdigest()
        files.append(file._replace(images=images, md5=md5))
    source = source._replace(files=tuple(files))
    monkeypatch.setattr(module, request.param, source)
    return DATA_SETS[request.param], source, contents


def put(contents: dict[str, bytes], directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (directory / name).write_bytes(content)
    return directory


def pixels_of(source, content: bytes) -> np.ndarray:
    size = len(source.classes) + 3072
    return np.frombuffer(content, np.uint8).reshape(-1, size)[:, len(source.classes) :]


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("standardize", [False, True])
def test_parts_come_from_both_ends_of_the_training_files(tmp_path, small, inside, standardize):
    function, source, contents = small
    put(contents, tmp_path / source.folder if inside else tmp_path)
    total = IMAGES * (len(contents) - 1)
    data = function(data_dir=tmp_path, train_size=2, validation_size=1, standardize=standardize)
    assert [len(split_of(data, part)[1]) for part in SPLITS] == [2, 1, TESTS]
    np.testing.assert_array_equal(data["sample"], [0, 1, total - 1, total, total + 1, total + 2])
    assert data["input"].dims == ("sample", "channel", "row", "column")
    names = [file.name for file in source.files]
    stored = np.concatenate(
        [
            pixels_of(source, contents[names[0]])[:2],
            pixels_of(source, contents[names[-2]])[-1:],
            pixels_of(source, contents[names[-1]]),
        ]
    ).reshape(-1, 3, 32, 32)
    if standardize:
        np.testing.assert_array_equal(data["input"], (stored - 120.0) / 64)
    else:
        np.testing.assert_array_equal(data["input"], stored * np.float32(1 / 255))
    size = len(source.classes) + 3072
    column = len(source.classes) - 1
    first = [contents[names[0]][record * size + column] for record in range(2)]
    np.testing.assert_array_equal(split_of(data, "train")[1], first)
    last = [contents[names[-1]][record * size + column] for record in range(TESTS)]
    np.testing.assert_array_equal(split_of(data, "test")[1], last)
    assert data.attrs == {"name": function.__name__, "classes": source.classes[-1]}
    data.to_netcdf(tmp_path / "data.nc", engine="netcdf4")
    with xr.open_dataset(tmp_path / "data.nc", mask_and_scale=False) as raw:
        assert raw["input"].dtype == np.int16
    with xr.open_dataset(tmp_path / "data.nc") as opened:
        xr.testing.assert_identical(opened.load(), data)
        assert opened["input"].dtype == np.float32


def test_all_images_by_default_and_validation_given_back(tmp_path, small):
    function, _, contents = small
    put(contents, tmp_path)
    total = IMAGES * (len(contents) - 1)
    for held in (0, 3):
        data = function(data_dir=tmp_path, validation_size=held)
        assert [len(split_of(data, part)[1]) for part in SPLITS] == [total - held, held, TESTS]
        np.testing.assert_array_equal(data["sample"], np.arange(total + TESTS))


def test_other_content_or_number_is_refused_and_says_how_to_use_it(tmp_path, small):
    function, source, contents = small
    first, test = source.files[0].name, source.files[-1].name
    changed = bytearray(contents[first])
    changed[-1] ^= 1
    put(contents | {first: bytes(changed)}, tmp_path)
    with pytest.raises(ValueError, match=f"{first} has other content.*subset: true") as caught:
        function(data_dir=tmp_path, validation_size=1)
    assert "\n" not in str(caught.value)
    size = len(source.classes) + 3072
    put(contents | {test: contents[test][:size]}, tmp_path)
    with pytest.raises(ValueError, match=f"{test} has 1 images, expected 3; set data.subset: true"):
        function(data_dir=tmp_path, validation_size=1)
    data = function(data_dir=tmp_path, validation_size=1, subset=True)
    assert [len(split_of(data, part)[1]) for part in SPLITS][1:] == [1, 1]
    md5 = hashlib.md5(contents[test][:size]).hexdigest()
    assert data.attrs["subset_of_files"].endswith(f", {test} md5 {md5}")


def test_a_missing_file_is_named_and_a_subset_does_without(tmp_path, small):
    function, source, contents = small
    put(contents, tmp_path)
    lost = source.files[-2].name  # for CIFAR-100 the only training file
    (tmp_path / lost).unlink()
    with pytest.raises(FileNotFoundError, match=f"lacks {lost}; put") as caught:
        function(data_dir=tmp_path, validation_size=1)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert ("data.subset: true" in str(caught.value)) == (len(contents) > 2)
    if len(contents) > 2:
        data = function(data_dir=tmp_path, validation_size=1, subset=True)
        total = IMAGES * (len(contents) - 2)
        np.testing.assert_array_equal(data["sample"], np.arange(total + TESTS))
        with pytest.raises(
            ValueError, match=f"validation_size must be .* {total - 1}, got {total}"
        ):
            function(data_dir=tmp_path, validation_size=total, subset=True)
    else:
        with pytest.raises(FileNotFoundError, match=f"lacks {lost}; put"):
            function(data_dir=tmp_path, validation_size=1, subset=True)
    (tmp_path / source.files[-1].name).unlink()
    with pytest.raises(FileNotFoundError, match=f"{source.files[-1].name}; put"):
        function(data_dir=tmp_path, validation_size=1, subset=True)


def test_settings_are_checked_before_any_file_is_sought(small):
    function, source, contents = small
    total = IMAGES * (len(contents) - 1)
    for settings, message in (
        ({"train_size": total, "validation_size": 1}, f"train_size .* at most {total - 1}, got"),
        ({"train_size": 0, "validation_size": 1}, "train_size must be from 1"),
        ({"validation_size": total}, "validation_size must be from 0"),
    ):
        with pytest.raises(ValueError, match=message):
            function(data_dir="nowhere", **settings)
    with pytest.raises(FileNotFoundError, match="nowhere is not a directory, so it lacks"):
        function(data_dir="nowhere", validation_size=1)
    with pytest.raises(ValueError, match="subset needs data_dir"):
        function(subset=True)


def test_coarse_labels(tmp_path, monkeypatch):
    source = module._CIFAR100
    contents = {file.name: content_of(source, 2, 0) for file in source.files}
    data = module.cifar100(
        data_dir=put(contents, tmp_path), validation_size=0, subset=True, labels="coarse"
    )
    labels = [contents["test.bin"][record * 3074] for record in range(2)]
    np.testing.assert_array_equal(split_of(data, "test")[1], labels)
    assert data.attrs["classes"] == 20


def archive(contents: dict[str, bytes], folder: str, path: Path, extra: tuple = ()) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for member in extra:
            tar.addfile(member, io.BytesIO(bytes(member.size)))
    return path


def test_the_archive_is_read_in_place_in_any_order(tmp_path, small, monkeypatch):
    function, source, contents = small
    asked = []

    def retrieve(*, url, known_hash, fname, path, progressbar):
        asked.append((url, known_hash))
        return str(packed)

    shuffled = dict(reversed(contents.items())) | {"readme.html": b"hello"}
    outside = tarfile.TarInfo("../outside.bin")
    outside.size = 100
    packed = archive(shuffled, source.folder, tmp_path / "cifar.tar.gz", (outside,))
    monkeypatch.setattr(pooch, "retrieve", retrieve)
    data = function(validation_size=1)
    assert asked == [(module._SOURCE + source.archive, f"md5:{source.md5}")]
    assert asked[0][0].startswith("https://")
    assert [path.name for path in tmp_path.iterdir()] == ["cifar.tar.gz"]
    on_disk = function(data_dir=put(contents, tmp_path / "files"), validation_size=1)
    xr.testing.assert_identical(data, on_disk)


@pytest.mark.parametrize("kind", ["link", "size", "folder"])
def test_an_archive_with_other_members_is_refused(tmp_path, small, monkeypatch, kind):
    function, source, contents = small
    test = source.files[-1].name
    member = tarfile.TarInfo(f"{source.folder}/{test}")
    if kind == "link":
        member.type, member.linkname = tarfile.SYMTYPE, source.files[0].name
        member.size = len(contents[test])
    elif kind == "size":
        member.size = len(contents[test]) + 1
    else:
        member.name, member.size = f"elsewhere/{test}", len(contents[test])
    rest = {name: content for name, content in contents.items() if name != test}
    packed = archive(rest, source.folder, tmp_path / "cifar.tar.gz", (member,))
    monkeypatch.setattr(pooch, "retrieve", lambda **_: str(packed))
    with pytest.raises(ValueError, match=rf"cifar\.tar\.gz lacks {test} of the expected size"):
        function(validation_size=1)


@pytest.mark.parametrize(
    "error", [requests.exceptions.ConnectionError("no route\nto host"), TimeoutError()]
)
def test_offline_says_what_to_put_where(monkeypatch, error):
    def unreachable(**_):
        raise error

    monkeypatch.setattr(pooch, "retrieve", unreachable)
    for function in DATA_SETS.values():
        with pytest.raises(ConnectionError, match=r"test.*\.bin into .*data\.data_dir") as caught:
            function()
        assert "\n" not in str(caught.value)


@needs_real_files
def test_a_real_part_is_read_as_a_subset():
    data = module.cifar10(data_dir=REAL, validation_size=0, train_size=500, subset=True)
    inputs, labels = split_of(data, "train")
    assert inputs.shape == (500, 3, 32, 32)
    assert set(labels) == set(range(10))
    # of a photograph, neighbours in a row or column agree (their correlation is about 0.95), as
    # they would not if the bytes were cut at another place
    for first, second in (
        (inputs[..., 1:], inputs[..., :-1]),
        (inputs[:, :, 1:], inputs[:, :, :-1]),
    ):
        assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.9
    assert abs(inputs.mean()) < 0.1
    assert abs(inputs.std() - 1) < 0.1
