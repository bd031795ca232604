"""Information plane by binning: T = bin(z), unit by unit; a layer's joint cell is one symbol.

Shwartz-Ziv & Tishby 2017; paper 5, section 1.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

import numpy as np
from array_api_compat import device, is_numpy_array

from infotheo.arrays.conversion import read_array
from infotheo.arrays.labels import Units, check_choice, nats_per, read_classes, read_weights
from infotheo.arrays.results import FieldNote, wrap
from infotheo.arrays.samples import Array, Samples, is_labelled, read_samples, to_numpy
from infotheo.arrays.threads import map_in_threads, worker_count
from infotheo.estimators.binned.cells import Cells, read_cells
from infotheo.estimators.binned.symbols import Symbols, row_encoder, symbol_entropies
from infotheo.estimators.shannon import entropy

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["BinnedInformation", "binned_information"]

ELEMENTS = 2**18  # activations placed at once, for each thread
CODES = 2**18  # codes counted at once


class BinnedInformation(NamedTuple):
    """Result of :func:`binned_information`."""

    value: Array
    ceiling: Array
    outside: Array


@overload
def binned_information(
    z: xr.DataArray,
    labels: Any = None,
    *,
    bins: int = 30,
    range: tuple[float, float] | None = None,
    bin_width: float | None = None,
    edges: Any = None,
    inputs: Any = None,
    weights: Any = None,
    correction: Literal["miller-madow"] | None = None,
    units: Units = "nats",
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> xr.Dataset: ...


@overload
def binned_information(
    z: Any,
    labels: Any = None,
    *,
    bins: int = 30,
    range: tuple[float, float] | None = None,
    bin_width: float | None = None,
    edges: Any = None,
    inputs: Any = None,
    weights: Any = None,
    correction: Literal["miller-madow"] | None = None,
    units: Units = "nats",
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> BinnedInformation: ...


def binned_information(
    z: Any,
    labels: Any = None,
    *,
    bins: int = 30,
    range: tuple[float, float] | None = None,
    bin_width: float | None = None,
    edges: Any = None,
    inputs: Any = None,
    weights: Any = None,
    correction: Literal["miller-madow"] | None = None,
    units: Units = "nats",
    sample_dim: str = "sample",
    unit_dim: str = "unit",
) -> BinnedInformation | xr.Dataset:
    """Information of the binned activations T about the input, or about the labels.

    Parameters
    ----------
    z
        Activations (..., sample, unit); leading dimensions are batch dimensions.
    labels
        Integer class labels (sample,) or one-hot rows: I(T;Y). ``None``: I(T;X).
    bins, range
        Number of equal cells between the two ends. Default range: smallest and largest value of
        ``z`` in this call, over all leading dimensions; state a range to compare calls.
    bin_width
        Instead: cells floor(z / bin_width), without ends, for unbounded activations.
    edges
        Instead: increasing cell edges; the first and last may be infinite; or "quantile": ``bins``
        cells that hold equally many of this call's values (fewer where values repeat).
    inputs
        Which input each sample came from, as integers (sample,) or rows (sample, feature), where
        inputs repeat (a stochastic network, several draws). Default: all distinct, so that
        H(T|X) = 0 and I(T;X) = H(T).
    weights
        Probabilities p(x) of the samples (sample,), up to scale. Default: uniform.
    correction
        "miller-madow" adds (symbols - 1) / (2 samples) to each entropy estimated from counts, and
        clips the result to [0, ceiling]. Not defined for weights.
    units
        "nats" or "bits".
    sample_dim, unit_dim
        Names of the two dimensions of a DataArray.

    Returns
    -------
    BinnedInformation or xarray.Dataset
        ``value`` in ``units``; ``ceiling``, a scalar: ln N (the entropy of the inputs), or H(Y);
        ``outside``: fraction of values outside the edges, counted in the end cells.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; the message names it and what was found.

    Notes
    -----
    Cells are [edge, next edge), the last one closed. Binning is done in float64 whatever the input:
    0.21 / 0.07 floors to 2 there and to 3 in float32. The 29 + 1 cells of the information-plane
    papers' code, with a cell of its own for +1, are ``edges=[*np.linspace(-1, 1, 30), np.inf]``.
    There is no standard error: plug-in entropies of nearly distinct symbols are set by the sample
    size, and repeated rows lower them; compare several seeds.
    Source: Shwartz-Ziv & Tishby 2017; paper 5, section 1.2.

    Examples
    --------
    >>> z = np.array([[-1.0], [-0.9], [0.0], [0.95]])
    >>> binned_information(z, [0, 0, 1, 1], bins=2, range=(-1, 1), units="bits")
    BinnedInformation(value=np.float64(1.0), ceiling=np.float64(1.0), outside=np.float64(0.0))
    """
    samples = read_samples(z, sample_dim=sample_dim, unit_dim=unit_dim)
    cells = read_cells(samples, bins, range, bin_width, edges)
    shares = read_weights(weights, samples)
    classes = None if labels is None else read_classes(labels, samples)
    check_choice(correction, (None, "miller-madow"), "correction")
    if correction is not None and weights is not None:
        raise ValueError(f"correction is {correction!r} with weights; expected one of the two")
    scale = nats_per(units)
    if classes is not None:
        conditions, ceiling = classes.codes, entropy(classes.probabilities(shares))
    elif inputs is not None:
        conditions = _read_inputs(inputs, samples)
        ceiling = entropy(np.bincount(conditions, weights=shares))
    else:
        conditions, ceiling = None, entropy(shares)

    xp, symbols = samples.namespace, _symbols(samples, cells)
    w = None if weights is None else samples.like(shares)

    def information(part: slice) -> Array:
        part_symbols = Symbols(symbols.codes[part], symbols.bound)
        return _information(part_symbols, conditions, w, samples, correction is not None)

    parts = _slices(len(symbols.codes), CODES // samples.size)
    values = xp.concat(map_in_threads(information, parts, samples.values))
    target = "I(T;X)" if labels is None else "I(T;Y)"
    result = BinnedInformation(
        # without a correction, clipped of rounding only
        value=samples.unflat(xp.clip(values, 0.0, ceiling)) / scale,
        ceiling=samples.like(ceiling / scale),
        outside=samples.unflat(cells.fraction_outside(samples.flat(None))),
    )
    return wrap(
        result,
        samples,
        estimator="binned_information",
        settings={
            **cells.settings(),
            "correction": correction,
            "weighted": weights is not None,
            "inputs": "distinct" if inputs is None else "given",
            "target": target,
        },
        notes={
            "value": FieldNote(units, f"binned {target}"),
            "ceiling": FieldNote(units, f"ceiling of {target}"),
            "outside": FieldNote("1", "fraction of values outside the edges"),
        },
    )


def _symbols(samples: Samples, cells: Cells) -> Symbols:
    """Symbols (batch, sample) of the samples, placed some at a time to stay in the cache."""
    xp, rows = samples.namespace, samples.flat(None).reshape(-1, samples.units)
    encode = row_encoder(samples.units, cells.low, cells.high, samples)
    equal_cells = cells.name == "range" and is_numpy_array(rows)

    def encode_rows(part: slice) -> Array:
        part_rows = rows[part]
        codes = xp.empty(len(part_rows), dtype=encode.factors.dtype, device=device(rows))
        blocks = _slices(len(part_rows), ELEMENTS // samples.units)
        if equal_cells:  # the same buffers serve all blocks
            numbers, scratch = (
                np.empty_like(part_rows[blocks[0]]),
                np.empty_like(part_rows[blocks[0]]),
            )
            wide_numbers = np.empty(numbers.shape, encode.factors.dtype)
        for block in blocks:
            values = part_rows[block]
            if equal_cells:
                cell_numbers = numbers[: len(values)]
                cells.place_in_equal_cells(values, cell_numbers, scratch[: len(values)])
                wide_numbers[: len(values)] = cell_numbers
                cell_numbers = wide_numbers[: len(values)]
            else:
                cell_numbers = cells.place(values)
            codes[block] = encode(cell_numbers)
        return codes

    parts = map_in_threads(encode_rows, _slices(len(rows), -(-len(rows) // worker_count())), rows)
    return Symbols(xp.reshape(xp.concat(parts), (-1, samples.size)), encode.bound)


def _information(
    symbols: Symbols,
    conditions: np.ndarray | None,
    weights: Array | None,
    samples: Samples,
    correct: bool,
) -> Array:
    """H(T), or with a class or input of each sample I(T;G) = H(T) + H(G) - H(T,G), (batch,)."""
    xp = samples.namespace

    def entropies(variable: Symbols) -> Array:
        return symbol_entropies(variable, weights, xp, correct=correct)

    if conditions is None:
        return entropies(symbols)
    numbers, count = samples.like(conditions, "int64"), int(conditions.max()) + 1
    condition_entropy = entropies(Symbols(numbers[None], count))
    return entropies(symbols) + condition_entropy - entropies(symbols.join(numbers, count, xp))


def _slices(size: int, step: int) -> list[slice]:
    return [slice(start, start + max(1, step)) for start in np.arange(0, size, max(1, step))]


def _read_inputs(inputs: Any, samples: Samples) -> np.ndarray:
    """Give each distinct input a number; they are integers (sample,) or rows (sample, feature)."""
    if is_labelled(inputs):
        samples.check_aligned(inputs, "inputs")
        inputs = inputs.transpose(samples.sample_dim, ...)
    values = to_numpy(read_array(inputs, "inputs", "integers, or numeric rows"))
    if values.ndim not in (1, 2) or len(values) != samples.size:
        raise ValueError(
            f"inputs has shape {values.shape}; expected ({samples.size},) integers or "
            f"({samples.size}, feature) rows, one for each sample"
        )
    if values.dtype.kind not in "fiub" or (values.ndim == 1 and values.dtype.kind == "f"):
        raise TypeError(f"inputs has dtype {values.dtype}; expected integers, or numeric rows")
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise ValueError("inputs contains NaN; expected numbers")
    if values.ndim == 1:
        return np.unique(values, return_inverse=True)[1]
    # column by column: ids of prefixes stay small integers, so that nothing can collide
    numbers = np.zeros(samples.size, dtype=np.int64)
    for column in values.T:
        distinct, codes = np.unique(column, return_inverse=True)
        numbers = np.unique(numbers * len(distinct) + codes, return_inverse=True)[1]
    return numbers
