"""CIFAR's binary records: channel and row order, both label forms, and every kind of damage."""

import hashlib

import numpy as np
import pytest

from infotheo.data.cifar_records import IMAGE_SHAPE, read_cifar_records


def test_pixels_are_red_green_blue_row_after_row(tmp_path):
    image = np.zeros((32, 32, 3), dtype=np.uint8)  # as a viewer has it: row, column, colour
    image[2, 5] = (200, 100, 50)
    image[31, 0, 2] = 7
    red, green, blue = (image[:, :, colour].tobytes() for colour in range(3))
    path = tmp_path / "one.bin"
    path.write_bytes(bytes([9]) + red + green + blue)
    records = read_cifar_records(path)
    pixels = records.pixels.reshape(-1, *IMAGE_SHAPE)
    np.testing.assert_array_equal(pixels[0].transpose(1, 2, 0), image)
    assert records.labels.tolist() == [[9]]
    assert records.md5 == hashlib.md5(path.read_bytes()).hexdigest()


def test_both_labels_come_before_the_pixels(tmp_path):
    path = tmp_path / "two.bin"
    path.write_bytes(bytes([19, 99, *[3] * 3072, 0, 1, *[4] * 3072]))
    records = read_cifar_records(path, classes=(20, 100))
    assert records.labels.tolist() == [[19, 99], [0, 1]]
    assert records.pixels.shape == (2, 3072)
    assert np.unique(records.pixels, axis=1).tolist() == [[3], [4]]


@pytest.mark.parametrize(
    ("content", "classes", "message"),
    [
        (b"", (10,), r"truncated or no CIFAR file: .* 3073 bytes \(a label, .*found 0 bytes"),
        (bytes(3072), (10,), "found 3072 bytes, that is 0 records and 3072 bytes"),
        (bytes(3073 * 2 + 5), (10,), "found 6151 bytes, that is 2 records and 5 bytes"),
        (bytes(3073), (20, 100), r"records of 3074 bytes \(2 labels"),
        (
            bytes([1, *bytes(3072), 10, *bytes(3072)]),
            (10,),
            r"byte 3073 is a label and must lie in 0\.\.9, found 10 \(record 1\); such labels: 1",
        ),
        (
            bytes([0, 0, *bytes(3072), 0, 100, *bytes(3072)]),
            (20, 100),
            r"byte 3075 is a label and must lie in 0\.\.99, found 100 \(record 1\)",
        ),
        (bytes([20, 0, *bytes(3072)]), (20, 100), r"byte 0 is a label .* 0\.\.19, found 20"),
    ],
)
def test_damage_names_file_and_byte_in_one_line(tmp_path, content, classes, message):
    path = tmp_path / "broken.bin"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_cifar_records(path, classes=classes)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_of_too_many_images_is_not_read(tmp_path):
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.truncate(3073 * 10**6)  # sparse: it takes no room
    with pytest.raises(ValueError, match="has 3073000000 bytes, expected at most 30730000, 10000"):
        read_cifar_records(path, most=10_000)
