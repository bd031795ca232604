"""Names of the columns of runs.csv: made, read and made again."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infotheo.study.columns import Column, parse, split_variable, sweep, swept_variable


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("sparsity", Column("sparsity")),
        ("sparsity@hidden2", Column("sparsity", "hidden2")),
        ("lower@noise_variance=0.1", Column("lower", None, "noise_variance", 0.1)),
        ("lower@noise_variance=1e-05", Column("lower", None, "noise_variance", 1e-5)),
        ("lower@hidden2@noise_variance=10", Column("lower", "hidden2", "noise_variance", 10.0)),
        # layers are named as modules are
        ("lower@1.linear@noise_variance=1", Column("lower", "1.linear", "noise_variance", 1.0)),
        ("rank@5", Column("rank", "5")),
        # blocks of a network: text, unless the text is that of a number
        ("upper@block=stage1.0", Column("upper", None, "block", "stage1.0")),
        ("upper@block=1.0", Column("upper", None, "block", "1.0")),
        ("upper@block=1", Column("upper", None, "block", 1.0)),
        ("upper@block=", Column("upper", None, "block", "")),
        ("upper@block=a=b@c", Column("upper", None, "block", "a=b@c")),
        ("upper@block=nan", Column("upper", None, "block", "nan")),
    ],
)
def test_names_are_read_and_printed(name, column):
    assert parse(name) == column
    assert str(column) == name


MALFORMED = ["", "@", "@b", "@s=1", "a@", "a@=1", "a@b@", "a@b@c", "a@@s=1", "a@b@c@s=1", "=1"]


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_name_is_a_measure_as_it_stands(name):
    assert parse(name) == Column(name)
    assert str(parse(name)) == name


names = st.text(st.characters(exclude_characters="@=", codec="utf-8"), min_size=1)
numbers = st.floats(allow_nan=False).map(lambda number: float(f"{number:.15g}"))
texts = st.text().filter(lambda text: isinstance(parse(f"a@s={text}").value, str))


@given(names, st.none() | names, st.none() | st.tuples(names, numbers | texts))
def test_columns_come_back_from_their_names(measure, layer, swept):
    column = Column(measure, layer, *(swept or ()))
    assert parse(str(column)) == column


@given(st.text() | st.text("a1.@=", max_size=12))
def test_every_name_comes_back(name):
    assert str(parse(name)) == name


@given(st.floats(-1e300, 1e300) | st.integers(-(2**53), 2**53))
def test_numbers_are_read_to_fifteen_digits(number):
    read = parse(str(Column("lower", None, "noise_variance", number))).value
    assert read == pytest.approx(number, rel=1e-14, abs=0)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (("a", "b@c"), "a: layer: found 'b@c', expected a name without '@' and '='"),
        (("a", "b=c"), "a: layer: found 'b=c'"),
        (("a", ""), "a: layer: found ''"),
        (("a", None, "s=", 1.0), "a: setting: found 's='"),
        (("a", None, "s"), "a: found setting 's' with value None, expected both or neither"),
        (("a", None, None, 1.0), "a: found setting None with value 1.0, expected both or neither"),
    ],
)
def test_what_could_not_be_read_back_is_refused(parts, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Column(*parts)


def test_a_sweep_is_ordered_by_value_and_of_one_layer():
    columns = [f"lower@noise_variance={value}" for value in ("10", "0.001", "1e-05")]
    others = [
        "upper@noise_variance=1", "lower@relative_noise_variance=1", "lower", "lower@hidden2",
        "lower@noise_variance=text", "lower@hidden2@noise_variance=2",
    ]  # fmt: skip
    chosen = sweep([*columns, *others], "lower", "noise_variance")
    assert list(chosen) == [1e-5, 1e-3, 10.0]
    second = sweep([*columns, *others], "lower", "noise_variance", "hidden2")
    assert second == {2.0: "lower@hidden2@noise_variance=2"}


@given(names, names)
def test_variables_come_apart(measure, setting):
    assert split_variable(swept_variable(measure, setting)) == (measure, setting)
    assert split_variable(measure) == (measure, "")
