import numpy as np
import pandas
import pytest
from scipy import stats

from infotheo.study.correlation.association import bootstrap_coefficients, round_to_bits
from infotheo.study.correlation.table import COLUMNS, correlation_table

SCIPY = {"pearson": stats.pearsonr, "spearman": stats.spearmanr, "kendall": stats.kendalltau}


def make_runs(groups=6, seeds=4, seed=0, within=0.3):
    """Runs whose measure and errors vary between groups and, by `within`, between seeds."""
    draw = np.random.default_rng(seed)
    size = groups * seeds

    def column():
        between = np.repeat(draw.normal(size=groups), seeds)
        return between + within * draw.normal(size=size)

    return pandas.DataFrame(
        {
            "study": "small",
            "condition": "default",
            "regularizer": np.repeat([f"R{index}" for index in range(groups)], seeds),
            "seed": np.tile(np.arange(seeds), groups),
            "test_error": column(),
            "generalization_gap": column(),
            "information": column(),
            "sparsity": column().round(1),  # ties
        }
    )


def table(runs, measures=("information",), **settings):
    quick = {"resamples": 200, "permutations": 199} | settings
    return correlation_table(runs, list(measures), **quick)


def row(result, **where):
    for name, value in where.items():
        result = result[result[name] == value]
    assert len(result) == 1
    return result.iloc[0]


@pytest.mark.parametrize("method", list(SCIPY))
def test_coefficients_equal_scipy(method):
    runs = make_runs(groups=8)
    result = table(runs, ["information", "sparsity"])
    means = runs.groupby("regularizer").mean(numeric_only=True)
    for level, points in {"runs": runs, "regularizers": means}.items():
        for measure in ("information", "sparsity"):
            for target in ("test_error", "generalization_gap"):
                table_row = row(result, measure=measure, target=target, level=level, method=method)
                expected = SCIPY[method](points[measure], points[target]).statistic
                assert table_row.coefficient == pytest.approx(expected, abs=1e-9)
                assert table_row.n == len(points)
                assert table_row.ci_low <= table_row.ci_high
                assert 1 / 200 <= table_row.p_value <= 1


@pytest.mark.parametrize("method", list(SCIPY))
def test_resampled_coefficients_equal_scipy_on_the_repeated_points(method):
    draw = np.random.default_rng(1)
    x, y = draw.normal(size=(9, 2)).round(1), draw.normal(size=9).round(1)
    chosen = draw.integers(9, size=(20, 9))
    counts = np.stack([np.bincount(rows, minlength=9) for rows in chosen]).astype(float)
    table_row = bootstrap_coefficients(x, y, counts, method)
    for index, rows in enumerate(chosen):
        for column in range(2):
            expected = SCIPY[method](x[rows, column], y[rows]).statistic
            assert table_row[index, column] == pytest.approx(expected, abs=1e-9)


def test_columns_and_order_of_the_rows():
    result = table(make_runs(), ["sparsity", "information"])
    assert list(result.columns) == COLUMNS
    assert len(result) == 2 * 2 * 2 * 3
    assert list(dict.fromkeys(result.measure)) == ["sparsity", "information"]


@pytest.mark.parametrize("method", list(SCIPY))
def test_perfect_agreement(method):
    runs = make_runs(groups=8, seeds=1)
    runs["information"] = 2 * runs["test_error"] + 1
    result = table(runs, methods=[method], targets=["test_error"], permutations=999)
    for _, table_row in result.iterrows():
        assert [table_row.coefficient, table_row.ci_low, table_row.ci_high] == pytest.approx(
            [1, 1, 1]
        )
        assert table_row.p_value <= 2 / 1000  # 2 of 8! = 40,320 rearrangements are as extreme


@pytest.mark.parametrize("method", list(SCIPY))
def test_p_value_of_three_points_is_exact(method):
    # Of 6 rearrangements of (1, 2, 3), 2 are perfectly correlated in absolute value.
    runs = pandas.DataFrame(
        {"condition": "default", "regularizer": list("abc"), "seed": 0, "test_error": [1.0, 2, 3]}
    )
    runs["information"] = runs["test_error"]
    result = table(runs, methods=[method], targets=["test_error"], permutations=4999)
    # Standard error of the Monte-Carlo share: sqrt(1/3 · 2/3 / 4999) = 0.0067; four of them.
    assert result.p_value.to_numpy() == pytest.approx([1 / 3, 1 / 3], abs=0.027)


