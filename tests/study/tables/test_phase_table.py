"""Rise, fall and verdict on curves whose answers are known."""

import numpy as np
import pandas
import pytest
import xarray
from scipy import stats

from infotheo.study.figures.compression import rise_times
from infotheo.study.tables.phase_table import phase_table
from tests.study.figures.small_trajectories import NOISES, diverged, make_trajectories


def study(known, label_curves=None, time="epoch", at=None):
    """Binned trajectories of one layer from curves (seed, time)."""
    known = np.asarray(known, dtype=float)
    label_curves = known if label_curves is None else np.asarray(label_curves, dtype=float)
    dims = ("layer", "seed", time)
    at = np.arange(known.shape[-1]) if at is None else at
    return xarray.Dataset(
        {"binned_input": (dims, known[None]), "binned_label": (dims, label_curves[None])},
        coords={"layer": ["fc1"], time: at},
    )


def only_row(dataset, **settings):
    table = phase_table({"tanh": dataset}, **settings)
    assert len(table) == 1
    return table.iloc[0]


def test_an_exponential_rise_reaches_95_percent_after_three_times_constant():
    # 1 − e^(−t/τ) reaches 0.95 at t = τ ln 20 = 2.9957 τ; its final value is 1 within e^(−50).
    epoch = np.arange(501.0)
    constants = np.array([10.0, 7.0, 4.0])
    curves = 0.6 * (1 - np.exp(-epoch / constants[:, None]))
    first, stable = rise_times(curves, epoch)
    np.testing.assert_array_equal(first, np.ceil(constants * np.log(20)))
    np.testing.assert_array_equal(stable, first)
    row = only_row(study(np.ones_like(curves), curves, at=epoch))
    assert row.rise_time == pytest.approx(np.mean([30, 21, 12]))
    assert 12 <= row.rise_time_low < row.rise_time < row.rise_time_high <= 30


def test_a_curve_at_its_value_from_the_start_rose_at_0_and_one_that_stays_0_never():
    epoch = np.array([0.0, 1, 2, 3, 4])
    curves = np.array([[0.69] * 5, [0.9, 0.8, 0.7, 0.6, 0.6], [0.0] * 5, [0.5, 0.3, 0, 0, 1e-17]])
    first, stable = rise_times(curves, epoch)
    np.testing.assert_array_equal(first, [0, 0, np.nan, np.nan])
    np.testing.assert_array_equal(stable, [0, 0, np.nan, np.nan])
    row = only_row(study(curves, at=epoch))
    assert row.never_rises == 2
    assert row.rise_time == 0


def test_fraction_is_a_setting():
    epoch = np.arange(11.0)
    row = only_row(study([epoch / 10] * 3), fraction=0.5)
    assert row.rise_time == 5


def test_a_known_fall_is_found_with_its_interval():
    # rises to 3 nats at epoch 5, falls to 3 − d at epoch 10 and stays
    falls = np.array([0.9, 1.0, 1.1, 1.2, 1.3])
    curves = [
        np.interp(np.arange(21), [0, 5, 10, 20], [1, 3, 3 - fall, 3 - fall]) for fall in falls
    ]
    row = only_row(study(curves))
    assert row.maximum == 3
    assert row.maximum_time == 5
    assert row.fall == pytest.approx(1.1)
    assert row.fall_fraction == pytest.approx(1.1 / 3)
    assert row.final == pytest.approx(1.9)
    # three corners among nineteen second differences: the median is 0, so 5 % of 3 nats count
    assert row.allowance == pytest.approx(0.15)
    assert row.seeds_above == row.seeds == 5
    assert row.compression == "yes"
    # scipy's percentile bootstrap, within the noise of 2 × 9,999 resamples
    expected = stats.bootstrap(
        (falls,), np.mean, method="percentile", random_state=0
    ).confidence_interval
    assert [row.fall_low, row.fall_high] == pytest.approx(list(expected), abs=0.02)


