"""A study of two layers with sweeps in both: every figure and table of columns draws either.

Figures over training draw all layers; their tests follow two and more.
"""

import inspect
import io

import matplotlib.style
import numpy as np
import pandas
import pytest

from infotheo.study.columns import parse
from infotheo.study.figures import figures
from infotheo.study.figures.style import SETTINGS
from infotheo.study.runs_table import FIXED, measure_columns
from infotheo.study.tables import tables
from tests.study.figures.small_study import (
    REGULARIZERS,
    SECOND,
    make_correlations,
    make_study,
    with_second_layer,
)

DRAWN = {**figures, **tables}
PARAMETERS = {name: inspect.signature(function).parameters for name, function in DRAWN.items()}
OF_COLUMNS = [name for name in DRAWN if {"runs", "correlations"} & set(PARAMETERS[name])]
OF_A_LAYER = [name for name in DRAWN if "layer" in PARAMETERS[name]]


def study(runs):
    """Return what a figure of columns is given."""
    correlations = make_correlations(runs)
    return {"runs": runs, "correlations": correlations, "reference": "workflows/reference"}


@pytest.fixture(scope="module")
def first():
    runs = make_study(REGULARIZERS[:5])
    return study(runs.assign(log_variance=np.log(runs["variance"])))


@pytest.fixture(scope="module")
def both(first):
    return study(with_second_layer(first["runs"]))


@pytest.fixture(scope="module")
def second(both):
    """Return the second layer by itself, as if it were the study's first."""
    runs = both["runs"]
    layers = {name: parse(name).layer for name in runs.columns}
    names = {name: name.replace(f"@{SECOND}", "") for name in runs.columns if layers[name]}
    return study(runs[[*(set(FIXED) & set(runs.columns)), *names]].rename(columns=names))


def draw(name, data, **settings):
    return DRAWN[name](*(data[key] for key in PARAMETERS[name] if key in data), **settings)


def contents(drawn):
    """Return all of a table, or of a figure but its title."""
    if isinstance(drawn, pandas.DataFrame):
        return drawn.to_csv()
    drawn.suptitle("title")
    file = io.StringIO()
    with matplotlib.style.context(["default", SETTINGS]):
        drawn.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def test_what_reads_sweeps_or_measures_of_a_layer_takes_one():
    assert set(OF_A_LAYER) == {
        "bounds_and_error", "correlation_by_noise", "saturation",
        "scale_table", "published_table", "published_correlations",
    }  # fmt: skip
    assert set(OF_COLUMNS) - set(OF_A_LAYER) == {"error_and_gap", "regularizer_table"}


@pytest.mark.parametrize("name", ["error_and_gap", *OF_A_LAYER])
def test_a_second_layer_changes_nothing_of_the_first(name, first, both):
    assert contents(draw(name, both)) == contents(draw(name, first))


@pytest.mark.parametrize("name", OF_A_LAYER)
def test_the_second_layer_is_drawn_as_if_it_were_the_only_one(name, first, both, second):
    drawn = draw(name, both, layer=SECOND)
    if name in figures:
        assert f" of {SECOND}" in drawn.get_suptitle()
    text = contents(drawn)
    assert text == contents(draw(name, second))
    assert text != contents(draw(name, first))


def test_a_noise_variance_of_the_second_layer(both, second):
    drawn = draw("bounds_and_error", both, layer=SECOND, noise_variance=0.01)
    alone = draw("bounds_and_error", second, noise_variance=0.01)
    assert contents(drawn) == contents(alone)
    with pytest.raises(ValueError, match=r"0.5 was not measured \(known: 0.01, 0.1, 1\)"):
        draw("bounds_and_error", both, layer=SECOND, noise_variance=0.5)


@pytest.mark.parametrize("name", OF_A_LAYER)
def test_a_layer_that_was_not_measured_is_named(name, first, both):
    message = f"{name}: layer 'block1.liner' has no columns; did you mean '{SECOND}'"
    with pytest.raises(ValueError, match=message):
        draw(name, both, layer="block1.liner")
    with pytest.raises(ValueError, match="known: none; the study's first layer is drawn without"):
        draw(name, first, layer="hidden2")


def test_every_layer_has_its_means_and_no_sweep(first, both):
    table = draw("regularizer_table", both)
    for name, values in draw("regularizer_table", first).items():
        pandas.testing.assert_series_equal(table[name], values)
    assert {f"pairwise_input_lower@{SECOND}", f"sparsity@{SECOND}_std"} <= set(table.columns)
    assert not [name for name in table.columns if "=" in name]


def test_blocks_are_a_sweep_and_in_no_table_of_means(first):
    runs = first["runs"].assign(**{"ratio@block=stage1.0": 1.0, "ratio@block=2": 1.0})
    table = draw("regularizer_table", {"runs": runs})
    assert list(table) == list(draw("regularizer_table", first))


def test_sweeps_of_both_layers_are_correlated(both):
    runs, table = both["runs"], both["correlations"]
    swept = {name for name in measure_columns(runs) if name.startswith("pairwise_input_")}
    assert swept <= set(table["measure"])
    column = f"pairwise_input_lower@{SECOND}@noise_variance=0.1"
    chosen = table[
        (table.measure == column) & (table.target == "test_error") & (table.level == "regularizers")
        & (table.method == "pearson")
    ]  # fmt: skip
    means = runs.groupby("regularizer")[[column, "test_error"]].mean()
    assert chosen.coefficient.tolist() == pytest.approx([np.corrcoef(means.T)[0, 1]])
