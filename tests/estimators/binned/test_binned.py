import math
from collections import Counter

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from infotheo.arrays.samples import read_samples
from infotheo.estimators.binned import information as module
from infotheo.estimators.binned.cells import read_cells
from infotheo.estimators.binned.information import binned_information
from infotheo.estimators.binned.symbols import row_encoder


def naive_entropy(symbols, weights=None):
    mass = Counter()
    for k, symbol in enumerate(symbols):
        mass[symbol] += 1 if weights is None else weights[k]
    total = sum(mass.values())
    return -sum(m / total * math.log(m / total) for m in mass.values() if m > 0)


def naive_label_information(symbols, y, weights=None):
    w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=float)
    value = naive_entropy(symbols, w)
    for label in np.unique(y):
        members = np.flatnonzero(y == label)
        within = naive_entropy([symbols[k] for k in members], w[members])
        value -= w[members].sum() / w.sum() * within
    return value


def naive_cells(z, edges):
    """One tuple of cell numbers a sample, by comparing with every edge."""
    rows = []
    for row in z:
        rows.append(tuple(min(max(sum(v >= e for e in edges) - 1, 0), len(edges) - 2) for v in row))
    return rows


Z = np.tanh(np.random.default_rng(0).normal(size=(60, 2)))
Y = np.arange(60) % 3
EDGES = np.linspace(-0.9, 0.9, 6)


@pytest.mark.parametrize("weighted", [False, True])
def test_agrees_with_counting_tuples(weighted):
    weights = np.arange(60.0) if weighted else None
    symbols = naive_cells(Z, EDGES)
    for options in ({"bins": 5, "range": (-0.9, 0.9)}, {"edges": EDGES}):
        about_input = binned_information(Z, weights=weights, **options)
        about_labels = binned_information(Z, Y, weights=weights, **options)
        # sums of 60 terms of order 0.1 in another order
        assert about_input.value == pytest.approx(naive_entropy(symbols, weights), abs=1e-12)
        assert about_labels.value == pytest.approx(
            naive_label_information(symbols, Y, weights), abs=1e-12
        )
        assert about_input.ceiling == pytest.approx(naive_entropy(range(60), weights), abs=1e-12)
        assert about_labels.ceiling == pytest.approx(naive_entropy(Y, weights), abs=1e-12)
        assert about_input.outside == np.mean((Z < -0.9) | (Z > 0.9)) > 0


@pytest.mark.parametrize("labels", [None, Y])
def test_weights_of_tensors(labels):
    weights = np.arange(60.0)
    expected = binned_information(Z, labels, bins=5, weights=weights)
    result = binned_information(torch.tensor(Z), labels, bins=5, weights=torch.tensor(weights))
    assert float(result.value) == pytest.approx(expected.value, abs=1e-12)


def test_out_of_range_values_fall_into_the_end_cells():
    z = np.array([[-5.0], [-1.0], [1.0], [9.0], [0.0], [0.0]])
    result = binned_information(z, bins=3, range=(-1, 1))
    assert result.value == pytest.approx(math.log(3), abs=1e-12)
    assert result.outside == pytest.approx(2 / 6)


def test_the_default_range_is_that_of_the_call():
    array = xr.DataArray(Z, dims=("sample", "unit"))
    result = binned_information(array, bins=7)
    assert f'"range": [{Z.min()}, {Z.max()}]' in result.attrs["settings"]
    assert float(result.outside) == 0
    given_range = binned_information(Z, bins=7, range=(Z.min(), Z.max()))
    assert float(result.value) == given_range.value


def test_floor_binning_is_done_in_float64():
    z = np.array([[0.21], [0.14]], dtype=np.float32)
    assert np.floor(np.float32(0.21) / np.float32(0.07)) == 3
    cells = read_cells(read_samples(z), 30, None, 0.07, None)
    assert cells.place(z).ravel().tolist() == [2, 2]  # float32 0.14 lies above 2 * 0.07
    assert cells.place(np.array([[0.21], [0.139]])).ravel().tolist() == [2, 1]
    symbols = [tuple(np.floor(row / 0.07).tolist()) for row in Z]
    assert binned_information(Z, bin_width=0.07).value == pytest.approx(naive_entropy(symbols))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("ends", [(-1.0, 1.0), (0.0, 0.7), (1000.0, 1000.3), (-1e-3, 5.0)])
@pytest.mark.parametrize("bins", [1, 2, 30, 1000])
def test_arithmetic_finds_the_cells_of_a_search(dtype, ends, bins):
    """On every edge, one rounding beside it, beyond the ends, and anywhere between."""
    generator = np.random.default_rng(7)
    edges = np.linspace(*ends, bins + 1)
    near = edges.astype(dtype)
    values = np.concatenate(
        [
            near,
            np.nextafter(near, dtype(np.inf)),
            np.nextafter(near, dtype(-np.inf)),
            generator.uniform(ends[0] - 0.1, ends[1] + 0.1, 999).astype(dtype),
            np.array([-1e30, 1e30], dtype),
        ]
    )[:, None]
    cells = read_cells(read_samples(values), bins, ends, None, None)
    numbers, scratch = np.empty_like(values), np.empty_like(values)
    cells.place_in_equal_cells(values, numbers, scratch)
    np.testing.assert_array_equal(numbers, cells.place(values))
    np.testing.assert_array_equal(
        numbers[:, 0], [sum(v >= e for e in edges[1:-1]) for v in values[:, 0].astype(np.float64)]
    )


