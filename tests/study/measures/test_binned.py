"""Binned information of layers: names, agreement with the estimator, the range of the bins."""

import json

import numpy as np
import pytest
import xarray as xr

from infotheo.estimators.binned.information import binned_information
from infotheo.study.measures.binned import binned
from tests.study.measures.small_layers import LABELS, SEEDS, labelled, make_activations


@pytest.fixture
def activations():
    return make_activations()


def test_binned_names_and_values(activations):
    measured = binned(activations, bins=2)
    assert set(measured.data_vars) == {
        "binned_input",
        "binned_input_ceiling",
        "binned_label",
        "binned_label_ceiling",
        "binned_outside",
    }
    assert measured["binned_input"].dims == ("seed",)
    assert measured["seed"].values.tolist() == SEEDS
    for index in range(3):
        for target, labels in (("input", None), ("label", LABELS)):
            alone = binned_information(activations.values[index], labels, bins=2)
            np.testing.assert_allclose(measured[f"binned_{target}"][index], alone.value)
            np.testing.assert_allclose(measured[f"binned_{target}_ceiling"], alone.ceiling)
    assert (measured["binned_input"] < measured["binned_input_ceiling"]).any()
    # bins span each network's own range: another scale, the same cells
    scaled = activations * xr.DataArray([1.0, 10.0, 100.0], dims="seed")
    np.testing.assert_allclose(binned(scaled, bins=2)["binned_input"], measured["binned_input"])
    wide = binned(activations, bin_width=100.0)
    np.testing.assert_allclose(wide["binned_input"], 0, atol=1e-12)
    corrected = binned(activations, bins=2, correction="miller-madow")
    assert (corrected["binned_label"] != measured["binned_label"]).any()


def test_bins_span_the_range_over_training_where_it_is_known(activations):
    low = xr.DataArray([-1.0, 0.0, 0.0], dims="seed")
    high = xr.DataArray([2.0, 40.0, 40.0], dims="seed")
    known = activations.assign_coords(smallest=low, largest=high)
    measured = binned(known, bins=7)
    for index in range(3):
        ends = (float(low[index]), float(high[index]))
        alone = binned_information(activations.values[index], bins=7, range=ends)
        np.testing.assert_allclose(measured["binned_input"][index], alone.value)
        np.testing.assert_allclose(measured["binned_outside"][index], alone.outside)
    stated = binned(known, bins=7, range=[-1.0, 2.0])
    assert float(stated["binned_outside"][2]) > 0
    assert (stated["binned_input"] != measured["binned_input"]).any()


def test_edges_of_the_papers_have_a_cell_for_one_itself():
    values = labelled(np.linspace(-1, 1, 24)[None, :, None] * np.ones((3, 1, 1)))
    measured = binned(values, edges="information-plane")
    alone = binned_information(values.values[0], edges=[*np.linspace(-1, 1, 30), np.inf])
    np.testing.assert_allclose(measured["binned_input"], alone.value)
    saturated = labelled(np.where(np.arange(24) % 2, 1.0, 0.97)[None, :, None].repeat(3, 0))
    apart = binned(saturated, edges="information-plane")["binned_input"]
    np.testing.assert_allclose(apart, np.log(2))
    np.testing.assert_allclose(binned(saturated, range=[-1.0, 1.0])["binned_input"], 0, atol=1e-12)


def test_attributes_say_which_range_the_bins_span(activations):
    for stated, expected in ((None, "each network's own"), ([0.0, 9.0], [0.0, 9.0])):
        measured = binned(activations, bins=4, range=stated)
        for name in ("binned_input", "binned_label", "binned_outside"):
            assert json.loads(measured[name].attrs["settings"])["range"] == expected
