"""Extreme finite values: what has a scale scales with it, what has none stays, or a line by name.

Powers of two scale exactly, so that the results are compared to rounding alone.
"""

import numpy as np
import pytest
import torch

import infotheo as it
from infotheo.arrays.scaling import divide, scales

STREAM = np.random.default_rng(0)
Z = STREAM.normal(size=(40, 3))
Z[:, 2] = 0.5 * Z[:, 0] + 0.1 * Z[:, 2]
Y = Z[:, :2] + STREAM.normal(size=(40, 2))
LABELS = np.arange(40) % 2
W = STREAM.normal(size=(3, 4))
FACTORS = [2.0**-1060, 2.0**-700, 2.0**-565, 2.0**532, 2.0**700, 2.0**1018]  # 1e-319 to 3e306
FREE = {  # of the scale of all that is given
    "neighbours": lambda f, **more: it.neighbor_information(Z * f, Y * f, **more).value,
    "sides": lambda f: it.neighbor_information(Z * f, Y, standardize="sides").value,
    "units": lambda f: it.neighbor_information(Z * f, Y, standardize="units").value,
    "classes": lambda f: it.neighbor_information(Z * f, LABELS, discrete_y=True).value,
    "ksg2": lambda f: it.neighbor_information(Z * f, Y * f, algorithm="ksg2").value,
    "total": lambda f: it.total_correlation(Z * f, method="neighbors").value,
    "gaussian": lambda f: it.gaussian_information(Z * f, Y).value,
    "gaussian total": lambda f: it.total_correlation(Z * f).value,
    "accuracies": lambda f: np.stack(it.component_accuracies(Z * f, LABELS, Z * f, LABELS)),
    "normalized margins": lambda f: it.margins(Z * f, W, LABELS).normalized,
    "normalized by weights": lambda f: it.margins(Z, W * f, LABELS).normalized,
    "angle": lambda f: it.direction_angle(W * f, W[::-1]).value,
    "dual": lambda f: it.dual_information(Z * f, W.T, 0.5).value,
    "dual weights": lambda f: it.dual_information(Z, W.T * f, 0.5).value,
    "bins": lambda f: it.binned_information(Z * f, LABELS, bins=5).value,
}
SCALED = {  # with the factor
    "margin": lambda f: it.margins(Z * f, W, LABELS).margin,
    "feature norm": lambda f: it.margins(Z * f, W, LABELS).feature_norm,
    "distance": lambda f: it.margins(Z * f, W * f, LABELS).geometric,
    "distance with biases": lambda f: it.margins(Z * f, W, LABELS, biases=W[0] * f).geometric,
    "amplitude": lambda f: it.characteristics(Z * f).activation_amplitude,
    "mean": lambda f: it.whitening(Z * f).m,
}


@pytest.mark.filterwarnings("ignore::infotheo.NeighborTrustWarning")
@pytest.mark.parametrize("name", FREE)
def test_what_has_no_scale_stays(name):
    right = FREE[name](1.0)
    for factor in FACTORS:
        # subnormal numbers have lost digits before they come in
        digits = 1e-3 if factor < 2.0**-1022 else 1e-9
        try:
            result = FREE[name](factor)
        except ValueError as error:  # equal cells over more than float64 holds
            assert name == "bins", error  # noqa: PT017
            continue
        np.testing.assert_allclose(result, right, rtol=digits, atol=digits, err_msg=str(factor))


@pytest.mark.parametrize("name", SCALED)
def test_what_has_a_scale_scales(name):
    function = SCALED[name]
    right = function(1.0)
    for factor in FACTORS:
        digits = 1e-3 if factor < 2.0**-1022 else 1e-12
        try:
            result = function(factor)
        except ValueError as error:
            assert "in other units" in str(error)  # noqa: PT017
            continue
        np.testing.assert_allclose(result / factor, right, rtol=digits)


