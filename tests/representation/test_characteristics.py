import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from infotheo.representation import characteristics as module
from infotheo.representation import moments
from infotheo.representation.characteristics import Characteristics, characteristics


def naive_pairs(z, positive_only):
    """Reference twin: |c_ij|, |rho_ij| over pairs, and how many pairs had neither."""
    covariances, correlations, no_covariance, no_correlation = [], [], 0, 0
    units = z.shape[1]
    for i in range(units):
        for j in range(i):
            keep = (z[:, i] > 0) & (z[:, j] > 0) if positive_only else np.full(len(z), True)
            a, b = z[keep, i], z[keep, j]
            if len(a) < 2:
                no_covariance += 1
                no_correlation += 1
                continue
            c = np.mean((a - a.mean()) * (b - b.mean()))
            covariances.append(abs(c))
            if np.ptp(a) == 0 or np.ptp(b) == 0:
                no_correlation += 1
            else:
                correlations.append(abs(c) / (a.std() * b.std()))
    return covariances, correlations, no_covariance, no_correlation


def naive(z, y, positive_only):
    covariances, correlations, no_covariance, no_correlation = naive_pairs(z, positive_only)
    classes = [naive_pairs(z[y == k], positive_only) for k in np.unique(y)]
    columns = [column[column > 0] if positive_only else column for column in z.T]
    variances = [column.var() for column in columns if len(column) >= 2]
    low, high = z.min(0), z.max(0)
    scaled = 10 * (z - low) / np.where(high > low, high - low, 1)
    within = [[scaled[y == k, i].var() for i in range(z.shape[1])] for k in np.unique(y)]
    covariance = np.cov(z.T, bias=True)
    norms = np.linalg.norm(covariance), np.linalg.norm(covariance, 2)
    return {
        "activation_amplitude": np.abs(z[z > 0] if positive_only else z).mean(),
        "covariance": np.mean(covariances),
        "correlation": np.mean(correlations),
        "class_wise_correlation": np.mean([np.mean(result[1]) for result in classes if result[1]]),
        "variance": np.mean(variances),
        "normalized_class_wise_variance": np.mean(within),
        "sparsity": np.mean(z == 0),
        "dead_unit": np.mean((z == 0).all(0)),
        "stable_rank": (norms[0] / norms[1]) ** 2,
        "rank": np.linalg.matrix_rank(z - z.mean(0)),
        "left_out_pairs": no_covariance,
        "left_out_correlation_pairs": no_correlation,
        "left_out_class_wise_pairs": sum(result[3] for result in classes),
        "left_out_units": z.shape[1] - len(variances),
    }


def sample(seed=0, batch=()):
    z = np.maximum(np.random.default_rng(seed).normal(size=(*batch, 24, 7)) - 0.2, 0)
    z[..., 0] = 0  # dead
    z[..., 1] = 3.7  # constant and positive
    z[..., 2] = 0
    z[..., 5, 2] = 1.0  # positive once
    z[..., 3] = 2 * z[..., 4]  # redundant
    return z, np.arange(24) % 3


@pytest.mark.parametrize("positive_only", [True, False])
def test_agrees_with_loops_over_pairs(positive_only):
    z, y = sample()
    result = characteristics(z, y, positive_only=positive_only)._asdict()
    for name, expected in naive(z, y, positive_only).items():
        # the same sums in another order, values of order one
        assert result[name] == pytest.approx(expected, rel=1e-10, abs=1e-12), name


def test_positive_only_matters_and_leaves_pairs_out():
    z, y = sample()
    masked, plain = characteristics(z), characteristics(z, positive_only=False)
    assert masked.left_out_pairs > 0 == plain.left_out_pairs
    assert masked.left_out_units == 2
    assert abs(masked.correlation - plain.correlation) > 0.01
    assert abs(masked.covariance - plain.covariance) > 0.01
    assert masked.sparsity == plain.sparsity


def test_a_perfectly_correlated_pair():
    x = np.array([0.0, 1, 2, 5, 0])
    result = characteristics(np.stack([x, 3 * x], axis=1))
    assert result.correlation == pytest.approx(1, abs=1e-12)
    assert result.covariance == pytest.approx(3 * np.var([1, 2, 5]), rel=1e-12)
    assert result.rank == 1
    assert result.stable_rank == pytest.approx(1, abs=1e-12)


def test_pairs_use_their_common_samples_only():
    """Both are positive in the first three rows; what happens elsewhere does not matter."""
    z = np.array([[1.0, 2], [2, 3], [3, 1], [90, 0], [0, 70], [-5, 4]])
    result = characteristics(z)
    assert result.covariance == pytest.approx(abs(np.cov(z[:3].T, bias=True)[0, 1]), rel=1e-12)


