"""The hard-margin SVM: closed forms, scikit-learn, a general solver, certificates, invariances."""

import itertools
import math
import pickle

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.svm import SVC

import infotheo as it
from infotheo.representation.separation import separation
from infotheo.representation.shortest_combination import shortest_combination


def clusters(seed, samples, units, classes, apart=12.0):
    """Normal clusters around means that far from the origin: separable with room."""
    draw = np.random.default_rng(seed)
    labels = np.arange(samples) % classes
    means = draw.normal(size=(classes, units))
    means *= apart / np.linalg.norm(means, axis=1, keepdims=True)
    return draw.normal(size=(samples, units)) + means[labels], labels


def leads(features, labels, result):
    """Logit of the true class less each other, which the constraints want at 1 or more."""
    logits = features @ result.weights + result.biases
    codes = np.searchsorted(result.classes, labels)
    rows = np.arange(len(logits))
    ahead = logits[rows, codes][:, None] - logits
    ahead[rows, codes] = np.inf
    return ahead


def norm_margin(weights):
    return 1 / (math.sqrt(2) * np.linalg.norm(weights))


def test_two_points():
    """Half their distance, the direction between them, the boundary half-way."""
    result = it.hard_margin([[1.0, 1.0], [4.0, 5.0]], [7, 3])
    assert result.margin == pytest.approx(2.5, rel=1e-12)
    assert result.support == 2
    assert result.classes.tolist() == [3, 7]
    direction = result.weights[:, 0] - result.weights[:, 1]  # class 3 is the second point
    np.testing.assert_allclose(direction, np.array([3, 4]) / 5 / 2.5, rtol=1e-12)
    assert np.array([2.5, 3]) @ direction + result.biases[0] - result.biases[1] == pytest.approx(0)


@pytest.mark.parametrize("classes", [2, 3, 5, 10])
def test_simplex(classes):
    """Unit vectors e_y, one a class: W = c (E - mean), so that c = 1 and |W|^2 = classes - 1."""
    for bias in (True, False):
        result = it.hard_margin(np.eye(classes), np.arange(classes), bias=bias)
        np.testing.assert_allclose(result.weights, np.eye(classes) - 1 / classes, atol=1e-10)
        assert result.margin == pytest.approx(1 / math.sqrt(2 * (classes - 1)), rel=1e-12)
        np.testing.assert_allclose(result.biases, 0, atol=1e-10)
        assert result.support == classes


def test_bias_or_none():
    """Two points on a line: half their distance with a bias, the nearer one's distance without."""
    x = [[1.0], [-3.0]]
    assert it.hard_margin(x, [0, 1]).margin == pytest.approx(2.0)
    without = it.hard_margin(x, [0, 1], bias=False)
    assert without.margin == pytest.approx(1.0)
    assert without.biases.tolist() == [0, 0]
    with pytest.raises(it.NotSeparableError):
        it.hard_margin([[1.0], [3.0]], [0, 1], bias=False)
    assert it.hard_margin([[1.0], [3.0]], [0, 1]).margin == pytest.approx(1.0)


@pytest.mark.parametrize(("samples", "units", "apart"), [(30, 2, 8), (300, 20, 10), (120, 300, 5)])
def test_two_classes_as_scikit_learn(samples, units, apart):
    x, y = clusters(samples, samples, units, 2, apart)
    result = it.hard_margin(x, y)
    svm = SVC(kernel="linear", C=1e10, tol=1e-9).fit(x, y)
    # LIBSVM stops at a violation of 1e-9 at best; its weights agree to about the square root
    scale = np.linalg.norm(svm.coef_)
    assert result.margin == pytest.approx(1 / scale, rel=1e-6)
    direction = result.weights[:, 1] - result.weights[:, 0]
    np.testing.assert_allclose(direction, svm.coef_[0], atol=1e-5 * scale)
    assert result.biases[1] - result.biases[0] == pytest.approx(svm.intercept_[0], abs=1e-5)
    assert result.margin >= norm_margin(result.weights) * (1 - 1e-12)
    signs = np.where(y == 1, 1, -1)
    distances = signs * (x @ direction + result.biases[1] - result.biases[0])
    assert distances.min() / np.linalg.norm(direction) == pytest.approx(result.margin, rel=1e-9)


