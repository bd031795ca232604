"""Schedules: the epochs or steps of a training at which snapshots are taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

from infotheo.arrays.labels import check_choice
from infotheo.arrays.numbers import check_count, check_number
from infotheo.registry import nearest
from infotheo.training.timeline import Timeline

__all__ = ["Moment", "Schedule", "moments", "read_schedule", "spread"]

Every = Literal["epoch", "step"]
_KEYS = ("every", "count", "points", "keep", "gigabytes")


class Moment(NamedTuple):
    """A moment of training: how many steps are done, and how many passes over the samples."""

    step: int
    epoch: float


class Schedule(NamedTuple):
    """The moments of a training, what they count, and the room that may be taken."""

    every: Every
    moments: tuple[Moment, ...]
    gigabytes: float


def moments(
    timeline: Timeline,
    *,
    every: Every = "epoch",
    count: int | None = None,
    points: Sequence[int] | None = None,
) -> tuple[Moment, ...]:
    """Return the moments at which to take snapshots.

    Parameters
    ----------
    timeline
        The steps of the training.
    every
        Whether ``count`` and ``points`` count epochs or steps.
    count
        How many moments, the start and the end among them: every one at first, then evenly spaced
        on a logarithmic scale. Without it and ``points``: all there are.
    points
        The moments themselves: how many epochs or steps are done.

    Returns
    -------
    tuple of Moment
        In the order of time.

    Raises
    ------
    TypeError, ValueError
        If both are given, there are fewer moments than asked for, or a point is not one of the
        training.

    Examples
    --------
    >>> from infotheo.training.timeline import timeline
    >>> [moment.step for moment in moments(timeline(100, 50, 0.1, 20), count=6)]
    [0, 10, 20, 50, 110, 250]
    """
    check_choice(every, get_args(Every), "snapshots.every")
    last = timeline.epochs if every == "epoch" else timeline.total
    if points is not None:
        if count is not None:
            raise ValueError("snapshots: found count and points, expected one of them")
        chosen = _check_points(points, last, every)
    elif count is not None:
        if check_count(count, "snapshots.count", least=2) > last + 1:
            raise ValueError(
                f"snapshots.count: found {count}, expected at most {last + 1}, the start and each "
                f"of the {last} {every}s"
            )
        chosen = spread(last, count)
    else:
        chosen = list(range(last + 1))
    starts = [*timeline.first_steps, timeline.total]
    steps = [starts[point] for point in chosen] if every == "epoch" else chosen
    return tuple(Moment(step, timeline.epochs_before(step)) for step in steps)


def spread(last: int, count: int) -> list[int]:
    """Return so many different whole numbers from 0 to ``last``, close together at first.

    Notes
    -----
    The k-th is k, or ``last ** (k / (count - 1))`` where that is more: a curve that is convex, so
    that it gains at least one with each k from where it leaves the line.

    Examples
    --------
    >>> spread(1000, 10)
    [0, 2, 4, 10, 21, 46, 100, 215, 464, 1000]
    """
    if last == 0:
        return [0]
    room = 1e-9  # of a power that should be a whole number
    return [max(k, int(last ** (k / (count - 1)) * (1 + room))) if k else 0 for k in range(count)]


def read_schedule(settings: Mapping[str, Any], timeline: Timeline) -> Schedule:
    """Read the setting ``snapshots`` of a training.

    Parameters
    ----------
    settings
        ``every``, ``count`` and ``points`` as in :func:`moments`; ``keep``, "weights"; and
        ``gigabytes``, how much room the weights may take.
    timeline
        The steps of the training.

    Raises
    ------
    TypeError, ValueError
        For an unknown key or a value out of range.
    """
    for key in settings:
        if key not in _KEYS:
            raise ValueError(
                f"snapshots: unknown key {key!r}{nearest(str(key), _KEYS)}; expected "
                f"{', '.join(_KEYS)}"
            )
    check_choice(settings.get("keep", "weights"), ("weights",), "snapshots.keep")
    room = check_number(settings.get("gigabytes", 4.0), "snapshots.gigabytes", positive=True)
    choice = {key: settings[key] for key in ("every", "count", "points") if key in settings}
    return Schedule(settings.get("every", "epoch"), moments(timeline, **choice), room)


def _check_points(points: Any, last: int, every: str) -> list[int]:
    if isinstance(points, str) or not isinstance(points, Sequence):
        raise TypeError(f"snapshots.points: found {points!r}, expected a list of {every}s")
    if not points:
        raise ValueError(f"snapshots.points: found none, expected at least one {every}")
    chosen: list[int] = []
    for point in points:
        chosen.append(check_count(point, "snapshots.points", least=0))
        if chosen[-1] > last:
            raise ValueError(
                f"snapshots.points: found {every} {point}, expected at most {last}, the end of "
                "training"
            )
        if chosen[1:] and chosen[-1] <= chosen[-2]:
            raise ValueError(
                f"snapshots.points: found {point} after {chosen[-2]}, expected each to be larger "
                "than the one before it"
            )
    return chosen
