import inspect

import numpy as np
import pytest
from matplotlib.figure import Figure

from infotheo.study.figures import figures
from infotheo.study.figures.correlation_by_noise import PUBLISHED
from infotheo.study.figures.principal_components import component_scores
from infotheo.study.figures.style import save
from infotheo.study.tables import tables
from tests.study.figures.small_study import (
    ABSOLUTE,
    REGULARIZERS,
    RELATIVE,
    make_activations,
    make_correlations,
    make_histories,
    make_study,
)
from tests.study.figures.small_trajectories import diverged, make_trajectories

DATA = {"runs", "correlations", "histories", "activations", "reference", "trajectories"}


def positional(function):
    kinds = inspect.signature(function).parameters.values()
    return [one.name for one in kinds if one.kind == one.POSITIONAL_OR_KEYWORD]


def draw(name, regularizers=REGULARIZERS, seeds=3, noise_variances=ABSOLUTE, **settings):
    """Draw a figure on the small study."""
    runs = make_study(regularizers, seeds, absolute=noise_variances)
    made = {
        "runs": lambda: runs,
        "correlations": lambda: make_correlations(runs),
        "histories": lambda: make_histories(regularizers, seeds),
        "activations": lambda: make_activations(regularizers, seeds),
        "trajectories": lambda: make_trajectories(regularizers[:2], layers=2, seeds=seeds),
    }
    return figures[name](*(made[key]() for key in positional(figures[name])), **settings)


def texts(figure):
    drawn = [axes.get_title(loc) for axes in figure.axes for loc in ("left", "center")]
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes if axes.get_legend())]
    entries = [text.get_text() for legend in legends for text in legend.get_texts()]
    return "\n".join([*drawn, *entries, figure.get_suptitle(), figure.get_supxlabel()])


def line(axes, label):
    (match,) = [one for one in axes.lines if one.get_label() == label]
    return np.asarray(match.get_ydata(), dtype=float)


@pytest.mark.parametrize("function", [*figures.values(), *tables.values()])
def test_positional_parameters_are_data_and_settings_have_literal_defaults(function):
    parameters = inspect.signature(function).parameters.values()
    assert set(positional(function)) <= DATA
    for one in parameters:
        if one.kind == one.KEYWORD_ONLY:
            assert isinstance(one.default, str | int | float | None)