@pytest.mark.parametrize("bias", [True, False])
def test_several_classes_as_a_general_solver(bias):
    """SLSQP on the primal problem itself, weights and biases as unknowns."""
    x, y = clusters(1, 18, 3, 3, 9)
    pairs = [(i, j) for i in range(len(x)) for j in range(3) if j != y[i]]

    def ahead(flat):
        logits = x @ flat[:9].reshape(3, 3) + bias * flat[9:]
        return np.array([logits[i, y[i]] - logits[i, j] - 1 for i, j in pairs])

    rows = np.zeros((len(pairs), 12))
    for k, (i, j) in enumerate(pairs):
        sign = np.zeros(3)
        sign[y[i]], sign[j] = 1, -1
        rows[k] = np.concatenate([np.outer(x[i], sign).ravel(), bias * sign])
    result = it.hard_margin(x, y, bias=bias)
    known = minimize(
        lambda flat: 0.5 * np.sum(flat[:9] ** 2),
        np.concatenate([2 * result.weights.ravel(), result.biases]),
        jac=lambda flat: np.concatenate([flat[:9], np.zeros(3)]),
        constraints={"type": "ineq", "fun": ahead, "jac": lambda flat: rows},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    assert ahead(known.x).min() > -1e-8
    weights = known.x[:9].reshape(3, 3)
    assert result.margin == pytest.approx(norm_margin(weights), rel=1e-6)  # SLSQP's precision
    np.testing.assert_allclose(result.weights, weights, atol=1e-4 * np.linalg.norm(weights))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    classes=st.integers(2, 5),
    units=st.integers(1, 6),
    bias=st.booleans(),
)
def test_the_conditions_of_optimality(seed, classes, units, bias):
    """Feasible, and the dual bound meets it: whatever the data, or else a proof of the contrary."""
    x, y = clusters(seed, 6 * classes, units, classes, 5)
    try:
        result = it.hard_margin(x, y, bias=bias)
    except it.NotSeparableError:
        # another method must not separate them either: a linear program in the same unknowns
        assert not separable_by_program(x, y, bias)
        return
    ahead = leads(x, y, result)
    assert ahead.min() == pytest.approx(1, abs=1e-9)
    assert result.gap < 1e-7
    assert result.margin == pytest.approx(norm_margin(result.weights), rel=1e-12)
    np.testing.assert_allclose(result.weights.sum(axis=1), 0, atol=1e-9 * np.abs(x).max())
    # the samples at the constraints are all that matters
    near = (ahead < 1 + 1e-6).any(axis=1)
    assert result.support <= near.sum()
    if len(set(y[near])) == classes:
        again = it.hard_margin(x[near], y[near], bias=bias)
        assert again.margin == pytest.approx(result.margin, rel=1e-6)


def separable_by_program(x, y, bias):
    """Largest t with differences of logits of at least t, weights at most 1: positive or not."""
    from scipy.optimize import linprog

    classes, units = y.max() + 1, x.shape[1]
    rows = []
    for i, j in itertools.product(range(len(x)), range(classes)):
        if j != y[i]:
            sign = np.zeros(classes)
            sign[y[i]], sign[j] = 1, -1
            rows.append(np.concatenate([-np.outer(x[i], sign).ravel(), -bias * sign, [1]]))
    cost = np.zeros(units * classes + classes + 1)
    cost[-1] = -1
    bounds = [(-1, 1)] * (units * classes) + [(None, None)] * (classes + 1)
    result = linprog(cost, np.array(rows), np.zeros(len(rows)), bounds=bounds)
    return -result.fun > 1e-6