def test_wide_layers_are_hashed_and_narrow_ones_coded_exactly():
    """Both ways tell rows apart alike: 30 cells of 10 units fit into 2**53, of 11 they do not."""
    generator = np.random.default_rng(8)
    rows = generator.integers(30, size=(200, 11)).astype(float)
    rows[100:] = rows[:100]
    samples = read_samples(rows)
    exact, hashed = row_encoder(10, 0, 29, samples), row_encoder(11, 0, 29, samples)
    assert exact.bound is not None
    assert hashed.bound is None
    for codes in (exact(rows[:, :10]), hashed(rows)):
        assert len(np.unique(codes)) == 100
        np.testing.assert_array_equal(codes[:100], codes[100:])


def test_cells_of_the_information_plane_papers():
    """29 cells between 30 edges, and a cell of its own for +1 exactly; nothing wraps round."""
    edges = [*np.linspace(-1, 1, 30), np.inf]
    z = np.array([[-1.0], [-0.99], [0.98], [1.0], [-3.0]])
    result = binned_information(z, edges=edges)
    assert result.value == pytest.approx(naive_entropy("aabca"), abs=1e-12)
    assert result.outside == pytest.approx(1 / 5)
    cells = read_cells(read_samples(z), 30, None, None, edges)
    assert cells.place(z).ravel().tolist() == [0, 0, 28, 29, 0]


def test_quantile_cells_hold_equally_many_values():
    z = np.random.default_rng(1).normal(size=(400, 1)) ** 3
    result = binned_information(z, edges="quantile", bins=8)
    # 400 values in 8 cells: 50 each, up to one at an edge
    assert result.value == pytest.approx(math.log(8), abs=1e-3)
    assert result.outside == 0
    relu = np.maximum(z, 0)  # half of the quantiles coincide at 0
    assert binned_information(relu, edges="quantile", bins=8).value > 1


def test_a_constant_layer_is_one_symbol():
    for options in ({}, {"edges": "quantile"}, {"bin_width": 0.5}, {"range": (0.0, 1.0)}):
        result = binned_information(np.full((5, 3), 0.3), [0, 1, 0, 1, 1], **options)
        assert (result.value, result.outside) == (0, 0)


def test_repeated_inputs_of_a_deterministic_network_leave_no_noise():
    x = np.repeat(np.arange(12), 5)
    z = np.tile(Z[:12], (1, 1)).repeat(5, axis=0)
    plain = binned_information(z, bins=9)
    assert binned_information(z, bins=9, inputs=x).value == pytest.approx(plain.value, abs=1e-12)
    assert binned_information(z, bins=9, inputs=x).ceiling == pytest.approx(math.log(12))


def test_repeated_inputs_of_a_stochastic_network():
    """T = bin(x + noise): I(T;X) = H(T) - H(T|X), counted from pairs (x, t)."""
    generator = np.random.default_rng(2)
    x = generator.integers(4, size=300)
    z = (x + generator.normal(size=300) * 0.5)[:, None]
    symbols = naive_cells(z, np.linspace(-2, 6, 9))
    expected = naive_label_information(symbols, x)
    rows = np.stack([x == 0, x == 1, x == 2, x == 3], axis=1) * 0.1
    for inputs in (x, x * 1000 - 7, rows, torch.tensor(x)):
        result = binned_information(z, bins=8, range=(-2, 6), inputs=inputs)
        assert result.value == pytest.approx(expected, abs=1e-12)
        assert result.ceiling == pytest.approx(naive_entropy(x), abs=1e-12)
    # the label information of the same variable is the same number
    labelled = binned_information(z, x, bins=8, range=(-2, 6))
    assert labelled.value == pytest.approx(expected, abs=1e-12)


def test_miller_madow():
    symbols = naive_cells(Z, EDGES)
    distinct = len(set(symbols))
    plain = binned_information(Z, edges=EDGES)
    corrected = binned_information(Z, edges=EDGES, correction="miller-madow")
    assert corrected.value - plain.value == pytest.approx((distinct - 1) / 120, abs=1e-12)
    z = np.random.default_rng(3).integers(3, size=(200, 1))
    y = (z[:, 0] + np.random.default_rng(4).integers(2, size=200)) % 3
    pairs = len(set(zip(z[:, 0], y, strict=True)))
    change = (
        binned_information(z, y, bins=3, correction="miller-madow").value
        - binned_information(z, y, bins=3).value
    )
    assert change == pytest.approx((3 - 1 - pairs + 3) / 400, abs=1e-12)


