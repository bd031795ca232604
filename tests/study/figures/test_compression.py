"""Rise and fall of curves, and what noise explains of it."""

import numpy as np
import pytest
from scipy import stats

from infotheo.study.figures.compression import expected_fall, fall_after_maximum, jitter, rise_times


def test_a_rise_that_falls_back_has_two_times():
    epoch = np.array([0.0, 1, 2, 5, 10, 20])
    first, stable = rise_times(np.array([0.1, 0.96, 0.5, 0.97, 0.94, 1.0]), epoch)
    assert (first, stable) == (1, 20)


def test_jitter_is_the_deviation_of_the_noise_beside_any_straight_trend():
    draw = np.random.default_rng(1)
    noise = 0.3 * draw.normal(size=(200, 101))
    trend = np.linspace(0, 50, 101)
    # a median of 99 absolute values scatters by about 12 % (they overlap), of 200 by 1 %
    assert jitter(noise + trend).mean() == pytest.approx(0.3, rel=0.05)
    assert jitter(trend) == pytest.approx(0, abs=1e-12)
    assert np.isnan(jitter(trend[:4]))


@pytest.mark.parametrize("times", [2, 5, 20, 100])
def test_expected_fall_is_the_expected_maximum(times):
    grid = np.linspace(-9, 9, 20_001)
    density = times * stats.norm.pdf(grid) * stats.norm.cdf(grid) ** (times - 1)
    exact = np.trapezoid(grid * density, grid)
    assert expected_fall(times) == pytest.approx(exact, rel=0.05 if times < 5 else 0.02)
    assert expected_fall(1) == 0


def test_fall_of_a_curve_that_only_rises_is_0():
    maximum, fall, at = fall_after_maximum(np.array([[0.0, 1, 2], [2, 1, 2]]), np.arange(3.0))
    np.testing.assert_array_equal(maximum, [2, 2])
    np.testing.assert_array_equal(fall, [0, 0])
    np.testing.assert_array_equal(at, [2, 0])
