"""Labelled results of training: names, files, the choice of a loss weight, a way back to torch."""

import numpy as np
import pytest
import torch
import xarray as xr

from infotheo.data.samples import labelled_samples, split_of
from infotheo.networks import multilayer_perceptron
from infotheo.study.trajectories.follow import record
from infotheo.training.fit import (
    Fitted,
    build_network,
    check_layers,
    fit,
    fit_at_chosen_weight,
    state_of,
)
from infotheo.training.selection import choose_loss_weight
from tests.training.plain_training import CLASSES, plain_network, small_samples
from workflows.files import read_dataset, write_dataset

NETWORK = {"name": "mlp", "width": 20, "hidden_layers": 3}
TRAINING = {"learning_rate": 0.01, "batch_size": 30, "epochs": 3}
SETTINGS = {"network": NETWORK, "training": TRAINING, "device": "cpu"}
BATCH_NORM = {"name": "batch_norm", "layer": "hidden3"}
VARIANCE = {"name": "cw-VR", "layer": "hidden3"}
FILES = ("weights", "history", "predictions")


@pytest.fixture(scope="module")
def samples():
    return small_samples()


@pytest.fixture(scope="module")
def normalized(samples):
    return fit(samples, regularizer=BATCH_NORM, seeds=[3, 1], **SETTINGS)


@pytest.fixture(scope="module")
def grid(samples):
    return fit(
        samples,
        regularizer=VARIANCE,
        seeds=[3, 1],
        loss_weights=[0, 1, 1000],
        grid=True,
        **SETTINGS,
    )


def test_dimensions_and_coordinates(samples, normalized):
    weights, history, predictions, snapshots = normalized
    assert snapshots is None
    for dataset in normalized[:3]:
        assert dataset["seed"].values.tolist() == [3, 1]
    assert weights["hidden1.linear.weight"].dims == (
        "seed",
        "hidden1.linear.weight_0",
        "hidden1.linear.weight_1",
    )
    assert weights["hidden1.linear.weight"].shape == (2, 20, 16)
    assert set(weights.data_vars) == set(
        multilayer_perceptron(
            (16,), CLASSES, width=20, hidden_layers=3, batch_norm=["hidden3"]
        ).state_dict()
    )
    assert history["epoch"].values.tolist() == [1, 2, 3]
    for quantity in ("train_loss", "penalty", "validation_error"):
        assert history[quantity].dims == ("seed", "epoch")
    for quantity in ("train_error", "test_error", "diverged"):
        assert history[quantity].dims == ("seed",)
    assert history["diverged"].dtype == bool
    assert history["train_loss"].attrs["units"] == "nats"
    assert history["test_error"].attrs["units"] == "1"
    test = samples.isel(sample=samples["split"].values == 2)
    assert predictions["logits"].dims == ("seed", "sample", "unit")
    assert predictions["logits"].shape == (2, 30, CLASSES)
    np.testing.assert_array_equal(predictions["class"], test["label"])
    np.testing.assert_array_equal(predictions["sample"], test["sample"])


def test_grid_has_a_dimension_of_loss_weights(grid):
    assert grid.weights["output.bias"].dims == ("loss_weight", "seed", "output.bias_0")
    assert grid.history["train_loss"].dims == ("loss_weight", "seed", "epoch")
    assert grid.history["test_error"].dims == ("loss_weight", "seed")
    assert grid.predictions["logits"].dims == ("loss_weight", "seed", "sample", "unit")
    assert grid.history["loss_weight"].values.tolist() == [0, 1, 1000]
    # the larger its weight, the less is left of the penalty
    final = grid.history["penalty"].isel(epoch=-1).mean("seed").values
    assert final[0] > final[1] > final[2]


def test_single_loss_weight_is_a_coordinate_of_the_history_alone(samples):
    fitted = fit(samples, regularizer=VARIANCE, seeds=[1], loss_weights=[1], **SETTINGS)
    assert float(fitted.history["loss_weight"]) == 1
    assert "loss_weight" not in fitted.weights.coords
    assert "loss_weight" not in fitted.history.dims


