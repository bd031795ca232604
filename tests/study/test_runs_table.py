"""The table of runs: one row for each network, a column for each measure and setting."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from infotheo.study.columns import Column, parse
from infotheo.study.runs_table import FIXED, MeasuredChunk, measure_columns, run_rows, runs_table
from workflows.files import read_table, write_table

SEEDS = [2, 0]


@pytest.fixture
def history():
    return xr.Dataset(
        {
            "train_error": ("seed", [0.01, 0.02]),
            "test_error": ("seed", [0.05, 0.04]),
            "validation_error": (("seed", "epoch"), [[0.9, 0.06], [0.8, 0.07]]),
            "diverged": ("seed", [False, False]),
        },
        {"seed": SEEDS, "epoch": [1, 2]},
    )


@pytest.fixture
def estimate():
    return xr.Dataset(
        {
            "pairwise_input_lower@noise_variance": (
                ("seed", "noise_variance"),
                [[1.0, 2.0], [3.0, 4.0]],
            ),
            "pairwise_input_lower@relative_noise_variance": (
                ("seed", "relative_noise_variance"),
                [[5.0], [6.0]],
            ),
            "pairwise_input_ceiling": ((), 6.2),
            "rank": ("seed", [10, 20]),
            "rank_tolerance": ("seed", [1e-9, 1e-9]),
            "left_out_pairs": ("seed", [0, 1]),
        },
        {"seed": SEEDS, "noise_variance": [1, 0.001], "relative_noise_variance": [1e-05]},
    )


def test_row_of_each_seed_in_the_order_asked_for(history):
    rows = run_rows(history, [], [0, 2])
    assert [seed_row["seed"] for seed_row in rows] == [0, 2]
    assert [seed_row["test_error"] for seed_row in rows] == [0.04, 0.05]
    assert [seed_row["validation_error"] for seed_row in rows] == [0.07, 0.06]  # of the last epoch
    assert [seed_row["generalization_gap"] for seed_row in rows] == pytest.approx([0.02, 0.04])
    assert all(np.isnan(seed_row["weight"]) for seed_row in rows)
    assert all(seed_row["diverged"] is False for seed_row in rows)
    weighted = run_rows(history.assign_coords(loss_weight=0.25), [], [2])
    assert [seed_row["weight"] for seed_row in weighted] == [0.25]


def test_sweeps_become_columns(history, estimate):
    first, second = run_rows(history, [(None, estimate)], SEEDS)
    assert first["pairwise_input_lower@noise_variance=1"] == 1
    assert first["pairwise_input_lower@noise_variance=0.001"] == 2
    assert second["pairwise_input_lower@noise_variance=0.001"] == 4
    assert second["pairwise_input_lower@relative_noise_variance=1e-05"] == 6
    # the plain name is the first absolute noise variance, never a relative one
    assert (first["pairwise_input_lower"], second["pairwise_input_lower"]) == (1, 3)
    assert (first["rank"], second["rank"]) == (10, 20)
    assert first["pairwise_input_ceiling"] == second["pairwise_input_ceiling"] == 6.2


def test_other_layers_are_named(history, estimate):
    (seed_row,) = run_rows(history, [(None, estimate), ("hidden1", estimate + 100)], [2])
    assert seed_row["rank"] == 10
    assert seed_row["rank@hidden1"] == 110
    assert seed_row["pairwise_input_lower@hidden1"] == 101
    assert seed_row["pairwise_input_lower@hidden1@noise_variance=0.001"] == 102
    assert seed_row["pairwise_input_ceiling@hidden1"] == pytest.approx(106.2)


def test_diverged_network_keeps_its_row_without_values(history, estimate):
    lost = history.copy(deep=True)
    for quantity in ("train_error", "test_error", "validation_error"):
        lost[quantity].loc[{"seed": 0}] = np.nan
    lost["diverged"].loc[{"seed": 0}] = True
    measured = estimate.sel(seed=[2]).reindex(seed=SEEDS)
    healthy, diverged = run_rows(lost, [(None, measured)], SEEDS)
    assert diverged["diverged"] is True
    assert diverged["seed"] == 0
    for column in ("train_error", "test_error", "validation_error", "generalization_gap", "rank"):
        assert np.isnan(diverged[column]), column
        assert np.isfinite(healthy[column]), column
    assert np.isnan(diverged["pairwise_input_lower@noise_variance=0.001"])
    # all of a chunk diverged: no measure at all, the columns come from the other runs
    nothing = xr.Dataset(coords={"seed": SEEDS})
    chunks = [
        MeasuredChunk("default", "CR", lost, [("hidden2", nothing)], [0]),
        MeasuredChunk("default", "VR", lost, [("hidden2", measured)], [2]),
    ]
    table = runs_table("digits", chunks, "hidden2")
    assert table["rank"].isna().tolist() == [True, False]


def chunks(history, estimate):
    """Return two runs in which two layers and a whole network were measured."""
    estimates = [
        ("hidden2", estimate),
        ("hidden1.linear", estimate + 100),
        (None, xr.Dataset({"margin_mean": ("seed", [0.1, 0.2])}, {"seed": SEEDS})),
    ]
    return [
        MeasuredChunk("a", "CR", history, estimates, SEEDS),
        MeasuredChunk("b", "baseline", history, estimates, SEEDS),
    ]


def test_columns_in_order_and_a_file_that_comes_back(tmp_path, history, estimate):
    table = runs_table("digits", chunks(history, estimate), "hidden2")
    assert list(table.columns[: len(FIXED)]) == FIXED
    swept = [parse(name).setting is not None for name in table.columns]
    assert swept == sorted(swept)
    assert len(table) == 4
    assert table["study"].unique().tolist() == ["digits"]
    assert table["regularizer"].tolist() == ["CR", "CR", "baseline", "baseline"]
    assert not table.columns.duplicated().any()
    write_table(tmp_path / "runs.csv", table)
    read = read_table(tmp_path / "runs.csv")
    assert list(read.columns) == list(table.columns)
    for column in table.columns:  # every digit of every number
        assert read[column].astype(table[column].dtype).equals(table[column]), column


def test_the_first_layer_and_whole_networks_have_no_layer_in_their_names(history, estimate):
    table = runs_table("digits", chunks(history, estimate), "hidden2")
    assert table["rank"].tolist() == [10, 20, 10, 20]
    assert table["rank@hidden1.linear"].tolist() == [110, 120, 110, 120]
    assert table["margin_mean"].tolist() == [0.1, 0.2, 0.1, 0.2]
    other = runs_table("digits", chunks(history, estimate), "hidden1.linear")
    assert other["rank"].tolist() == [110, 120, 110, 120]
    assert other["rank@hidden2"].tolist() == [10, 20, 10, 20]


def test_blocks_of_a_network_are_columns(history):
    blocks = ["stage1.0", "1.0", "2"]
    ratios = xr.DataArray(np.arange(6.0).reshape(2, 3), dims=("seed", "block"))
    estimate = xr.Dataset({"ratio": ratios}, {"seed": SEEDS, "block": blocks})
    (row,) = run_rows(history, [(None, estimate)], [0])
    names = ["ratio@block=stage1.0", "ratio@block=1.0", "ratio@block=2"]
    assert [row[name] for name in names] == [3.0, 4.0, 5.0]
    assert [str(Column("ratio", None, "block", block)) for block in blocks] == names


def test_measures_are_what_is_no_name_error_or_diagnostic(history, estimate):
    table = runs_table("digits", chunks(history, estimate), "hidden2")
    assert measure_columns(table) == [
        "pairwise_input_lower",
        "rank",
        "pairwise_input_lower@hidden1.linear",
        "rank@hidden1.linear",
        "margin_mean",
        "pairwise_input_lower@noise_variance=1",
        "pairwise_input_lower@noise_variance=0.001",
        "pairwise_input_lower@relative_noise_variance=1e-05",
        "pairwise_input_lower@hidden1.linear@noise_variance=1",
        "pairwise_input_lower@hidden1.linear@noise_variance=0.001",
        "pairwise_input_lower@hidden1.linear@relative_noise_variance=1e-05",
    ]


def test_close_values_of_a_sweep_keep_their_own_columns(history):
    values = [1234567.0, 1234568.0]
    estimate = xr.Dataset(
        {"bound@noise_variance": (("seed", "noise_variance"), [[1.0, 2.0]])},
        {"seed": [0], "noise_variance": values},
    )
    (cells,) = run_rows(history, [(None, estimate)], [0])
    assert cells["bound@noise_variance=1234567"] == 1.0
    assert cells["bound@noise_variance=1234568"] == 2.0


def test_only_the_measures_own_name_makes_it_a_diagnostic():
    names = ["sparsity@block_outside", "binned_input_ceiling", "left_out_pairs", "my_left_out_unit"]
    assert measure_columns(pd.DataFrame(columns=names)) == [names[0], names[3]]


def test_a_table_without_measures_says_why():
    names = {name: [0.0, 0.0] for name in FIXED}
    with pytest.raises(ValueError, match="found 2 networks that all diverged"):
        measure_columns(pd.DataFrame(names | {"diverged": True}))
    with pytest.raises(ValueError, match="no column of a measure"):
        measure_columns(pd.DataFrame(names | {"diverged": [True, False]}))
