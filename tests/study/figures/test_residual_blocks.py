import numpy as np
import pytest

from infotheo.study.figures import figures
from tests.study.figures.small_trajectories import diverged, make_trajectories


def draw(trajectories, **settings):
    return figures["residual_norms_over_training"](trajectories, **settings)


@pytest.fixture
def trajectories():
    return make_trajectories(labels=("a", "b"), layers=2, seeds=2)


def curves(axes):
    return [line for line in axes.lines if len(line.get_xdata()) > 2]


def test_lines_are_means_over_seeds_of_every_block(trajectories):
    figure = draw(trajectories)
    left, middle, right = figure.axes[3:]  # of the second label
    dataset = trajectories["b"]
    expected = dataset["residual_norm_pooled"].mean("seed").transpose("block", "epoch").values
    np.testing.assert_allclose([line.get_ydata() for line in curves(left)], expected)
    bounds = [dataset[f"lipschitz_{name}"].mean("seed") for name in ("lower", "upper")]
    by_style = {"-": bounds[0], "--": bounds[1]}
    for dash, values in by_style.items():
        drawn = [line.get_ydata() for line in curves(middle) if line.get_linestyle() == dash]
        np.testing.assert_allclose(drawn, values.transpose("block", "epoch").values)
    assert (left.get_yscale(), middle.get_yscale()) == ("linear", "log")
    for axes in (left, middle):  # a line at 1
        assert any(list(line.get_ydata()) == [1.0, 1.0] for line in axes.lines)
    assert left.get_title("left") == "b: |L(x)| / |x|"
    assert [text.get_text() for text in right.get_yticklabels()] == list(dataset["block"].values)
    mean = draw(trajectories, ratio="q95").axes[0]
    assert mean.get_title("left") == "a: |L(x)| / |x|, 95 % quantile"


def test_cells_are_shares_of_inverted_samples_and_dots_licenses(trajectories):
    right = draw(trajectories).axes[2]
    dataset = trajectories["a"]
    (mesh,) = right.collections
    cells = mesh.get_array().reshape(dataset.sizes["block"], -1)
    expected = dataset["inversion_succeeded"].mean("seed").transpose("block", "epoch").values
    np.testing.assert_allclose(np.ma.filled(cells, np.nan), expected)
    assert np.isnan(expected).all(axis=1).sum() == 2  # where the shape changes
    dots = {
        int(line.get_ydata()[0]): line.get_xdata() for line in right.lines if len(line.get_xdata())
    }
    everywhere = dataset["licensed"].min("seed").transpose("block", "epoch").values == 1
    for row, held in enumerate(everywhere):
        np.testing.assert_array_equal(dots.get(row, []), dataset["epoch"].values[held])
    assert dots  # the case is not empty
    corners = mesh.get_coordinates()[0, :, 0]
    inside = (corners[:-1] < dataset["epoch"].values) & (dataset["epoch"].values < corners[1:])
    assert inside.all()


def test_diverged_seeds_one_moment_and_steps_are_drawn(trajectories):
    figure = draw(diverged(trajectories))
    assert "1 of 2 seeds of a" in figure.get_supxlabel()
    assert "2 of 2 seeds of b" in figure.get_supxlabel()
    one = {label: dataset.isel(epoch=[-1]) for label, dataset in trajectories.items()}
    assert len(draw(one, log_time=False).axes) == 6
    by_step = make_trajectories(labels=("a",), layers=2, seeds=1, time="step")
    figure = draw(by_step)
    assert figure.axes[0].get_xlabel() == "step"
    assert figure.axes[0].get_title("left") == "|L(x)| / |x|"
    assert "one seed" in figure.get_suptitle()


def test_what_is_missing_is_named(trajectories):
    lacking = {"a": trajectories["a"].drop_vars("lipschitz_upper")}
    with pytest.raises(ValueError, match="trajectories of 'a' have no 'lipschitz_upper'"):
        draw(lacking)
    with pytest.raises(ValueError, match="trajectories is empty"):
        draw({})
