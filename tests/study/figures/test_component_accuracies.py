"""The figure of classifiers on principal components: which moment, which mean, which panel."""

import numpy as np
import pytest

from infotheo.study.figures import figures
from tests.study.figures.small_trajectories import make_trajectories

LABELS = ("ResNet", "PlainNet")
component_accuracies = figures["component_accuracies"]


def solid(axes):
    return [one for one in axes.lines if one.get_linestyle() == "-"]


@pytest.mark.parametrize("time", ["epoch", "step"])
def test_draws_the_mean_of_the_last_and_the_first_moment(time):
    trajectories = make_trajectories(LABELS, time=time)
    figure = component_accuracies(trajectories)
    names = ["svm_accuracy", "neighbor_accuracy", "explained_variance"]
    assert [axes.get_title("left") for axes in figure.axes] == [
        "Linear SVM", "Nearest neighbour", "Explained variance",
    ]  # fmt: skip
    for axes, name in zip(figure.axes, names, strict=True):
        assert len(axes.lines) == 4
        for place, label in enumerate(LABELS):
            means = 100 * trajectories[label][f"component_{name}"].mean("seed")
            first, last = axes.lines[2 * place : 2 * place + 2]
            assert last.get_linestyle() == "-"
            np.testing.assert_allclose(last.get_ydata(), means.isel({time: -1}))
            np.testing.assert_allclose(first.get_ydata(), means.isel({time: 0}))
            np.testing.assert_array_equal(last.get_xdata(), [1, 2, 3, 5, 10])
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(LABELS)
    assert legend.get_title().get_text() == f"Solid: {time} 1000; dotted: {time} 0."
    assert "mean and range of 3 seeds" in figure.get_suptitle()


def test_the_start_may_be_left_out_and_is_not_drawn_twice():
    trajectories = make_trajectories(LABELS)
    for figure in (
        component_accuracies(trajectories, start=False),
        component_accuracies({name: one.isel(epoch=[-1]) for name, one in trajectories.items()}),
    ):
        assert all(len(axes.lines) == len(solid(axes)) == 2 for axes in figure.axes)
        assert figure.legends[0].get_title().get_text() == "At epoch 1000."


def test_networks_of_unlike_width_and_training_share_the_axes():
    trajectories = make_trajectories(LABELS)
    trajectories["PlainNet"] = trajectories["PlainNet"].isel(components=slice(3), epoch=slice(5))
    figure = component_accuracies(trajectories)
    lengths = sorted(len(one.get_xdata()) for one in figure.axes[0].lines)
    assert lengths == [3, 3, 5, 5]
    last = trajectories["PlainNet"]["epoch"].values[-1]
    title = figure.legends[0].get_title().get_text()
    assert title == f"Solid: epoch 1000 or epoch {last:g}; dotted: epoch 0."


def test_a_seed_that_diverged_is_left_out_and_named():
    trajectories = make_trajectories(LABELS)
    lost = trajectories["PlainNet"]
    name = "component_svm_accuracy"
    lost[name] = lost[name].where((lost["seed"] > 0) | (lost["epoch"] < 1000))
    figure = component_accuracies(trajectories)
    expected = 100 * lost[name].isel(epoch=-1, seed=slice(1, None)).mean("seed")
    np.testing.assert_allclose(figure.axes[0].lines[3].get_ydata(), expected)
    assert "1 of 3 seeds of PlainNet" in figure.legends[0].get_title().get_text()


def test_missing_variables_and_dimensions_are_named():
    trajectories = make_trajectories(LABELS)
    one = trajectories["ResNet"]
    with pytest.raises(ValueError, match="component_accuracies: trajectories is empty"):
        component_accuracies({})
    with pytest.raises(ValueError, match="of 'ResNet' have no 'component_svm_accuracy'"):
        component_accuracies({"ResNet": one.drop_vars("component_svm_accuracy")})
    flat = one.isel(components=0)
    with pytest.raises(ValueError, match="expected 'components' among them"):
        component_accuracies({"ResNet": flat})
