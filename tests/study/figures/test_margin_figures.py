"""Margins over training: what is drawn is what was measured."""

import math

import numpy as np
import pytest

from infotheo.study.figures import figures
from infotheo.study.figures.margin_distribution import margin_distribution, moments
from infotheo.study.figures.margins_over_training import NEEDED, margins_over_training
from tests.study.figures.small_trajectories import diverged, make_trajectories

LABELS = ("tanh SGD", "full batch, then SGD")


def drawn(axes, label):
    (match,) = [one for one in axes.lines if one.get_label() == label]
    return np.asarray(match.get_ydata(), dtype=float)


def test_registered():
    assert {"margins_over_training", "margin_distribution"} <= set(figures)


def test_means_over_seeds_are_drawn():
    trajectories = make_trajectories(LABELS)
    figure = margins_over_training(trajectories)
    grid = np.array(figure.axes[:8]).reshape(4, 2)
    for column, label in enumerate(LABELS):
        means = trajectories[label].mean("seed")
        margin, angle, information, error = grid[:, column]
        np.testing.assert_allclose(drawn(margin, "median"), means["margin_relative_q50"])
        np.testing.assert_allclose(drawn(margin, "widest"), means["hard_margin_relative"])
        np.testing.assert_allclose(drawn(angle, "angle"), means["margin_angle"] * 180 / math.pi)
        for name in ("prediction_input", "prediction_label", "prediction_irrelevant"):
            np.testing.assert_allclose(drawn(information, name), means[name])
        for name in ("error", "fano_bound"):
            np.testing.assert_allclose(drawn(error, name), 100 * means[name])
        assert margin.get_title("left") == label
    for row in grid:  # one scale where labels are compared
        assert row[0].get_ylim() == row[1].get_ylim()
    assert "mean and range of 3 seeds" in figure.get_suptitle()


def test_the_switch_is_a_line_and_makes_time_linear():
    trajectories = make_trajectories(LABELS)
    assert figure_scales(margins_over_training(trajectories)) == {"symlog"}
    figure = margins_over_training(trajectories, switch=300)
    assert figure_scales(figure) == {"linear"}
    for axes in figure.axes[:8]:
        lines = [np.asarray(line.get_xdata(), dtype=float) for line in axes.lines]
        assert any((x == 300).all() for x in lines)


def figure_scales(figure):
    return {axes.get_xscale() for axes in figure.axes[:8]}


def test_one_label_is_a_square_and_many_stand_in_blocks():
    (rows, columns), panels = shape_of(margins_over_training(make_trajectories(LABELS[:1])))
    assert (rows, columns, panels) == (2, 2, 4)
    five = make_trajectories([f"label {number}" for number in range(5)], layers=2)
    (rows, columns), panels = shape_of(margins_over_training(five))
    assert (rows, columns, panels) == (8, 3, 20)


def shape_of(figure):
    spec = figure.axes[0].get_subplotspec().get_gridspec()
    return (spec.nrows, spec.ncols), sum(axes.has_data() for axes in figure.axes)


def test_features_that_never_separate_are_said_to():
    trajectories = make_trajectories(LABELS[:1])
    for name in ("margin_angle", "hard_margin_relative"):
        trajectories[LABELS[0]][name][:] = np.nan
    figure = margins_over_training(trajectories)
    assert "never separable" in figure.axes[1].texts[0].get_text()
    figure.draw_without_rendering()


@pytest.mark.parametrize("name", NEEDED)
def test_a_missing_variable_is_named(name):
    trajectories = make_trajectories(LABELS[:1], layers=1)
    without = {LABELS[0]: trajectories[LABELS[0]].drop_vars(name)}
    with pytest.raises(ValueError, match=f"margins_over_training: .*{name!r}") as raised:
        margins_over_training(without)
    assert "\n" not in str(raised.value)


def test_distributions_before_and_after_the_switch():
    trajectories = make_trajectories(LABELS)
    figure = margin_distribution(trajectories, switch=300)
    dataset = trajectories[LABELS[1]]
    axes = figure.axes[1]
    at = dataset["epoch"].values
    before = int(np.flatnonzero(at <= 300)[-1])
    expected = [0, before, before + 1, len(at) - 1]
    curves = [line for line in axes.lines if line.get_label().startswith("epoch")]
    assert [line.get_label() for line in curves] == [f"epoch {at[place]:g}" for place in expected]
    for line, place in zip(curves, expected, strict=True):
        mean = dataset["margin_distribution"].isel(epoch=place).mean("seed")
        np.testing.assert_allclose(line.get_xdata(), mean)
        np.testing.assert_allclose(line.get_ydata(), 100 * dataset["quantile"])


def test_moments_at_the_ends_are_drawn_once():
    at = np.array([0.0, 5.0, 10.0])
    assert [place for place, _ in moments(at, 20.0)] == [0, 2]
    assert [place for place, _ in moments(at, 0.0)] == [0, 1, 2]
    assert [place for place, _ in moments(at[:1], None)] == [0]


def test_steps_and_diverged_seeds():
    steps = make_trajectories(LABELS, time="step")
    assert margins_over_training(steps).axes[-1].get_xlabel() == "step"
    labels = margin_distribution(steps).axes[0].get_legend().get_texts()
    assert labels[0].get_text() == "step 0"
    lost = diverged(steps)
    for figure in (margins_over_training(lost), margin_distribution(lost)):
        figure.draw_without_rendering()
    remark = margin_distribution(lost).get_supxlabel()
    assert "1 of 3 seeds of tanh SGD, 3 of 3 seeds of full batch" in remark
