"""Identical and comparable output networks: paper 1's theorems 1 and 2 and table 3."""

import re

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import infotheo as it
from infotheo.networks.transforms import ones_with_random_diagonal, random_positive_diagonal

INPUTS, UNITS, CLASSES = 5, 4, 3


def pair(seed=0, replicas=(), bias=True):
    generator = np.random.default_rng(seed)
    first = (
        generator.normal(size=(*replicas, INPUTS, UNITS)),
        generator.normal(size=(*replicas, UNITS)) if bias else None,
    )
    second = (
        generator.normal(size=(*replicas, UNITS, CLASSES)),
        generator.normal(size=(*replicas, CLASSES)) if bias else None,
    )
    return first, second


def affine(x, layer):
    weight, bias = layer
    product = x @ weight
    return product if bias is None else product + np.expand_dims(bias, -2)


def relu(values):
    return np.maximum(values, 0)


def nonsingular(seed):
    generator = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(generator.normal(size=(UNITS, UNITS)))
    return turn @ np.diag(generator.uniform(0.2, 5, size=UNITS))


def permuted_diagonal(seed):
    generator = np.random.default_rng(seed)
    return np.diag(generator.uniform(1e-3, 1e3, size=UNITS))[generator.permutation(UNITS)]


X = np.random.default_rng(9).normal(size=(50, INPUTS))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), shifted=st.booleans(), bias=st.booleans())
def test_theorem_1(seed, shifted, bias):
    first, second = pair(seed, bias=bias)
    q = nonsingular(seed + 1)
    m = np.random.default_rng(seed).normal(size=UNITS) * 3 if shifted else None
    result = it.identical_output_network(first, second, q, m, activation="linear")
    z, changed = affine(X, first), affine(X, result.layer)
    expected = (z - (0 if m is None else m)) @ q.T
    # values up to about 1e2 through a few products of condition 25: roundings of 1e-16
    np.testing.assert_allclose(changed, expected, atol=1e-12)
    np.testing.assert_allclose(affine(changed, result.next_layer), affine(z, second), atol=1e-12)
    assert (result.layer[1] is None) == (not bias and not shifted)
    assert (result.next_layer[1] is None) == (not bias and not shifted)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), bias=st.booleans())
def test_theorem_2(seed, bias):
    first, second = pair(seed, bias=bias)
    q = permuted_diagonal(seed + 1)
    result = it.identical_output_network(first, second, q)  # relu is the default
    z, changed = relu(affine(X, first)), relu(affine(X, result.layer))
    # scaling unit by unit: relative roundings only, whatever the condition number (here 1e6)
    np.testing.assert_allclose(changed, z @ q.T, rtol=1e-13, atol=1e-11)
    np.testing.assert_allclose(affine(changed, result.next_layer), affine(z, second), atol=1e-12)


@pytest.mark.parametrize(
    ("q", "m", "message"),
    [
        (np.ones((UNITS, UNITS)), None, "q has rows or columns without exactly one entry"),
        (np.eye(UNITS) + 1e-9, None, "without exactly one entry"),
        (np.zeros((UNITS, UNITS)), None, "without exactly one entry"),
        (np.diag([1.0, 0, 1, 1]), None, "without exactly one entry"),
        (np.eye(UNITS)[[0, 0, 1, 2]], None, "without exactly one entry"),
        (np.diag([1.0, -1, 1, 1]), None, "q has a negative entry"),
        (np.eye(UNITS), [0, 0, 2.0, 0], r"m contains 2\.0; expected None or zeros"),
    ],
)
def test_after_a_relu_all_else_is_refused_by_theorem_2(q, m, message):
    with pytest.raises(ValueError, match=message) as caught:
        it.identical_output_network(*pair(), q, m)
    assert "theorem 2" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_theorem_2_refuses_changes_the_output():
    """The refusal is not too strict: a mixing, a sign and a shift each move a ReLU's output."""
    first, second = pair(3)
    before = affine(relu(affine(X, first)), second)
    mixing = np.eye(UNITS)
    mixing[0, 1] = 0.5
    for q, m in (
        (mixing, None),
        (np.diag([1.0, -1, 1, 1]), None),
        (np.eye(UNITS), np.full(UNITS, 0.3)),
    ):
        result = it.comparable_output_network(first, second, q, m)
        after = affine(relu(affine(X, result.layer)), result.next_layer)
        assert np.abs(after - before).max() > 0.05


