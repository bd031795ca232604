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
from infotheo.arrays.samples import to_numpy
from infotheo.arrays.threads import map_in_order, worker_count
from infotheo.estimators.pair_sums.exponents import squaring_chains
from infotheo.estimators.pair_sums.factors import spread_over_variances
from infotheo.estimators.pair_sums.problem import PairProblem, RowSums

__all__ = ["compiled_row_sums", "compiled_serves"]

FEWEST_PAIRS = 10**8  # in a call: what loading the compiler (0.5 s) is worth
MOST_UNITS = 32  # more: a Gram product is cheaper, and roundings of float32 differences add up
TASK_PAIRS = 2**22  # of one thread at a time, at least
LARGEST = 2.0**58  # a scaled coordinate: squares of differences stay far from overflow
WIDEST = 2.0**60  # ratio of the factors of a sweep: near pairs of the largest stay normal
SCALES = (2.0**-120, 2.0**120)  # normal in float32
FLOORS = {4: (2.0**-63, 2.0**-31), 8: (2.0**-511, 2.0**-255)}  # squared once, twice: still normal


def compiled_serves(problem: PairProblem) -> bool:
    """Whether the compiled loops are fit for a problem, and worth it.

    Notes
    -----
    Fit: exact, on the host, without a gradient or weights, and no value further than 2**58 standard
    deviations of the noise from 0; the points need not be centred. Worth it: at most 32 units, and
    at least 10**8 pairs (the batch times N * N). The choice depends on the problem alone, so equal
    calls give equal bytes.

    Examples
    --------
    >>> from infotheo.estimators.pair_sums.factors import Factors
    >>> factors = Factors(np.array([[-5.0]]), 0.25)
    >>> compiled_serves(PairProblem(np.zeros((6, 4096, 10)), factors, exact=True))
    True
    >>> compiled_serves(PairProblem(np.zeros((5, 4096, 10)), factors, exact=True))
    False
    """
    x, kl = problem.points, problem.factors.kl
    if not problem.exact or (is_torch_array(x) and x.device.type != "cpu"):
        return False
    if problem.weights is not None or any(getattr(a, "requires_grad", False) for a in (x, kl)):
        return False
    batch, size, units = x.shape
    if units > MOST_UNITS or batch * size * size < FEWEST_PAIRS:
        return False
    values, factors = to_numpy(x), to_numpy(kl)
    smallest, largest = float(np.min(-factors)), float(np.max(-factors))
    # Chernoff's factor may be much smaller yet, at an alpha near 0 or 1: WIDEST leaves room
    if not (0 < smallest <= largest < math.inf) or largest / smallest > WIDEST:
        return False
    furthest = max(-float(np.min(values)), float(np.max(values)))
    scales = _scales(np.array([smallest, largest]))
    return bool(
        scales[0] >= SCALES[0] and scales[1] <= SCALES[1] and furthest * scales[1] <= LARGEST
    )


def compiled_row_sums(problem: PairProblem, workers: int | None = None) -> RowSums:
    """Solve a problem of pair sums that :func:`compiled_serves` accepts.

    Parameters
    ----------
    problem
        Its points are float32 or float64, not necessarily centred; exponentials are in their dtype,
        whatever its ``precision``.
    workers
        Threads to use; the sums are the same, bit for bit, for any number.

    Notes
    -----
    A float32 difference has a relative error of 2**-24, whatever the offset of the samples, and a
    squared distance one of (d + 3) 2**-24: a bound of information, whose pairs' exponents are
    ln N on average at most, is off by (d + 4) 2**-24 ln N at the very most (1e-5 nats for ten units
    and 10,000 samples), in practice by a hundredth of that, as roundings differ in sign.

    Examples
    --------
    >>> from infotheo.estimators.pair_sums.factors import Factors
    >>> x, factors = np.array([[[0.0], [1.0]]]), Factors(np.array([[-0.5]]), 0.25)
    >>> total, _ = compiled_row_sums(PairProblem(x, factors, exact=True))
    >>> bool(np.allclose(total[1], 1 + np.exp(-0.5)))
    True
    """
    from infotheo.estimators.pair_sums.compiled_kernels import strip_sums

    factors, index = problem.factors.distinct
    # contiguous, aligned, writeable: another kind of array would be compiled anew
    samples = np.require(to_numpy(problem.points), requirements=["C", "A", "W"])
    batch, size, _ = samples.shape
    dtype = samples.dtype
    steps = [step for chain in squaring_chains(factors) for step in chain.steps]
    order = np.array([factor for factor, _ in steps])
    squarings = np.array([count for _, count in steps])
    scales = np.broadcast_to(_scales(-factors[:, 0]), (batch,))
    scaled = np.broadcast_to(factors[:, order], (batch, len(order)))
    scaled = scaled * math.log2(math.e) / scales[:, None] ** 2
    scaled = np.ascontiguousarray(scaled, dtype=dtype)  # another layout would be compiled anew
    scales, floors = scales.astype(dtype), np.array(FLOORS[dtype.itemsize], dtype)
    ends = np.zeros(size, dtype=np.int64)
    if problem.class_starts is not None:
        edges = np.append(problem.class_starts, size)
        ends = np.repeat(edges[1:], np.diff(edges))

    def sums(task: tuple[slice, int, int]) -> tuple[np.ndarray, np.ndarray]:
        part, start, stop = task
        shape = (len(order), part.stop - part.start, size - start)
        total, within = np.zeros(shape), np.zeros(shape)
        strip_sums(
            samples[part], scales[part], scaled[part], squarings, floors, ends, start, stop,
            total, within,
        )  # fmt: skip
        return total, within

    tasks = _tasks(batch, size)
    totals = np.ones((len(order), batch, size))
    withins = None if problem.class_starts is None else np.ones_like(totals)
    with one_blas_thread():  # map_in_order asks for it
        strips = map_in_order(sums, tasks, worker_count() if workers is None else workers)
        for (part, start, _), (total, within) in zip(tasks, strips, strict=True):
            totals[order, part, start:] += total
            if withins is not None:
                withins[order, part, start:] += within
    xp = problem.namespace
    total = spread_over_variances(xp.asarray(totals), index, xp)
    return total, None if withins is None else spread_over_variances(xp.asarray(withins), index, xp)


def _scales(factors: np.ndarray) -> np.ndarray:
    """Powers of two that make the exponents' factors about 1: to scale by them is exact."""
    scales: np.ndarray = 2.0 ** np.round(np.log2(factors) / 2)
    return scales


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
