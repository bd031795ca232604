"""Means over seeds of every regularizer."""

import numpy as np
import pytest

from infotheo.study.tables.regularizer_table import regularizer_table
from tests.study.figures.small_study import REGULARIZERS


def test_mean_and_standard_deviation_over_seeds(runs):
    runs.loc[1, ["test_error", "sparsity"]] = np.nan
    runs.loc[3, "weight"] = 0.001
    table = regularizer_table(runs)
    assert list(table.regularizer) == list(REGULARIZERS)
    first = table.iloc[0]
    assert first[["runs", "diverged", "weight"]].tolist() == [3, 1, "0.1"]
    assert first.test_error == pytest.approx(runs.test_error[[0, 2]].mean())
    assert first.test_error_std == pytest.approx(runs.test_error[[0, 2]].std())
    assert table.iloc[1].weight == "0.001 | 0.1"
    assert not [name for name in table.columns if "@" in name]


def test_one_seed_has_no_standard_deviation(runs):
    table = regularizer_table(runs[runs.seed == 0])
    assert table.test_error_std.isna().all()
    assert table.test_error.notna().all()


def test_a_column_that_every_study_writes_is_asked_for(runs):
    with pytest.raises(ValueError, match="regularizer_table: .*'weight'"):
        regularizer_table(runs.drop(columns="weight"))