def test_the_correction_lowers_the_bias_of_independent_labels():
    generator = np.random.default_rng(5)
    z = generator.integers(8, size=(50, 100, 1))
    y = generator.integers(4, size=100)
    plain = binned_information(z, y, bins=8).value.mean()
    corrected = binned_information(z, y, bins=8, correction="miller-madow").value.mean()
    assert plain > 0.08  # (8 - 1)(4 - 1) / 200 = 0.105 in expectation
    assert corrected < plain / 3


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), samples=st.integers(2, 40), units=st.integers(1, 40))
def test_properties(seed, samples, units):
    generator = np.random.default_rng(seed)
    z = generator.normal(size=(samples, units)).round(1)
    y = generator.integers(4, size=samples)
    coarse = binned_information(z, edges=np.linspace(-2, 2, 5))
    fine = binned_information(z, edges=np.linspace(-2, 2, 9))
    labelled = binned_information(z, y, edges=np.linspace(-2, 2, 9))
    assert 0 <= coarse.value <= fine.value + 1e-12
    assert fine.value <= fine.ceiling
    assert 0 <= labelled.value <= min(labelled.ceiling, fine.value + 1e-12)
    symbols = naive_cells(z, np.linspace(-2, 2, 9))
    assert fine.value == pytest.approx(naive_entropy(symbols), abs=1e-12)
    order = generator.permutation(samples)
    columns = generator.permutation(units)
    shuffled = binned_information(z[order][:, columns], y[order], edges=np.linspace(-2, 2, 9))
    assert shuffled.value == pytest.approx(labelled.value, abs=1e-12)


@pytest.mark.parametrize("kind", ["numpy", "torch", "xarray"])
def test_kinds_and_batches(monkeypatch, kind):
    monkeypatch.setattr(module, "ELEMENTS", 32)  # several blocks of samples
    z = np.stack([[Z, Z**2, -Z], [Z / 2, Z + 1, Z * 3]])
    options = {"bins": 6, "range": (-1, 1)}
    if kind == "xarray":
        array = xr.DataArray(
            z, dims=("seed", "epoch", "sample", "unit"), coords={"seed": [3, 4], "kept": 1.5}
        )
        result = binned_information(array.transpose("unit", ...), Y, **options)
        assert result.value.dims == ("seed", "epoch")
        assert result.value.attrs["units"] == "nats"
        assert float(result.kept) == 1.5
    else:
        z_in, y_in = (torch.tensor(z), torch.tensor(Y)) if kind == "torch" else (z, Y)
        result = binned_information(z_in, y_in, **options)
        assert isinstance(result.value, torch.Tensor) == (kind == "torch")
    for index in np.ndindex(2, 3):
        alone = binned_information(z[index], Y, **options)
        assert float(result.value[index]) == pytest.approx(alone.value, abs=1e-12)
        assert float(result.outside[index]) == pytest.approx(alone.outside, abs=1e-15)


def test_units():
    nats, bits = binned_information(Z, Y, bins=5), binned_information(Z, Y, bins=5, units="bits")
    assert bits.value * math.log(2) == pytest.approx(nats.value, rel=1e-14)
    assert bits.ceiling == pytest.approx(math.log2(3), rel=1e-14)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"bins": 0}, ValueError, "bins is 0; expected a whole number >= 1"),
        ({"bins": 2.5}, TypeError, r"bins is 2\.5"),
        ({"range": (1, 1)}, ValueError, r"range is \(1, 1\); expected two finite numbers"),
        ({"range": (0, np.inf)}, ValueError, r"range is \(0, inf\)"),
        ({"range": 3}, TypeError, "range is 3; expected two numbers"),
        ({"bin_width": 0}, ValueError, "bin_width is 0; expected a positive"),
        ({"bin_width": -0.1}, ValueError, r"bin_width is -0\.1"),
        ({"bin_width": 1e-30}, ValueError, r"bin_width is 1e-30; .*not below rounding"),
        ({"bin_width": "wide"}, TypeError, "bin_width is 'wide'"),
        ({"edges": [0, 1, 1]}, ValueError, r"edges go from 1\.0 to 1\.0; expected increasing"),
        ({"edges": [0, np.nan]}, ValueError, r"edges go from 0\.0 to nan"),
        ({"edges": [1.0]}, ValueError, r"edges has shape \(1,\); expected \(K,\) with K >= 2"),
        ({"edges": ["a", "b"]}, TypeError, "edges has dtype"),
        ({"edges": "quantiles"}, ValueError, "edges is 'quantiles'"),
        ({"edges": [0, 1], "range": (0, 1)}, ValueError, "range and edges are given together"),
        ({"correction": "james"}, ValueError, "correction is 'james'; expected one of None"),
        ({"correction": "miller-madow", "weights": np.ones(60)}, ValueError, "with weights"),
        ({"inputs": np.arange(59)}, ValueError, r"inputs has shape \(59,\); expected \(60,\)"),
        ({"inputs": np.arange(60) / 7}, TypeError, "inputs has dtype float64"),
        ({"inputs": np.full((60, 1), np.nan)}, ValueError, "inputs contains NaN"),
        ({"units": "bit"}, ValueError, "units is 'bit'; expected one of 'nats', 'bits'"),
    ],
)
def test_bad_settings(options, error, message):
    with pytest.raises(error, match=message):
        binned_information(Z, **options)
