"""Margins of a linear output layer: closed forms, a double loop, and their invariances."""

import math

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import infotheo as it


def case(seed=0, samples=9, units=4, classes=5, batch=()):
    generator = np.random.default_rng(seed)
    return (
        generator.normal(size=(*batch, samples, units)),
        generator.normal(size=(units, classes)),
        generator.integers(classes, size=samples),
        generator.normal(size=classes),
    )


def naive(features, weights, labels, biases):
    """Each sample against each other class."""
    plain, geometric = [], []
    for x, y in zip(features, labels, strict=True):
        logits = [x @ weights[:, j] + biases[j] for j in range(weights.shape[1])]
        others = [j for j in range(weights.shape[1]) if j != y]
        plain.append(min(logits[y] - logits[j] for j in others))
        geometric.append(
            min((logits[y] - logits[j]) / math.dist(weights[:, y], weights[:, j]) for j in others)
        )
    return np.array(plain), np.array(geometric)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), classes=st.integers(2, 6))
def test_agrees_with_a_double_loop(seed, classes):
    x, w, y, b = case(seed, classes=classes)
    result = it.margins(x, w, y, biases=b)
    plain, geometric = naive(x, w, y, b)
    np.testing.assert_allclose(result.margin, plain, atol=1e-12)
    np.testing.assert_allclose(result.geometric, geometric, atol=1e-12)
    norms = np.linalg.norm(w, 2), math.sqrt(np.mean(np.sum(x**2, axis=1)))
    assert result.layer_norm == pytest.approx(norms[0], rel=1e-12)
    assert result.feature_norm == pytest.approx(norms[1], rel=1e-12)
    np.testing.assert_allclose(result.normalized, plain / norms[0] / norms[1], atol=1e-12)
    correct = np.argmax(x @ w + b, axis=1) == y
    np.testing.assert_array_equal(result.margin > 0, correct)
    np.testing.assert_array_equal(result.geometric > 0, correct)


def test_geometric_margin_is_where_the_boundary_is():
    """Walking that far towards the nearest boundary makes a tie, and less far does not."""
    x, w, _, b = case(1)
    y = np.argmax(x @ w + b, axis=1)
    result = it.margins(x, w, y, biases=b)
    for k in range(len(x)):
        others = [j for j in range(5) if j != y[k]]
        far = []
        for j in others:
            away = w[:, y[k]] - w[:, j]
            far.append((x[k] @ away + b[y[k]] - b[j]) / np.linalg.norm(away))
        nearest = others[int(np.argmin(far))]
        away = w[:, y[k]] - w[:, nearest]
        direction = away / np.linalg.norm(away)
        for part, tied in ((1.0, True), (0.99, False)):
            moved = x[k] - part * result.geometric[k] * direction
            logits = moved @ w + b
            assert (abs(logits[y[k]] - logits[nearest]) < 1e-9) == tied


def test_two_classes_in_closed_form():
    """A half-space: distance |w x + b| / |w|."""
    w = np.array([[0.0, 3.0], [0.0, 4.0]])  # a single logit, as two columns
    result = it.margins([[1.0, 1.0], [-1.0, 0.0]], w, [1, 1], biases=[0.0, -2.0])
    np.testing.assert_allclose(result.margin, [5, -5])
    np.testing.assert_allclose(result.geometric, [1, -1])


def test_scaling_and_common_shifts():
    x, w, y, b = case(2)
    result = it.margins(x, w, y)
    scaled = it.margins(5 * x, w / 3, y)
    np.testing.assert_allclose(scaled.margin, result.margin * 5 / 3, rtol=1e-10)
    np.testing.assert_allclose(scaled.geometric, result.geometric * 5, rtol=1e-10)
    np.testing.assert_allclose(scaled.normalized, result.normalized, rtol=1e-10)
    shifted = it.margins(x, w + np.arange(4)[:, None], y, biases=np.full(5, 7.0))
    np.testing.assert_allclose(shifted.margin, result.margin, atol=1e-11)
    np.testing.assert_allclose(shifted.geometric, result.geometric, atol=1e-11)


