"""The axis and the colours of training time."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from infotheo.study.figures import time_scale


def test_time_axis_shows_zero_and_powers_of_ten():
    axes = Figure().subplots()
    time_scale.time_axis(axes, np.array([0.0, 1, 3, 10, 300, 20_000]))
    axes.figure.draw_without_rendering()
    labels = [text.get_text() for text in axes.get_xticklabels()]
    assert labels == ["0", "1", "10", "100", "1000", "10k"]
    pixels = axes.transData.transform([(time, 0) for time in (0, 1, 10, 100)])[:, 0]
    # 0 to 1 takes the room of 0.4 / (1 - 1/10) decades
    assert np.diff(pixels) == pytest.approx(np.diff(pixels)[-1] * np.array([4 / 9, 1, 1]))


@pytest.mark.parametrize(
    ("times", "labels"),
    [
        ([0.0, 1, 7, 80], "0 1 2 5 10 20 50"),
        ([3.0, 20, 80], "5 10 20 50"),
        ([0.0, 200, 15_000], "0 300 1000 3000 10k"),
        ([0.0, 10, 900], "0 10 30 100 300 900"),
        ([0.0, 1, 900], "0 1 10 100 900"),
        ([0.0, 1, 130], "0 1 10 100"),  # no room for 130
        ([2.0, 700], "10 100 700"),
        ([0.0, 1, 10, 100], "0 1 10 100"),
    ],
)
def test_the_axis_has_a_tick_near_the_last_time(times, labels):
    axes = Figure().subplots()
    time_scale.time_axis(axes, np.array(times), "step")
    axes.figure.draw_without_rendering()
    assert " ".join(text.get_text() for text in axes.get_xticklabels()) == labels
    left, right = axes.get_xlim()
    ends = axes.transData.transform([(left, 0), (axes.get_xticks()[-1], 0), (right, 0)])[:, 0]
    assert ends[1] - ends[0] > 0.75 * (ends[2] - ends[0])


@pytest.mark.parametrize("times", [[0.0], [5.0], [0.0, 1.0], [1.0, 2.0, 3.0], [2.0, 200.0]])
def test_time_axis_and_colours_of_few_times(times):
    axes = Figure().subplots()
    time_scale.time_axis(axes, np.array(times), "step")
    left, right = axes.get_xlim()
    assert left < times[0] <= times[-1] < right
    norm, scale, ticks = time_scale.time_colours(np.array(times))
    assert np.isfinite(np.asarray(norm(times))).all()
    assert set(ticks) <= {0.0, 10.0, 100.0} | set(times)
    assert scale.N == 256


def test_colours_rise_with_the_logarithm_of_time():
    norm, _, _ = time_scale.time_colours(np.array([0.0, 1, 10, 100, 1000]))
    places = np.asarray(norm([0, 1, 10, 100, 1000]))
    assert places[[0, -1]] == pytest.approx([0, 1])
    assert np.diff(places)[1:] == pytest.approx(np.diff(places)[-1])
    assert 0 < places[1] < places[2] - places[1]