def test_zero_shift_is_allowed_after_a_relu():
    first, second = pair(bias=False)
    result = it.identical_output_network(first, second, np.eye(UNITS), np.zeros(UNITS))
    np.testing.assert_array_equal(result.layer[0], first[0])
    assert result.layer[1] is None


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_linear_modules_keep_their_kind(dtype):
    generator = torch.Generator().manual_seed(0)
    first, last = nn.Linear(INPUTS, UNITS, bias=False), nn.Linear(UNITS, CLASSES)
    first, last = first.to(dtype).eval(), last.to(dtype)
    first.weight.requires_grad_(False)
    before = {name: value.clone() for name, value in first.state_dict().items()}
    state = torch.random.get_rng_state()
    q, m = nonsingular(0), np.arange(UNITS) / 2
    result = it.identical_output_network(first, last, q, m, activation="linear")
    assert torch.equal(torch.random.get_rng_state(), state)
    assert isinstance(result.layer, nn.Linear)
    assert result.layer.weight.dtype == dtype
    assert result.layer.bias is not None
    assert not result.layer.training
    assert not result.layer.weight.requires_grad
    assert result.next_layer.weight.requires_grad
    assert isinstance(result.next_layer.weight, nn.Parameter)
    x = torch.randn(50, INPUTS, generator=generator, dtype=dtype)
    # condition 25, values of order 10: 1e2 roundings
    tolerance = 1e-12 if dtype == torch.float64 else 5e-4
    torch.testing.assert_close(
        result.layer(x),
        (first(x) - torch.tensor(m, dtype=dtype)) @ torch.tensor(q, dtype=dtype).T,
        atol=tolerance,
        rtol=0,
    )
    torch.testing.assert_close(
        result.next_layer(result.layer(x)), last(first(x)), atol=tolerance, rtol=0
    )
    for name, value in before.items():
        assert torch.equal(first.state_dict()[name], value)


def test_modules_and_pairs_agree():
    first, last = nn.Linear(INPUTS, UNITS).double(), nn.Linear(UNITS, CLASSES).double()
    plain = [
        (layer.weight.detach().numpy().T, layer.bias.detach().numpy()) for layer in (first, last)
    ]
    q, m = nonsingular(4), np.ones(UNITS)
    modules = it.identical_output_network(first, last, torch.tensor(q), m, activation="linear")
    arrays = it.identical_output_network(*plain, q, m, activation="linear")
    for module, (weight, bias) in zip(modules, arrays, strict=True):
        np.testing.assert_allclose(module.weight.detach().numpy().T, weight, atol=1e-13)
        np.testing.assert_allclose(module.bias.detach().numpy(), bias, atol=1e-13)


@pytest.mark.parametrize("batched", [True, False])
def test_replicas(batched):
    first, second = pair(5, replicas=(2,))
    q = np.stack([nonsingular(k) for k in range(2)]) if batched else nonsingular(0)
    m = np.random.default_rng(0).normal(size=(2, UNITS) if batched else UNITS)
    result = it.identical_output_network(first, second, q, m, activation="linear")
    for k in range(2):
        alone = it.identical_output_network(
            (first[0][k], first[1][k]),
            (second[0][k], second[1][k]),
            q[k] if batched else q,
            m[k] if batched else m,
            activation="linear",
        )
        for part, single in zip(
            (*result.layer, *result.next_layer), (*alone[0], *alone[1]), strict=True
        ):
            np.testing.assert_allclose(part[k], single, atol=1e-12)


def test_kinds_of_pairs():
    first, second = pair(6)
    q = permuted_diagonal(6)
    expected = it.identical_output_network(first, second, q)
    tensors = [tuple(torch.tensor(part) for part in layer) for layer in (first, second)]
    result = it.identical_output_network(*tensors, torch.tensor(q))
    for part, other in zip((*result[0], *result[1]), (*expected[0], *expected[1]), strict=True):
        assert isinstance(part, torch.Tensor)
        np.testing.assert_allclose(part, other, rtol=1e-12)
    weight = torch.tensor(first[0], requires_grad=True)
    moved = it.identical_output_network((weight, None), (tensors[1][0], None), q)
    moved.layer[0].sum().backward()
    np.testing.assert_allclose(weight.grad, np.tile(q.sum(0), (INPUTS, 1)), rtol=1e-12)
    array = xr.DataArray(first[0], dims=("input", "unit"), attrs={"units": "1"})
    bias = xr.DataArray(first[1], dims="unit")
    result = it.identical_output_network((array, bias), second, q)
    assert result.layer[0].dims == ("input", "unit")
    assert result.layer[0].attrs == array.attrs
    np.testing.assert_allclose(result.layer[0], expected.layer[0])
    np.testing.assert_allclose(result.layer[1], expected.layer[1])
    lists = it.identical_output_network(
        ([[1, 2], [3, 4]], [0, 1]), ([[1], [1]], None), [[0, 2], [1, 0]]
    )
    assert lists.layer[0].tolist() == [[4, 1], [8, 3]]
    single = [tuple(part.astype(np.float32) for part in layer) for layer in (first, second)]
    assert it.identical_output_network(*single, q).layer[0].dtype == np.float32


