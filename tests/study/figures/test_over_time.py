"""Reading a variable over (seed, time), averaging it and drawing it."""

import numpy as np
import pytest
import xarray
from matplotlib.figure import Figure

from infotheo.study.figures import over_time
from tests.study.figures.small_trajectories import make_trajectories


def test_series_finds_its_place_whatever_the_order_of_the_dimensions():
    dataset = make_trajectories(["tanh"], layers=3, seeds=2)["tanh"]
    name = "pairwise_input_upper@noise_variance"
    expected = dataset[name].sel(layer="layer2", noise_variance=0.1).transpose("seed", "epoch")
    mixed = dataset.transpose("noise_variance", "epoch", "layer", "seed", ...)
    curve = over_time.series(mixed, name, layer="layer2", noise_variance=0.1 * (1 + 1e-9))
    assert curve.dims == ("seed", "epoch")
    np.testing.assert_array_equal(curve, expected)
    np.testing.assert_array_equal(over_time.times(curve), dataset["epoch"])


def test_series_over_steps_and_without_a_coordinate():
    dataset = xarray.Dataset({"error": (("step", "seed"), np.arange(6.0).reshape(3, 2))})
    curve = over_time.series(dataset, "error")
    assert curve.dims == ("seed", "step")
    np.testing.assert_array_equal(over_time.times(curve), [0, 1, 2])


@pytest.mark.parametrize(
    ("at", "message"),
    [
        ({"layer": "layer9", "noise_variance": 0.1}, "layer 'layer9' was not measured; known: "),
        ({"layer": "layer1", "noise_variance": 0.3}, "noise_variance 0.3 .* known: 0.001, 0.1"),
        ({"layer": "layer1"}, "no place given for .'noise_variance'."),
    ],
)
def test_a_place_that_is_missing_is_named(at, message):
    dataset = make_trajectories(["tanh"], layers=2)["tanh"]
    with pytest.raises(ValueError, match=message) as raised:
        over_time.series(dataset, "pairwise_input_lower@noise_variance", **at)
    assert "\n" not in str(raised.value)


def test_needed_names_label_variable_and_config_key():
    trajectories = make_trajectories(["tanh", "ReLU"], layers=2)
    trajectories["ReLU"] = trajectories["ReLU"].drop_vars("binned_label")
    with pytest.raises(
        ValueError, match="plane: .*'ReLU' have no 'binned_label'.*measures: binned"
    ):
        over_time.require_variables(trajectories, ["binned_input", "binned_label"], "plane")
    with pytest.raises(ValueError, match="plane: trajectories is empty"):
        over_time.require_variables({}, ["binned_input"], "plane")
    final = {"tanh": trajectories["tanh"].isel(epoch=-1)}
    with pytest.raises(ValueError, match="'binned_input' of 'tanh' has .*'epoch' or 'step'"):
        over_time.require_variables(final, ["binned_input"], "plane")


def test_mean_and_range_are_over_the_finite_seeds_of_each_time():
    values = np.array([[1.0, np.nan, np.nan], [2.0, 5.0, np.inf], [6.0, 7.0, np.nan]])
    spread = over_time.summarize_seeds(values)
    np.testing.assert_array_equal(spread.mean, [3, 6, np.nan])
    np.testing.assert_array_equal(spread.low, [1, 5, np.nan])
    np.testing.assert_array_equal(spread.high, [6, 7, np.nan])
    np.testing.assert_array_equal(spread.seeds, [3, 2, 0])


@pytest.mark.parametrize(("seeds", "epochs"), [(3, 4), (1, 4), (3, 1), (1, 1)])
def test_drawn_line_and_band_are_mean_and_range(seeds, epochs):
    values = np.random.default_rng(0).uniform(size=(seeds, epochs))
    array = xarray.DataArray(values, dims=("seed", "epoch"), coords={"epoch": np.arange(epochs)})
    axes = Figure().subplots()
    over_time.draw(axes, array, colour="#123456", label="mine", scale=100.0)
    (line,) = axes.lines
    np.testing.assert_allclose(line.get_ydata(), 100 * values.mean(axis=0))
    drawn = [path.vertices[:, 1] for one in axes.collections for path in one.get_paths()]
    if seeds > 1:
        assert max(map(np.max, drawn)) == pytest.approx(100 * values.max())
        assert min(map(np.min, drawn)) == pytest.approx(100 * values.min())


def test_colours_of_layers_differ_and_keep_their_order():
    names = [f"layer{number}" for number in range(12)]
    colours = over_time.ordered_colours(names)
    assert list(colours) == names
    assert len(set(colours.values())) == 12
