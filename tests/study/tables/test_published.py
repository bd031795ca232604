"""Published numbers stand beside those of a study."""

import numpy as np
import pandas
import pytest

from infotheo.study.tables.published import published_correlations, published_table
from tests.study.figures.small_study import ABSOLUTE, REGULARIZERS, RELATIVE


@pytest.fixture
def reference(tmp_path):
    """Published numbers of two regularizers, in the files' own form."""
    files = {
        "paper1_table6_mnist_characteristics": "regularizer,error_percent,sparsity\n"
        "Baseline,2.85,0.34\nBN,2.81,0.52\n",
        "paper2_table5_mnist_characteristics": "regularizer,error_percent,error_spread,variance\n"
        "Baseline,9.99,0.11,9.05\n",
        "paper1_table8_mnist_mlp_error": "regularizer,condition,error_percent,spread_percent\n"
        "BN,default,2.81,0.12\nBN,data_size=1000,10.81,0.04\nL1R,default,2.35,0.08\n",
        "paper1_figure4_correlation": "measure,correlation_with_generalization_error\n"
        "pairwise_lower_bound_I(z;x),0.84\npairwise_upper_bound_I(z;x),0.78\n",
    }
    for name, text in files.items():
        (tmp_path / f"{name}.csv").write_text(text)
    return str(tmp_path)


def test_published_numbers_stand_beside_ours(runs, reference):
    table = published_table(runs, reference).set_index("regularizer")
    means = runs.groupby("regularizer").mean(numeric_only=True)
    baseline, norm = table.loc["baseline"], table.loc["batch_norm"]
    assert baseline.error_percent == pytest.approx(100 * means.test_error["baseline"])
    # Paper 1's error, paper 2's spread and characteristics that only it prints.
    assert baseline.published_error_percent == 2.85
    assert baseline.published_error_spread == 0.11
    assert baseline.published_variance == 9.05
    assert baseline.variance == pytest.approx(means.variance["baseline"])
    assert baseline.difference == pytest.approx(baseline.error_percent - 2.85)
    assert norm.published_error_spread == 0.12
    assert norm.published_sparsity == 0.52
    assert table.loc["L1R"].published_error_percent == 2.35
    assert np.isnan(table.loc["CR"].published_error_percent)


def test_published_numbers_may_be_missing(runs, correlations, tmp_path):
    table = published_table(runs, str(tmp_path / "nowhere"))
    assert len(table) == len(REGULARIZERS)
    assert table[["published_error_percent", "difference"]].isna().all(axis=None)
    assert published_correlations(correlations, str(tmp_path)).published.isna().all()


def test_published_correlations_stand_beside_every_noise_variance(correlations, reference):
    table = published_correlations(correlations, reference)
    assert len(table) == 2 * 2 * (len(ABSOLUTE) + len(RELATIVE))
    assert table.groupby("bound").published.unique().map(list).to_dict() == {
        "lower": [0.84],
        "upper": [0.78],
    }
    row = table[
        (table.setting == "relative_noise_variance") & (table.value == 0.1)
        & (table.bound == "upper") & (table.target == "test_error")
    ].iloc[0]  # fmt: skip
    expected = correlations.query(
        "measure == 'pairwise_input_upper@relative_noise_variance=0.1' and target == 'test_error'"
        " and level == 'regularizers' and method == 'pearson'"
    ).iloc[0]
    pandas.testing.assert_series_equal(
        row[["coefficient", "ci_low", "ci_high", "p_value", "n"]],
        expected[["coefficient", "ci_low", "ci_high", "p_value", "n"]],
        check_names=False,
    )
