"""What stands beside xarray samples has their coordinates, or the call is refused."""

import numpy as np
import pytest
import xarray as xr

import infotheo as it

N = 40
Z = xr.DataArray(
    np.where(np.arange(N) < N // 2, -1.0, 1.0)[:, None]
    + 0.1 * np.random.default_rng(0).normal(size=(N, 2)),
    dims=("sample", "unit"),
    coords={"sample": np.arange(N)},
)
LABELS = xr.DataArray(np.arange(N) // (N // 2), dims="sample", coords={"sample": np.arange(N)})
SHUFFLED = np.random.default_rng(1).permutation(N)
PROBABILITIES = abs(Z) / abs(Z).sum("unit")
CALLS = {
    "pairwise": lambda labels: it.pairwise_information(Z, labels, noise_variance=0.1),
    "binned": lambda labels: it.binned_information(Z, labels, bins=2),
    "binned inputs": lambda labels: it.binned_information(Z, bins=2, inputs=labels),
    "prediction": lambda labels: it.prediction_information(PROBABILITIES, labels),
    "characteristics": lambda labels: it.characteristics(Z, labels),
    "neighbours": lambda labels: it.neighbor_information(Z, labels, discrete_y=True),
    "sampled": lambda labels: it.mixture_information_monte_carlo(
        Z, labels, noise_variance=0.1, draws=50, seed=0
    ),
    "margins": lambda labels: it.margins(Z, np.eye(2), labels),
    "weights": lambda labels: it.mixture_entropy(Z, noise_variance=0.1, weights=labels + 1),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_other_coordinates_are_refused(call):
    call(LABELS)
    call(LABELS.drop_vars("sample"))  # no coordinates: by position
    with pytest.raises(ValueError, match="other coordinates along 'sample' than the samples"):
        call(LABELS.isel(sample=SHUFFLED))
    with pytest.raises(ValueError, match=r"has dimensions \('epoch',\); expected 'sample'"):
        call(LABELS.drop_vars("sample").rename(sample="epoch"))


def test_names_of_weights_are_not_enough():
    weights = xr.DataArray(np.ones((3, 4)), dims=("a", "b"))
    with pytest.raises(ValueError, match="diagonal has"):
        it.flat_minimum_bound(weights, beta=0.1, diagonal=weights[:1, :1])


@pytest.mark.parametrize("name", ["noise_variance", "lower"])
def test_names_of_the_result_are_taken(name):
    batch = xr.concat([Z, 2 * Z], name)
    with pytest.raises(
        ValueError, match=f"'{name}' names a dimension or coordinate of the samples"
    ):
        it.pairwise_information(batch, noise_variance=[0.1, 0.2])
    with pytest.raises(ValueError, match="'value' names a dimension or coordinate"):
        it.total_correlation(Z.assign_coords(value=3))