def test_p_values_are_uniform_without_association():
    # 300 independent measures against one target: the p-values of exchangeable groups are
    # uniform; the Kolmogorov-Smirnov distance exceeds 1.63 / sqrt(300) once in a hundred.
    draw = np.random.default_rng(3)
    runs = make_runs(groups=12, seeds=3)
    names = [f"noise{index}" for index in range(300)]
    between = np.repeat(draw.normal(size=(12, 300)), 3, axis=0)
    noise = pandas.DataFrame(between + 0.1 * draw.normal(size=(36, 300)), columns=names)
    runs = pandas.concat([runs, noise], axis=1)
    result = table(runs, names, methods=["pearson"], targets=["test_error"], permutations=499)
    for _, table_row in result.groupby("level"):
        assert stats.kstest(table_row.p_value, "uniform").statistic < 1.63 / np.sqrt(300)


def test_exchange_of_single_runs_would_reject_far_too_often():
    # Why groups are exchanged whole: scipy's p-value takes 36 runs of 12 groups for independent.
    draw = np.random.default_rng(4)
    between = np.repeat(draw.normal(size=(12, 200)), 3, axis=0)
    target = np.repeat(draw.normal(size=12), 3)
    naive = stats.pearsonr(between, target[:, None], axis=0).pvalue
    assert np.mean(naive < 0.05) > 0.15


def test_cluster_bootstrap_is_wider_than_a_bootstrap_of_single_runs():
    runs = make_runs(groups=10, seeds=5, within=0.05)
    cluster = row(table(runs, methods=["pearson"], targets=["test_error"]), level="runs")
    single = runs.assign(regularizer=[str(index) for index in range(len(runs))])
    single_runs = row(table(single, methods=["pearson"], targets=["test_error"]), level="runs")
    assert cluster.coefficient == pytest.approx(single_runs.coefficient)
    # Five near copies of each point: about sqrt(5) times as wide; half of that is safe.
    assert cluster.ci_high - cluster.ci_low > 1.1 * (single_runs.ci_high - single_runs.ci_low)


def test_one_seed_makes_both_levels_equal():
    result = table(make_runs(groups=9, seeds=1))
    by_level = [table_row.drop(columns="level").reset_index(drop=True)
                for _, table_row in result.groupby("level")]  # fmt: skip
    pandas.testing.assert_frame_equal(*by_level)


def test_order_of_rows_and_other_measures_change_nothing():
    runs = make_runs()
    expected = table(runs).to_csv()
    shuffled = runs.sample(frac=1, random_state=5)
    assert table(shuffled).to_csv() == expected
    assert table(runs).to_csv() == expected
    both = table(runs, ["sparsity", "information"])
    single_runs = both[both.measure == "information"].reset_index(drop=True)
    assert single_runs.to_csv() == expected
    assert table(runs, seed=1).to_csv() != expected


def test_diverged_runs_are_left_out_of_their_measure_only():
    runs = make_runs()
    runs.loc[3, "sparsity"] = np.nan
    runs.loc[7, "sparsity"] = np.inf
    result = table(runs, ["information", "sparsity"])
    n = result.groupby(["measure", "level"]).n.unique()
    assert list(n["information", "runs"]) == [24]
    assert list(n["sparsity", "runs"]) == [22]
    assert list(n["sparsity", "regularizers"]) == [6]
    expected = table(runs.drop(index=[3, 7]), ["sparsity"])
    table_row = result[result.measure == "sparsity"].reset_index(drop=True)
    pandas.testing.assert_frame_equal(table_row, expected)


def test_a_group_that_diverged_altogether_is_no_point():
    runs = make_runs()
    runs.loc[runs.regularizer == "R2", ["information", "test_error"]] = np.nan
    result = table(runs, targets=["test_error"])
    assert set(result[result.level == "regularizers"].n) == {5}
    assert set(result[result.level == "runs"].n) == {20}


def test_constant_measures_have_no_coefficient():
    runs = make_runs()
    runs["constant"] = 0.1
    runs.loc[5, "constant"] = np.nan  # means of 3 and of 4 copies of 0.1 must be equal
    runs["saturated"] = np.log(24) * (1 + np.finfo(float).eps * (np.arange(24) % 3))
    result = table(runs, ["constant", "saturated"])
    assert result[["coefficient", "ci_low", "ci_high", "p_value"]].isna().all(axis=None)
    assert ",,,,," in result.to_csv(index=False)


@pytest.mark.parametrize(("groups", "n"), [(0, 0), (1, 1), (2, 2)])
def test_too_few_points(groups, n):
    result = table(make_runs(groups=groups, seeds=1))
    assert result.coefficient.isna().all()
    assert set(result.n) == {n}


def test_runs_of_two_groups_give_a_coefficient_without_interval():
    table_row = table(make_runs(groups=2, seeds=4), targets=["test_error"])
    runs = table_row[table_row.level == "runs"]
    assert runs.coefficient.notna().all()
    assert runs[["ci_low", "ci_high", "p_value"]].isna().all(axis=None)


