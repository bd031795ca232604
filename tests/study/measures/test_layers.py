"""Measures of a study: names, agreement with the estimators, replicas that diverged."""

import json
import warnings

import numpy as np
import pytest
import xarray as xr

from infotheo.estimators.binned.information import binned_information
from infotheo.estimators.noise.variance import relative_noise_variance
from infotheo.estimators.pairwise.bounds import SaturationWarning, pairwise_information
from infotheo.estimators.prediction import irrelevant_information, prediction_information
from infotheo.representation.characteristics import characteristics as of_representation
from infotheo.study.measures import measure_finite, measures
from infotheo.study.measures.layers import binned, characteristics, pairwise
from infotheo.study.measures.predictions import error, prediction

SEEDS = [4, 7, 9]
LABELS = np.arange(24) % 3


def labelled(values):
    return xr.DataArray(
        values,
        dims=("seed", "sample", "unit"),
        coords={
            "seed": SEEDS,
            "sample": np.arange(100, 124),
            "unit": np.arange(values.shape[2]),
            "class": ("sample", LABELS),
        },
    )


@pytest.fixture
def activations():
    """Networks of different scale, half of the values 0 as behind a ReLU."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(3, 3, 5))
    values = centres[:, LABELS] + 0.3 * random.normal(size=(3, 24, 5))
    return labelled(np.maximum(values * np.array([0.3, 1.0, 5.0])[:, None, None], 0))


@pytest.fixture
def logits():
    return labelled(3 * np.random.default_rng(1).normal(size=(3, 24, 3)) + 2 * np.eye(3)[LABELS])


SETTINGS = {
    "pairwise": {"noise_variance": [1, 0.1], "relative_noise_variance": [0.1, 1.0]},
    "binned": {"bins": 2},
    "characteristics": {},
    "prediction": {},
    "error": {},
    "diagnostics": {},
}
OF_ROWS = list(measures)
OF_LOGITS = ("prediction", "error", "diagnostics")


def test_pairwise_names_dimensions_and_values(activations):
    found = pairwise(activations, **SETTINGS["pairwise"])
    bounds = [f"pairwise_input_{side}" for side in ("lower", "upper")]
    bounds += [f"pairwise_label_{field}" for field in ("lower", "upper", "kl", "chernoff")]
    sweeps = ("noise_variance", "relative_noise_variance")
    assert set(found.data_vars) == {f"{name}@{sweep}" for name in bounds for sweep in sweeps} | {
        "pairwise_input_ceiling",
        "pairwise_label_ceiling",
    }
    for name in bounds:
        for sweep in sweeps:
            assert found[f"{name}@{sweep}"].dims == ("seed", sweep)
    assert found["noise_variance"].values.tolist() == [1, 0.1]
    assert found["relative_noise_variance"].values.tolist() == [0.1, 1]
    assert found["seed"].values.tolist() == SEEDS
    for index in range(3):
        z = activations.values[index]
        for target, labels in (("input", None), ("label", LABELS)):
            for position, variance in enumerate([1.0, 0.1]):
                alone = pairwise_information(z, labels, noise_variance=variance)
                for side in ("lower", "upper"):
                    value = found[f"pairwise_{target}_{side}@noise_variance"].values[
                        index, position
                    ]
                    np.testing.assert_allclose(value, getattr(alone, side), rtol=1e-10)
            np.testing.assert_allclose(found[f"pairwise_{target}_ceiling"], alone.ceiling)


def test_relative_sweep_is_the_absolute_one_at_the_same_variances(activations):
    found = pairwise(activations, **SETTINGS["pairwise"])
    for index, seed in enumerate(SEEDS):
        variances = relative_noise_variance(activations.values[index], [0.1, 1.0])
        # by hand: a fraction of the mean variance of the units
        mean = activations.values[index].var(0).mean()
        np.testing.assert_allclose(variances, [0.1 * mean, mean], rtol=1e-10)
        absolute = pairwise(activations.sel(seed=[seed]), noise_variance=variances.tolist())
        for name in absolute.data_vars:
            if "@" in name:
                relative = found[name.replace("@", "@relative_")].sel(seed=seed)
                np.testing.assert_allclose(absolute[name].values[0], relative, rtol=1e-10)


def test_relative_sweep_does_not_see_the_scale(activations):
    one, other = (
        pairwise(factor * activations, noise_variance=[], relative_noise_variance=[0.3])
        for factor in (1.0, 50.0)
    )
    assert not any("@noise_variance" in str(name) for name in one.data_vars)
    xr.testing.assert_allclose(one, other, rtol=1e-8)
    absolute = [pairwise(factor * activations) for factor in (1.0, 50.0)]
    lower = "pairwise_input_lower@noise_variance"
    assert (absolute[1][lower] > absolute[0][lower] + 0.1).all()


def test_binned_names_and_values(activations):
    found = binned(activations, bins=2)
    assert set(found.data_vars) == {
        "binned_input",
        "binned_input_ceiling",
        "binned_label",
        "binned_label_ceiling",
        "binned_outside",
    }
    assert found["binned_input"].dims == ("seed",)
    assert found["seed"].values.tolist() == SEEDS
    for index in range(3):
        for target, labels in (("input", None), ("label", LABELS)):
            alone = binned_information(activations.values[index], labels, bins=2)
            np.testing.assert_allclose(found[f"binned_{target}"][index], alone.value)
            np.testing.assert_allclose(found[f"binned_{target}_ceiling"], alone.ceiling)
    assert (found["binned_input"] < found["binned_input_ceiling"]).any()
    # bins span each network's own range: another scale, the same cells
    scaled = activations * xr.DataArray([1.0, 10.0, 100.0], dims="seed")
    np.testing.assert_allclose(binned(scaled, bins=2)["binned_input"], found["binned_input"])
    wide = binned(activations, bin_width=100.0)
    np.testing.assert_allclose(wide["binned_input"], 0, atol=1e-12)
    corrected = binned(activations, bins=2, correction="miller-madow")
    assert (corrected["binned_label"] != found["binned_label"]).any()


def test_characteristics_are_those_of_each_network(activations):
    found = characteristics(activations)
    scale = found["log_variance"]
    np.testing.assert_allclose(np.exp(scale), activations.values.var(1).mean(1), rtol=1e-12)
    found = found.drop_vars("log_variance")
    assert found["seed"].values.tolist() == SEEDS
    for index in range(3):
        alone = of_representation(activations.values[index], LABELS)
        for name in found.data_vars:
            np.testing.assert_allclose(
                found[name][index], getattr(alone, str(name)), rtol=1e-9, err_msg=str(name)
            )
    signed = activations - 0.5
    for positive_only in (True, False):
        own = characteristics(signed, positive_only=positive_only)["activation_amplitude"]
        alone = of_representation(signed.values, LABELS, positive_only=positive_only)
        np.testing.assert_allclose(own, alone.activation_amplitude)
    assert (own != characteristics(signed)["activation_amplitude"]).all()  # none is NaN


def test_prediction_names_and_values(logits):
    found = prediction(logits)
    assert set(found.data_vars) == {
        "prediction_input",
        "prediction_label",
        "prediction_irrelevant",
    }
    for index in range(3):
        own = logits.values[index]
        for name, value in {
            "prediction_input": prediction_information(own, logits=True).value,
            "prediction_label": prediction_information(own, LABELS, logits=True).value,
            "prediction_irrelevant": irrelevant_information(own, LABELS, logits=True).value,
        }.items():
            np.testing.assert_allclose(found[name][index], value, rtol=1e-10)
    np.testing.assert_allclose(
        found["prediction_irrelevant"], found["prediction_input"] - found["prediction_label"]
    )


@pytest.mark.parametrize("name", OF_ROWS)
def test_diverged_replica_has_no_measure_and_leaves_the_others(name, activations, logits):
    values = logits if name in OF_LOGITS else activations
    whole = measure_finite(measures[name], values, SETTINGS[name])
    spoiled = values.copy(deep=True)
    spoiled[1, 5, 2] = np.nan
    found = measure_finite(measures[name], spoiled, SETTINGS[name])
    assert set(found.data_vars) == set(whole.data_vars)
    assert found["seed"].values.tolist() == SEEDS
    for variable in whole.data_vars:
        if "seed" in whole[variable].dims:
            assert found[variable].sel(seed=7).isnull().all(), variable
            np.testing.assert_allclose(
                found[variable].sel(seed=[4, 9]),
                whole[variable].sel(seed=[4, 9]),
                rtol=1e-10,
                err_msg=variable,
            )
        else:
            np.testing.assert_allclose(found[variable], whole[variable])


@pytest.mark.parametrize("name", OF_ROWS)
def test_nothing_but_diverged_replicas(name, activations):
    found = measure_finite(measures[name], activations * np.nan, SETTINGS[name])
    assert found["seed"].values.tolist() == SEEDS
    assert not found.data_vars


@pytest.mark.parametrize("name", OF_ROWS)
def test_a_replica_is_measured_as_if_it_were_alone(name, activations, logits):
    values = logits if name in OF_LOGITS else activations
    whole = measure_finite(measures[name], values, SETTINGS[name])
    alone = measure_finite(measures[name], values.sel(seed=[9]), SETTINGS[name])
    for variable, own in alone.data_vars.items():
        of_whole = whole[variable].sel(seed=[9]) if "seed" in own.dims else whole[variable]
        np.testing.assert_allclose(own, of_whole, rtol=1e-10, err_msg=str(variable))


def test_saturation_is_no_warning_in_a_study(activations):
    """Warnings are errors in these tests, so this fails if one is given."""
    with pytest.warns(SaturationWarning):
        pairwise_information(1000 * activations, noise_variance=1e-6)
    found = pairwise(1000 * activations, noise_variance=[1e-6])
    lower = found["pairwise_input_lower@noise_variance"]
    assert (lower > 0.95 * found["pairwise_input_ceiling"]).all()


def test_a_collapsed_network_has_no_relative_values_and_spoils_no_other(activations):
    collapsed = activations.copy()
    collapsed[1] = 0.0
    found = pairwise(collapsed, **SETTINGS["pairwise"])
    whole = pairwise(activations, **SETTINGS["pairwise"])
    relative = found["pairwise_input_lower@relative_noise_variance"]
    assert relative.isnull().all("relative_noise_variance").values.tolist() == [False, True, False]
    xr.testing.assert_allclose(  # sums in another order
        relative[[0, 2]], whole["pairwise_input_lower@relative_noise_variance"][[0, 2]], rtol=1e-12
    )
    assert (found["pairwise_input_upper@noise_variance"][1] == 0).all()
    assert characteristics(collapsed)["log_variance"].isnull().values.tolist() == [
        False,
        True,
        False,
    ]


@pytest.mark.parametrize("absolute", [[], [1.0], [1, 0.1]])
def test_where_all_networks_collapsed_the_relative_values_are_missing_by_name(
    activations, absolute
):
    settings = {"noise_variance": absolute, "relative_noise_variance": [0.1, 1.0, 2.0]}
    found = pairwise(0 * activations + 2, **settings)
    usual = pairwise(activations, **settings)
    assert set(found.data_vars) == set(usual.data_vars)
    assert {name: of.dims for name, of in found.items()} == {
        name: of.dims for name, of in usual.items()
    }
    assert {name: of.dtype for name, of in found.items()} == {
        name: of.dtype for name, of in usual.items()
    }
    xr.testing.assert_identical(xr.Dataset(found.coords), xr.Dataset(usual.coords))
    for name, values in found.items():
        if name.endswith("@relative_noise_variance"):
            assert values.isnull().all(), name
        elif name.endswith("ceiling"):
            xr.testing.assert_equal(values, usual[name])
        else:
            assert values.notnull().all(), name


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_not_finite_leaves_its_network_out(activations, bad):
    spoiled = activations.copy()
    spoiled[2, 5, 1] = bad
    found = measure_finite(characteristics, spoiled, {})
    assert found["sparsity"].isnull().values.tolist() == [False, False, True]


def test_the_order_of_the_chernoff_divergence_is_a_setting(activations):
    found = pairwise(activations, noise_variance=[0.1], alpha=0.2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SaturationWarning)
        alone = pairwise_information(activations, noise_variance=[0.1], alpha=0.2)
    np.testing.assert_allclose(found["pairwise_input_lower@noise_variance"], alone["lower"])
    half = pairwise(activations, noise_variance=[0.1])["pairwise_input_lower@noise_variance"]
    assert bool((alone["lower"].values < half.values).all())


@pytest.mark.parametrize("name", OF_ROWS)
def test_leading_dimensions_come_back_as_they_were(name, activations, logits):
    values = logits if name in OF_LOGITS else activations
    later = values * 2
    later[1] = np.nan  # one network diverged on the way
    both = xr.concat([values, later], "epoch").assign_coords(
        epoch=[0.0, 3.0], step=("epoch", [0, 9])
    )
    found = measure_finite(measures[name], both.transpose("seed", "epoch", ...), SETTINGS[name])
    for moment, own in enumerate((values, later)):
        alone = measure_finite(measures[name], own, SETTINGS[name])
        for variable in alone.data_vars:
            together = found[variable]
            if "seed" in together.dims:
                assert together.dims[:2] == ("seed", "epoch")
                together = together.isel(epoch=moment)
            np.testing.assert_allclose(together, alone[variable], rtol=1e-10, err_msg=variable)
    assert found["epoch"].values.tolist() == [0, 3]
    assert found["step"].values.tolist() == [0, 9]
    assert found["seed"].values.tolist() == SEEDS


def test_bins_span_the_range_over_training_where_it_is_known(activations):
    low = xr.DataArray([-1.0, 0.0, 0.0], dims="seed")
    high = xr.DataArray([2.0, 40.0, 40.0], dims="seed")
    known = activations.assign_coords(smallest=low, largest=high)
    found = binned(known, bins=7)
    for index in range(3):
        ends = (float(low[index]), float(high[index]))
        alone = binned_information(activations.values[index], bins=7, range=ends)
        np.testing.assert_allclose(found["binned_input"][index], alone.value)
        np.testing.assert_allclose(found["binned_outside"][index], alone.outside)
    stated = binned(known, bins=7, range=[-1.0, 2.0])
    assert float(stated["binned_outside"][2]) > 0
    assert (stated["binned_input"] != found["binned_input"]).any()


def test_edges_of_the_papers_have_a_cell_for_one_itself():
    values = labelled(np.linspace(-1, 1, 24)[None, :, None] * np.ones((3, 1, 1)))
    found = binned(values, edges="information-plane")
    alone = binned_information(values.values[0], edges=[*np.linspace(-1, 1, 30), np.inf])
    np.testing.assert_allclose(found["binned_input"], alone.value)
    saturated = labelled(np.where(np.arange(24) % 2, 1.0, 0.97)[None, :, None].repeat(3, 0))
    apart = binned(saturated, edges="information-plane")["binned_input"]
    np.testing.assert_allclose(apart, np.log(2))
    np.testing.assert_allclose(binned(saturated, range=[-1.0, 1.0])["binned_input"], 0, atol=1e-12)


def test_error_is_what_torch_says(logits):
    torch = pytest.importorskip("torch")
    found = error(logits)
    for index in range(3):
        own = torch.tensor(logits.values[index])
        loss = torch.nn.functional.cross_entropy(own, torch.tensor(LABELS))
        np.testing.assert_allclose(found["cross_entropy"][index], float(loss), rtol=1e-12)
        wrong = (own.argmax(-1) != torch.tensor(LABELS)).double().mean()
        np.testing.assert_allclose(found["error"][index], float(wrong))


def test_attributes_say_which_range_the_bins_span(activations):
    for stated, expected in ((None, "each network's own"), ([0.0, 9.0], [0.0, 9.0])):
        found = binned(activations, bins=4, range=stated)
        for name in ("binned_input", "binned_label", "binned_outside"):
            assert json.loads(found[name].attrs["settings"])["range"] == expected
