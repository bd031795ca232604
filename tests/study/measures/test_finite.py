"""Replicas that diverged have no measure and leave the others as they are."""

import numpy as np
import pytest
import xarray as xr

from infotheo.study.measures import measure_finite, measures, prediction_measures
from infotheo.study.measures.characteristics import characteristics
from tests.study.measures.small_layers import SEEDS, make_activations, make_logits

SETTINGS = {  # where the defaults are not enough
    "pairwise": {"noise_variance": [1, 0.1], "relative_noise_variance": [0.1, 1.0]},
    "binned": {"bins": 2},
}
OF_ROWS = {**measures, **prediction_measures}


@pytest.fixture
def activations():
    return make_activations()


@pytest.fixture
def logits():
    return make_logits()


@pytest.mark.parametrize("name", OF_ROWS)
def test_diverged_replica_has_no_measure_and_leaves_the_others(name, activations, logits):
    values = logits if name in prediction_measures else activations
    complete = measure_finite(OF_ROWS[name], values, SETTINGS.get(name, {}))
    spoiled = values.copy(deep=True)
    spoiled[1, 5, 2] = np.nan
    measured = measure_finite(OF_ROWS[name], spoiled, SETTINGS.get(name, {}))
    assert set(measured.data_vars) == set(complete.data_vars)
    assert measured["seed"].values.tolist() == SEEDS
    for variable in complete.data_vars:
        if "seed" in complete[variable].dims:
            assert measured[variable].sel(seed=7).isnull().all(), variable
            np.testing.assert_allclose(
                measured[variable].sel(seed=[4, 9]),
                complete[variable].sel(seed=[4, 9]),
                rtol=1e-10,
                err_msg=variable,
            )
        else:
            np.testing.assert_allclose(measured[variable], complete[variable])


@pytest.mark.parametrize("name", OF_ROWS)
def test_nothing_but_diverged_replicas(name, activations):
    measured = measure_finite(OF_ROWS[name], activations * np.nan, SETTINGS.get(name, {}))
    assert measured["seed"].values.tolist() == SEEDS
    assert not measured.data_vars


@pytest.mark.parametrize("name", OF_ROWS)
def test_a_replica_is_measured_as_if_it_were_alone(name, activations, logits):
    values = logits if name in prediction_measures else activations
    complete = measure_finite(OF_ROWS[name], values, SETTINGS.get(name, {}))
    alone = measure_finite(OF_ROWS[name], values.sel(seed=[9]), SETTINGS.get(name, {}))
    for variable, part in alone.data_vars.items():
        expected = complete[variable].sel(seed=[9]) if "seed" in part.dims else complete[variable]
        np.testing.assert_allclose(part, expected, rtol=1e-10, err_msg=str(variable))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_not_finite_leaves_its_network_out(activations, bad):
    spoiled = activations.copy()
    spoiled[2, 5, 1] = bad
    measured = measure_finite(characteristics, spoiled, {})
    assert measured["sparsity"].isnull().values.tolist() == [False, False, True]


@pytest.mark.parametrize("name", OF_ROWS)
def test_leading_dimensions_come_back_as_they_were(name, activations, logits):
    values = logits if name in prediction_measures else activations
    later = values * 2
    later[1] = np.nan  # one network diverged on the way
    both = xr.concat([values, later], "epoch").assign_coords(
        epoch=[0.0, 3.0], step=("epoch", [0, 9])
    )
    measured = measure_finite(
        OF_ROWS[name], both.transpose("seed", "epoch", ...), SETTINGS.get(name, {})
    )
    for moment, part in enumerate((values, later)):
        alone = measure_finite(OF_ROWS[name], part, SETTINGS.get(name, {}))
        for variable in alone.data_vars:
            together = measured[variable]
            if "seed" in together.dims:
                assert together.dims[:2] == ("seed", "epoch")
                together = together.isel(epoch=moment)
            np.testing.assert_allclose(together, alone[variable], rtol=1e-10, err_msg=variable)
    assert measured["epoch"].values.tolist() == [0, 3]
    assert measured["step"].values.tolist() == [0, 9]
    assert measured["seed"].values.tolist() == SEEDS
