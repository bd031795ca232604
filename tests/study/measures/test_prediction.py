"""Information of predictions: names, agreement with the estimators."""

import numpy as np
import pytest

from infotheo.estimators.prediction import irrelevant_information, prediction_information
from infotheo.study.measures.prediction import prediction
from tests.study.measures.small_layers import LABELS, make_logits


@pytest.fixture
def logits():
    return make_logits()


def test_prediction_names_and_values(logits):
    measured = prediction(logits)
    assert set(measured.data_vars) == {
        "prediction_input",
        "prediction_label",
        "prediction_irrelevant",
    }
    for index in range(3):
        network_logits = logits.values[index]
        for name, value in {
            "prediction_input": prediction_information(network_logits, logits=True).value,
            "prediction_label": prediction_information(network_logits, LABELS, logits=True).value,
            "prediction_irrelevant": irrelevant_information(
                network_logits, LABELS, logits=True
            ).value,
        }.items():
            np.testing.assert_allclose(measured[name][index], value, rtol=1e-10)
    np.testing.assert_allclose(
        measured["prediction_irrelevant"],
        measured["prediction_input"] - measured["prediction_label"],
    )
