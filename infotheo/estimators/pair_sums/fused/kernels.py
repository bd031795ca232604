"""Triton kernels of the pairwise bounds: a tile of pairs is measured, used and forgotten.

Imported when the first launch asks for them: they need Triton.
"""

# what Triton compiles is typed by the arguments of a launch, not by annotations
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-decorators

from __future__ import annotations

import triton
import triton.language as tl

__all__ = ["pair_slopes", "pair_sums"]


@triton.jit
def distance_tile(
    x,  # (sample, unit) of one member of the batch, float32 or float64
    norms,  # (sample,) squared, in the dtype of x
    row,
    column,  # numbers of the tile
    size,
    units,
    TILE: tl.constexpr,
    DEPTH: tl.constexpr,
    PRECISION: tl.constexpr,
) -> tl.tensor:
    """Squared distances (TILE, TILE) in float32: 0 to itself, infinite beyond the sample."""
    inside = tl.arange(0, TILE)
    depth = tl.arange(0, DEPTH)
    rows = tl.minimum(inside, size - 1 - row * TILE)  # a ragged tile repeats the last sample
    columns = tl.minimum(inside, size - 1 - column * TILE)
    # where the tile starts may exceed 32 bits; where a value lies inside it does not
    x_rows = x + (row * TILE).to(tl.int64) * units + rows[:, None] * units + depth[None, :]
    x_columns = x + (column * TILE).to(tl.int64) * units + columns[:, None] * units + depth[None, :]
    products = tl.zeros((TILE, TILE), dtype=x.dtype.element_ty)
    for k in range(0, units, DEPTH):
        in_units = depth[None, :] < units - k
        a = tl.load(x_rows + k, mask=in_units, other=0.0)
        b = tl.load(x_columns + k, mask=in_units, other=0.0)
        products = tl.dot(
            a, tl.trans(b), products, input_precision=PRECISION, out_dtype=x.dtype.element_ty
        )
    row_norms = tl.load(norms + row * TILE + rows)
    column_norms = tl.load(norms + column * TILE + columns)
    squared = row_norms[:, None] + column_norms[None, :] - 2 * products
    squared = tl.maximum(squared, 0.0).to(tl.float32)  # rounding leaves tiny negatives
    i = (row * TILE + inside)[:, None]
    j = (column * TILE + inside)[None, :]
    squared = tl.where(i == j, 0.0, squared)
    return tl.where((i < size) & (j < size), squared, float("inf"))


@triton.jit
def store_sums(
    values, row_weights, column_weights, across, down, above, WEIGHTED: tl.constexpr
) -> None:
    """Store sums over columns for the rows and, above the diagonal, over rows for the columns."""
    if WEIGHTED:
        tl.store(across, tl.sum(values * column_weights[None, :], axis=1))
        if above:
            tl.store(down, tl.sum(values * row_weights[:, None], axis=0))
    else:
        tl.store(across, tl.sum(values, axis=1))
        if above:
            tl.store(down, tl.sum(values, axis=0))