@pytest.mark.parametrize("name", list(figures))
def test_every_figure_draws_and_saves_the_same_bytes_twice(name, tmp_path):
    figure = draw(name, REGULARIZERS[:3])
    assert isinstance(figure, Figure)
    written = save(figure, tmp_path / "first")
    assert [path.name for path in written] == ["first.svg", "first.png"]
    anew = save(draw(name, REGULARIZERS[:3]), tmp_path / "second.svg")
    assert [path.name for path in anew] == ["second.svg", "second.png"]
    for one, other in zip(written, anew, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert len(list(tmp_path.iterdir())) == 4  # nothing partial is left


@pytest.mark.parametrize("name", ["bounds_and_error", "principal_components"])
def test_saving_one_figure_again_changes_nothing(name, tmp_path):
    figure = draw(name, ["baseline"])
    before = [path.read_bytes() for path in save(figure, tmp_path / "figure")]
    assert [path.read_bytes() for path in save(figure, tmp_path / "figure")] == before


def test_a_failed_save_leaves_nothing(tmp_path):
    figure = Figure()
    figure.text(0.5, 0.5, "$\\unknown{formula}$")
    with pytest.raises(ValueError, match="unknown"):
        save(figure, tmp_path / "broken")
    assert not list(tmp_path.iterdir())


def test_bounds_and_error_draws_means_over_seeds():
    runs = make_study()
    figure = figures["bounds_and_error"](runs, noise_variance=1)
    information, label, error = figure.axes
    means = runs.groupby("regularizer", sort=False).mean(numeric_only=True)
    expected = means["pairwise_input_lower@noise_variance=1"]
    np.testing.assert_allclose(line(information, "lower bound"), expected)
    np.testing.assert_allclose(
        line(label, "upper bound"), means["pairwise_label_upper@noise_variance=1"]
    )
    np.testing.assert_allclose(line(error, "test error"), 100 * means["test_error"])
    np.testing.assert_allclose(line(error, "gap test − train"), 100 * means["generalization_gap"])
    assert [text.get_text() for text in error.get_xticklabels()] == list(REGULARIZERS)
    assert line(information, "ceiling ln N = 6.91") == pytest.approx(np.log(1000))
    r = np.corrcoef(expected, means["generalization_gap"])[0, 1]
    assert f"with gap {r:.2f} (lower)" in information.get_title("left")
    assert "(nats)" in information.get_ylabel()
    assert "σ² = 1" in figure.get_suptitle()


def test_bounds_and_error_names_the_variance_of_the_plain_columns():
    assert "σ² = 0.1:" not in texts(draw("bounds_and_error"))
    assert "at σ² = 0.1 and" in texts(draw("bounds_and_error"))


def test_correlation_by_noise_draws_the_table():
    runs = make_study()
    table = make_correlations(runs)
    figure = figures["correlation_by_noise"](table, published="paper1")
    assert len(figure.axes) == 4
    chosen = table[(table.level == "regularizers") & (table.method == "pearson")]
    for row, target in enumerate(("generalization_gap", "test_error")):
        target_rows = chosen[chosen.target == target].set_index("measure").coefficient
        for column, (setting, values) in enumerate(
            {"noise_variance": ABSOLUTE, "relative_noise_variance": RELATIVE}.items()
        ):
            axes = figure.axes[2 * row + column]
            expected = [target_rows[f"pairwise_input_upper@{setting}={v:g}"] for v in values]
            np.testing.assert_allclose(line(axes, "upper bound with bootstrap interval"), expected)
            assert axes.get_xscale() == "log"
    published = PUBLISHED["paper1"]["lower"]
    assert line(figure.axes[0], "published, lower: 0.84 (σ² not stated)")[0] == published
    assert not [one for one in figure.axes[1].lines if "published" in one.get_label()]
    assert "12 regularizers" in figure.get_suptitle()


def test_published_correlations_are_drawn_only_where_they_are_asked_for():
    assert "published" not in texts(draw("correlation_by_noise"))
    with pytest.raises(ValueError, match="published: expected one of paper1, found 'paper9'"):
        draw("correlation_by_noise", published="paper9")


def test_correlation_by_noise_of_few_regularizers_promises_no_interval():
    assert "interval" in texts(draw("correlation_by_noise"))
    assert "interval" not in texts(draw("correlation_by_noise", REGULARIZERS[:7]))


@pytest.mark.parametrize("name", ["bounds_and_error", "saturation", "scale_table"])
def test_a_study_that_diverged_altogether_says_so(name):
    runs = make_study()[["condition", "regularizer", "seed", "test_error", "generalization_gap"]]
    runs = runs.assign(diverged=True, test_error=np.nan, generalization_gap=np.nan)
    with pytest.raises(ValueError, match=f"^{name}: found {len(runs)} networks that all diverged"):
        (figures | tables)[name](runs)


def test_learning_curves_without_any_validation_error():
    histories = make_histories(REGULARIZERS[:2])
    for name, history in histories.items():
        last = history["train_error"].isel(epoch=-1)
        histories[name] = history.assign(
            train_error=last, validation_error=history["validation_error"] * np.nan
        )
    figure = figures["learning_curves"](histories)
    assert [text.get_text() for text in figure.axes[1].texts] == ["no validation samples"]
    lost = {name: history * np.nan for name, history in histories.items()}
    figure = figures["learning_curves"](lost)
    assert [text.get_text() for text in figure.axes[1].texts] == ["diverged"]


def test_correlation_by_noise_with_one_target_of_other_level():
    figure = draw("correlation_by_noise", target="test_error", method="kendall", level="runs")
    assert len(figure.axes) == 2
    assert "published" not in texts(figure)
    assert "36 runs" in figure.get_suptitle()


def test_saturation_draws_fractions_of_the_ceiling():
    runs = make_study()
    figure = figures["saturation"](runs)
    absolute, relative = figure.axes
    columns = [f"pairwise_input_lower@noise_variance={value:g}" for value in ABSOLUTE]
    expected = runs[runs.regularizer == "CR"][columns].mean() / np.log(1000)
    np.testing.assert_allclose(line(absolute, "CR"), expected)
    share = (runs[columns].to_numpy() >= 0.95 * np.log(1000)).mean()
    assert absolute.get_title("left") == f"{share:.0%} of values above 0.95 ln N"
    assert len(line(relative, "CR")) == len(RELATIVE)
    assert "ln N = 6.91 nats" in figure.get_suptitle()


def test_error_and_gap_draws_a_dot_for_each_seed():
    runs = make_study()
    error, gap = figures["error_and_gap"](runs).axes
    for axes, column in ((error, "test_error"), (gap, "generalization_gap")):
        drawn = [one.get_xdata() for one in axes.lines if len(one.get_xdata()) == 3]
        expected = 100 * runs[column].to_numpy().reshape(len(REGULARIZERS), 3)
        np.testing.assert_allclose(drawn, expected)


def test_learning_curves_draw_mean_and_range():
    histories = make_histories()
    loss, error = figures["learning_curves"](histories).axes
    expected = histories["VR"].train_loss.mean("seed")
    np.testing.assert_allclose(line(loss, "VR"), expected)
    np.testing.assert_allclose(
        line(error, "VR"), 100 * histories["VR"].validation_error.mean("seed")
    )
    band = loss.collections[0].get_paths()[0].vertices[:, 1]
    first = histories["baseline"].train_loss
    assert band.min() == pytest.approx(float(first.min()))
    assert band.max() == pytest.approx(float(first.max()))


def test_learning_curves_without_validation_data_show_the_training_error():
    histories = make_histories(["baseline"])
    histories["baseline"]["validation_error"][:] = np.nan
    figure = figures["learning_curves"](histories)
    assert figure.axes[1].get_ylabel() == "train error (%)"


def test_learning_curves_start_at_zero_where_an_error_is_zero():
    histories = make_histories(["baseline"])
    histories["baseline"]["validation_error"][:, -1] = 0.0
    assert figures["learning_curves"](histories).axes[1].get_yscale() == "linear"


def test_histograms_show_the_most_variable_unit():
    activations = make_activations()
    figure = figures["activation_histograms"](activations, seed=1, bins=20)
    values = activations["CR"].values[1].astype(float)
    unit = values.var(axis=0).argmax()
    zero = (values[:, unit] == 0).mean()
    titles = [axes.get_title("left") for axes in figure.axes]
    assert f"CR: unit {unit}, {zero:.0%} zero" in titles
    second = figures["activation_histograms"](activations, seed=1, rank=1)
    assert [axes.get_title("left") for axes in second.axes] != titles


def test_scatter_shows_two_units_and_at_most_the_samples_asked_for():
    activations = make_activations(["CR"])
    (axes,) = figures["activation_scatter"](activations, samples=50).axes
    values = activations["CR"].values[0]
    first, second = np.argsort(-values.astype(float).var(axis=0))[:2]
    points = axes.collections[0].get_offsets()
    assert len(points) == 50
    assert axes.get_title("left") == f"CR: units {first}, {second}"
    drawn = {tuple(point) for point in np.asarray(points, np.float32)}
    assert drawn <= {tuple(pair) for pair in values[:, [first, second]].astype(np.float32)}
    assert (
        len(figures["activation_scatter"](activations).axes[0].collections[0].get_offsets()) == 120
    )


def test_principal_components_agree_with_the_singular_values():
    values = make_activations(["CR"])["CR"].values[0].astype(float)
    scores, share = component_scores(values)
    singular = np.linalg.svd(values - values.mean(axis=0), compute_uv=False)
    np.testing.assert_allclose((scores**2).sum(axis=0), singular[:3] ** 2)
    np.testing.assert_allclose(share, singular[:3] ** 2 / (singular**2).sum())
    upper, lower = figures["principal_components"](make_activations(["CR"])).axes
    np.testing.assert_allclose(upper.collections[0].get_offsets(), scores[:, :2])
    np.testing.assert_allclose(lower.collections[0].get_offsets(), scores[:, [0, 2]])
    assert " / ".join(f"{100 * part:.0f}" for part in share) in upper.get_title("left")


def test_components_of_one_unit():
    scores, share = component_scores(np.array([[1.0], [3.0]]))
    assert scores.tolist() == [[-1, 0, 0], [1, 0, 0]]
    assert share.tolist() == [1, 0, 0]


@pytest.mark.parametrize("name", list(figures))
@pytest.mark.parametrize("regularizers", [("baseline",), ("mine", "a_long_name_of_their_own")])
def test_few_regularizers_one_seed_one_noise_variance(name, regularizers):
    figure = draw(name, regularizers, seeds=1, noise_variances=(0.1,))
    figure.draw_without_rendering()


@pytest.mark.parametrize("name", list(figures))
def test_diverged_runs_are_drawn_around(name):
    runs = make_study(REGULARIZERS[:4])
    measured = runs.columns[runs.columns.get_loc("train_error") :]
    measured = [column for column in measured if "ceiling" not in column]
    runs.loc[runs.regularizer == "dropout", measured] = np.nan
    runs.loc[0, measured] = np.nan
    activations = make_activations(REGULARIZERS[:4])
    activations["dropout"][:] = np.nan
    histories = make_histories(REGULARIZERS[:4])
    for variable in histories["dropout"].data_vars:
        histories["dropout"][variable][:, 3:] = np.nan
    data = {
        "runs": runs,
        "correlations": make_correlations(runs),
        "histories": histories,
        "activations": activations,
        "trajectories": diverged(make_trajectories(REGULARIZERS[:3], layers=2)),
    }
    figure = figures[name](*(data[key] for key in positional(figures[name])))
    figure.draw_without_rendering()
    if "runs" in positional(figures[name]):
        assert "1 of 3 baseline, 3 of 3 dropout" in figure.get_supxlabel()


def test_many_classes_get_a_colour_scale():
    activations = make_activations(["baseline", "CR"], classes=40)
    for name in ("activation_histograms", "activation_scatter", "principal_components"):
        figure = figures[name](activations)
        assert figure.axes[-1].get_ylabel() == "class"
        assert not figure.legends
        figure.draw_without_rendering()


def test_one_condition_is_drawn():
    runs = make_study(REGULARIZERS[:3])
    other = runs.assign(condition="data_size=1000", test_error=0.5)
    both = runs.iloc[:0].merge(runs, how="right")
    both = type(runs)(np.vstack([both, other]), columns=runs.columns).infer_objects()
    for name in ("error_and_gap", "bounds_and_error", "saturation"):
        assert len(figures[name](both).axes) == len(figures[name](runs).axes)
    error, _ = figures["error_and_gap"](both, condition="data_size=1000").axes
    assert "data_size=1000" in error.figure.get_suptitle()
    assert {value for one in error.lines for value in np.ravel(one.get_xdata())} == {50.0}


@pytest.mark.parametrize(
    ("name", "column", "key"),
    [
        ("bounds_and_error", "pairwise_label_upper", "measures: pairwise"),
        ("saturation", "pairwise_input_ceiling", "measures: pairwise"),
        ("error_and_gap", "test_error", "which every study writes"),
    ],
)
def test_a_missing_column_is_named_with_the_config_key(name, column, key):
    with pytest.raises(ValueError, match=f"{name}: .*{column!r}.*{key}") as raised:
        figures[name](make_study().drop(columns=column))
    assert "\n" not in str(raised.value)


def test_a_missing_sweep_is_named_with_the_config_key():
    runs = make_study(["baseline", "CR", "VR"], absolute=(0.1,))
    runs = runs[[column for column in runs.columns if "@" not in column]]
    for name, data in {"saturation": runs, "correlation_by_noise": make_correlations(runs)}.items():
        with pytest.raises(ValueError, match=f"{name}: .*measures: pairwise") as raised:
            figures[name](data)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("bounds_and_error", {"noise_variance": 0.5}, "0.5 was not measured .known: 0.01, 0.1, 1"),
        ("bounds_and_error", {"condition": "defualt"}, "condition .*did you mean 'default'"),
        ("correlation_by_noise", {"target": "gap"}, "target: .*found 'gap'"),
        ("correlation_by_noise", {"method": "r"}, "method: .*found 'r'"),
        ("activation_scatter", {"seed": 3}, "seed: .*from 0 to 2, found 3"),
        ("activation_scatter", {"samples": 0}, "samples: .*at least 1, found 0"),
        ("activation_histograms", {"rank": -1}, "rank: .*at least 0, found -1"),
        ("activation_histograms", {"bins": 0}, "bins: .*at least 1, found 0"),
        ("principal_components", {"columns": 0}, "columns: .*at least 1, found 0"),
        ("saturation", {"threshold": 95}, "threshold: .*found 95"),
    ],
)
def test_bad_settings_are_named_in_one_line(name, settings, message):
    with pytest.raises(ValueError, match=message) as raised:
        draw(name, **settings)
    assert "\n" not in str(raised.value)


def test_activations_without_classes_are_refused():
    activations = make_activations(["CR"])
    activations["CR"] = activations["CR"].drop_vars("class")
    with pytest.raises(ValueError, match="'CR' have no coordinate 'class'"):
        figures["activation_scatter"](activations)


def test_a_study_that_diverged_altogether_still_draws():
    histories = make_histories(["RR"])
    for variable in histories["RR"].data_vars:
        histories["RR"][variable][:] = np.nan
    figures["learning_curves"](histories).draw_without_rendering()
    runs = make_study(["RR", "cw-RR"])
    measured = [name for name in runs.columns if "_" in name and "ceiling" not in name]
    runs[measured] = np.nan
    for name in ("error_and_gap", "bounds_and_error", "saturation"):
        figure = figures[name](runs)
        figure.draw_without_rendering()
        assert "3 of 3 RR, 3 of 3 cw-RR" in figure.get_supxlabel()
    figures["correlation_by_noise"](make_correlations(runs)).draw_without_rendering()
