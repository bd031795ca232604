"""Characteristics of layers agree with those of a representation."""

import numpy as np
import pytest

from infotheo.representation.characteristics import characteristics as of_representation
from infotheo.study.measures.characteristics import characteristics
from tests.study.measures.small_layers import LABELS, SEEDS, make_activations


@pytest.fixture
def activations():
    return make_activations()


def test_characteristics_are_those_of_each_network(activations):
    measured = characteristics(activations)
    scale = measured["log_variance"]
    np.testing.assert_allclose(np.exp(scale), activations.values.var(1).mean(1), rtol=1e-12)
    measured = measured.drop_vars("log_variance")
    assert measured["seed"].values.tolist() == SEEDS
    for index in range(3):
        alone = of_representation(activations.values[index], LABELS)
        for name in measured.data_vars:
            np.testing.assert_allclose(
                measured[name][index], getattr(alone, str(name)), rtol=1e-9, err_msg=str(name)
            )
    signed = activations - 0.5
    for positive_only in (True, False):
        amplitude = characteristics(signed, positive_only=positive_only)["activation_amplitude"]
        alone = of_representation(signed.values, LABELS, positive_only=positive_only)
        np.testing.assert_allclose(amplitude, alone.activation_amplitude)
    assert (amplitude != characteristics(signed)["activation_amplitude"]).all()  # none is NaN
