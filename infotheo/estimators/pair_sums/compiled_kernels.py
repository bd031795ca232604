"""The compiled loops over pairs of samples of few units: differences, exponentials, both sums.

A row meets a tile of columns unit by unit, so every inner loop runs over columns that lie side by
side, without a branch or a call: what a compiler turns into vector instructions. Compiled once for
float32 and once for float64 (some seconds each), then read from a cache on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

__all__ = ["strip_sums"]

WIDTH = 512  # columns of a tile: with ten units, in a core's nearest cache
ROWS = 32  # of a tile whose column sums stay in the samples' precision: equal terms round alike
STEP = 32  # a tile's columns come in as many: whole vectors, however often the loop is unrolled
APART = 64  # bytes' worth of columns between rows of a tile: else they compete for the same lines
NOWHERE = 2.0**60  # coordinate of the columns that fill a tile up: far from every sample
FAR = 2.0**120  # squared distance whose exponential is 0

# a sum may be added in any order, a product may join a sum; nothing else moves
FAST = {"reassoc", "contract", "nsz"}

# q of 2^r = 1 + r q(r) at the Chebyshev nodes of [-1/2, 1/2]; relative error 5e-9 and 8e-18
SERIES = {
    32: (
        0.69314718802622878106,
        0.24022650760568126945,
        0.055503571142190778186,
        0.0096180825572778514913,
        0.0013390863364671234381,
        0.00015453162945120690177,
    ),
    64: (
        0.69314718055994530942,
        0.24022650695910098220,
        0.055504108664821594339,
        0.0096181291076068885273,
        0.0013333558146416935310,
        0.00015403530441736050155,
        0.000015252733829836118394,
        1.3215442587921689653e-6,
        1.0178062445845773521e-7,
        7.0725859492692236999e-9,
        4.4549605981865183938e-10,
    ),
}
EXPONENT = {32: (127, 23), 64: (1023, 52)}  # of a float: bias, place of its lowest bit


OPTIONS: dict[str, Any] = {"nogil": True, "fastmath": FAST, "error_model": "numpy"}


def _inlined(function: Callable[..., Any]) -> Any:
    """Make a part of the compiled function: a call would count references to every array."""
    return njit(inline="always", **OPTIONS)(function)


def _compiled(function: Callable[..., Any]) -> Any:
    """Compile at the first call; kept on disk where there is a place for it."""
    try:
        return njit(cache=True, **OPTIONS)(function)
    except RuntimeError:  # neither beside this file nor in the user's own cache: compiled anew
        return njit(**OPTIONS)(function)


def _exp2(typing: Any, exponent: Any) -> Any:
    """Give 2**exponent for an exponent <= 0: exactly 1 for 0, exactly 0 far below.

    exponent = n + r with whole n: 2^r is a polynomial, 2^n the bits of a float. What is below all
    normal numbers gets the exponent bits 0, and so is 0.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind = values[0].type
        bits = 32 if signature.args[0] == types.float32 else 64
        bias, place = EXPONENT[bits]
        word = ir.IntType(bits)
        lowest = ir.Constant(kind, float(-bias))
        inside = builder.fcmp_ordered(">", values[0], lowest)
        y = builder.select(inside, values[0], lowest)
        n = builder.call(builder.module.declare_intrinsic("llvm.rint", [kind]), [y])
        r = builder.fsub(y, n)
        three_arguments = ir.FunctionType(kind, [kind] * 3)
        fused = builder.module.declare_intrinsic("llvm.fmuladd", [kind], three_arguments)
        *lower, p = (ir.Constant(kind, c) for c in (1.0, *SERIES[bits]))
        for c in reversed(lower):
            p = builder.call(fused, [p, r, c])
        # through 32 bits: vectors have no instruction from float64 to 64-bit integers
        integer = builder.fptosi(n, ir.IntType(32))
        integer = integer if bits == 32 else builder.sext(integer, word)
        integer = builder.shl(
            builder.add(integer, ir.Constant(word, bias)), ir.Constant(word, place)
        )
        return builder.fmul(p, builder.bitcast(integer, kind))

    return exponent(exponent), generate


exp2: Any = intrinsic(_exp2)


@_inlined
def _fill(tile: Any, samples: Any, first: int, width: int, scale: Any) -> None:
    """Copy samples into the columns of a tile, scaled; the rest of it is nowhere."""
    units = samples.shape[1]
    tile[:units] = NOWHERE
    for j in range(width):
        for k in range(units):
            tile[k, j] = samples[first + j, k] * scale


