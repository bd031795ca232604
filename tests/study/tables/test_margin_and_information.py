"""Margins and information over training: what is tabled is what was measured."""

import numpy as np
import pytest
import xarray
from scipy.stats import spearmanr

from infotheo.study.tables import tables
from infotheo.study.tables.margin_and_information import margin_and_information
from infotheo.study.tables.seed_interval import seed_interval
from tests.study.figures.small_trajectories import diverged, make_trajectories

LABELS = ("tanh SGD", "full batch, then SGD")


def test_registered():
    assert "margin_and_information" in tables


def test_correlations_over_each_seeds_training():
    trajectories = make_trajectories(LABELS, seeds=4)
    table = margin_and_information(trajectories)
    dataset = trajectories[LABELS[0]]
    rows = table[(table.label == LABELS[0]) & (table.quantity == "spearman")]
    information = dataset["prediction_label"].values
    for _, row in rows[rows.margin != "margin_angle"].iterrows():
        coefficients = []
        for seed in range(4):
            within = np.ones(information.shape[1], dtype=bool)
            if row.window == "slow phase":
                short = np.flatnonzero(information[seed] < 0.95 * information[seed, -1])
                within[: short[-1] + 1] = False
            x = dataset[row.margin].values[seed, within]
            coefficients.append(
                spearmanr(x, dataset[row.information].values[seed, within]).statistic
            )
        assert row["mean"] == pytest.approx(np.mean(coefficients), abs=1e-9)
        assert row.low <= row["mean"] <= row.high
        assert min(coefficients) - 1e-12 <= row.low
        assert row.seeds == 4
    angle = rows[(rows.margin == "margin_angle") & (rows.window == "training")]
    separable = np.isfinite(dataset["margin_angle"].values).sum(axis=1).min()
    assert set(angle.moments) == {separable}


def test_the_time_of_the_rise():
    epoch = np.array([0.0, 1.0, 2.0, 4.0, 8.0, 16.0])
    information = np.array([[0.0, 0.5, 0.96, 0.9, 0.97, 1.0], [0.0, 0.96, 0.97, 0.98, 0.99, 1.0]])
    ones = np.arange(6.0) * np.ones((2, 1))
    variables = dict.fromkeys(
        ("prediction_input", "prediction_irrelevant", "error", "margin_relative_mean",
         "margin_relative_q05", "margin_normalized_mean", "margin_angle"),
        (("seed", "epoch"), ones),
    )  # fmt: skip
    dataset = xarray.Dataset(
        {**variables, "prediction_label": (("seed", "epoch"), information)}, {"epoch": epoch}
    )
    table = margin_and_information({"a": dataset}).set_index("quantity")
    assert table.loc["rise_time", "mean"] == 1.5
    assert table.loc["kept_time", "mean"] == 4.5
    assert table.loc["rise_share", "mean"] == 1.5 / 16
    gains = table.loc["slow_gain"].set_index("information")["mean"]
    assert gains["prediction_label"] == pytest.approx((0.03 + 0.04) / 2)
    assert gains["prediction_input"] == pytest.approx((1 + 4) / 2)
    assert np.isnan(table.loc["rise_time", "low"])  # two seeds have no interval


def test_what_cannot_be_correlated_is_nan():
    trajectories = diverged(make_trajectories(LABELS, layers=2))
    table = margin_and_information(trajectories)
    label_rows = {label: part for label, part in table.groupby("label")}
    assert (label_rows[LABELS[0]].seeds <= 2).all()
    assert (label_rows[LABELS[1]].seeds == 0).all()
    assert label_rows[LABELS[1]]["mean"].isna().all()
    constant = make_trajectories(LABELS[:1])
    constant[LABELS[0]]["prediction_label"][:] = 0.0
    table = margin_and_information(constant).set_index("quantity")
    assert np.isnan(table.loc["rise_time", "mean"])
    spearman = table.loc["spearman"]
    flat = spearman[spearman.information == "prediction_label"]
    assert flat["mean"].isna().all()
    slow = spearman[spearman.window == "slow phase"]
    assert slow["mean"].isna().all()


def test_an_interval_of_equal_values_has_no_width():
    options = {"resamples": 200, "confidence": 0.9, "seed": 0}
    assert seed_interval(np.full(4, 0.1), **options) == (0.1, 0.1, 0.1)
    mean, low, high = seed_interval(np.array([0.0, 1.0, 2.0, np.nan]), **options)
    assert 0 <= low < mean == 1 < high <= 2
    assert np.isnan(seed_interval(np.array([np.nan]), **options)).all()


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"fraction": 1.0}, ValueError, "fraction is 1.0"),
        ({"resamples": 0}, ValueError, "resamples is 0"),
        ({"confidence": "high"}, TypeError, "confidence is 'high'"),
        ({"seed": -1}, ValueError, "seed is -1"),
    ],
)
def test_bad_settings_are_named(settings, error, message):
    with pytest.raises(error, match=message):
        margin_and_information(make_trajectories(LABELS[:1], layers=1), **settings)
