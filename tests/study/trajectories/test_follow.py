"""Measures along training: every seed and moment as if alone, and what diverged left out."""

import numpy as np
import pytest
import torch
import xarray as xr

from infotheo.data.samples import labelled_samples
from infotheo.data.twelve_bit import twelve_bit
from infotheo.study.measures.binned import binned
from infotheo.study.measures.margins import margins
from infotheo.study.measures.pairwise import pairwise
from infotheo.study.trajectories.follow import follow, record
from infotheo.study.trajectories.in_place import in_place_measure
from infotheo.study.trajectories.rebuild import replicas_at
from infotheo.study.trajectories.samples import select_samples
from infotheo.training.fit import build_network, fit

OF = {
    "network": {"name": "mlp", "widths": [6, 3], "activation": "tanh"},
    "regularizer": {"name": "baseline"},
}
LAYERS = ["hidden1", "hidden2"]


@pytest.fixture(scope="module")
def samples():
    return twelve_bit(train_size=400).isel(sample=slice(0, 600))


@pytest.fixture(scope="module")
def snapshots(samples):
    training = {"optimizer": "sgd", "learning_rate": 0.3, "batch_size": 100, "epochs": 3}
    schedule = {"every": "step", "points": [0, 5, 12]}
    return fit(samples, training=training, seeds=[4, 1, 8], snapshots=schedule, **OF).snapshots


@pytest.fixture(scope="module")
def diverged(snapshots):
    """The same, but that the second seed is lost at the end and the first at the second moment."""
    lost = snapshots.copy(deep=True)
    lost["hidden2.linear.weight"][1, 2, 0, 0] = np.nan
    lost["hidden1.linear.bias"][0, 1, 2] = np.nan
    return lost


def by_hand(samples, snapshots, seed, moment, part=400):
    """Activations of the hidden layers, by NumPy."""
    weights_of_seed = {
        name: array.values[seed, moment] for name, array in snapshots.data_vars.items()
    }
    values, followed = samples["input"].values[:part], {}
    for layer in LAYERS:
        values = np.tanh(
            values @ weights_of_seed[f"{layer}.linear.weight"].T
            + weights_of_seed[f"{layer}.linear.bias"]
        )
        followed[layer] = values
    return followed


def test_a_measure_of_activations(samples, snapshots, diverged):
    settings = {
        "measure": "pairwise",
        "subject": "activations",
        "settings": {"noise_variance": [0.1, 0.01]},
    }
    settings |= {"layers": LAYERS, "part": "train"}
    followed = follow(samples, snapshots, **settings, **OF)
    name = "pairwise_label_lower@noise_variance"
    assert followed[name].dims == ("layer", "seed", "step", "noise_variance")
    assert followed["step"].values.tolist() == [0, 5, 12]
    assert followed["epoch"].values.tolist() == [0, 1.25, 3]
    assert followed["seed"].values.tolist() == [4, 1, 8]
    labels = samples["label"].values[:400]
    for seed in range(3):
        for moment in range(3):
            for layer, values in by_hand(samples, snapshots, seed, moment).items():
                alone = xr.DataArray(
                    values[None],
                    dims=("seed", "sample", "unit"),
                    coords={"seed": [0], "class": ("sample", labels)},
                )
                expected = pairwise(alone, noise_variance=[0.1, 0.01])
                for term in ("pairwise_input_upper@noise_variance", name):
                    sums = followed[term].sel(layer=layer).values[seed, moment]
                    np.testing.assert_allclose(sums, expected[term].values[0], atol=1e-5)
    assert followed["pairwise_input_ceiling"].ndim == 0
    lost = follow(samples, diverged, **settings, **OF)
    missing = lost[name].isnull().any(["layer", "noise_variance"]).values
    assert missing.tolist() == [[False, True, False], [False, False, True], [False] * 3]
    xr.testing.assert_allclose(lost.where(lost.notnull()), followed.where(lost.notnull()))