def test_seed_of_a_grid_is_the_seed_trained_by_itself(samples, grid):
    alone = fit(samples, regularizer=VARIANCE, seeds=[1], loss_weights=[1], **SETTINGS)
    for name, values in alone.weights.data_vars.items():
        np.testing.assert_allclose(
            values.sel(seed=1), grid.weights[name].sel(seed=1, loss_weight=1), rtol=0, atol=1e-5
        )


def test_errors_are_those_of_the_predictions(normalized):
    predicted = normalized.predictions["logits"].argmax("unit")
    wrong = (predicted != normalized.predictions["class"]).mean("sample")
    np.testing.assert_allclose(normalized.history["test_error"], wrong, rtol=1e-6)


@pytest.mark.parametrize("seed", [1, 3])
def test_state_goes_into_an_ordinary_network(samples, normalized, seed):
    """Layer by layer into a network made by hand, so that no name of ours takes part."""
    state = state_of(normalized.weights, seed)
    network = plain_network(batch_norm=True).eval()
    assert len(state) == len(network.state_dict())
    named = {
        "hidden1.linear": network[0][0],
        "hidden2.linear": network[1][0],
        "hidden3.linear": network[2][0],
        "hidden3.batch_norm": network[2][1],
        "output": network[3],
    }
    for name, layer in named.items():
        layer.load_state_dict(
            {key: state[f"{name}.{key}"] for key in layer.state_dict()}, strict=True
        )
    inputs, _ = split_of(samples, "test")
    with torch.no_grad():
        result = network(torch.from_numpy(inputs)).numpy()
    np.testing.assert_allclose(
        result, normalized.predictions["logits"].sel(seed=seed), rtol=1e-5, atol=1e-5
    )


def test_files_come_back_identical_and_are_written_byte_for_byte(tmp_path, normalized, grid):
    for fitted in (normalized, grid):
        for name, dataset in zip(FILES, fitted[:3], strict=True):
            for folder in ("first", "second"):
                write_dataset(tmp_path / folder / f"{name}.nc", dataset, spec={"a": [1, 2]})
            first, second = (tmp_path / folder / f"{name}.nc" for folder in ("first", "second"))
            assert first.read_bytes() == second.read_bytes()
            read = read_dataset(first)
            assert read.attrs["spec"] == "{'a': [1, 2]}"
            xr.testing.assert_identical(read.drop_attrs(deep=False), dataset)
            for variable in dataset.variables:
                assert read[variable].dtype == dataset[variable].dtype, variable
    assert {path.name for path in (tmp_path / "first").iterdir()} == {
        "weights.nc",
        "history.nc",
        "predictions.nc",
    }


def test_failed_write_leaves_nothing(tmp_path, normalized):
    broken = normalized.history.assign(bad=("seed", np.array([{}, {}], dtype=object)))
    with pytest.raises((TypeError, ValueError)):
        write_dataset(tmp_path / "history.nc", broken)
    assert list(tmp_path.iterdir()) == []


# Choosing a loss weight


def with_errors(grid, errors):
    history = grid.history.copy(deep=True)
    history["validation_error"][:] = 1.0  # of other epochs: not to be looked at
    history["validation_error"][:, :, -1] = errors
    return grid._replace(history=history)


def test_best_mean_validation_error_of_the_last_epoch_wins_and_is_not_trained_again(
    samples, grid, monkeypatch
):
    def refuse(*arguments, **settings):
        raise AssertionError("trained although the grid holds these networks")

    monkeypatch.setattr("infotheo.training.fit.train", refuse)
    # the best single network belongs to 1000, the best mean to 1
    chosen = with_errors(grid, [[0.3, 0.3], [0.2, 0.22], [0.01, 0.6]])
    fitted = fit_at_chosen_weight(samples, chosen, regularizer=VARIANCE, seeds=[1, 3], **SETTINGS)
    assert float(fitted.history["loss_weight"]) == 1
    for dataset, candidates in zip(fitted[:3], chosen[:3], strict=True):
        assert dataset["seed"].values.tolist() == [1, 3]
        for variable in candidates.data_vars:
            np.testing.assert_array_equal(
                dataset[variable], candidates[variable].sel(loss_weight=1, seed=[1, 3])
            )


