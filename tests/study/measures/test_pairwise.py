"""Pairwise bounds of layers: names, agreement with the estimator, networks that collapsed."""

import warnings

import numpy as np
import pytest
import xarray as xr

from infotheo.estimators.noise.variance import relative_noise_variance
from infotheo.estimators.pairwise.bounds import SaturationWarning, pairwise_information
from infotheo.study.measures.characteristics import characteristics
from infotheo.study.measures.pairwise import pairwise
from tests.study.measures.small_layers import LABELS, SEEDS, make_activations

SWEEPS = {"noise_variance": [1, 0.1], "relative_noise_variance": [0.1, 1.0]}


@pytest.fixture
def activations():
    return make_activations()


def test_pairwise_names_dimensions_and_values(activations):
    measured = pairwise(activations, **SWEEPS)
    bounds = [f"pairwise_input_{side}" for side in ("lower", "upper")]
    bounds += [f"pairwise_label_{field}" for field in ("lower", "upper", "kl", "chernoff")]
    sweeps = ("noise_variance", "relative_noise_variance")
    assert set(measured.data_vars) == {f"{name}@{sweep}" for name in bounds for sweep in sweeps} | {
        "pairwise_input_ceiling",
        "pairwise_label_ceiling",
    }
    for name in bounds:
        for sweep in sweeps:
            assert measured[f"{name}@{sweep}"].dims == ("seed", sweep)
    assert measured["noise_variance"].values.tolist() == [1, 0.1]
    assert measured["relative_noise_variance"].values.tolist() == [0.1, 1]
    assert measured["seed"].values.tolist() == SEEDS
    for index in range(3):
        z = activations.values[index]
        for target, labels in (("input", None), ("label", LABELS)):
            for position, variance in enumerate([1.0, 0.1]):
                alone = pairwise_information(z, labels, noise_variance=variance)
                for side in ("lower", "upper"):
                    value = measured[f"pairwise_{target}_{side}@noise_variance"].values[
                        index, position
                    ]
                    np.testing.assert_allclose(value, getattr(alone, side), rtol=1e-10)
            np.testing.assert_allclose(measured[f"pairwise_{target}_ceiling"], alone.ceiling)


def test_relative_sweep_is_the_absolute_one_at_the_same_variances(activations):
    measured = pairwise(activations, **SWEEPS)
    for index, seed in enumerate(SEEDS):
        variances = relative_noise_variance(activations.values[index], [0.1, 1.0])
        # by hand: a fraction of the mean variance of the units
        mean = activations.values[index].var(0).mean()
        np.testing.assert_allclose(variances, [0.1 * mean, mean], rtol=1e-10)
        absolute = pairwise(activations.sel(seed=[seed]), noise_variance=variances.tolist())
        for name in absolute.data_vars:
            if "@" in name:
                relative = measured[name.replace("@", "@relative_")].sel(seed=seed)
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


def test_saturation_is_no_warning_in_a_study(activations):
    """Warnings are errors in these tests, so this fails if one is given."""
    with pytest.warns(SaturationWarning):
        pairwise_information(1000 * activations, noise_variance=1e-6)
    measured = pairwise(1000 * activations, noise_variance=[1e-6])
    lower = measured["pairwise_input_lower@noise_variance"]
    assert (lower > 0.95 * measured["pairwise_input_ceiling"]).all()


def test_a_collapsed_network_has_no_relative_values_and_spoils_no_other(activations):
    collapsed = activations.copy()
    collapsed[1] = 0.0
    measured = pairwise(collapsed, **SWEEPS)
    complete = pairwise(activations, **SWEEPS)
    relative = measured["pairwise_input_lower@relative_noise_variance"]
    assert relative.isnull().all("relative_noise_variance").values.tolist() == [False, True, False]
    xr.testing.assert_allclose(  # sums in another order
        relative[[0, 2]],
        complete["pairwise_input_lower@relative_noise_variance"][[0, 2]],
        rtol=1e-12,
    )
    assert (measured["pairwise_input_upper@noise_variance"][1] == 0).all()
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
    measured = pairwise(0 * activations + 2, **settings)
    usual = pairwise(activations, **settings)
    assert set(measured.data_vars) == set(usual.data_vars)
    assert {name: array.dims for name, array in measured.items()} == {
        name: array.dims for name, array in usual.items()
    }
    assert {name: array.dtype for name, array in measured.items()} == {
        name: array.dtype for name, array in usual.items()
    }
    xr.testing.assert_identical(xr.Dataset(measured.coords), xr.Dataset(usual.coords))
    for name, values in measured.items():
        if name.endswith("@relative_noise_variance"):
            assert values.isnull().all(), name
        elif name.endswith("ceiling"):
            xr.testing.assert_equal(values, usual[name])
        else:
            assert values.notnull().all(), name


def test_the_order_of_the_chernoff_divergence_is_a_setting(activations):
    measured = pairwise(activations, noise_variance=[0.1], alpha=0.2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SaturationWarning)
        alone = pairwise_information(activations, noise_variance=[0.1], alpha=0.2)
    np.testing.assert_allclose(measured["pairwise_input_lower@noise_variance"], alone["lower"])
    half = pairwise(activations, noise_variance=[0.1])["pairwise_input_lower@noise_variance"]
    assert bool((alone["lower"].values < half.values).all())
