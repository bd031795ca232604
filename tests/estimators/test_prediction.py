import math

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import infotheo as it
from infotheo.estimators.prediction import (
    fano_error_bound,
    irrelevant_information,
    prediction_information,
)

GENERATOR = np.random.default_rng(0)
LOGITS = GENERATOR.normal(size=(30, 4)) * 2
P = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
Y = np.arange(30) % 3  # one class is never a label


def naive_information(joint):
    """Mutual information of a table, term by term."""
    joint = joint / joint.sum()
    value = 0.0
    for i in range(joint.shape[0]):
        for j in range(joint.shape[1]):
            if joint[i, j] > 0:
                value += joint[i, j] * math.log(joint[i, j] / (joint[i].sum() * joint[:, j].sum()))
    return value


def test_agrees_with_the_joint_tables():
    joint = np.array([P[Y == k].sum(0) for k in range(3)])
    about_input, about_label = naive_information(P), naive_information(joint)
    # sums of at most 120 terms in another order
    assert prediction_information(P).value == pytest.approx(about_input, abs=1e-13)
    assert prediction_information(P, Y).value == pytest.approx(about_label, abs=1e-13)
    difference = irrelevant_information(P, Y).value
    assert difference == pytest.approx(about_input - about_label, abs=1e-13)


def test_logits_are_the_same_as_probabilities():
    for labels in (None, Y, np.eye(3, dtype=int)[Y]):
        a = prediction_information(LOGITS + 1e4, labels, logits=True)
        # logits of 1e4 carry a relative 1e-12 of rounding
        np.testing.assert_allclose(a, prediction_information(P, labels), atol=1e-11)


@pytest.mark.parametrize("shift", [0, 1])
def test_certain_predictions(shift):
    p = np.eye(4)[(np.arange(40) + shift) % 4]
    y = np.arange(40) % 4
    assert prediction_information(p).value == pytest.approx(math.log(4))
    assert prediction_information(p, y).value == pytest.approx(math.log(4))
    assert irrelevant_information(p, y).value == pytest.approx(0, abs=1e-15)
    assert prediction_information(p, y, units="bits") == (2, 2)


def test_constant_predictions_carry_nothing():
    p = np.tile([0.7, 0.2, 0.1], (5, 1))
    assert prediction_information(p).value == pytest.approx(0, abs=1e-15)
    assert prediction_information(p, [0, 1, 2, 0, 1]).value == pytest.approx(0, abs=1e-15)


def test_uniform_marginals_follow_paper_4():
    """I = ln C less the mean entropy of a prediction, or of a class's mean prediction."""
    entropies = -(P * np.log(P)).sum(1)
    result = prediction_information(P, uniform_marginals=True)
    assert result.value == pytest.approx(math.log(4) - entropies.mean(), abs=1e-13)
    means = np.array([P[Y == k].mean(0) for k in range(3)])
    expected = math.log(4) + (means * np.log(means)).sum(1).mean()
    assert prediction_information(P, Y, uniform_marginals=True).value == pytest.approx(expected)
    unbalanced = Y.copy()
    unbalanced[:6] = 0
    assert prediction_information(P, unbalanced, uniform_marginals=True).value != pytest.approx(
        expected
    )


def test_the_printed_variance_bound_is_false():
    """Paper 5, eq. 33: a balanced label predicted with certainty has I = ln 2, the bound <= 1/2."""
    p = np.array([[1.0, 0.0], [0.0, 1.0]])
    value = prediction_information(p).value
    bounds = [2 * (p.mean(0).var() + p.var()), 2 * (p.mean(0).var() + p.var(0).mean())]
    assert value == pytest.approx(math.log(2))
    assert all(value > bound for bound in bounds)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    samples=st.integers(2, 20),
    classes=st.integers(2, 6),
    scale=st.floats(0, 50),
)
def test_data_processing_and_ceilings(seed, samples, classes, scale):
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(samples, classes)) * scale
    y = generator.integers(classes, size=samples)
    about_input = prediction_information(logits, logits=True)
    about_label = prediction_information(logits, y, logits=True)
    assert 0 <= about_label.value <= about_label.ceiling + 1e-12
    assert about_label.value <= about_input.value + 1e-12
    assert about_input.value <= about_input.ceiling + 1e-12
    assert irrelevant_information(logits, y, logits=True).value >= 0


def test_kinds_and_batches():
    p = np.stack([[P, P[::-1], P**2 / (P**2).sum(1, keepdims=True)]])
    expected = prediction_information(p, Y)
    assert expected.value.shape == (1, 3)
    for k in range(3):
        assert expected.value[0, k] == pytest.approx(prediction_information(p[0, k], Y).value)
    tensor = prediction_information(torch.tensor(p), torch.tensor(Y))
    np.testing.assert_allclose(tensor.value, expected.value, atol=1e-13)
    array = xr.DataArray(
        p, dims=("layer", "seed", "sample", "class"), coords={"seed": [2, 3, 5]}
    ).transpose("class", ...)
    result = prediction_information(array, Y, unit_dim="class", units="bits")
    np.testing.assert_allclose(result.value * math.log(2), expected.value, atol=1e-13)
    assert result.value.dims == ("layer", "seed")
    assert result.value.attrs["units"] == "bits"
    assert result.value.attrs["estimator"] == "prediction_information"
    left = irrelevant_information(array, Y, unit_dim="class")
    np.testing.assert_allclose(left.value, irrelevant_information(p, Y).value, atol=1e-13)