def test_missing_seeds_are_trained_at_the_chosen_weight(samples, grid):
    chosen = with_errors(grid, [[0.3, 0.3], [0.4, 0.4], [0.2, 0.2]])
    fitted = fit_at_chosen_weight(
        samples, chosen, regularizer=VARIANCE, seeds=[0, 1, 2], **SETTINGS
    )
    assert float(fitted.history["loss_weight"]) == 1000
    assert fitted.weights["output.weight"].dims[0] == "seed"
    direct = fit(samples, regularizer=VARIANCE, seeds=[0, 2], loss_weights=[1000], **SETTINGS)
    for dataset, candidates, trained in zip(fitted[:3], chosen[:3], direct[:3], strict=True):
        assert dataset["seed"].values.tolist() == [0, 1, 2]
        for variable in trained.data_vars:
            np.testing.assert_array_equal(dataset[variable].sel(seed=[0, 2]), trained[variable])
            np.testing.assert_array_equal(
                dataset[variable].sel(seed=1), candidates[variable].sel(seed=1, loss_weight=1000)
            )


def test_choice_survives_the_files(tmp_path, samples, grid):
    for name, dataset in zip(FILES, grid[:3], strict=True):
        write_dataset(tmp_path / f"{name}.nc", dataset)
    read = Fitted(*(read_dataset(tmp_path / f"{name}.nc") for name in FILES))
    settings = {"regularizer": VARIANCE, "seeds": [3, 0], **SETTINGS}
    for one, other in zip(
        fit_at_chosen_weight(samples, read, **settings)[:3],
        fit_at_chosen_weight(samples, grid, **settings)[:3],
        strict=True,
    ):
        xr.testing.assert_equal(one, other)


def test_none_of_the_seeds_in_the_grid(samples, grid):
    fitted = fit_at_chosen_weight(samples, grid, regularizer=VARIANCE, seeds=[8], **SETTINGS)
    assert fitted.history["seed"].values.tolist() == [8]
    assert fitted.history["loss_weight"].item() in (0, 1, 1000)


@pytest.mark.parametrize(
    ("weights", "errors", "chosen"),
    [
        ([1, 2, 3], [[0.5], [0.25], [0.25]], 2.0),  # a tie: the smaller weight
        ([3, 2, 1], [[0.25], [0.25], [0.5]], 2.0),  # whatever the order of the grid
        ([3, 2, 1], [[0.25], [0.25], [0.25]], 1.0),
        ([1, 2], [[0.0, np.nan], [0.5, 0.5]], 2.0),  # one diverged network rules its weight out
        ([0.1, 10], [[np.nan], [0.9]], 10.0),
    ],
)
def test_choose_loss_weight(weights, errors, chosen):
    assert choose_loss_weight(weights, errors) == chosen


def test_divergence_at_every_weight_is_said(samples, grid):
    with pytest.raises(
        ValueError, match=r"weight: .*diverged at every loss weight.*\[0, 1, 1000\]"
    ):
        fit_at_chosen_weight(
            samples,
            with_errors(grid, [[np.nan, 0.1]] * 3),
            regularizer=VARIANCE,
            seeds=[1],
            **SETTINGS,
        )


# What is asked of the network


def test_layer_that_the_network_lacks_is_named_beside_those_it_has(samples):
    baseline = {"name": "baseline"}
    check_layers(samples, NETWORK, baseline, ["hidden3", "hidden1.linear", "output"])
    with pytest.raises(ValueError, match="layer 'hidden5' is not in the network.*hidden3.*output"):
        check_layers(samples, NETWORK, baseline, ["hidden3", "hidden5"])
    with pytest.raises(ValueError, match=r"layer 'hidden3\.batch_norm' is not in the network"):
        check_layers(samples, NETWORK, baseline, ["hidden3.batch_norm"])
    check_layers(samples, NETWORK, BATCH_NORM, ["hidden3.batch_norm"])