@pytest.mark.parametrize(
    ("falls", "verdict"),
    [
        ([0.5, 0.6, 0.7, 0.6], "yes"),
        ([0.0, 0.1, 0.05, 0.0], "no"),
        ([0.0, 0.0, 0.0, 2.0], "undecided"),
        ([0.5, 0.6], "undecided"),  # two seeds have no interval
    ],
)
def test_verdict_compares_the_interval_with_the_threshold(falls, verdict):
    curves = [np.interp(np.arange(21), [0, 5, 10, 20], [1, 3, 3 - d, 3 - d]) for d in falls]
    row = only_row(study(curves))
    assert row.compression == verdict
    assert row.seeds_above == sum(fall > 0.15 for fall in falls)


def test_threshold_moves_the_verdict():
    curves = [np.interp(np.arange(21), [0, 5, 10, 20], [1, 3, 2.8, 2.8])] * 4
    assert only_row(study(curves)).compression == "yes"
    assert only_row(study(curves), threshold=0.1).compression == "no"


def test_noise_alone_is_no_compression():
    # 40 studies of 20 seeds, 60 times of pure jitter, so large that 5 % of the maximum is less than
    # it: the last value lies 2.3 deviations below the maximum, but "yes" should come in 2.5 % of
    # studies. P(more than 5 of 40) = 0.0006.
    draw = np.random.default_rng(0)
    verdicts = []
    for _ in range(40):
        row = only_row(study(5 + draw.normal(size=(20, 60))), resamples=500)
        assert row.fall == pytest.approx(row.allowance, abs=1.2)
        verdicts.append(row.compression)
    assert row.fall > 5 * row.maximum * 0.05
    assert verdicts.count("yes") <= 5


def test_rows_and_columns_of_a_study():
    trajectories = make_trajectories(["tanh SGD", "ReLU SGD"], layers=3)
    table = phase_table(trajectories)
    assert len(table) == 2 * 3 * (1 + 3 * len(NOISES))
    assert list(dict.fromkeys(table.label)) == ["tanh SGD", "ReLU SGD"]
    assert list(dict.fromkeys(table.estimator)) == [
        "binned", "pairwise lower", "pairwise upper", "pairwise proven",
    ]  # fmt: skip
    assert set(table.setting) == {"", "noise_variance"}
    assert set(table.time) == {"epoch"}
    last = table[(table.layer == "layer3") & (table.estimator == "binned")].set_index("label")
    assert list(last.compression) == ["yes", "no"]
    pandas.testing.assert_frame_equal(phase_table(trajectories), table)
    assert table.to_csv() == phase_table(trajectories).to_csv()


def test_bounds_are_read_with_the_estimate_of_their_side():
    dataset = make_trajectories(["tanh"], layers=2)["tanh"]
    table = phase_table({"tanh": dataset}).set_index(["layer", "estimator", "value"])
    for side, label_curves in (("lower", "chernoff"), ("upper", "kl")):
        at = dataset.sel(layer="layer2", noise_variance=0.1)
        known = at[f"pairwise_input_{side}@noise_variance"].transpose("seed", "epoch")
        expected = (known.max("epoch") - known.isel(epoch=-1)).mean()
        row = table.loc["layer2", f"pairwise {side}", 0.1]
        assert row.fall == pytest.approx(float(expected))
        curves = at[f"pairwise_label_{label_curves}@noise_variance"].transpose("seed", "epoch")
        first, _ = rise_times(curves.to_numpy(), dataset["epoch"].to_numpy())
        assert row.rise_time == pytest.approx(first.mean())


def bounds(lower, upper):
    """Pairwise trajectories of three alike seeds; I(T;Y) is no matter."""
    dims = ("layer", "seed", "epoch", "noise_variance")
    three = {
        name: (dims, np.tile(np.asarray(curve, dtype=float), (3, 1))[None, ..., None])
        for name, curve in {"lower": lower, "upper": upper}.items()
    }
    names = {"input_lower": "lower", "input_upper": "upper", "label_lower": "lower",
             "label_upper": "upper", "label_chernoff": "lower", "label_kl": "upper"}  # fmt: skip
    return xarray.Dataset(
        {f"pairwise_{name}@noise_variance": three[side] for name, side in names.items()},
        coords={"layer": ["fc1"], "epoch": np.arange(len(lower)), "noise_variance": [0.1]},
    )