def test_a_large_set_is_certified():
    """Two thousand samples, ten classes: the gap between its bounds is a proof in itself."""
    x, y = clusters(5, 2000, 40, 10, 8)
    result = it.hard_margin(x, y)
    assert result.gap < 1e-9
    ahead = leads(x, y, result)
    assert ahead.min() == pytest.approx(1, abs=1e-9)
    assert result.support < 500
    # no sample is nearer to a boundary of its class than the margin says
    assert it.margins(x, result.weights, y, biases=result.biases).geometric.min() >= result.margin


@pytest.mark.parametrize("seed", [0, 1, 5, 8, 10])
def test_classes_far_away_that_support_nothing(seed):
    """Their biases lie in an interval; constraints that carry nothing keep them there."""
    draw = np.random.default_rng(seed)
    classes = int(draw.integers(3, 7))
    y = np.arange(300) % classes
    means = draw.normal(size=(classes, 4)) * draw.choice([3, 30, 1000], size=(classes, 1))
    x = draw.normal(size=(300, 4)) + means[y]
    result = it.hard_margin(x, y)
    assert result.gap < 1e-6
    assert leads(x, y, result).min() == pytest.approx(1, abs=1e-6)


def test_scale_rotation_shift_order_and_copies():
    x, y = clusters(2, 60, 5, 4, 9)
    result = it.hard_margin(x, y)
    draw = np.random.default_rng(0)
    turn = np.linalg.qr(draw.normal(size=(5, 5)))[0]
    moved = it.hard_margin(1e6 * x @ turn + 1e6, y)
    assert moved.margin == pytest.approx(1e6 * result.margin, rel=1e-8)
    np.testing.assert_allclose(
        moved.weights, turn.T @ result.weights / 1e6, atol=1e-8 * np.abs(moved.weights).max()
    )
    small = it.hard_margin(1e-9 * x, y)
    assert small.margin == pytest.approx(1e-9 * result.margin, rel=1e-9)
    order = draw.permutation(60)
    names = np.array([2, 0, 3, 1])
    renamed = it.hard_margin(x[order], names[y[order]])
    np.testing.assert_allclose(renamed.weights[:, names], result.weights, atol=1e-8)
    np.testing.assert_allclose(renamed.biases[names], result.biases, atol=1e-7)
    copied = it.hard_margin(np.concatenate([x, x, x]), np.tile(y, 3))
    assert copied.margin == pytest.approx(result.margin, rel=1e-9)
    np.testing.assert_allclose(copied.weights, result.weights, atol=1e-7)
    dead = it.hard_margin(np.concatenate([x, np.zeros((60, 2))], axis=1), y)
    np.testing.assert_allclose(dead.weights[:5], result.weights, atol=1e-9)
    assert dead.weights[5:].tolist() == np.zeros((2, 4)).tolist()


def test_what_cannot_be_separated():
    exclusive_or = [[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]], [0, 0, 1, 1]
    same_point = [[0.0, 1.0], [0.0, 1.0], [2.0, 1.0]], [0, 1, 1]
    inside = [[-1.0], [1.0], [0.0]], [0, 1, 2]  # separable: the middle class needs no weight
    assert it.hard_margin(*inside).margin > 0
    with pytest.raises(it.NotSeparableError, match="no linear functions separate the 3 classes"):
        it.hard_margin(*inside, bias=False)
    for x, y in (exclusive_or, same_point):
        with pytest.raises(it.NotSeparableError, match="the margin is at most") as caught:
            it.hard_margin(x, y)
        assert isinstance(caught.value, ValueError)
        assert "\n" not in str(caught.value)
    x, y = clusters(3, 400, 10, 10, 1)
    with pytest.raises(it.NotSeparableError):
        it.hard_margin(x, y)
    with pytest.raises(it.NotSeparableError, match=r"\(batch element 1\)"):
        it.hard_margin([[[0.0], [1.0]], [[0.0], [0.0]]], [0, 1])


