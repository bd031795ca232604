"""Progress: sparse lines with a time estimate elsewhere, a bar on a terminal."""

import io

import pytest

from infotheo import progress as module
from infotheo.progress import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    """A clock that only moves when it is told to."""

    now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def work(clock, seconds, *arguments, **settings):
    """Go through with so many seconds for each step; return the numbers and the lines."""
    stream = io.StringIO()
    numbers = []
    for number in progress(*arguments, stream=stream, **settings):
        numbers.append(number)
        clock.now += seconds
    return numbers, stream.getvalue().splitlines()


def test_short_work_says_nothing(clock):
    assert work(clock, 1.0, 0, 20, "train", "epoch") == (list(range(20)), [])


def test_lines_come_at_most_every_so_often_with_the_time_left(clock):
    numbers, lines = work(clock, 10.0, 0, 10, "mnist baseline", "epoch")
    assert numbers == list(range(10))
    assert lines == [
        "mnist baseline: epoch 3 of 10, 70 s left",
        "mnist baseline: epoch 6 of 10, 40 s left",
        "mnist baseline: epoch 9 of 10, 10 s left",
    ]


def test_long_times_are_in_minutes(clock):
    _, lines = work(clock, 60.0, 0, 4, "train", "epoch")
    assert lines == [
        "train: epoch 1 of 4, 3 min left",
        "train: epoch 2 of 4, 2 min left",
        "train: epoch 3 of 4, 60 s left",
    ]


def test_resumed_work_counts_from_the_whole_and_estimates_from_its_own(clock):
    numbers, lines = work(clock, 20.0, 6, 10, "train", "epoch")
    assert numbers == [6, 7, 8, 9]
    assert lines == ["train: epoch 8 of 10, 40 s left"]


def test_interval_can_be_chosen(clock):
    assert len(work(clock, 1.0, 0, 5, "train", "epoch", interval=1.0)[1]) == 4


@pytest.mark.parametrize("first", [3, 5])
def test_nothing_to_do_says_nothing(clock, first):
    assert work(clock, 100.0, first, 3, "train", "epoch") == ([], [])


def test_standard_error_is_where_it_goes(clock, capsys):
    for _ in progress(0, 2, "train", "epoch"):
        clock.now += 31
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "train: epoch 1 of 2, 31 s left\n"


def test_bar_on_a_terminal():
    stream = Terminal()
    assert list(progress(2, 5, "digits CR", "epoch", stream=stream)) == [2, 3, 4]
    shown = stream.getvalue()
    assert "\r" in shown
    assert "digits CR" in shown
    assert "2/5" in shown  # resumed work begins where it stood
    # the bar is wiped at the end, no rest of it stands before what is printed next
    assert shown.endswith("\r")
    assert "epoch 3 of" not in shown
