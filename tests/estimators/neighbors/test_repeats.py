"""Rows that repeat: copies and places beside a continuum are told, symbols are not."""

import warnings

import numpy as np
import pytest

import infotheo as it

STREAM = np.random.default_rng(0)
X, Y = STREAM.normal(size=(2, 1000, 1))
SAME_ROW = STREAM.random((1000, 1)) < 0.6
SHARED = np.maximum(X - 0.8, 0), np.maximum(X + 0.5 * Y - 0.8, 0)
REPEATS = {
    "each row twice": (np.repeat(X[:500], 2, axis=0), np.repeat(Y[:500], 2, axis=0)),
    "each row ten times": (np.repeat(X[:100], 10, axis=0), np.repeat(Y[:100], 10, axis=0)),
    "drawn with replacement": tuple(a[STREAM.integers(1000, size=1000)] for a in (np.c_[X, Y],))
    * 2,
    "imputed": (np.where(SAME_ROW, 0.0, X), np.where(SAME_ROW, 0.0, Y)),
    "zeros of a ReLU": SHARED,
}
BINARY, COUNTS = (X > 0).astype(float), STREAM.poisson(2, size=(1000, 1)).astype(float)


@pytest.mark.parametrize("name", REPEATS)
def test_repeated_rows_are_told(name):
    with pytest.warns(it.NeighborTrustWarning, match="repeat others|are at one place"):
        it.neighbor_information(*REPEATS[name])
    with pytest.warns(it.NeighborTrustWarning, match="repeat others|are at one place"):
        it.total_correlation(np.concatenate(REPEATS[name], axis=1), method="neighbors")


def test_the_place_and_its_samples_are_named():
    with pytest.warns(it.NeighborTrustWarning, match=r"\d+ of 1000 samples are at one place"):
        it.neighbor_information(*REPEATS["imputed"])


def test_symbols_are_no_repeats():
    with warnings.catch_warnings():
        warnings.simplefilter("error", it.NeighborTrustWarning)
        value = it.neighbor_information(BINARY, BINARY).value
        assert value == pytest.approx(np.log(2), abs=0.01)
        it.neighbor_information(COUNTS, COUNTS + STREAM.poisson(1, size=(1000, 1)))
        it.neighbor_information(COUNTS[:100], COUNTS[:100])
        it.neighbor_information(X, Y)
