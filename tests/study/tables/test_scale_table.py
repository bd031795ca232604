"""What is left of a correlation once the scale is held: against regression residuals."""

import numpy as np
import pandas
import pytest

from infotheo.study.tables.scale_table import scale_table


def study(bound, scale, error):
    return pandas.DataFrame(
        {
            "condition": "default",
            "regularizer": [f"r{number}" for number in range(len(bound))],
            "seed": 0,
            "test_error": error,
            "generalization_gap": error,
            "log_variance": scale,
            "pairwise_input_lower": bound,
            "pairwise_input_lower@noise_variance=1": bound,
        }
    )


def residuals(values, regressor):
    design = np.column_stack([np.ones_like(regressor), regressor])
    return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]


def test_partial_correlation_is_that_of_the_residuals():
    rng = np.random.default_rng(0)
    scale = rng.normal(size=12)
    bound = scale + 0.5 * rng.normal(size=12)
    error = scale + 0.5 * rng.normal(size=12)
    row = scale_table(study(bound, scale, error)).iloc[0]
    expected = np.corrcoef(residuals(bound, scale), residuals(error, scale))[0, 1]
    assert row["partial"] == pytest.approx(expected, abs=1e-12)
    assert row["coefficient"] == pytest.approx(np.corrcoef(bound, error)[0, 1], abs=1e-12)
    assert row["n"] == 12


def test_a_bound_at_its_ceiling_has_no_correlation():
    rng = np.random.default_rng(1)
    table = scale_table(study(np.full(12, 6.2), rng.normal(size=12), rng.normal(size=12)))
    assert table[["coefficient", "partial"]].isna().all(axis=None)


def test_missing_measure_names_the_column():
    runs = study(np.arange(4.0), np.arange(4.0), np.arange(4.0)).drop(columns="log_variance")
    with pytest.raises(ValueError, match="log_variance"):
        scale_table(runs)
