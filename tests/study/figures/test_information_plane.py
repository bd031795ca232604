"""Information planes, information over training and the animation show the data they are given."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from PIL import Image

from infotheo.study.figures import animations, figures
from infotheo.study.figures.animation import Animation, images, save_animation
from infotheo.study.figures.information_plane import information_plane
from tests.study.figures.small_trajectories import (
    INPUT_CEILING,
    LABEL_CEILING,
    diverged,
    make_trajectories,
)

BITS = np.log(2)
DRAWN = ["information_plane", "information_over_training"]


def panels(figure):
    return [axes for axes in figure.axes if axes.get_label() != "<colorbar>" and axes.axison]


def points(axes, layer):
    """The coloured dots of one layer."""
    (match,) = [
        one for one in axes.collections
        if isinstance(one, PathCollection) and one.get_label() == layer
    ]  # fmt: skip
    return match


def means(dataset, name, **at):
    return (dataset[name].sel(**at).mean("seed") / BITS).transpose("layer", "epoch").to_numpy()


def drawn_line(axes, label):
    (match,) = [one for one in axes.lines if one.get_label() == label]
    return np.asarray(match.get_ydata(), dtype=float)


def test_plane_draws_the_mean_of_each_layer_coloured_by_epoch():
    trajectories = make_trajectories(["tanh", "ReLU"], layers=3)
    figure = figures["information_plane"](trajectories, noise_variance=0.1)
    axes = panels(figure)
    assert len(axes) == 4
    at = {"noise_variance": 0.1}
    for column, dataset in enumerate(trajectories.values()):
        x, y = means(dataset, "binned_input"), means(dataset, "binned_label")
        pairwise = [
            means(dataset, f"pairwise_{name}@noise_variance", **at)
            for name in ("input_lower", "input_upper", "label_chernoff", "label_kl")
        ]
        for place, layer in enumerate(dataset["layer"].values):
            dots = points(axes[column], layer)
            np.testing.assert_allclose(dots.get_offsets(), np.stack([x[place], y[place]], axis=1))
            np.testing.assert_array_equal(dots.get_array(), dataset["epoch"])
            lower_x, upper_x, chernoff, kl = (one[place] for one in pairwise)
            middle = np.stack([(lower_x + upper_x) / 2, (chernoff + kl) / 2], axis=1)
            np.testing.assert_allclose(points(axes[2 + column], layer).get_offsets(), middle)
            strokes = [
                one for one in axes[2 + column].collections
                if isinstance(one, LineCollection) and one.get_array() is not None
            ][place]  # fmt: skip
            expected = np.stack([[lower_x, upper_x], [chernoff, kl]], axis=-1).swapaxes(0, 1)
            np.testing.assert_allclose(np.stack(strokes.get_segments()), expected)
    assert axes[0].get_title("left") == "tanh"
    assert axes[0].get_ylabel().startswith("binned")
    assert "σ² = 0.1" in axes[2].get_ylabel()


def test_plane_draws_every_seed_and_the_ceilings():
    trajectories = make_trajectories(["tanh"], layers=2, seeds=4)
    axes, _ = panels(figures["information_plane"](trajectories))
    dataset = trajectories["tanh"] / BITS
    seeds = [one for one in axes.collections if isinstance(one, LineCollection)]
    assert len(seeds) == 2
    for place, one in enumerate(seeds):
        both = [dataset[name][place].to_numpy() for name in ("binned_input", "binned_label")]
        np.testing.assert_allclose(np.stack(one.get_segments()), np.stack(both, axis=-1))
    np.testing.assert_allclose(drawn_line(axes, "ceiling H(Y)"), LABEL_CEILING / BITS)
    (vertical,) = [one for one in axes.lines if one.get_label() == "ceiling log N"]
    np.testing.assert_allclose(vertical.get_xdata(), 12)
    written = [text.get_text().strip() for text in axes.texts]
    assert {"log N = 12.00", "H(Y) = 1.00"} <= set(written)
    assert axes.get_xlim()[1] > 12


def test_over_training_draws_means_ranges_and_bounds():
    trajectories = make_trajectories(["tanh", "ReLU"], layers=2)
    figure = figures["information_over_training"](trajectories, units="nats")
    axes = panels(figure)
    assert len(axes) == 8  # two quantities by two estimators by two labels
    for column, dataset in enumerate(trajectories.values()):
        at = dataset.sel(noise_variance=0.001)
        for row, names in enumerate(
            [
                {"layer1": "binned_input"},
                {"layer1": "pairwise_input_upper", "lower: layer1": "pairwise_input_lower"},
                {"layer1": "binned_label"},
                {
                    "layer1": "pairwise_label_kl", "lower: layer1": "pairwise_label_chernoff",
                    "rigorous lower: layer1": "pairwise_label_lower",
                },
            ]
        ):  # fmt: skip
            panel_layers = axes[2 * row + column]
            for label, name in names.items():
                full = name if name.startswith("binned") else f"{name}@noise_variance"
                expected = at[full].sel(layer="layer1").mean("seed")
                np.testing.assert_allclose(drawn_line(panel_layers, label), expected)
            ceiling = INPUT_CEILING if row < 2 else LABEL_CEILING
            np.testing.assert_allclose(drawn_line(panel_layers, "ceiling"), ceiling)
    first = trajectories["tanh"]["binned_input"].sel(layer="layer2")
    band = [one for one in axes[0].collections if isinstance(one, PolyCollection)][1]
    heights = band.get_paths()[0].vertices[:, 1]
    assert [heights.min(), heights.max()] == pytest.approx([float(first.min()), float(first.max())])
    assert "(nats)" in axes[0].get_ylabel()
    assert axes[-1].get_xlabel() == "epoch"


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize(
    ("made", "count"),
    [
        ({"labels": ["a"], "layers": 1, "seeds": 1, "epochs": 1}, 1),
        ({"labels": list("abcdef"), "layers": 1, "epochs": 3}, 6),
        ({"labels": ["a", "b"], "layers": 2, "time": "step"}, 2),
    ],
)
def test_one_label_six_labels_and_steps(name, made, count):
    trajectories = make_trajectories(**made)
    figure = figures[name](trajectories, estimator="binned")
    figure.draw_without_rendering()
    assert len(panels(figure)) == count * (1 if name == "information_plane" else 2)
    if "time" in made:
        assert "step" in {axes.get_xlabel() for axes in figure.axes} | {
            axes.get_ylabel() for axes in figure.axes
        }


@pytest.mark.parametrize("name", DRAWN)
def test_one_network_at_one_epoch(name):
    trajectories = make_trajectories(["tanh"], layers=2, seeds=1)
    trajectories["tanh"] = trajectories["tanh"].isel(epoch=[4])
    figure = figures[name](trajectories)
    figure.draw_without_rendering()
    assert "one seed" in figure.get_suptitle()


def test_seeds_that_diverged_are_left_out_and_counted():
    complete = make_trajectories(["tanh", "ReLU"], layers=2)
    figure = figures["information_plane"](diverged(complete), estimator="binned")
    axes, empty = panels(figure)
    expected = complete["tanh"]["binned_input"].sel(layer="layer1")
    later = expected.isel(seed=[1, 2]).mean("seed")
    at = np.where(np.arange(expected.sizes["epoch"]) < 4, expected.mean("seed"), later)
    np.testing.assert_allclose(points(axes, "layer1").get_offsets()[:, 0], at / BITS)
    assert np.ma.getdata(points(empty, "layer1").get_offsets()).shape[1] == 2
    remark = figure.legends[0].get_title().get_text()
    assert "1 of 3 seeds of tanh, 3 of 3 seeds of ReLU" in remark


def test_labels_may_name_their_layers_differently():
    trajectories = make_trajectories(["tanh", "ReLU"], layers=2)
    renamed = trajectories["ReLU"].assign_coords(layer=["relu1", "layer2"])
    figure = information_plane(trajectories | {"ReLU": renamed}, estimator="binned")
    entries = [text.get_text() for text in figure.legends[0].get_texts()]
    assert entries == ["1: layer1 | relu1", "2: layer2"]


def test_relative_noise_variances_are_taken_where_they_are_asked_for_or_alone():
    dataset = make_trajectories(["tanh"], layers=2)["tanh"]
    swept = [name for name in dataset.data_vars if str(name).endswith("@noise_variance")]
    names = {name: f"{name.partition('@')[0]}@relative_noise_variance" for name in swept}
    relative = (
        dataset[swept].rename(names).rename(noise_variance="relative_noise_variance")
        .assign_coords(relative_noise_variance=[0.01, 1.0])
    )  # fmt: skip
    both = dataset.merge(relative)
    expected = means(dataset, "pairwise_input_upper@noise_variance", noise_variance=0.1)[0]
    for given, settings in [
        (both, {"relative_noise_variance": 1.0}), (both, {"noise_variance": 0.1}),
        (both.drop_vars(swept), {"relative_noise_variance": 1}),
    ]:  # fmt: skip
        figure = figures["information_over_training"](
            {"tanh": given}, estimator="pairwise", **settings
        )
        np.testing.assert_allclose(drawn_line(panels(figure)[0], "layer1"), expected)
    alone = figures["information_plane"]({"tanh": both.drop_vars(swept)}, estimator="pairwise")
    assert "σ² = 0.01 × variance" in panels(alone)[0].get_ylabel()


@pytest.mark.parametrize("draw", [figures[name] for name in DRAWN] + [*animations.values()])
@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        ("binned_input", {}, "'tanh' have no 'binned_input'.*measures: binned"),
        ("pairwise_label_kl@noise_variance", {}, "'tanh' have no 'pairwise_label_kl@noise"),
        ("layer", {}, "'tanh' have no coordinate 'layer'"),
        (None, {"estimator": "knn"}, "estimator: expected one of both, binned, .* found 'knn'"),
        (None, {"units": "bans"}, "units.*bans"),
        (None, {"noise_variance": 0.5}, "0.5 was not measured .known: 0.001, 0.1"),
        (None, {"relative_noise_variance": 0.1}, "relative.* 0.1 was not measured .known: none"),
        (None, {"noise_variance": 0.1, "relative_noise_variance": 0.1}, "found both"),
    ],
)
def test_what_is_missing_or_unknown_is_named_in_one_line(draw, change, settings, message):
    trajectories = make_trajectories(["tanh"], layers=2)
    if change is not None:
        trajectories["tanh"] = trajectories["tanh"].drop_vars(change)
    with pytest.raises(ValueError, match=message) as raised:
        draw(trajectories, **settings)
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith(draw.__name__)


def test_animation_moves_each_network_and_ends_at_the_end(tmp_path):
    trajectories = make_trajectories(["tanh", "ReLU"], layers=2, epochs=100)
    animation = animations["information_plane"](trajectories, estimator="binned", frames=5)
    assert isinstance(animation, Animation)
    assert animation.frames == 5
    epochs = trajectories["tanh"]["epoch"].to_numpy()
    *lines, clock = animation.moving
    for frame, place in [(0, 0), (4, len(epochs) - 1)]:
        animation.show(frame)
        assert clock.get_text() == f"epoch {epochs[place]:g}"
        dots = lines[1].get_xydata()
        now = trajectories["tanh"].sel(layer="layer1").isel(epoch=place) / BITS
        expected = np.stack([now["binned_input"], now["binned_label"]], axis=1)
        np.testing.assert_allclose(dots, expected)
        mean = lines[0].get_xydata()[-1]
        np.testing.assert_allclose(mean, expected.mean(axis=0))


def test_animation_shows_the_latest_of_labels_with_other_times():
    trajectories = make_trajectories(["tanh", "ReLU"], layers=1, seeds=1)
    trajectories["ReLU"] = trajectories["ReLU"].isel(epoch=[0, 5])
    animation = animations["information_plane"](trajectories, estimator="binned", frames=1000)
    assert animation.frames == trajectories["tanh"].sizes["epoch"]
    dots = animation.moving[3]
    for frame, place in [(4, 0), (5, 1), (9, 1)]:
        animation.show(frame)
        expected = trajectories["ReLU"]["binned_input"][0, 0, place] / BITS
        assert dots.get_xdata() == pytest.approx(float(expected))


def test_the_file_holds_the_frames_and_is_the_same_twice(tmp_path):
    trajectories = diverged(make_trajectories(["tanh", "ReLU"], layers=2, epochs=100))

    def make():
        return animations["information_plane"](trajectories, estimator="binned", frames=3)

    path = save_animation(make(), tmp_path / "plane.gif")
    again = save_animation(make(), tmp_path / "again.gif")
    assert path.read_bytes() == again.read_bytes()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["again.gif", "plane.gif"]
    with Image.open(path) as file:
        assert file.n_frames == 3
        for frame, expected in enumerate(images(make())):
            file.seek(frame)
            match = np.asarray(file.convert("RGB")).astype(int)
            # exact but for edges of letters, whose shades are the nearest of 255
            apart = np.abs(match - np.asarray(expected)).max(axis=-1)
            assert (apart == 0).mean() > 0.98
            assert apart.max() < 100


def test_a_frame_does_not_depend_on_those_before():
    animation = animations["information_plane"](
        make_trajectories(["tanh"], layers=2), estimator="binned", frames=4
    )
    alone = images(animation, [2])[0]
    assert images(animation, [3, 0, 2])[2].tobytes() == alone.tobytes()


def test_animations_that_cannot_be_saved(tmp_path):
    animation = animations["information_plane"](make_trajectories(["tanh"], layers=1), frames=1)
    with pytest.raises(ValueError, match="ends in '.gif'"):
        save_animation(animation, tmp_path / "plane.png")
    with pytest.raises(ValueError, match="0 frames; expected at least one"):
        save_animation(animation._replace(frames=0), tmp_path / "plane.gif")

    def fail(frame):
        raise RuntimeError("a frame that fails")

    with pytest.raises(RuntimeError):
        save_animation(animation._replace(show=fail), tmp_path / "plane.gif")
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="frames"):
        animations["information_plane"](make_trajectories(["tanh"], layers=1), frames=0)


def followed_apart():
    """Binned in layer2 and layer1, pairwise in layer2 alone, as the files of both are joined."""
    trajectories = make_trajectories(["tanh", "ReLU"], layers=2)
    for label, dataset in trajectories.items():
        turned = dataset.isel(layer=[1, 0])
        lost = {
            name: array.where(array.layer == "layer1").transpose(*array.dims)
            for name, array in turned.data_vars.items()
            if str(name).startswith("pairwise") and "layer" in array.dims
        }
        trajectories[label] = turned.assign(lost)
    return trajectories


def test_a_layer_that_an_estimator_was_not_followed_in_is_left_out_of_it():
    trajectories = followed_apart()
    plane = figures["information_plane"](trajectories)
    binned, _, pairwise, _ = panels(plane)

    def drawn(axes):
        return [one.get_label() for one in axes.collections if isinstance(one, PathCollection)]

    assert drawn(binned) == ["layer2", "layer1"]
    assert drawn(pairwise) == ["layer1"]
    vertices = [points(axes, "layer1").get_paths()[0].vertices for axes in (binned, pairwise)]
    np.testing.assert_array_equal(*vertices)  # the same marker, though it is the only one
    assert {text.get_text() for text in pairwise.texts} >= {"2"}
    assert "1" not in {text.get_text() for text in pairwise.texts}

    over = figures["information_over_training"](trajectories)
    binned, pairwise = panels(over)[0], panels(over)[2]
    (first,) = [one for one in binned.lines if one.get_label() == "layer1"]
    (second,) = [one for one in pairwise.lines if one.get_label() == "layer1"]
    assert first.get_color() == second.get_color()
    assert not [one for one in pairwise.lines if "layer2" in str(one.get_label())]
    movie = animations["information_plane"](trajectories, frames=2)
    for figure in (plane, over, movie.figure):
        (legend,) = figure.legends
        assert "diverged" not in legend.get_title().get_text()
        assert len(legend.get_texts()) == 2


def test_an_estimator_alone_numbers_its_own_layers():
    figure = figures["information_plane"](followed_apart(), estimator="pairwise")
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["1: layer1"]


def test_layers_of_networks_that_diverged_from_the_start_are_kept():
    trajectories = diverged(make_trajectories(["tanh", "ReLU"], layers=2))
    figure = figures["information_plane"](trajectories)
    (legend,) = figure.legends
    remark = legend.get_title().get_text().replace("\n", " ")
    assert "1 of 3 seeds of tanh, 3 of 3 seeds of ReLU" in remark