@triton.jit(do_not_specialize=["size", "sweep", "coefficient_step", "first", "height", "width"])
def pair_sums(
    x,  # (batch, sample, unit) float32 or float64
    norms,  # (batch, sample) squared, in the dtype of x
    coefficients,  # (batch or 1, sweep, 2 [chernoff, kl]) float32, negative, for exp2
    weights,  # (sample,) float32
    classes,  # (sample,) int32, ascending
    across,  # (batch, kind, 2, sweep, width, height * TILE) float32: a slot for a column tile
    down,  # (batch, kind, 2, sweep, height, width * TILE) float32: a slot for a row tile
    size,
    units,
    sweep,
    coefficient_step,  # 0 where the batch shares them
    first,  # row tile, and column tile, at which the band starts
    height,  # row tiles of the band
    width,  # column tiles of the band
    TILE: tl.constexpr,
    DEPTH: tl.constexpr,
    PRECISION: tl.constexpr,
    HALF: tl.constexpr,
    WEIGHTED: tl.constexpr,
    WITHIN: tl.constexpr,
) -> None:
    """Row and column sums of one tile of the upper triangle, for every variance."""
    # neighbours share a column tile and cycle through the band's rows: both stay in the cache
    program = tl.program_id(0)
    row_slot = program % height
    column_slot = (program // height) % width
    member = (program // height // width).to(tl.int64)
    row = first + row_slot
    column = first + column_slot
    if column >= row:
        squared = distance_tile(
            x + member * size * units,
            norms + member * size,
            row,
            column,
            size,
            units,
            TILE,
            DEPTH,
            PRECISION,
        )
        inside = tl.arange(0, TILE)
        i = tl.minimum(row * TILE + inside, size - 1)
        j = tl.minimum(column * TILE + inside, size - 1)
        row_weights = inside
        column_weights = inside
        if WEIGHTED:
            row_weights = tl.load(weights + i)
            column_weights = tl.load(weights + j)
        row_classes = inside
        column_classes = inside
        if WITHIN:
            row_classes = tl.load(classes + i)
            column_classes = tl.load(classes + j)
        # classes are contiguous: most tiles hold no pair of one class
        together = tl.min(column_classes, axis=0) <= tl.max(row_classes, axis=0)
        above = column > row
        planes: tl.constexpr = 4 if WITHIN else 2
        plane = tl.cast(height, tl.int64) * width * TILE
        across += member * planes * sweep * plane + column_slot * height * TILE + row_slot * TILE
        down += member * planes * sweep * plane + row_slot * width * TILE + column_slot * TILE
        coefficients += member * coefficient_step
        for k in range(sweep):
            chernoff = tl.exp2(squared * tl.load(coefficients + 2 * k))
            if HALF:  # of order 1/2, Kullback-Leibler is four times Chernoff
                kl = chernoff * chernoff
                kl = kl * kl
            else:
                kl = tl.exp2(squared * tl.load(coefficients + 2 * k + 1))
            for which in tl.static_range(2):
                values = chernoff if which == 0 else kl
                slot = (which * sweep + k) * plane + inside
                store_sums(
                    values,
                    row_weights,
                    column_weights,
                    across + slot,
                    down + slot,
                    above,
                    WEIGHTED,
                )
                if WITHIN:
                    if together:
                        same = row_classes[:, None] == column_classes[None, :]
                        store_sums(
                            tl.where(same, values, 0.0),
                            row_weights,
                            column_weights,
                            across + slot + 2 * sweep * plane,
                            down + slot + 2 * sweep * plane,
                            above,
                            WEIGHTED,
                        )


@triton.jit(do_not_specialize=["size", "sweep", "coefficient_step", "first", "height", "tiles"])
def pair_slopes(
    x,  # (batch, sample, unit) float32 or float64
    norms,  # (batch, sample) squared, in the dtype of x
    coefficients,  # (batch or 1, sweep, 2 [chernoff, kl]) float32, negative, for exp2
    weights,  # (sample,) float32
    classes,  # (sample,) int32, ascending
    incoming,  # (batch, kind, 2, sweep, sample) float32: gradient of the sums
    slopes,  # (batch, height * TILE, tiles * TILE) float32: of the loss against squared distances
    turns,  # (batch, 2, sweep, height, tiles) float32: of the loss against the coefficients, / ln 2
    size,
    units,
    sweep,
    coefficient_step,  # 0 where the batch shares them
    first,  # row tile at which the band starts
    height,  # row tiles of the band
    tiles,  # column tiles
    TILE: tl.constexpr,
    DEPTH: tl.constexpr,
    PRECISION: tl.constexpr,
    HALF: tl.constexpr,
    WEIGHTED: tl.constexpr,
    WITHIN: tl.constexpr,
    TURNS: tl.constexpr,
) -> None:
    """Gradients of one tile, summed over divergences, variances and kinds of sums."""
    program = tl.program_id(0)
    row_slot = program % height
    column = (program // height) % tiles
    member = (program // height // tiles).to(tl.int64)
    row = first + row_slot
    squared = distance_tile(
        x + member * size * units,
        norms + member * size,
        row,
        column,
        size,
        units,
        TILE,
        DEPTH,
        PRECISION,
    )
    inside = tl.arange(0, TILE)
    i = tl.minimum(row * TILE + inside, size - 1)
    j = tl.minimum(column * TILE + inside, size - 1)
    kinds: tl.constexpr = 2 if WITHIN else 1
    incoming += member * kinds * 2 * sweep * size
    coefficients += member * coefficient_step
    turns += (member * 2 * sweep * height + row_slot) * tiles + column
    slope = tl.zeros((TILE, TILE), dtype=tl.float32)
    for k in range(sweep):
        chernoff_rate = tl.load(coefficients + 2 * k)
        kl_rate = tl.load(coefficients + 2 * k + 1)
        chernoff = tl.exp2(squared * chernoff_rate)
        if HALF:
            kl = chernoff * chernoff
            kl = kl * kl
        else:
            kl = tl.exp2(squared * kl_rate)
        for which in tl.static_range(2):
            values = chernoff if which == 0 else kl
            rate = chernoff_rate if which == 0 else kl_rate
            plane = incoming + (which * sweep + k) * size
            from_row = tl.load(plane + i)[:, None]
            from_column = tl.load(plane + j)[None, :]
            if WITHIN:  # a pair of one class is in both sums
                within = plane + 2 * sweep * size
                same = tl.load(classes + i)[:, None] == tl.load(classes + j)[None, :]
                from_row += tl.where(same, tl.load(within + i)[:, None], 0.0)
                from_column += tl.where(same, tl.load(within + j)[None, :], 0.0)
            if WEIGHTED:
                from_row *= tl.load(weights + j)[None, :]
                from_column *= tl.load(weights + i)[:, None]
            slope += (rate * values) * (from_row + from_column)
            if TURNS:
                turn = tl.where(values > 0, squared, 0.0) * values * from_row
                turn = tl.sum(tl.sum(turn, axis=1), axis=0)
                tl.store(turns + (which * sweep + k) * height * tiles, turn)
    place = (row_slot * TILE + inside)[:, None] * tl.cast(tiles * TILE, tl.int64)
    slopes += member * height * TILE * tiles * TILE
    tl.store(slopes + place + (column * TILE + inside)[None, :], slope)
