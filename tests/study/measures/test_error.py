"""Error and cross-entropy agree with torch."""

import numpy as np
import pytest

from infotheo.study.measures.error import error
from tests.study.measures.small_layers import LABELS, make_logits


@pytest.fixture
def logits():
    return make_logits()


def test_error_is_what_torch_says(logits):
    torch = pytest.importorskip("torch")
    measured = error(logits)
    for index in range(3):
        network_logits = torch.tensor(logits.values[index])
        loss = torch.nn.functional.cross_entropy(network_logits, torch.tensor(LABELS))
        np.testing.assert_allclose(measured["cross_entropy"][index], float(loss), rtol=1e-12)
        wrong = (network_logits.argmax(-1) != torch.tensor(LABELS)).double().mean()
        np.testing.assert_allclose(measured["error"][index], float(wrong))
