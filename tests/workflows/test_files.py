"""The pipeline's files: damage is found out, names stay text, two writers do not meet."""

import os
import random
import threading

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from infotheo import whole_files
from infotheo.whole_files import partial_file
from workflows.files import read_dataset, read_table, write_dataset, write_table

FLIPS = 720


@pytest.fixture
def dataset():
    """Every kind of variable that the pipeline has."""
    draw = np.random.default_rng(0)
    packed = {"dtype": "int16", "scale_factor": 0.01, "_FillValue": -1}
    return xr.Dataset(
        {
            "activation": (("seed", "sample"), draw.normal(size=(2, 150)).astype(np.float32)),
            "pixel": ("sample", draw.uniform(size=150), {"units": "1"}, packed),
            "diverged": ("seed", [True, False]),
            "unknown": ("seed", ["", "a layer of unknown norm"]),
            "ceiling": ((), 3.5),
            "nothing": ("block", np.zeros(0)),
        },
        {
            "seed": [0, 1],
            "class": ("sample", np.arange(150) % 3),
            "layer": "hidden5",
            "loss_weight": 0.25,
        },
        {"levels": [1.0, 2.0]},
    )


def test_a_dataset_comes_back_and_its_bytes_are_the_same(tmp_path, dataset):
    write_dataset(tmp_path / "a.nc", dataset, spec={"bins": 30})
    read = read_dataset(tmp_path / "a.nc")
    xr.testing.assert_equal(read.drop_vars("pixel"), dataset.drop_vars("pixel"))
    np.testing.assert_allclose(read["pixel"], dataset["pixel"], atol=0.005 + 1e-12)
    assert read.attrs["spec"] == "{'bins': 30}"
    write_dataset(tmp_path / "b.nc", dataset, spec={"bins": 30})
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()
    write_dataset(tmp_path / "again.nc", read, spec={"bins": 30})
    assert read_dataset(tmp_path / "again.nc").identical(read)
    # anyone else's reader sees it as well, and the checksums of HDF5
    with xr.open_dataset(tmp_path / "a.nc", engine="netcdf4") as opened:
        assert opened.equals(read)
        for name in ("activation", "pixel", "diverged", "seed", "class"):
            assert opened[name].encoding["fletcher32"], name


@pytest.mark.gate
def test_every_flipped_bit_is_harmless_or_found_out(tmp_path, dataset):
    write_dataset(tmp_path / "a.nc", dataset, spec={"bins": 30})
    intact, whole = read_dataset(tmp_path / "a.nc"), (tmp_path / "a.nc").read_bytes()
    damaged = tmp_path / "damaged.nc"
    choose, complaints = random.Random(1), []
    for _ in range(FLIPS):
        bit = choose.randrange(8 * len(whole))
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        damaged.write_bytes(flipped)
        try:
            read = read_dataset(damaged)
        except OSError as error:
            complaints.append(str(error))
        else:
            assert read.identical(intact), bit
    for complaint in complaints:
        assert complaint.startswith(f"{damaged} is damaged: ")
        assert "\n" not in complaint
    assert len(complaints) > 10  # most of so small a file is empty room


def test_a_file_that_is_missing_is_not_called_damaged(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_dataset(tmp_path / "a.nc")


def test_names_that_look_like_numbers_stay_text(tmp_path):
    names = ["0.01", "01", "1", "1e3", "None", "NaN", "True", "inf"]
    table = pd.DataFrame(
        {"study": "7", "condition": names, "regularizer": names, "weight": 0.5, "seed": range(8)}
    )
    write_table(tmp_path / "runs.csv", table)
    read = read_table(tmp_path / "runs.csv")
    for column in ("study", "condition", "regularizer"):
        assert read[column].tolist() == table[column].tolist()
    assert read["weight"].dtype == float
    assert read["seed"].dtype == int


def test_writers_of_one_file_do_not_share_a_partial_one(tmp_path):
    path = tmp_path / "a.txt"
    with partial_file(path) as first:
        first.write_text("first")
        with partial_file(path) as second:
            second.write_text("second")
        assert path.read_text() == "second"
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_readers_beside_writers_see_whole_files(tmp_path):
    path = tmp_path / "a.csv"
    tables = [pd.DataFrame({"seed": np.arange(3000) + 10_000 * number}) for number in range(2)]
    write_table(path, tables[0])
    threads = [
        threading.Thread(target=lambda table=table: [write_table(path, table) for _ in range(15)])
        for table in tables
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        read = read_table(path)
        assert any(read.equals(table) for table in tables)
    for thread in threads:
        thread.join()
    assert list(tmp_path.iterdir()) == [path]


def test_what_others_still_write_is_left_alone_for_a_day(tmp_path):
    path, machine = tmp_path / "a.csv", whole_files._machine()
    running = tmp_path / f".partial-{machine}-{os.getpid()}-00000000-a.csv"
    elsewhere = tmp_path / ".partial-0-1-00000000-a.csv"
    for file in (running, elsewhere):
        file.touch()
    write_table(path, pd.DataFrame({"seed": [0]}))
    assert running.exists()
    assert elsewhere.exists()
    for file in (running, elsewhere):
        os.utime(file, (0, 0))
    write_table(path, pd.DataFrame({"seed": [0]}))
    assert list(tmp_path.iterdir()) == [path]