def test_bins_span_a_network_s_range_over_training(samples, snapshots, diverged):
    settings = {
        "measure": "binned",
        "subject": "activations",
        "settings": {"bins": 6},
        "layers": LAYERS,
        "part": "train",
    }
    followed = follow(samples, snapshots, **settings, **OF)
    lost = follow(samples, diverged, **settings, **OF)
    for seed in range(3):
        moments = [by_hand(samples, snapshots, seed, moment)["hidden1"] for moment in range(3)]
        activations = xr.DataArray(
            np.stack(moments),
            dims=("seed", "sample", "unit"),
            coords={
                "seed": range(3),
                "class": ("sample", samples["label"].values[:400]),
                "smallest": ("seed", [np.min(moments)] * 3),
                "largest": ("seed", [np.max(moments)] * 3),
            },
        )
        expected = binned(activations, bins=6)["binned_input"]
        # a value within rounding of an edge may lie on its other side
        sums = followed["binned_input"].sel(layer="hidden1").values[seed]
        np.testing.assert_allclose(sums, expected, atol=0.03)
    # the last seed diverged nowhere: its range is none of the others' business
    np.testing.assert_array_equal(lost["binned_input"][:, 2], followed["binned_input"][:, 2])
    assert lost["binned_input"][:, 0, 1].isnull().all()


def test_a_measure_of_networks(samples, snapshots, diverged):
    settings = {
        "measure": "margins",
        "subject": "network",
        "settings": {"samples": 100},
        "part": "train",
    }
    followed = follow(samples, snapshots, **settings, **OF)
    assert followed["margin_mean"].dims == ("seed", "step")
    network = build_network(samples, **OF).eval()
    inputs = torch.from_numpy(samples["input"].values[:400])
    labels = torch.from_numpy(samples["label"].values[:400])
    for seed in range(3):
        weights_of_seed = snapshots.isel(seed=seed, step=1)
        network.load_state_dict(
            {name: torch.tensor(weights_of_seed[name].values) for name in network.state_dict()}
        )
        alone = margins(network, inputs, labels, samples=100)
        for name in alone.data_vars:
            np.testing.assert_array_equal(followed[name].values[seed, 1], alone[name].values)
    lost = follow(samples, diverged, **settings, **OF)["margin_mean"].isnull().values
    assert lost.tolist() == [[False, True, False], [False, False, True], [False] * 3]


def test_activations_that_take_too_much_are_refused(samples, snapshots):
    with pytest.raises(
        ValueError, match=r"hidden1 along training take .* at most 1e-05 are allowed"
    ):
        record(samples, snapshots, layer="hidden1", gigabytes=1e-5, **OF)


def test_layers_measured_in_place_keep_their_order(samples, snapshots):
    array = {"part": "train", "count": 60}
    entries = [
        {
            "measure": "binned",
            "subject": "activations",
            "settings": {"bin_width": 0.1},
            "layers": ["output", "hidden2"],
            **array,
        },
        {
            "measure": "characteristics",
            "subject": "activations",
            "settings": {},
            "layers": ["hidden1", "hidden2"],
            **array,
        },
    ]
    measured = in_place_measure(samples, measures=entries, **OF)
    followed = measured(None, replicas_at(samples, snapshots, 0, **OF))
    assert followed["layer"].values.tolist() == ["output", "hidden2", "hidden1"]
    assert followed["binned_input"].sel(layer="hidden1").isnull().all()
    assert followed["binned_input"].sel(layer="output").notnull().all()


def test_a_network_that_is_not_finite_widens_no_cell(samples, snapshots):
    """Its other values are finite and huge."""
    huge = snapshots.copy(deep=True)
    huge["output.weight"][0, 2] = 1e30
    huge["output.bias"][0, 2, 0] = np.nan
    settings = {
        "measure": "binned",
        "subject": "activations",
        "settings": {"bins": 6},
        "layers": ["output"],
    }
    followed = follow(samples, snapshots.isel(step=[0, 1]), **settings, **OF)["binned_input"]
    beside = follow(samples, huge, **settings, **OF)["binned_input"]
    np.testing.assert_array_equal(beside.isel(step=[0, 1]), followed)
    assert beside.isel(step=2, seed=0).isnull().all()