def test_inputs_are_not_modified():
    first, second = pair(7)
    copies = [part.copy() for part in (*first, *second)]
    q, m = nonsingular(7), np.ones(UNITS)
    kept = q.copy()
    it.identical_output_network(first, second, q, m, activation="linear")
    for part, copy in zip((*first, *second, q), (*copies, kept), strict=True):
        np.testing.assert_array_equal(part, copy)


def test_singular_and_ill_conditioned_q_are_refused():
    with pytest.raises(ValueError, match="q has condition number") as caught:
        it.identical_output_network(*pair(), np.ones((UNITS, UNITS)), activation="linear")
    # singular values are right to a modest multiple of units * precision times the largest, so
    # the number of a singular matrix is at least the inverse of that, and may be infinite
    number = re.search(r"number (\S+); expected a nonsingular", str(caught.value))[1]
    assert float(number) > 1 / (10 * UNITS * np.finfo(float).eps)
    with pytest.raises(ValueError, match=r"q has condition number .*; expected a nonsingular"):
        it.comparable_output_network(*pair(), np.diag([1.0, 1, 1, 0]))  # no rounding at all
    steep = np.diag([1.0, 1, 1, 1e-5]) + 0.0
    single = [tuple(part.astype(np.float32) for part in layer) for layer in pair()]
    with pytest.raises(ValueError, match=r"q has condition number 1e\+05; .* at most 2\.9e\+03"):
        it.identical_output_network(*single, steep, activation="linear")
    it.identical_output_network(*pair(), steep, activation="linear")  # double precision bears it
    it.identical_output_network(*single, steep, activation="linear", max_condition=1e6)
    it.identical_output_network(*single, steep)  # scaling loses nothing
    with pytest.raises(
        ValueError, match=r"make weights as large as .*; expected at most 3\.4e\+38"
    ):
        it.identical_output_network(*single, np.eye(UNITS) * 1e-39)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"q": np.eye(3)}, ValueError, r"q has shape \(3, 3\); expected \(4, 4\)"),
        ({"q": np.ones(4)}, ValueError, r"q has shape \(4,\); expected a square matrix"),
        ({"q": np.eye(4) * np.nan}, ValueError, "q contains nan"),
        ({"q": [["a"]]}, TypeError, "q has dtype <U1"),
        ({"m": np.ones(3)}, ValueError, r"m has shape \(3,\); expected \(4,\)"),
        ({"m": [np.inf] * 4}, ValueError, "m contains inf"),
        ({"activation": "tanh"}, ValueError, "activation is 'tanh'; expected one of 'relu', 'lin"),
        ({"layer": nn.ReLU()}, TypeError, "layer is a ReLU; expected torch.nn.Linear or a pair"),
        ({"layer": (np.ones(3), None)}, ValueError, r"the weight of layer has shape \(3,\)"),
        ({"layer": (None, None)}, ValueError, "the weight of layer has shape None"),
        (
            {"layer": (np.ones((5, 4)), np.ones(5))},
            ValueError,
            r"the bias of layer has shape \(5,\); expected \(4,\)",
        ),
        (
            {"layer": (np.ones((5, 4)) * np.nan, None)},
            ValueError,
            "the weight of layer contains nan",
        ),
        ({"next_layer": (np.ones((3, 4)), None)}, ValueError, "next_layer takes 3 inputs"),
        ({"next_layer": (np.ones((2, 4, 3)), None)}, ValueError, r"next_layer has replicas \(2,\)"),
        ({"max_condition": 0}, ValueError, "max_condition is 0"),
    ],
)
def test_bad_arguments_are_named(changes, error, message):
    first, second = pair()
    given = {"layer": first, "next_layer": second, "q": np.eye(UNITS)} | changes
    given = {"activation": "linear"} | given
    with pytest.raises(error, match=message) as caught:
        it.identical_output_network(**given)
    assert "\n" not in str(caught.value)


# the matrices of table 3