def test_ties_and_classes_without_a_boundary():
    w = np.array([[1.0, 1.0, 0.0]])  # classes 0 and 1 have the same weights
    x = [[2.0], [0.0], [-1.0]]
    tied = it.margins(x, w, [0, 0, 0])
    assert tied.margin.tolist() == [0, 0, -1]
    assert tied.geometric.tolist() == [0, 0, -1]
    ahead = it.margins(x, w, [0, 0, 0], biases=[1.0, 0.0, 0.0])
    assert ahead.margin.tolist() == [1, 1, 0]
    assert ahead.geometric.tolist() == [3, 1, 0]  # class 1 is infinitely far: class 2 decides
    behind = it.margins(x, w, [0, 0, 0], biases=[-1.0, 0.0, 0.0])
    assert behind.geometric.tolist() == [-math.inf] * 3
    dead = it.margins(np.zeros((2, 1)), w, [0, 2])
    assert dead.normalized.tolist() == [0, 0]


def test_kinds_and_batches():
    x, w, y, b = case(3, batch=(2,))
    expected = [it.margins(part, w, y, biases=b) for part in x]
    stacked = it.margins(x, np.stack([w, 2 * w]), y, biases=np.stack([b, 2 * b]))
    np.testing.assert_allclose(stacked.margin, [expected[0].margin, 2 * expected[1].margin])
    np.testing.assert_allclose(stacked.layer_norm[1], 2 * expected[1].layer_norm)
    shared = it.margins(x, w, y, biases=b)
    tensor = it.margins(torch.tensor(x), torch.tensor(w), torch.tensor(y), biases=torch.tensor(b))
    one_hot = it.margins(x, w, np.eye(5, dtype=int)[y], biases=b)
    array = it.margins(
        xr.DataArray(
            x,
            dims=("seed", "sample", "unit"),
            coords={"seed": [4, 6], "sample": np.arange(9) * 10},
        ).transpose("unit", ...),
        xr.DataArray(w, dims=("unit", "class")).T,
        xr.DataArray(y, dims="sample"),
        biases=xr.DataArray(b, dims="class"),
    )
    assert array.margin.dims == ("seed", "sample")
    assert array.layer_norm.dims == ("seed",)
    assert array.sample.values.tolist() == list(range(0, 90, 10))
    assert array.margin.attrs["estimator"] == "margins"
    for name in ("margin", "geometric", "normalized", "layer_norm", "feature_norm"):
        values = [getattr(part, name) for part in expected]
        for result in (shared, tensor, one_hot, array):
            np.testing.assert_allclose(getattr(result, name), values, rtol=1e-10)
    half = it.margins(torch.tensor(x).half(), torch.tensor(w).half(), y)
    assert half.margin.dtype == torch.float64


def test_gradients():
    x, w, y, b = case(4)
    tensors = [torch.tensor(part, requires_grad=True) for part in (x, w, b)]
    for field in range(3):
        assert torch.autograd.gradcheck(
            lambda x, w, b, field=field: it.margins(x, w, y, biases=b)[field], tensors
        )
    same = torch.ones(2, 3, dtype=torch.float64, requires_grad=True)
    it.margins(torch.zeros(2, 2), same, [0, 1]).geometric.sum().backward()
    assert same.grad.isfinite().all()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"weights": np.ones((5, 4))}, ValueError, r"weights has shape \(5, 4\); .*\(4, class\)"),
        ({"weights": np.ones((4, 1))}, ValueError, "weights has 1 column; .*columns 0 and w"),
        ({"weights": np.ones((3, 4, 5))}, ValueError, r"weights has leading dimensions \(3,\)"),
        ({"weights": np.full((4, 5), np.nan)}, ValueError, "weights contains nan"),
        ({"labels": np.full(9, 5)}, ValueError, "labels contains 5; expected 0 to 4"),
        ({"labels": np.full(9, -1)}, ValueError, "labels contains -1"),
        ({"labels": np.zeros(8, dtype=int)}, ValueError, r"labels has shape \(8,\)"),
        ({"labels": np.zeros(9)}, TypeError, "labels has dtype float64"),
        ({"biases": np.ones(4)}, ValueError, r"biases has shape \(4,\); expected \(5,\)"),
        ({"biases": [np.inf] * 5}, ValueError, "biases contains inf"),
        ({"biases": ["a"] * 5}, TypeError, "biases has dtype"),
        ({"features": np.ones((1, 4))}, ValueError, r"features has 1 sample\(s\)"),
        ({"features": np.ones(4)}, ValueError, r"features has shape \(4,\)"),
        ({"features": np.full((9, 4), np.inf)}, ValueError, "features contains inf"),
        ({"features": np.ones((9, 4)) * 1j}, TypeError, "features has dtype complex128"),
    ],
)
def test_bad_arguments_are_named(changes, error, message):
    x, w, y, _ = case()
    with pytest.raises(error, match=message) as caught:
        it.margins(**({"features": x, "weights": w, "labels": y} | changes))
    assert "\n" not in str(caught.value)