def test_gradients():
    z = torch.tensor(LOGITS[:6], requires_grad=True)
    y = [0, 1, 2, 0, 1, 2]
    for labels in (None, y):
        assert torch.autograd.gradcheck(
            lambda a, labels=labels: prediction_information(a, labels, logits=True).value, z
        )
    assert torch.autograd.gradcheck(lambda a: irrelevant_information(a, y, logits=True).value, z)


def test_certain_predictions_have_a_finite_gradient():
    p = torch.eye(3, dtype=torch.float64).requires_grad_()
    prediction_information(p, [0, 1, 1]).value.backward()
    assert torch.isfinite(p.grad).all()


def test_half_precision_probabilities_are_accepted():
    result = prediction_information(torch.tensor(P, dtype=torch.float16), Y)
    assert result.value.dtype == torch.float64
    # probabilities rounded to 11 bits: entropies move by about 1e-3
    assert float(result.value) == pytest.approx(prediction_information(P, Y).value, abs=2e-3)


@pytest.mark.parametrize(
    ("p", "error", "message"),
    [
        (LOGITS, ValueError, r"probabilities contains -\d.*pass logits=True"),
        (P * 2, ValueError, "probabilities has a row that sums to 2; expected 1"),
        (np.ones((5, 1)), ValueError, "probabilities has 1 class"),
        (P[:1], ValueError, r"probabilities has 1 sample\(s\)"),
        (np.full((3, 2), np.nan), ValueError, "probabilities contains nan"),
    ],
)
def test_bad_probabilities(p, error, message):
    labels = np.zeros(len(p), dtype=int)
    with pytest.raises(error, match=message):
        prediction_information(p)
    with pytest.raises(error, match=message):
        irrelevant_information(p, labels)


def test_irrelevant_information_needs_labels():
    with pytest.raises(TypeError, match="labels is None"):
        irrelevant_information(P, None)


def test_fano():
    assert fano_error_bound(math.log(10), 10) == pytest.approx(
        (math.log(10) - math.log(2)) / math.log(9)
    )
    assert fano_error_bound(0.1, 10) == 0
    array = fano_error_bound(np.array([0.0, 2.0]), 10)
    np.testing.assert_allclose(array, [0, (2 - math.log(2)) / math.log(9)])
    assert isinstance(fano_error_bound(torch.tensor([2.0]), 10), torch.Tensor)
    assert fano_error_bound(xr.DataArray([2.0], dims="seed"), 10).dims == ("seed",)


def test_fano_holds_for_a_symmetric_channel():
    """Errors spread evenly over the other classes: the best guess errs at the stated rate."""
    for error in (0.1, 0.5, 0.8):
        classes = 6
        p = np.full(classes, error / (classes - 1))
        p[0] = 1 - error
        conditional = -(p * np.log(p)).sum()
        assert 0 <= fano_error_bound(conditional, classes) <= error


@pytest.mark.parametrize(
    ("entropy", "classes", "error", "message"),
    [
        (1.0, 2, ValueError, "classes is 2; expected a whole number >= 3"),
        (1.0, 2.5, TypeError, r"classes is 2\.5"),
        (3.0, 10, ValueError, r"conditional_entropy is 3\.0; expected nats between 0 and ln 10"),
        (-0.1, 10, ValueError, r"conditional_entropy is -0\.1"),
        (math.nan, 10, ValueError, "conditional_entropy is nan"),
        ("much", 10, TypeError, "conditional_entropy has dtype"),
    ],
)
def test_bad_fano(entropy, classes, error, message):
    with pytest.raises(error, match=message):
        fano_error_bound(entropy, classes)


def test_one_class_has_zero_entropy_without_a_sign():
    z = np.random.default_rng(0).normal(size=(10, 2))
    one = np.zeros(10, int)
    for result in (
        it.binned_information(z, one),
        it.pairwise_information(z, one, noise_variance=0.1),
        it.mixture_information_monte_carlo(z, one, noise_variance=0.1, draws=20, seed=0),
        it.prediction_information(np.full((10, 2), 0.5), one),
        it.prediction_information([[1.0, 0.0]] * 4),
        it.neighbor_information(np.ones((10, 1)), one, discrete_y=True, check_trust=False),
        it.total_correlation([[1.0], [2.0], [3.0]]),
        it.gaussian_information(
            [[1.0], [-1.0], [1.0], [-1.0]], [[1.0], [1.0], [-1.0], [-1.0]], correction=None
        ),
    ):
        for name, value in result._asdict().items():
            if value is not None:
                negative_zero = np.signbit(value) & (np.asarray(value) == 0)
                assert not np.any(negative_zero), f"{type(result).__name__}.{name} is {value}"