def test_random_matrices_come_from_their_seed():
    a, b = random_positive_diagonal(20, seed=1), ones_with_random_diagonal(20, seed=1)
    np.testing.assert_array_equal(a, random_positive_diagonal(20, seed=1))
    assert (a != random_positive_diagonal(20, seed=2)).any()
    np.testing.assert_array_equal(np.diag(a), np.diag(b))
    assert ((np.diag(a) > 0) & (np.diag(a) <= 1)).all()
    assert (a[~np.eye(20, dtype=bool)] == 0).all()
    assert (b[~np.eye(20, dtype=bool)] == 1).all()
    uniform = np.diag(random_positive_diagonal(2000, seed=0))
    assert abs(uniform.mean() - 0.5) < 4 * np.sqrt(1 / 12 / 2000)
    with pytest.raises(ValueError, match="units is 0"):
        random_positive_diagonal(0, seed=0)
    with pytest.raises(TypeError, match="seed is None"):
        ones_with_random_diagonal(3, seed=None)


def covariance(z):
    return np.cov(z.T, bias=True)


def test_whitening_a_linear_layer_costs_nothing():
    first, second = pair(8)
    z = affine(X, first)
    map_ = it.whitening(z)
    assert map_.rank == UNITS
    result = it.identical_output_network(first, second, map_.q, map_.m, activation="linear")
    white = affine(X, result.layer)
    np.testing.assert_allclose(covariance(white), np.eye(UNITS), atol=1e-10)
    np.testing.assert_allclose(white.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(affine(white, result.next_layer), affine(z, second), atol=1e-11)
    np.testing.assert_allclose(map_.q, map_.q.T, atol=1e-12)


def test_whitening_with_dead_and_redundant_units():
    z = np.random.default_rng(0).normal(size=(60, 5))
    z[:, 1] = 0
    z[:, 4] = z[:, 0] + z[:, 2]
    map_ = it.whitening(z)
    assert map_.rank == 3
    white = (z - map_.m) @ map_.q.T
    # 1 in three directions, 0 in the others
    np.testing.assert_allclose(np.linalg.eigvalsh(covariance(white)), [0, 0, 1, 1, 1], atol=1e-9)
    assert np.linalg.cond(map_.q) < 1e5
    assert it.whitening(z, tolerance=0).rank == 3  # rounding is no direction
    constant = it.whitening(np.ones((4, 3)))
    assert constant.rank == 0
    np.testing.assert_allclose(constant.q, np.eye(3), atol=1e-12)


def test_whitening_kinds_and_errors():
    z = np.random.default_rng(1).normal(size=(2, 30, 3))
    result = it.whitening(z)
    assert result.q.shape == (2, 3, 3)
    alone = it.whitening(z[1])
    np.testing.assert_allclose(result.q[1], alone.q, atol=1e-12)
    tensor = it.whitening(torch.tensor(z))
    np.testing.assert_allclose(tensor.q, result.q, atol=1e-10)
    array = it.whitening(xr.DataArray(z, dims=("seed", "sample", "unit")).transpose("unit", ...))
    np.testing.assert_allclose(array.q, result.q, atol=1e-10)
    with pytest.raises(ValueError, match="tolerance is 1"):
        it.whitening(z, tolerance=1)
    with pytest.raises(ValueError, match=r"z has 1 sample\(s\)"):
        it.whitening(z[:, :1])


def test_table_3_in_small():
    """Characteristics move as in paper 1's table 3; the output only where theorem 2 says so."""
    generator = np.random.default_rng(10)
    x = generator.normal(size=(400, 20))
    first = (generator.normal(size=(20, 10)), np.zeros(10))
    second = (generator.normal(size=(10, 3)), np.zeros(3))

    def representation(layers):
        return relu(affine(x, layers[0]))

    before = it.characteristics(representation((first, second)))
    output = affine(representation((first, second)), second)
    scaled = it.comparable_output_network(first, second, random_positive_diagonal(10, seed=0))
    after = it.characteristics(representation(scaled))
    np.testing.assert_allclose(
        affine(representation(scaled), scaled.next_layer), output, atol=1e-10
    )
    assert after.correlation == pytest.approx(before.correlation, rel=1e-9)
    assert after.activation_amplitude < before.activation_amplitude
    mixed = it.comparable_output_network(first, second, ones_with_random_diagonal(10, seed=0))
    assert it.characteristics(representation(mixed)).correlation > 0.7 > before.correlation
    assert np.abs(affine(representation(mixed), mixed.next_layer) - output).max() > 1
