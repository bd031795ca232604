import numpy as np
import pytest
import torch

import infotheo as it
from infotheo.estimators.far_samples import far_samples

FAST = {
    "hidden": 16, "embedding": 12, "batch_size": 64, "learning_rate": 3e-3, "max_steps": 60,
    "folds": 3, "seed": 0,
}  # fmt: skip


def pair(far):
    stream = np.random.default_rng(5)
    x = stream.normal(size=(400, 1))
    y = 0.9 * x + (1 - 0.9**2) ** 0.5 * stream.normal(size=(400, 1))  # 0.83 nats
    x[7] = far
    return x, y


def test_far_samples_are_those_that_decide_the_deviation_of_their_unit():
    z = np.random.default_rng(0).normal(size=(400, 3))
    assert not far_samples(z).any()
    z[3, 0], z[5, 0], z[9, 2] = 1e9, 1e300, -1e4
    assert np.argwhere(far_samples(z)).tolist() == [[3, 0], [5, 0], [9, 2]]
    spike = np.zeros((400, 1))
    spike[0] = 1.0  # all that varies
    assert not far_samples(spike).any()


@pytest.mark.parametrize("far", [1e9, 1e100])
@pytest.mark.parametrize("standardize", ["sides", "units"])
def test_one_sample_does_not_decide_what_neighbours_are(standardize, far):
    x, y = pair(far)
    value = it.neighbor_information(x, y, standardize=standardize).value
    expected = it.neighbor_information(*pair(0.0), standardize=standardize).value
    # a constant side, 0 nats, came out; one of 400 terms of some nats differs
    assert value == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("estimator", [it.variational_information, it.density_ratio_information])
@pytest.mark.parametrize("place", [0, 7])
def test_one_sample_does_not_blind_the_critics(estimator, place):
    """0.000 came out, of 0.83 nats."""
    x, y = pair(0.0)
    usual = estimator(x, y, **FAST)
    x[place] = 1e9
    result = estimator(x, y, **FAST)
    assert usual.value > 0.4
    assert result.value > 0.5 * usual.value


@pytest.mark.parametrize("estimator", [it.variational_information, it.density_ratio_information])
def test_the_default_dtype_of_torch_changes_nothing(estimator):
    x, y = pair(0.0)
    short = FAST | {"max_steps": 10}
    for target in (y, (x[:, 0] > 0).astype(int)):
        expected = estimator(x, target, **short)
        torch.set_default_dtype(torch.float64)
        try:
            result = estimator(x, target, **short)
        finally:
            torch.set_default_dtype(torch.float32)
        assert [np.asarray(v).tobytes() for v in result] == [
            np.asarray(v).tobytes() for v in expected
        ]
