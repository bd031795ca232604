"""Points times s and variances times s^2 are one question, at any s that float64 holds."""

import math

import numpy as np
import pytest
import torch

import infotheo as it
from infotheo.estimators.pairwise import mixture

STREAM = np.random.default_rng(3)
Z, LABELS = STREAM.normal(size=(60, 4)), STREAM.integers(3, size=60)
EXTREME = [2.0**511, 2.0**-494]  # their squares are the largest and the smallest that are normal
NOISE = {
    "layer": np.array(0.5),
    "unit": np.array([0.1, 0.5, 1.0, 2.0]),
    "sample": STREAM.uniform(0.1, 1, size=(60, 4)),
}


@pytest.mark.parametrize("scale", EXTREME)
@pytest.mark.parametrize("per", NOISE)
@pytest.mark.parametrize("labels", [None, LABELS])
def test_pairwise_bounds_do_not_depend_on_the_scale(per, labels, scale):
    options = {"noise_per": per}
    bounds = it.pairwise_information(Z, labels, noise_variance=NOISE[per], **options)
    scaled = it.pairwise_information(
        Z * scale, labels, noise_variance=NOISE[per] * scale**2, **options
    )
    assert scaled[:4] == pytest.approx(bounds[:4], rel=1e-12)  # a power of two changes no digit


def test_the_case_that_gave_a_wrong_bound():
    """[0.21, 0.68] came out; the factor -1 / 2e308 is no normal number."""
    bounds = it.pairwise_information(Z, LABELS, noise_variance=1.0)
    scaled = it.pairwise_information(Z * 1e154, LABELS, noise_variance=1e308)
    assert scaled[:4] == pytest.approx(bounds[:4], abs=1e-12)
    tensor = torch.tensor(Z * 1e154, requires_grad=True)
    gradient_bounds = it.pairwise_information(tensor, LABELS, noise_variance=1e308)
    gradient_bounds.kl.backward()
    assert float(gradient_bounds.kl.detach()) == pytest.approx(bounds.kl, abs=1e-12)
    plain = torch.tensor(Z, requires_grad=True)
    it.pairwise_information(plain, LABELS, noise_variance=1.0).kl.backward()
    assert torch.allclose(tensor.grad * 1e154, plain.grad, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("scale", [2.0**90, 2.0**-100])
def test_float32_points_do_not_depend_on_the_scale(scale):
    z = Z.astype(np.float32)
    bounds = it.pairwise_information(z, noise_variance=1.0)
    scaled = it.pairwise_information(z * np.float32(scale), noise_variance=scale**2)
    assert scaled[:2] == pytest.approx(bounds[:2], abs=1e-5)


@pytest.mark.filterwarnings("ignore:lower bound of I.Z;X.:infotheo.SaturationWarning")
@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
def test_points_infinitely_far_apart_are_apart(kind):
    z = kind(np.array([[1e200], [0.0], [1.0], [1.0]]))
    bounds = it.pairwise_information(z, noise_variance=1e-3)
    apart = math.log(4) - 0.5 * math.log(2)  # three places, one of them twice
    assert [float(value) for value in bounds[:2]] == pytest.approx([apart, apart], abs=1e-12)


@pytest.mark.parametrize("scale", EXTREME)
def test_other_functions_of_noise_do_not_depend_on_the_scale(scale):
    shift = 4 * math.log(scale)
    entropy, scaled = (it.mixture_entropy(Z * s, noise_variance=0.9 * s * s) for s in (1.0, scale))
    assert scaled == pytest.approx([value + shift for value in entropy], rel=1e-13)
    options = {"draws": 50, "seed": 0}
    sampled, scaled = (
        it.mixture_information_monte_carlo(Z * s, noise_variance=0.9 * s * s, **options)
        for s in (1.0, scale)
    )
    assert scaled[:2] == pytest.approx(sampled[:2], rel=1e-12)
    for noise_variance in (
        lambda z: it.relative_noise_variance(z, 0.1),
        lambda z: it.relative_noise_variance(z, 0.1, per="unit"),
        it.likelihood_noise_variance,
    ):
        small = scale / 16 if scale > 1 else scale * 2**20  # the variance is to fit, too
        assert noise_variance(Z * small) == pytest.approx(noise_variance(Z) * small**2, rel=1e-12)


@pytest.mark.parametrize("scale", [1e160, 1e-170])
@pytest.mark.parametrize(
    "noise_variance", [lambda z: it.relative_noise_variance(z, 0.1), it.likelihood_noise_variance]
)
def test_a_variance_that_is_no_float_is_refused_by_name(noise_variance, scale):
    with pytest.raises(
        ValueError,
        match=r"^z has values as large as .*whose variance is beyond .*; expected z in other units",
    ):
        noise_variance(Z * scale)


def test_what_no_scale_holds_is_refused_by_name():
    with pytest.raises(ValueError, match=r"^z is up to 1e\+308 .*expected values and noise"):
        it.pairwise_information([[1e308], [0.0]], noise_variance=1e-290)
    with pytest.raises(ValueError, match=r"expected a range that float64 holds"):
        it.binned_information([[1.5e308], [-1.5e308]], bins=4)


def test_the_saturation_warning_names_what_was_asked():
    z = 1e3 * Z
    with pytest.warns(it.SaturationWarning, match=r"^lower bound of I\(Z;X\) within"):
        it.pairwise_information(z, noise_variance=0.1)
    with pytest.warns(it.SaturationWarning, match=r"^bounds of I\(Z;Y\) rest on those of I\(Z;X\)"):
        it.pairwise_information(z, LABELS, noise_variance=0.1)


@pytest.mark.filterwarnings("ignore::infotheo.SaturationWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weights", [None, STREAM.uniform(0.5, 1, size=60)])
def test_wide_layers_at_their_ceiling_are_what_differences_give(dtype, weights, monkeypatch):
    z = np.random.default_rng(0).normal(size=(2, 60, 512)).astype(dtype)
    z[1, 1] = z[1, 0]  # two of this element coincide
    options = {"noise_variance": [1e-3, 1e-2], "weights": weights}
    results = [it.pairwise_information(z, LABELS, **options)]
    monkeypatch.setattr(mixture, "WIDE", 10**9)
    results.append(it.pairwise_information(z, LABELS, **options))
    for value, exact in zip(*results, strict=True):
        assert np.array_equal(value, exact)
    assert results[0].lower[0] == pytest.approx(results[0].ceiling)