def test_a_narrow_margin_says_how_well_it_is_known():
    draw = np.random.default_rng(4)
    x, y = draw.normal(size=(200, 5)), np.arange(200) % 2
    for width, gap in ((1e-2, 1e-9), (1e-4, 1e-6)):
        x[:, 0] = np.where(y == 1, width, -width)
        result = it.hard_margin(x, y)
        assert result.gap < gap
        assert result.margin == pytest.approx(width, rel=1e-6)
    x[:, 0] = np.where(y == 1, 2e-6, -2e-6)
    with pytest.warns(it.HardMarginWarning, match="is known to"):
        result = it.hard_margin(x, y)
    assert 1e-6 < result.gap < 1e-2
    # the bounds hold whatever their gap
    assert result.margin <= 2e-6 <= result.margin / (1 - result.gap) * (1 + 1e-9)


def test_the_working_set_has_a_limit():
    x, y = clusters(6, 300, 60, 6, 3)
    with pytest.raises(it.UndecidedSeparationError, match="after most_constraints=130; expected"):
        it.hard_margin(x, y, most_constraints=130)
    assert it.hard_margin(x, y).gap < 1e-9


def test_bounds_hold_before_the_working_set_is_complete():
    x, y = clusters(7, 600, 10, 6, 7)
    complete = separation(x, y, bias=True, most_constraints=10**6)
    part = separation(x, y, bias=True, most_constraints=1)
    assert complete.settled
    assert not part.settled
    assert part.lower <= complete.lower <= part.upper * (1 + 1e-12)
    assert part.lower < 0.999 * complete.lower


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 12), units=st.integers(1, 5))
def test_shortest_combination_is_nearest_to_the_origin(seed, count, units):
    """v is the shortest if and only if v·a_k >= v·v for all k (Wolfe's criterion)."""
    points = np.random.default_rng(seed).normal(size=(count, units)) + 1
    alpha, _ = shortest_combination(points @ points.T, np.zeros((count, 0)))
    assert alpha.min() >= 0
    assert alpha.sum() == pytest.approx(1, abs=1e-12)
    shortest = alpha @ points
    # where 0 is inside, the square of the length is found to 1e-15: the length to 1e-7
    assert (points @ shortest).min() >= shortest @ shortest - 1e-7


def test_kinds_and_batches():
    x, y = clusters(8, 24, 4, 3)
    stacked = np.stack([x, 2 * x + 1])
    expected = it.hard_margin(x, y)
    result = it.hard_margin(stacked, y)
    np.testing.assert_allclose(result.margin, [expected.margin, 2 * expected.margin])
    assert result.weights.shape == (2, 4, 3)
    assert result.biases.shape == (2, 3)
    np.testing.assert_allclose(result.weights[1], expected.weights / 2, atol=1e-9)
    tensor = it.hard_margin(torch.tensor(x, requires_grad=True), torch.tensor(y))
    one_hot = it.hard_margin(x, np.eye(3, dtype=int)[y])
    for other in (tensor, one_hot):
        np.testing.assert_allclose(other.weights, expected.weights, atol=1e-12)
    assert tensor.support.dtype == torch.int64
    assert all(torch.is_tensor(value) and not value.requires_grad for value in tensor)
    array = it.hard_margin(
        xr.DataArray(
            stacked,
            dims=("seed", "sample", "unit"),
            coords={"seed": [4, 6], "unit": list("abcd")},
        ).transpose("unit", ...),
        xr.DataArray(np.array([10, 20, 30])[y], dims="sample"),
    )
    assert set(array.data_vars) == {"margin", "weights", "biases", "support", "gap"}
    assert array.weights.dims == ("seed", "unit", "class")
    assert array["class"].values.tolist() == [10, 20, 30]
    assert array["unit"].values.tolist() == list("abcd")
    assert array.weights.attrs["estimator"] == "hard_margin"
    np.testing.assert_allclose(array.weights, result.weights, atol=1e-12)
    assert array.margin.dims == ("seed",)
    half = it.hard_margin(torch.tensor(x).half(), y)
    assert half.margin == pytest.approx(float(expected.margin), rel=1e-2)
    assert pickle.loads(pickle.dumps(result)).margin.tolist() == result.margin.tolist()
    before = x.copy()
    it.hard_margin(x, y)
    np.testing.assert_array_equal(x, before)


