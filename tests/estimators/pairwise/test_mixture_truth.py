"""Random mixtures: the bounds enclose the sampled truth. A thousand: see mixture_truth."""

import math
import os

import numpy as np
import pytest

from infotheo.estimators.pairwise.bounds import pairwise_information
from infotheo.estimators.pairwise.monte_carlo import mixture_information_monte_carlo
from tests.estimators.pairwise import mixture_truth

pytestmark = pytest.mark.filterwarnings("ignore::infotheo.SaturationWarning")

MIXTURES = int(os.environ.get("INFOTHEO_MIXTURES", "200"))


@pytest.fixture(scope="module")
def compared():
    return list(mixture_truth.comparisons(MIXTURES, seed=0))


@pytest.mark.parametrize("target", [0, 1], ids=mixture_truth.TARGETS)
def test_the_sampled_value_lies_between_the_bounds(compared, target):
    worst = max(
        comparisons[target].beyond(
            float(comparisons[target].bounds.lower), float(comparisons[target].bounds.upper)
        )
        for _, comparisons in compared
    )
    assert worst <= 4


def test_floors_and_ceilings(compared):
    for _, both in compared:
        for comparison in both:
            bounds = comparison.bounds
            assert 0 <= bounds.lower <= bounds.upper + mixture_truth.ROUNDING
            assert bounds.upper <= bounds.ceiling
            assert comparison.beyond(0, float(bounds.ceiling)) <= 4
        about_input, about_label = both
        assert about_label.bounds.ceiling <= about_input.bounds.ceiling + 1e-12
        # for I(Z;X) the same-side estimates are the bounds, but for the clipping of rounding
        assert about_input.bounds.kl == pytest.approx(about_input.bounds.upper, abs=1e-9)
        assert about_input.bounds.chernoff == pytest.approx(about_input.bounds.lower, abs=1e-9)


def test_the_comparison_tells_estimates_from_bounds(compared):
    """Same-side estimates of I(Z;Y), read as bounds, would fail in many of the same mixtures."""
    label = [both[1] for _, both in compared]
    below = sum(
        comparison.beyond(float(comparison.bounds.kl), math.inf) > 4 for comparison in label
    )
    above = sum(
        comparison.beyond(-math.inf, float(comparison.bounds.chernoff)) > 4 for comparison in label
    )
    assert below > len(label) / 10
    assert above > len(label) / 10


def test_the_draw_covers_the_range(compared):
    """From nothing known to everything, in every kind of noise: no corner is the whole test."""
    for per in ("layer", "unit", "sample"):
        shares = [
            both[0].value / float(both[0].bounds.ceiling)
            for mixture, both in compared
            if mixture.options["noise_per"] == per
        ]
        assert np.histogram(shares, bins=[-0.1, 0.2, 0.8, 1.1])[0].min() >= len(shares) / 20
    sizes = [mixture.z.shape for mixture, _ in compared]
    assert min(sizes)[0] < 5
    assert max(sizes)[0] > 150
    assert max(units for _, units in sizes) > 50


@pytest.mark.parametrize("per", ["layer", "unit", "sample"])
def test_bounds_meet_as_clusters_separate(per):
    generator = np.random.default_rng(0)
    y = np.arange(60) % 5
    directions = np.linalg.qr(generator.normal(size=(6, 5)))[0].T
    shape = {"layer": (), "unit": (6,), "sample": (60, 6)}[per]
    # within a cluster all components are equal: there the bounds are exact, whatever the noise
    noise = 0.1 * np.exp(generator.normal(size=shape))
    if per == "sample":
        noise = noise[y]
    gaps = []
    for apart in (0.5, 1.5, 10.0, 100.0):
        options = {"noise_variance": noise, "noise_per": per}
        bounds = pairwise_information(apart * directions[y], y, **options)
        gaps.append(bounds.upper - bounds.lower)
        truth = mixture_information_monte_carlo(
            apart * directions[y], y, draws=2000, seed=0, **options
        )
        error = 4 * truth.standard_error + mixture_truth.ROUNDING
        assert bounds.lower - error <= truth.value <= bounds.upper + error
    assert (np.diff(gaps) <= mixture_truth.ROUNDING).all()
    assert gaps[0] > 0.1
    assert gaps[-1] < mixture_truth.ROUNDING
    assert bounds.lower == pytest.approx(math.log(5), abs=mixture_truth.ROUNDING)
    assert truth.value == pytest.approx(math.log(5), abs=mixture_truth.ROUNDING)
