"""IDX files: every element type, and every way in which one can be damaged."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest

from infotheo.data.idx import read_idx

LABELS = bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1])


def written(path, content: bytes):
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("code", "stored"), [(8, ">u1"), (9, ">i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")]
)
def test_reads_every_element_type_packed_or_not(tmp_path, code, stored, packed):
    values = np.arange(2 * 3 * 4).reshape(2, 3, 4).astype(stored)
    content = bytes([0, 0, code, 3]) + struct.pack(">3I", 2, 3, 4) + values.tobytes()
    path = written(tmp_path / "numbers", gzip.compress(content) if packed else content)
    read = read_idx(path)
    assert read.dtype == np.dtype(stored).newbyteorder("=")
    assert read.flags.writeable
    np.testing.assert_array_equal(read, values)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not an IDX file: .* found nothing"),
        (b"\x89PNG\r\n", "is not an IDX file: .* found 89 50 4e 47"),
        (bytes([0, 0, 7, 1, 0, 0, 0, 0]), "is not an IDX file"),
        (bytes([0, 0, 8, 2, 0, 0, 0, 3]), "truncated: expected 8 bytes of sizes .* found 4"),
        (LABELS[:-1], r"truncated: expected 3 bytes of elements for shape \(3,\), found 2"),
        (LABELS + b"\0", r"has extra bytes after the 3 that shape \(3,\) needs"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_damage_is_named_in_one_line(tmp_path, content, message, packed):
    path = written(tmp_path / "digits-idx", gzip.compress(content) if packed else content)
    with pytest.raises(ValueError, match=message) as caught:
        read_idx(path)
    assert "digits-idx" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", ["cut", "flipped", "checksum", "header"])
def test_corrupt_gzip_is_named_in_one_line(tmp_path, damage):
    packed = bytearray(gzip.compress(LABELS))
    if damage == "cut":
        packed = packed[:-9]
    elif damage == "flipped":
        packed[10] ^= 0xFF
    elif damage == "checksum":
        packed[-6] ^= 0xFF
    else:
        packed[2] = 99
    path = written(tmp_path / "labels.gz", bytes(packed))
    with pytest.raises(ValueError, match=r"labels\.gz is corrupt: expected a complete gzip") as e:
        read_idx(path)
    assert "\n" not in str(e.value)


def test_other_content_than_the_checksum_says(tmp_path):
    path = written(tmp_path / "labels", LABELS)
    with pytest.raises(ValueError, match=r"unpacked bytes have MD5 [0-9a-f]{32}, expected 0{32}"):
        read_idx(path, md5="0" * 32)


def test_an_object_that_pickle_would_run_is_not_run(tmp_path):
    path = written(tmp_path / "labels", b"cos\nabort\n(tR.")
    with pytest.raises(ValueError, match="is not an IDX file"):
        read_idx(path)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (bytes([0, 0, 8, 255]) + struct.pack(">255I", *[1] * 255), "states 255 dimensions, expec"),
        (bytes([0, 0, 8, 2]) + struct.pack(">2I", 2**17, 2**17), "at most"),  # 16 GB
        (bytes([0, 0, 14, 3]) + struct.pack(">3I", *[2**32 - 1] * 3), "at most"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_header_that_claims_too_much_is_refused_without_the_memory(
    tmp_path, header, message, packed
):
    content = header + bytes(1000)
    path = written(tmp_path / "claims", gzip.compress(content) if packed else content)
    tracemalloc.start()
    with pytest.raises(ValueError, match=message) as caught:
        read_idx(path)
    assert tracemalloc.get_traced_memory()[1] < 2**21
    tracemalloc.stop()
    assert "\n" not in str(caught.value)


def test_no_more_is_unpacked_than_the_known_shape_needs(tmp_path):
    header = bytes([0, 0, 8, 1]) + struct.pack(">I", 2**26)
    bomb = written(tmp_path / "bomb.gz", gzip.compress(header + bytes(2**26)))
    tail = written(tmp_path / "tail.gz", gzip.compress(LABELS + bytes(2**26)))
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"states shape \(67108864,\), expected \(1000,\)"):
        read_idx(bomb, shape=(1000,))
    with pytest.raises(ValueError, match="has extra bytes after the 3"):
        read_idx(tail, shape=(3,))
    assert tracemalloc.get_traced_memory()[1] < 2**21
    tracemalloc.stop()
    assert read_idx(written(tmp_path / "labels", LABELS), shape=[3]).tolist() == [7, 2, 1]