@pytest.mark.parametrize("factor", FACTORS)
def test_characteristics_without_a_scale_stay_and_the_others_are_refused_beyond_float64(factor):
    right = it.characteristics(Z, LABELS)
    if factor > 1:
        with pytest.raises(ValueError, match=r"^z has values as large as .*; expected z in other"):
            it.characteristics(Z * factor, LABELS)
        return
    result = it.characteristics(Z * factor, LABELS)
    for field in ("correlation", "class_wise_correlation", "normalized_class_wise_variance"):
        assert getattr(result, field) == pytest.approx(getattr(right, field), rel=1e-3)
    for field in ("stable_rank", "rank", "sparsity", "left_out_correlation_pairs"):
        assert getattr(result, field) == pytest.approx(getattr(right, field), rel=1e-3)


def test_units_of_very_different_scales_keep_their_correlations():
    right = it.characteristics(Z, positive_only=False)
    result = it.characteristics(Z * [1.0, 2.0**-600, 2.0**300], positive_only=False)
    assert result.correlation == pytest.approx(right.correlation, rel=1e-12)
    assert result.left_out_correlation_pairs == 0


@pytest.mark.parametrize("choose", [lambda z: it.relative_noise_variance(z, 0.1),
                                    lambda z: it.relative_noise_variance(z, 0.1, per="unit"),
                                    it.likelihood_noise_variance])  # fmt: skip
def test_noise_variances_scale_or_are_refused(choose):
    right = choose(Z)
    for factor in (2.0**-450, 2.0**-300, 2.0**300, 2.0**500):
        np.testing.assert_allclose(choose(Z * factor) / factor / factor, right, rtol=1e-12)
    for factor in (2.0**-565, 2.0**532):
        with pytest.raises(ValueError, match=r"^z has values as large as .* in other units"):
            choose(Z * factor)
    with pytest.raises(ValueError, match="z is constant|exact duplicate"):
        choose(np.full((5, 2), 1e200))


@pytest.mark.filterwarnings("ignore::infotheo.HardMarginWarning")
def test_the_hard_margin_scales():
    features = Z + 20 * np.eye(3)[LABELS]
    right = it.hard_margin(features, LABELS)
    for factor in (2.0**-600, 2.0**600):
        result = it.hard_margin(features * factor, LABELS)
        assert result.margin / factor == pytest.approx(right.margin, rel=1e-6)
        np.testing.assert_allclose(result.weights * factor, right.weights, rtol=1e-5, atol=1e-9)


def test_the_flat_minimum_shifts_by_the_logarithm():
    right = it.flat_minimum_bound(np.ones(3), beta=1.0, diagonal=np.ones(3))
    for factor in FACTORS:
        result = it.flat_minimum_bound(np.full(3, factor), beta=1.0, diagonal=np.ones(3))
        shift = 3 * np.log(factor)
        assert result.bound == pytest.approx(right.bound + shift, rel=1e-9)
        assert result.information == pytest.approx(right.information + shift, rel=1e-9)


def test_draws_that_round_to_their_samples_are_refused():
    for sample in (it.mixture_information_monte_carlo, it.mixture_entropy_monte_carlo):
        with pytest.raises(
            ValueError, match=r"^z has values .* apart beside a noise_variance of 1"
        ):
            sample(Z * 1e200, noise_variance=1.0, draws=10, seed=0)


def test_gradients_pass_the_scale():
    z = torch.tensor(Z * 2.0**600, requires_grad=True)
    it.margins(z, W, LABELS).geometric.sum().backward()
    plain = torch.tensor(Z, requires_grad=True)
    it.margins(plain, W, LABELS).geometric.sum().backward()
    torch.testing.assert_close(z.grad, plain.grad)


def test_ordinary_values_are_left_alone():
    assert divide(Z, (0, 1), np)[0] is Z
    assert scales(np.array([1e-60, 1e60, 0.0, np.inf])).tolist() == [1, 1, 1, 1]
