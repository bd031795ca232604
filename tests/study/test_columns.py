"""Names of the columns of runs.csv."""

import pytest

from infotheo.study.columns import parse, sweep


@pytest.mark.parametrize("column", ["sparsity", "a@b", "a@b=", "a@b=x", "@b=1", "a@=1"])
def test_other_columns_are_plain(column):
    assert parse(column).measure == column
    assert parse(column).setting is None


def test_a_sweep_is_ordered_by_value():
    columns = [f"lower@noise_variance={value}" for value in ("10", "0.001", "1e-05")]
    found = sweep([*columns, "upper@noise_variance=1"], "lower", "noise_variance")
    assert list(found) == [1e-5, 1e-3, 10.0]
