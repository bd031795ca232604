"""Classifiers on principal components: exact cases, reference twins, invariances."""

import numpy as np
import pytest
import torch
import xarray as xr
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier

import infotheo as it
from infotheo.representation.component_accuracies import component_numbers


def blobs(seed: int, samples: int = 120, units: int = 6, classes: int = 4):
    """Overlapping Gaussian classes in the first directions, noise in the others."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, samples)
    centres = np.zeros((classes, units))
    centres[:, :2] = 1.5 * generator.normal(size=(classes, 2))
    turned = np.linalg.qr(generator.normal(size=(units, units)))[0]
    return (centres[labels] + generator.normal(size=(samples, units))) @ turned, labels


def halves(x, labels):
    return x[..., ::2, :], labels[::2], x[..., 1::2, :], labels[1::2]


def test_the_component_that_decides_is_the_third():
    # variances 9, 4 and 1: the class is the sign of the last
    generator = np.random.default_rng(0)
    signs = generator.choice([-1.0, 1.0], size=(400, 3))
    x = signs * [3.0, 2.0, 1.0]
    result = it.component_accuracies(*halves(x, (signs[:, 2] > 0).astype(int)))
    # two components say nothing: fair guesses of 200, sd 0.035
    assert np.all(np.abs(result.svm[:2] - 0.5) < 0.15)
    assert result.svm[2] == result.neighbor[2] == 1.0
    fitted = x[::2]
    variances = np.sort(np.linalg.eigvalsh(np.cov(fitted.T)))[::-1]
    expected = np.cumsum(variances) / variances.sum()
    np.testing.assert_allclose(result.explained_variance, expected, rtol=1e-12)


def test_exclusive_or_is_for_the_neighbor_only():
    corners = np.array([[-1.0, -1], [-1, 1], [1, -1], [1, 1]])
    generator = np.random.default_rng(1)
    x = np.tile(corners, (50, 1)) + 0.1 * generator.normal(size=(200, 2))
    labels = np.tile([0, 1, 1, 0], 50)
    order = generator.permutation(200)
    result = it.component_accuracies(*halves(x[order], labels[order]), components=[2])
    # 10 deviations between the corners; no line does better than three corners of four
    assert result.neighbor[0] == 1.0
    assert result.svm[0] < 0.8


@pytest.mark.parametrize("seed", range(3))
def test_neighbors_agree_with_another_program(seed):
    x, labels, y, truth = halves(*blobs(seed))
    result = it.component_accuracies(x, labels, y, truth, components=[4, 1, 6])
    for place, count in enumerate([4, 1, 6]):
        analysis = PCA(count).fit(x)
        model = KNeighborsClassifier(1, algorithm="brute").fit(analysis.transform(x), labels)
        assert result.neighbor[place] == model.score(analysis.transform(y), truth)
        share = analysis.explained_variance_ratio_.sum()
        assert result.explained_variance[place] == pytest.approx(share, rel=1e-12)


def test_svm_minimises_its_loss():
    # the squared-hinge primal of two classes, solved by another method; where the penalty is
    # small the regularised intercept decides, so that its size and the scale matter
    from scipy.optimize import minimize

    x, labels, y, truth = halves(*blobs(7, classes=2))
    norm = np.sqrt(np.mean(np.sum((x - x.mean(0)) ** 2, axis=1)))
    x_scaled, y_scaled = (x - x.mean(0)) / norm, (y - x.mean(0)) / norm
    signs = 2.0 * labels - 1
    accuracies = set()
    for penalty in np.geomspace(1e-3, 10, 25):

        def loss(theta, penalty=penalty):
            violation = np.maximum(0, 1 - signs * (x_scaled @ theta[:6] + theta[6]))
            return 0.5 * theta @ theta + penalty * (violation**2).sum()

        best = minimize(loss, np.zeros(7), tol=1e-10).x
        score = y_scaled @ best[:6] + best[6]
        result = it.component_accuracies(x, labels, y, truth, components=[6], penalty=penalty)
        right = (score > 0) == (truth == 1)
        close = np.abs(score) < 1e-3 * np.abs(score).max()  # left to the solvers' tolerance
        assert abs(result.svm[0] - right.mean()) <= close.mean()
        accuracies.add(float(result.svm[0]))
    assert len(accuracies) > 3


def test_distances_in_parts_change_nothing(monkeypatch):
    parts = halves(*blobs(8))
    accuracies = it.component_accuracies(*parts)
    module = "infotheo.representation.component_accuracies._TILE"
    monkeypatch.setattr(module, 60 * 7)  # seven test samples at a time, of 60
    np.testing.assert_array_equal(it.component_accuracies(*parts).neighbor, accuracies.neighbor)


def test_scale_shift_and_rotation_change_nothing():
    x, labels, y, truth = halves(*blobs(3))
    result = it.component_accuracies(x, labels, y, truth)
    turned = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0]
    for factor in (1e-150, 1e-8, 1.0, 1e12, 1e150):
        moved = [factor * (part + 3.0) @ turned for part in (x, y)]
        again = it.component_accuracies(moved[0], labels, moved[1], truth)
        for one, other in zip(result, again, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9)


def test_kinds_and_leading_dimensions_agree():
    parts = [halves(*blobs(seed)) for seed in (0, 1)]
    x, y = (np.stack([part[place] for part in parts]) for place in (0, 2))
    labels, truth = parts[0][1], parts[0][3]
    single = [it.component_accuracies(x[i], labels, y[i], truth, components=[1, 3]) for i in (0, 1)]
    both = it.component_accuracies(x, labels, y, truth, components=[1, 3])
    tensors = it.component_accuracies(
        torch.tensor(x), torch.tensor(labels), torch.tensor(y), truth, components=[1, 3]
    )
    dims = ("seed", "sample", "unit")
    labelled = it.component_accuracies(
        xr.DataArray(x, dims=dims, coords={"seed": [5, 6]}),
        labels,
        xr.DataArray(y, dims=dims),
        truth,
        components=[1, 3],
    )
    for field in both._fields:
        expected = np.stack([getattr(one, field) for one in single])
        np.testing.assert_array_equal(getattr(both, field), expected)
        assert isinstance(getattr(tensors, field), torch.Tensor)
        np.testing.assert_array_equal(getattr(tensors, field), expected)
        assert labelled[field].dims == ("seed", "components")
        np.testing.assert_array_equal(labelled[field], expected)
        assert labelled[field].attrs["units"] == "1"
    assert labelled["components"].values.tolist() == [1, 3]
    assert labelled["seed"].values.tolist() == [5, 6]
    # test samples without leading dimensions are shared
    shared = it.component_accuracies(x, labels, y[0], truth, components=[1, 3])
    np.testing.assert_array_equal(shared.svm[0], single[0].svm)


def test_equal_distances_go_to_the_first_sample():
    x = np.array([[-1.0], [1.0], [-3.0], [3.0]])
    middle = np.array([[0.0]])
    for labels in ([0, 1, 0, 1], [1, 0, 1, 0]):
        result = it.component_accuracies(x, labels, middle, labels[:1])
        assert result.neighbor[0] == 1.0


def test_dead_units_add_nothing():
    x, labels, y, truth = halves(*blobs(4))
    dead = [np.column_stack([part, np.full(len(part), 0.1)]) for part in (x, y)]
    assert dead[0][:, -1].mean() != 0.1  # rounding makes it vary by one constant digit
    # alive in the test samples only, where its square would swallow all distances
    dead[1][:, -1] = 1e12
    result = it.component_accuracies(x, labels, y, truth, components=[6])
    again = it.component_accuracies(dead[0], labels, dead[1], truth, components=[6, 7])
    np.testing.assert_array_equal(again.svm, np.repeat(result.svm, 2))
    np.testing.assert_array_equal(again.neighbor, np.repeat(result.neighbor, 2))
    constant = it.component_accuracies(
        np.ones((6, 2)), [0, 0, 0, 0, 1, 1], np.ones((3, 2)), [0] * 3
    )
    assert np.isnan(constant.explained_variance).all()
    assert (constant.neighbor == 1).all()


def test_classes_that_were_not_fitted_are_never_predicted():
    x, labels, y, truth = halves(*blobs(5))
    result = it.component_accuracies(x, labels, y, np.full(len(y), 99))
    assert not result.svm.any()
    assert not result.neighbor.any()


def test_numbers_of_components_reach_the_last():
    assert component_numbers(1) == [1]
    assert component_numbers(3) == [1, 2, 3]
    assert component_numbers(100) == [1, 2, 3, 5, 10, 20, 30, 50, 100]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"components": [7]}, ValueError, "components has 7; expected from 1 to 6"),
        ({"components": [0]}, ValueError, "components has 0; expected from 1"),
        ({"components": [2, 2]}, ValueError, "expected each number once"),
        ({"components": [1.5]}, TypeError, r"components is \[1.5\]; expected a list of whole"),
        ({"components": []}, TypeError, "expected a list of whole numbers"),
        ({"labels": np.zeros(60, int)}, ValueError, "labels has one class, 0; expected two"),
        ({"test_features": np.ones((60, 5))}, ValueError, "test_features has 5 units, features h"),
        ({"test_features": np.full((60, 6), np.nan)}, ValueError, "test_features contains nan"),
        ({"features": np.full((60, 6), np.inf)}, ValueError, "features contains inf"),
        ({"test_labels": np.zeros(3, int)}, ValueError, r"test_labels has shape \(3,\)"),
        ({"penalty": 0}, ValueError, "penalty is 0; expected a finite number > 0"),
        ({"penalty": "hard"}, TypeError, "penalty is 'hard'; expected a finite number"),
    ],
)
def test_bad_input_is_named_in_one_line(change, error, message):
    x, labels, y, truth = halves(*blobs(6))
    good = {"features": x, "labels": labels, "test_features": y, "test_labels": truth}
    with pytest.raises(error, match=message) as caught:
        it.component_accuracies(**(good | change))
    assert "\n" not in str(caught.value)


def test_few_samples_bound_the_components():
    x, labels, y, truth = halves(*blobs(6))
    with pytest.raises(ValueError, match="components has 5; expected from 1 to 4"):
        it.component_accuracies(x[:5], [0, 1, 0, 1, 1], y, truth, components=[5])
