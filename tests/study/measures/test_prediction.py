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