def test_direction_angle():
    w = np.random.default_rng(0).normal(size=(4, 3))
    assert it.direction_angle(w, 3 * w + np.arange(4)[:, None]).value == pytest.approx(0, abs=1e-15)
    assert it.direction_angle(w, -w).value == pytest.approx(math.pi)
    one, other = np.array([[1.0, -1.0], [0, 0]]), np.array([[0.0, 0.0], [5, -5]])
    assert it.direction_angle(one, other).value == pytest.approx(math.pi / 2)
    for angle in (1e-9, 0.3, 3.0):  # an arc cosine would lose the first
        turned = math.cos(angle) * one + math.sin(angle) * other / 5
        assert it.direction_angle(one, turned).value == pytest.approx(angle, rel=1e-6)
    batch = it.direction_angle(np.stack([one, other]), one)
    np.testing.assert_allclose(batch.value, [0, math.pi / 2], atol=1e-15)
    assert math.isnan(it.direction_angle(np.ones((4, 3)), w).value)
    array = it.direction_angle(xr.DataArray(one.T, dims=("class", "unit")), other)
    assert array.value.attrs["units"] == "rad"
    assert torch.is_tensor(it.direction_angle(torch.tensor(one), other).value)
    with pytest.raises(ValueError, match=r"others has shape \(4, 3\) .*expected \(2, 2\)"):
        it.direction_angle(one, w)
    with pytest.raises(ValueError, match="weights has 1 column"):
        it.direction_angle(one[:, :1], one[:, :1])


def test_gradient_descent_turns_towards_it():
    """Logistic regression on separable data (Soudry et al. 2018): slowly, as 1 / log t."""
    draw = np.random.default_rng(0)
    y = np.arange(40) % 2
    x = draw.normal(size=(40, 2)) * [3.0, 0.5] + np.where(y == 1, 1, -1)[:, None] * [0.5, 2.5]
    wide = it.hard_margin(x, y, bias=False)
    weights, truth = np.zeros((2, 2)), np.eye(2)[y]
    angles, nearest = [], []
    for step in range(1, 10_001):
        logits = x @ weights
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        weights = weights - 0.1 * x.T @ (p - truth) / len(x)  # of the mean cross-entropy
        if step in (1, 10, 100, 1000, 10_000):
            angles.append(float(it.direction_angle(weights, wide.weights).value))
            nearest.append(float(it.margins(x, weights, y).geometric.min()))
    assert (np.diff(angles[1:]) < 0).all()
    assert angles[-1] < angles[0] / 2
    assert (np.diff(nearest[1:]) > 0).all()
    assert 0.9 * wide.margin < nearest[-1] <= wide.margin * (1 + 1e-12)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"labels": np.zeros(24, int)}, ValueError, r"labels has 1 class \(0\); expected at least"),
        ({"labels": np.zeros(23, int)}, ValueError, r"labels has shape \(23,\)"),
        ({"labels": np.zeros(24)}, TypeError, "labels has dtype float64"),
        ({"features": np.full((24, 4), np.nan)}, ValueError, "features contains nan"),
        ({"features": np.ones((1, 4))}, ValueError, r"features has 1 sample\(s\)"),
        ({"bias": "free"}, ValueError, "bias is 'free'; expected one of True, False"),
        ({"most_constraints": 0}, ValueError, "most_constraints is 0; expected"),
    ],
)
def test_bad_arguments_are_named(changes, error, message):
    x, y = clusters(9, 24, 4, 3)
    with pytest.raises(error, match=message) as caught:
        it.hard_margin(**({"features": x, "labels": y} | changes))
    assert "\n" not in str(caught.value)