@pytest.mark.parametrize(
    ("lower", "upper", "fall", "verdict"),
    [
        ([2, 2, 2, 1, 1, 1, 1], [2.5, 2.5, 2.5, 1.5, 1.5, 1.5, 1.5], 0.5, "yes"),
        ([2, 2, 2, 1, 1, 1, 1], [4, 4, 4, 3, 3, 3, 3], -1.0, "undecided"),  # either is possible
        ([2, 2, 2, 2, 2, 2, 2], [2.01] * 7, -0.01, "no"),  # no more than 0.01 can be lost
        ([2, 2, 2, 2, 2, 2, 2], [2.5] * 7, -0.5, "undecided"),
    ],
)
def test_both_bounds_together_prove_or_deny(lower, upper, fall, verdict):
    table = phase_table({"tanh": bounds(lower, upper)})
    row = table[table.estimator == "pairwise proven"].iloc[0]
    assert row.fall == pytest.approx(fall)
    assert row.compression == verdict
    assert np.isnan(row.rise_time)


def test_seeds_that_diverged_are_left_out():
    complete = make_trajectories(["tanh", "ReLU"], layers=2)
    table = phase_table(diverged(complete)).set_index(["label", "layer", "estimator"])
    assert set(table.loc["tanh"].seeds) == {2}
    stable = {"tanh": complete["tanh"].isel(seed=[1, 2])}
    expected = phase_table(stable).set_index(["label", "layer", "estimator"])
    pandas.testing.assert_frame_equal(table.loc[["tanh"]], expected)
    lost = table.loc["ReLU"]
    assert set(lost.seeds) == {0}
    assert lost[["rise_time", "fall", "final"]].isna().all(axis=None)
    assert set(lost.compression) == {"undecided"}


def test_a_layer_that_an_estimator_was_not_followed_in_has_no_rows():
    complete = make_trajectories(["tanh"], layers=2)["tanh"]
    lost = {
        name: array.where(array.layer == "layer2").transpose(*array.dims)
        for name, array in complete.data_vars.items()
        if str(name).startswith("pairwise") and "layer" in array.dims
    }
    table = phase_table({"tanh": complete.assign(lost)})
    expected = phase_table({"tanh": complete})
    stable = (expected.layer == "layer2") | (expected.estimator == "binned")
    pandas.testing.assert_frame_equal(table, expected[stable].reset_index(drop=True))
    assert len(table) < len(expected)


@pytest.mark.parametrize("times", [1, 2, 4])
def test_too_few_times_are_undecided(times):
    row = only_row(study(np.linspace(3, 1, times) * np.ones((5, 1))))
    assert row.compression == "undecided"
    assert row.fall == (0 if times == 1 else 2)


def test_a_dead_layer_has_no_fall():
    row = only_row(study(np.zeros((3, 9))))
    assert (row.fall, row.fall_fraction, row.compression) == (0, 0, "no")
    assert row.never_rises == 3


def test_steps_are_named():
    row = only_row(study(np.ones((3, 5)), time="step", at=np.array([0, 10, 100, 200, 300])))
    assert row.time == "step"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"threshold": 1}, "threshold: expected a number between 0 and 1, found 1"),
        ({"fraction": 0}, "fraction: .*found 0"),
        ({"confidence": 95}, "confidence: .*found 95"),
        ({"resamples": 0}, "resamples"),
        ({"seed": -1}, "seed"),
    ],
)
def test_settings_out_of_range_are_named(settings, message):
    with pytest.raises(ValueError, match=message) as raised:
        phase_table({"tanh": study(np.ones((3, 5)))}, **settings)
    assert "\n" not in str(raised.value)


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match="phase_table: trajectories is empty"):
        phase_table({})
    bare = study(np.ones((3, 5))).drop_vars("binned_input")
    with pytest.raises(ValueError, match="'tanh' have no 'binned_input'.*measures: binned"):
        phase_table({"tanh": bare})
    both = {"a": study(np.ones((3, 5))), "b": bare}
    with pytest.raises(ValueError, match="'b' have no 'binned_input'"):
        phase_table(both)