def test_unknown_names_get_the_nearest_one(samples):
    with pytest.raises(ValueError, match="unknown network 'mpl'; did you mean 'mlp'"):
        build_network(samples, {"name": "mpl"}, {"name": "baseline"})
    with pytest.raises(ValueError, match="unknown regularizer 'cwVR'; did you mean 'cw-VR'"):
        fit(samples, regularizer={"name": "cwVR", "layer": "hidden3"}, seeds=[0], **SETTINGS)
    with pytest.raises(ValueError, match="layer 'hidden7' is not in the network"):
        fit(samples, regularizer={"name": "CR", "layer": "hidden7"}, seeds=[0], **SETTINGS)


def test_data_without_validation_part_train_and_have_no_validation_error():
    inputs = np.random.default_rng(0).normal(size=(60, 1, 4, 4))
    split = np.repeat([0, 2], [40, 20])
    images = labelled_samples(inputs, np.arange(60) % 3, split, name="images")
    fitted = fit(images, regularizer={"name": "baseline"}, seeds=[0], **SETTINGS)
    assert fitted.history["validation_error"].isnull().all()
    assert not fitted.history["diverged"].any()
    assert fitted.history["test_error"].notnull().all()


# Recording a layer of what was trained


def test_recorded_layer_of_every_seed(samples, normalized):
    settings = {"network": NETWORK, "regularizer": BATCH_NORM, "layer": "output"}
    recorded = record(samples, normalized.weights, **settings)
    assert recorded["activation"].dims == ("seed", "sample", "unit")
    # the output layer's activations are the logits
    np.testing.assert_allclose(
        recorded["activation"], normalized.predictions["logits"], rtol=1e-5, atol=1e-5
    )
    for coordinate in ("seed", "sample", "class"):
        np.testing.assert_array_equal(recorded[coordinate], normalized.predictions[coordinate])
    some = record(samples, normalized.weights, count=7, **settings)["activation"]
    assert some.sizes["sample"] == 7
    np.testing.assert_allclose(
        recorded["activation"].sel(sample=some["sample"]), some, rtol=1e-5, atol=1e-6
    )
    hidden = record(
        samples, normalized.weights, part="validation", **{**settings, "layer": "hidden3"}
    )
    assert hidden["activation"].shape == (2, 40, 20)
    assert (hidden["activation"] >= 0).all()
    assert hidden["activation"].attrs["layer"] == "hidden3"
    np.testing.assert_array_equal(
        hidden["class"], samples["label"].values[samples["split"].values == 1]
    )


def test_equal_numbers_of_errors_over_several_seeds_are_a_tie():
    larger = np.array([[0.031, 0.029, 0.033], [0.033, 0.031, 0.029]], dtype=np.float32)
    for errors in (larger, larger[::-1]):
        assert choose_loss_weight([0.1, 1.0], errors) == 0.1


def test_a_list_to_choose_from_needs_validation_samples():
    inputs = np.random.default_rng(0).normal(size=(40, 4))
    labels = np.arange(40) % 2
    split = np.repeat([0, 2], 20)
    unvalidated = labelled_samples(inputs, labels, split, name="halves")
    with pytest.raises(ValueError, match="no validation samples"):
        fit(
            unvalidated,
            regularizer={"name": "VR", "layer": "hidden3"},
            seeds=[0],
            loss_weights=[0.1, 1.0],
            grid=True,
            **SETTINGS | {"training": {"batch_size": 10, "epochs": 1}},
        )


def test_baseline_has_no_use_for_a_layer(samples):
    fitted = fit(
        samples, regularizer={"name": "baseline", "layer": "hidden1"}, seeds=[0], **SETTINGS
    )
    assert not fitted.history["diverged"].any()