@_inlined
def _distances(row: Any, tile: Any, low: int, high: int, out: Any) -> None:
    """Squared distances from a sample to a tile's columns, four units at a time."""
    units = len(row)
    k = units % 4
    d = out[low:high]
    w, x, y = row[0], row[k // 2], row[max(k, 1) - 1]
    a, b, c = tile[0, low:high], tile[k // 2, low:high], tile[max(k, 1) - 1, low:high]
    if k == 0:
        for j in range(len(d)):
            d[j] = 0
    elif k == 1:
        for j in range(len(d)):
            d[j] = (a[j] - w) ** 2
    elif k == 2:
        for j in range(len(d)):
            d[j] = (a[j] - w) ** 2 + (b[j] - x) ** 2
    else:
        for j in range(len(d)):
            d[j] = (a[j] - w) ** 2 + (b[j] - x) ** 2 + (c[j] - y) ** 2
    while k < units:
        w, x, y, z = row[k], row[k + 1], row[k + 2], row[k + 3]
        a, b, c = tile[k, low:high], tile[k + 1, low:high], tile[k + 2, low:high]
        e = tile[k + 3, low:high]
        for j in range(len(d)):
            d[j] += (a[j] - w) ** 2 + (b[j] - x) ** 2 + (c[j] - y) ** 2 + (e[j] - z) ** 2
        k += 4


@_inlined
def _add_pair(
    distances: Any, factor: Any, floor: Any, columns: Any, sums: Any, low: int, high: int
) -> None:
    """Add the exponentials, and their fourth powers: Chernoff and KL at alpha = 1/2."""
    distances = distances[low:high]  # slices of rows: the compiler must know that they are dense
    chernoff, kl = columns[0, low:high], columns[1, low:high]
    zero = distances.dtype.type(0)
    first, second = zero, zero
    for j in range(len(distances)):
        term = exp2(distances[j] * factor)
        first += term
        chernoff[j] += term
        term = term if term > floor else zero  # its power would be subnormal, and slow
        term *= term
        term *= term
        second += term
        kl[j] += term
    sums[0] += first
    sums[1] += second


@_inlined
def _add_factors(
    distances: Any,
    factors: Any,
    squarings: Any,
    floor: Any,
    terms: Any,
    columns: Any,
    sums: Any,
    low: int,
    high: int,
) -> None:
    """Add the exponentials for each factor: computed, or squared from those of the one before."""
    distances, terms = distances[low:high], terms[low:high]
    zero = distances.dtype.type(0)
    nothing = -np.inf
    for f in range(len(factors)):
        factor, column = factors[f], columns[f, low:high]
        if factor <= nothing:
            continue
        if squarings[f] == 0:
            for j in range(len(distances)):
                terms[j] = exp2(distances[j] * factor)
        for _ in range(squarings[f]):
            for j in range(len(distances)):
                term = terms[j] if terms[j] > floor else zero
                terms[j] = term * term
        total = zero
        for j in range(len(distances)):
            total += terms[j]
            column[j] += terms[j]
        sums[f] += total
        if total == 0:  # nor is there anything for a larger factor
            nothing = factor


@_inlined
def _add(
    distances: Any,
    factors: Any,
    squarings: Any,
    floors: Any,
    terms: Any,
    columns: Any,
    sums: Any,
    low: int,
    high: int,
) -> None:
    """Add what a row's pairs with the columns from low to high give to both."""
    if len(squarings) == 2 and squarings[1] == 2:
        _add_pair(distances, factors[0], floors[1], columns, sums, low, high)
    else:
        _add_factors(distances, factors, squarings, floors[0], terms, columns, sums, low, high)


@_inlined
def _join(sums: Any, terms: Any) -> None:
    for j in range(len(sums)):
        sums[j] += terms[j]


@_compiled
def strip_sums(
    samples: Any,
    scales: Any,
    factors: Any,
    squarings: Any,
    floors: Any,
    ends: Any,
    start: int,
    stop: int,
    total: Any,
    within: Any,
) -> None:
    """Add what the pairs of some samples with all later ones give to either of the two.

    Parameters
    ----------
    samples
        (batch, sample, unit) of float32 or float64, contiguous.
    scales
        (batch,) powers of two by which the samples are multiplied.
    factors
        (batch, factor) negative, of base-2 exponents, in the samples' dtype.
    squarings
        (factor,) how often the exponentials of the factor before are squared; 0: computed.
    floors
        (2,) what is set to 0 before one squaring, before two, in the samples' dtype.
    ends
        (sample,) one past the last sample of the class, or 0: no classes.
    start, stop
        The samples.
    total, within
        (factor, batch, sample - start) float64, added to: all pairs, pairs within a class.
    """
    batch, size, units = samples.shape
    kind = samples.dtype
    count = len(squarings)
    tile = np.empty((units, WIDTH + APART), kind)
    row = np.empty(units, kind)
    distances, terms = np.empty(WIDTH, kind), np.empty(WIDTH, kind)
    inner, outer = np.empty((count, WIDTH), kind), np.empty((count, WIDTH), kind)
    inner_sums, outer_sums = np.empty(count, kind), np.empty(count, kind)
    for element in range(batch):
        x, scale, element_factors = samples[element], scales[element], factors[element]
        for first in range(start, size, WIDTH):
            width = min(WIDTH, size - first)
            padded = -(-width // STEP) * STEP
            last = min(stop, first + width - 1)  # a row's columns come after it
            _fill(tile, x, first, width, scale)
            for block in range(start, last, ROWS):
                inner[:] = 0
                outer[:] = 0
                for i in range(block, min(block + ROWS, last)):
                    for k in range(units):
                        row[k] = x[i, k] * scale
                    low = max(0, (i + 1 - first) // STEP * STEP)
                    _distances(row, tile, low, padded, distances)
                    for j in range(low, i + 1 - first):
                        distances[j] = FAR
                    edge = max(ends[i] - first, low)
                    edge = padded if edge >= width else edge
                    inner_sums[:] = 0
                    outer_sums[:] = 0
                    if edge > low:
                        _add(
                            distances, element_factors, squarings, floors, terms, inner, inner_sums,
                            low, edge,
                        )  # fmt: skip
                    if edge < padded:
                        _add(
                            distances, element_factors, squarings, floors, terms, outer, outer_sums,
                            edge, padded,
                        )  # fmt: skip
                    for f in range(count):
                        within[f, element, i - start] += inner_sums[f]
                        total[f, element, i - start] += inner_sums[f] + outer_sums[f]
                begin = first - start
                for f in range(count):
                    _join(total[f, element, begin : begin + width], outer[f])
                    if ends[last - 1] > 0:
                        _join(total[f, element, begin : begin + width], inner[f])
                        _join(within[f, element, begin : begin + width], inner[f])