def test_no_interval_below_eight_groups():
    for groups in (3, 7, 8):
        result = table(make_runs(groups=groups, seeds=2))
        assert set(result.groups) == {groups}
        assert set(result[result.level == "runs"].n) == {2 * groups}
        assert result.p_value.notna().all()
        assert (result[["ci_low", "ci_high"]].notna() == (groups >= 8)).all(axis=None)


@pytest.mark.parametrize("method", list(SCIPY))
def test_intervals_of_eight_groups_hold_the_truth(method):
    # 400 pairs with r = 0.8: 90 % of the intervals of 95 % at least, less four standard errors;
    # of three groups they hold it in 43 to 47 %.
    draw = np.random.default_rng(7)
    truth = {
        "pearson": 0.8,
        "spearman": 6 / np.pi * np.arcsin(0.4),
        "kendall": 2 / np.pi * np.arcsin(0.8),
    }[method]
    held = 0
    for trial in range(400):
        y = draw.normal(size=8)
        x = 0.8 * y + 0.6 * draw.normal(size=8)
        runs = pandas.DataFrame({"regularizer": list("abcdefgh"), "x": x, "y": y})
        result = correlation_table(
            runs, ["x"], targets=["y"], group=["regularizer"], methods=[method], permutations=1,
            resamples=500, seed=trial,
        )  # fmt: skip
        held += bool((result.ci_low[0] <= truth) & (truth <= result.ci_high[0]))
    assert held / 400 > 0.9 - 4 * np.sqrt(0.9 * 0.1 / 400)


def test_groups_of_unequal_size_cannot_be_exchanged():
    runs = make_runs(groups=8, seeds=8)
    sizes = runs["regularizer"].str[1:].astype(int)
    runs = runs[runs["seed"] <= sizes]  # 1, 2, … 8 seeds
    table_row = table(runs, targets=["test_error"])
    assert table_row[table_row.level == "runs"].p_value.isna().all()
    assert table_row[table_row.level == "runs"].ci_low.notna().all()
    assert table_row[table_row.level == "regularizers"].p_value.notna().all()


def test_constant_resamples_are_left_out_of_the_interval():
    # One resample in three lacks the only point that differs.
    runs = make_runs(groups=8, seeds=1)
    runs["one"] = runs["regularizer"] == "R0"
    result = table(runs, ["one"])
    assert result[["coefficient", "ci_low", "ci_high", "p_value"]].notna().all(axis=None)


def test_a_far_outlier_costs_the_other_resamples_no_digits():
    draw = np.random.default_rng(6)
    x = np.append(draw.normal(size=6), 1e9)
    y = draw.normal(size=7)
    counts = np.array([[1.0, 1, 1, 1, 1, 2, 0]])
    chosen = [0, 1, 2, 3, 4, 5, 5]
    table_row = bootstrap_coefficients(x[:, None], y, counts, "pearson")[0, 0]
    assert table_row == pytest.approx(stats.pearsonr(x[chosen], y[chosen]).statistic, abs=1e-5)


def test_settled_values_keep_their_order():
    values = np.array([-1e300, -2.5, 0.0, 5e-324, 1e-300, np.log(10), 1e300])
    assert np.all(np.diff(round_to_bits(values)) > 0)
    assert round_to_bits(values) == pytest.approx(values, rel=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"measures": []}, "measures: expected a list"),
        ({"measures": "information"}, "measures: expected a list"),
        ({"measures": ["informatoin"]}, "measures: .*did you mean 'information'"),
        ({"measures": ["regularizer"]}, "measures: column 'regularizer' is not numeric"),
        ({"measures": ["sparsity", "sparsity"]}, "measures: expected each name once"),
        ({"targets": ["error"]}, "targets: runs has no column 'error'"),
        ({"group": ["condition", "regulariser"]}, "group: .*did you mean 'regularizer'"),
        ({"group": "regularizer"}, "group: expected a list"),
        ({"methods": ["pearsons"]}, "methods: .*did you mean 'pearson'"),
        ({"methods": "pearson"}, "methods: expected a list"),
        ({"resamples": 0}, "resamples: .*found 0"),
        ({"permutations": 1.5}, "permutations: .*found 1.5"),
        ({"confidence": 95}, "confidence: .*found 95"),
        ({"seed": -1}, "seed: .*found -1"),
    ],
)
def test_bad_input_is_named_in_one_line(change, message):
    settings = {"measures": ["information"]} | change
    measures = settings.pop("measures")
    with pytest.raises(ValueError, match=message) as raised:
        correlation_table(make_runs(), measures, **settings)
    assert "\n" not in str(raised.value)


def test_the_input_is_not_changed():
    runs = make_runs().sample(frac=1, random_state=0)
    before = runs.copy(deep=True)
    table(runs)
    pandas.testing.assert_frame_equal(runs, before)