def test_trained_networks_have_no_time(samples, snapshots):
    weights = snapshots.isel(step=-1, drop=True)
    for measure in (
        {"measure": "margins", "subject": "network", "settings": {"samples": 50}},
        {"measure": "prediction", "subject": "logits", "settings": {}},
    ):
        along = follow(samples, snapshots, **measure, **OF)
        ended = follow(samples, weights, **measure, **OF)
        assert set(ended.data_vars) == set(along.data_vars)
        for name in ended.data_vars:
            assert not {"step", "moment"} & set(ended[name].dims)
            np.testing.assert_array_equal(ended[name], along[name].isel(step=-1))
    recorded = record(samples, snapshots, layer="hidden2", count=9, **OF)["activation"]
    assert recorded.dims == ("seed", "step", "sample", "unit")
    assert recorded.shape == (3, 3, 9, 3)
    np.testing.assert_array_equal(
        record(samples, weights, layer="hidden2", count=9, **OF)["activation"],
        recorded.isel(step=-1),
    )


def test_measures_in_place_outlast_the_networks(samples, snapshots, diverged):
    entries = [
        {"measure": "error", "subject": "logits", "settings": {}, "part": "train", "count": None},
        {
            "measure": "margins",
            "subject": "network",
            "settings": {"samples": 50},
            "part": "train",
            "count": 60,
        },
    ]
    measured = in_place_measure(samples, measures=entries, **OF)
    nowhere = snapshots.copy(deep=True)
    nowhere["output.bias"][:] = np.nan
    first = measured(None, replicas_at(samples, snapshots, 0, **OF))
    assert first["error"].dims == ("seed",)
    assert np.isfinite(first["margin_mean"]).all()
    lost = measured(None, replicas_at(samples, nowhere, 1, **OF))
    assert {name: array.dims for name, array in lost.data_vars.items()} == {
        name: array.dims for name, array in first.data_vars.items()
    }
    # a killed training, resumed at this very moment, finds the same
    again = in_place_measure(samples, measures=entries, **OF)
    xr.testing.assert_identical(again(None, replicas_at(samples, nowhere, 1, **OF)), lost)
    assert lost["error"].isnull().all()
    complete = follow(
        samples, snapshots, measure="error", subject="logits", settings={}, part="train", **OF
    )
    np.testing.assert_array_equal(first["error"], complete["error"].isel(step=0))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"part": "validation"}, "'validation', but the data set has no such samples"),
        ({"part": "tests"}, "part must be one of train, validation, test, all"),
        ({"layers": ["hidden9"]}, "'hidden9' is not in the network"),
        ({"measure": "binnd", "subject": "activations"}, "did you mean 'binned'"),
        ({"count": 201}, "found 201, expected at most 200"),
    ],
)
def test_bad_input_is_one_line(changes, words, samples, snapshots):
    settings = {
        "measure": "binned",
        "subject": "activations",
        "settings": {},
        "layers": LAYERS,
        **changes,
    }
    with pytest.raises(ValueError, match=words) as caught:
        follow(samples, snapshots, **settings, **OF)
    assert "\n" not in str(caught.value)


def test_samples_looked_at_are_of_all_classes():
    labels = np.repeat([0, 1, 2, 3], 50)
    ordered = labelled_samples(np.eye(200), labels, np.repeat([0, 2], 100)[::-1], name="ordered")
    chosen = select_samples(ordered, "all", 40)
    assert np.bincount(chosen.labels.numpy()).tolist() == [10] * 4
    assert torch.equal(chosen.inputs.argmax(1), torch.from_numpy(chosen.source))
    assert len(select_samples(ordered, "all").labels) == 200
