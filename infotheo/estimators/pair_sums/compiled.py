"""Kernel sums over pairs of samples of few units: compiled loops over exact differences.

With ten units a Gram product is hardly cheaper than differences, and what costs is every pass over
a tile of pairs. Here a pair is in registers from its distance to its sums. Differences of float32
are exact but for their last rounding, so nothing has to be certified, and nothing is centred.
"""

from __future__ import annotations

import math

import numpy as np
from array_api_compat import is_torch_array

from infotheo.arrays.blas import one_blas_thread
from infotheo.arrays.samples import Array, to_numpy
from infotheo.arrays.threads import map_in_order, worker_count
from infotheo.estimators.pair_sums.exponents import chains_of

__all__ = ["compiled_row_sums", "compiled_serves"]

FEWEST_PAIRS = 10**8  # in a call: what loading the compiler (0.5 s) is worth
MOST_UNITS = 32  # more: a Gram product is cheaper, and roundings of float32 differences add up
TASK_PAIRS = 2**22  # of one thread at a time, at least
LARGEST = 2.0**58  # a scaled coordinate: squares of differences stay far from overflow
WIDEST = 2.0**60  # ratio of the factors of a sweep: near pairs of the largest stay normal
SCALES = (2.0**-120, 2.0**120)  # normal in float32
FLOORS = {4: (2.0**-63, 2.0**-31), 8: (2.0**-511, 2.0**-255)}  # squared once, twice: still normal


def compiled_serves(x: Array, rates: Array, weights: Array | None = None) -> bool:
    """Whether the compiled loops are fit for some sums, and worth it.

    Parameters
    ----------
    x
        Samples (batch, sample, unit), float32 or float64, not necessarily centred.
    rates
        -1 / (2 noise variance), (batch or 1, sweep).
    weights
        Weights of the samples, ``None`` if all are equal.

    Notes
    -----
    Fit: on the host, without a gradient or weights, and no value further than 2**58 standard
    deviations of the noise from 0. Worth it: at most 32 units, and at least 10**8 pairs (the batch
    times N * N). The choice depends on the arguments alone, so equal calls give equal bytes.

    Examples
    --------
    >>> compiled_serves(np.zeros((6, 4096, 10)), np.array([[-5.0]]))
    True
    >>> compiled_serves(np.zeros((5, 4096, 10)), np.array([[-5.0]]))
    False
    """
    if is_torch_array(x) and x.device.type != "cpu":
        return False
    if weights is not None or any(getattr(a, "requires_grad", False) for a in (x, rates)):
        return False
    batch, size, units = x.shape
    if units > MOST_UNITS or batch * size * size < FEWEST_PAIRS:
        return False
    values, found = to_numpy(x), to_numpy(rates)
    smallest, largest = float(np.min(-found)), float(np.max(-found))
    # Chernoff's factor may be much smaller yet, at an alpha near 0 or 1: WIDEST leaves room
    if not (0 < smallest <= largest < math.inf) or largest / smallest > WIDEST:
        return False
    furthest = max(-float(np.min(values)), float(np.max(values)))
    scales = _scales(np.array([smallest, largest]))
    return bool(
        scales[0] >= SCALES[0] and scales[1] <= SCALES[1] and furthest * scales[1] <= LARGEST
    )


def compiled_row_sums(
    x: Array,
    factors: np.ndarray,
    starts: np.ndarray | None,
    workers: int | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Sum exp(factor * squared distance) over all samples, and over the group of each.

    Parameters
    ----------
    x, starts
        As in :func:`~infotheo.estimators.pair_sums.row_sums.row_sums`, for samples that
        :func:`compiled_serves` accepts.
    factors
        Distinct negative factors (batch or 1, factor), the smallest first.
    workers
        Threads to use; the sums are the same, bit for bit, for any number.

    Returns
    -------
    total, within : array
        (factor, batch, sample) float64; ``within`` is ``None`` without groups. A sample's own term
        is exactly 1.

    Notes
    -----
    A float32 difference has a relative error of 2**-24, whatever the offset of the samples, and a
    squared distance one of (d + 3) 2**-24: a bound of information, whose pairs' exponents are
    ln N on average at most, is off by (d + 4) 2**-24 ln N at the very most (1e-5 nats for ten units
    and 10,000 samples), in practice by a hundredth of that, as roundings differ in sign.

    Examples
    --------
    >>> total, _ = compiled_row_sums(np.array([[[0.0], [1.0]]]), np.array([[-0.5]]), None)
    >>> bool(np.allclose(total, 1 + np.exp(-0.5)))
    True
    """
    from infotheo.estimators.pair_sums.compiled_kernels import strip_sums

    # contiguous, aligned, writeable: another kind of array would be compiled anew
    samples = np.require(to_numpy(x), requirements=["C", "A", "W"])
    batch, size, _ = samples.shape
    kind = samples.dtype
    steps = [step for chain in chains_of(factors) for step in chain.steps]
    order = np.array([factor for factor, _ in steps])
    squarings = np.array([count for _, count in steps])
    scales = np.broadcast_to(_scales(-factors[:, 0]), (batch,))
    every = np.broadcast_to(factors[:, order], (batch, len(order)))
    every = every * math.log2(math.e) / scales[:, None] ** 2
    every = np.ascontiguousarray(every, dtype=kind)  # another layout would be compiled anew
    scales, floors = scales.astype(kind), np.array(FLOORS[kind.itemsize], kind)
    ends = np.zeros(size, dtype=np.int64)
    if starts is not None:
        edges = np.append(starts, size)
        ends = np.repeat(edges[1:], np.diff(edges))

    def sums(task: tuple[slice, int, int]) -> tuple[np.ndarray, np.ndarray]:
        part, start, stop = task
        shape = (len(order), part.stop - part.start, size - start)
        total, within = np.zeros(shape), np.zeros(shape)
        strip_sums(
            samples[part], scales[part], every[part], squarings, floors, ends, start, stop,
            total, within,
        )  # fmt: skip
        return total, within

    tasks = _tasks(batch, size)
    totals = np.ones((len(order), batch, size))
    withins = None if starts is None else np.ones_like(totals)
    with one_blas_thread():  # map_in_order asks for it
        done = map_in_order(sums, tasks, worker_count() if workers is None else workers)
        for (part, start, _), (total, within) in zip(tasks, done, strict=True):
            totals[order, part, start:] += total
            if withins is not None:
                withins[order, part, start:] += within
    return totals, withins


def _scales(factors: np.ndarray) -> np.ndarray:
    """Powers of two that make the exponents' factors about 1: to scale by them is exact."""
    return 2.0 ** np.round(np.log2(factors) / 2)


def _tasks(batch: int, size: int) -> list[tuple[slice, int, int]]:
    """List (elements of the batch, first row, last row + 1) of about as many pairs.

    Examples
    --------
    >>> _tasks(3, 2048), len(_tasks(1, 10_000))
    ([(slice(0, 1, None), 0, 2048), (slice(1, 2, None), 0, 2048), (slice(2, 3, None), 0, 2048)], 24)
    """
    together = max(1, TASK_PAIRS // size**2)
    rows = min(size, max(1, TASK_PAIRS // size))
    if together > 1 or size * size <= 4 * TASK_PAIRS:  # threads share elements, not rows
        rows = size
    return [
        (slice(element, min(element + together, batch)), start, min(start + rows, size))
        for element in range(0, batch, together)
        for start in range(0, size, rows)
    ]