@pytest.mark.parametrize("offset", [0.0, 1e4, 1e7])
def test_a_large_offset_does_not_cancel(offset):
    z = np.random.default_rng(1).normal(size=(40, 4)) + 10
    moved = z + offset
    shift = characteristics(moved)
    # the moved input itself is rounded by 1e-16 * offset, against deviations of order one
    tolerance = 1e-12 + 1e-14 * offset
    assert shift.correlation == pytest.approx(characteristics(z).correlation, abs=tolerance)
    assert shift.variance == pytest.approx(characteristics(z).variance, abs=tolerance)
    assert shift.rank == 4


@pytest.mark.parametrize("seed", range(10))
def test_units_constant_where_they_meet_have_no_correlation(seed):
    """Unit 0 varies, but not over the samples that it shares with unit 1."""
    generator = np.random.default_rng(seed)
    shared, other = generator.random((40, 2)) + 0.1, generator.random((15, 2)) + 0.1
    shared[:, 0], other[:, 1] = 0.3 + generator.random(), 0
    result = characteristics(np.concatenate([shared, other]))
    assert result.left_out_pairs == 0
    assert result.left_out_correlation_pairs == 1
    assert np.isnan(result.correlation)
    assert result.covariance == pytest.approx(0, abs=1e-12)


def test_a_dead_layer():
    result = characteristics(np.zeros((4, 3)), [0, 0, 1, 1])
    assert result.sparsity == result.dead_unit == 1
    assert result.rank == result.stable_rank == result.normalized_class_wise_variance == 0
    assert np.isnan(result.activation_amplitude)
    assert np.isnan(result.class_wise_correlation)
    assert result.left_out_pairs == 3


def test_a_class_without_a_pair_is_left_out_of_the_average():
    z = np.array([[1.0, 2], [2, 3], [3, 1], [0, 4], [5, 0]])
    result = characteristics(z, [0, 0, 0, 1, 1])
    assert result.class_wise_correlation == pytest.approx(abs(np.corrcoef(z[:3].T)[0, 1]))
    assert result.left_out_class_wise_pairs == 1


def test_without_labels_there_is_nothing_class_wise():
    z, _ = sample()
    result = characteristics(z)
    assert result.class_wise_correlation is None
    assert result.normalized_class_wise_variance is None
    array = characteristics(xr.DataArray(z, dims=("sample", "unit")))
    assert set(Characteristics._fields) - set(array.data_vars) == {
        "class_wise_correlation",
        "normalized_class_wise_variance",
        "left_out_class_wise_pairs",
    }


def test_squashing_does_not_move_the_normalized_fields():
    z, y = sample()
    full, squashed = characteristics(z, y), characteristics(z / 1000, y)
    for name in ("correlation", "normalized_class_wise_variance", "stable_rank", "sparsity"):
        assert getattr(full, name) == pytest.approx(getattr(squashed, name), rel=1e-10), name
    assert squashed.covariance == pytest.approx(full.covariance / 1e6, rel=1e-10)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    samples=st.integers(2, 15),
    units=st.integers(1, 8),
    threshold=st.floats(-1, 3),
)
def test_dead_units_sparsity_and_rank(seed, samples, units, threshold):
    """Paper 1, section 4.1: P_d <= P_s and M P_d <= M - rank(C)."""
    z = np.maximum(np.random.default_rng(seed).normal(size=(samples, units)) - threshold, 0)
    result = characteristics(z)
    assert result.dead_unit <= result.sparsity
    # M P_d is a whole number up to one rounding of the division by M
    assert round(float(units * result.dead_unit)) <= units - result.rank
    assert result.stable_rank <= result.rank + 1e-9


@pytest.mark.parametrize("small", [False, True])
def test_batched_equals_looped_equals_blocked(monkeypatch, small):
    z, y = sample(2, (2, 3))
    if small:  # several batch slices and several blocks of samples
        monkeypatch.setattr(module, "TILE", 400)
        monkeypatch.setattr(moments, "ROWS", 50)
    batched = characteristics(z, y)
    monkeypatch.undo()
    for index in np.ndindex(2, 3):
        alone = characteristics(z[index], y)
        for name, a, b in zip(batched._fields, batched, alone, strict=True):
            np.testing.assert_allclose(a[index], b, rtol=1e-9, atol=1e-13, err_msg=name)


def test_kinds_agree():
    z, y = sample(3, (2,))
    expected = characteristics(z, y)
    tensor = characteristics(torch.tensor(z), torch.tensor(y))
    array = characteristics(
        xr.DataArray(z, dims=("seed", "sample", "unit"), coords={"seed": [1, 2]}),
        xr.DataArray(y, dims="sample"),
    )
    for name, value in expected._asdict().items():
        assert isinstance(getattr(tensor, name), torch.Tensor)
        # eigenvalue thresholds differ by rounding of the eigenvalues
        np.testing.assert_allclose(getattr(tensor, name), value, rtol=1e-9, atol=1e-13)
        np.testing.assert_allclose(array[name], value, rtol=1e-12)
        assert array[name].dims == ("seed",)
        assert array[name].attrs["units"]


def test_a_class_with_one_sample_is_refused():
    z, y = sample()
    y[0] = 9
    with pytest.raises(ValueError, match="labels has 1 sample of class 9; expected at least 2"):
        characteristics(z, y)
