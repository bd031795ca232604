import numpy as np
import pytest
import torch
import xarray as xr

from infotheo.estimators.noise.likelihood import likelihood_noise_variance
from infotheo.estimators.noise.variance import relative_noise_variance
from infotheo.estimators.pair_sums import distances
from infotheo.estimators.pairwise.bounds import mixture_entropy, pairwise_information

pytestmark = pytest.mark.filterwarnings("ignore::infotheo.SaturationWarning")

Z = np.random.default_rng(0).normal(size=(2, 3, 30, 4)) * np.array([1.0, 10, 0.1])[:, None, None]


def test_relative_variance_is_a_fraction_of_the_mean_variance_of_units():
    assert relative_noise_variance(Z[0, 0], 0.1) == pytest.approx(0.1 * Z[0, 0].var(0).mean())
    sweep = relative_noise_variance(Z[0, 0], [0.1, 1.0])
    assert sweep.shape == (2,)
    batched = relative_noise_variance(Z, [0.1, 1.0])
    np.testing.assert_allclose(batched[..., 1], Z.var(axis=2).mean(axis=-1), rtol=1e-12)
    assert relative_noise_variance(Z, 0.1).shape == (2, 3, 1)


def test_relative_noise_makes_the_bounds_scale_free():
    bounds = pairwise_information(Z, noise_variance=relative_noise_variance(Z, [0.1, 1.0]))
    squashed = pairwise_information(
        Z * 1e-3, noise_variance=relative_noise_variance(Z * 1e-3, [0.1, 1.0])
    )
    np.testing.assert_allclose(bounds.kl, squashed.kl, atol=1e-10)
    assert bounds.kl.shape == (2, 3, 2)


def test_batched_equals_looped():
    noise = relative_noise_variance(Z, [0.1, 1.0])
    y = np.arange(30) % 3
    batched = pairwise_information(Z, y, noise_variance=noise)
    entropy = mixture_entropy(Z, noise_variance=noise)
    for index in np.ndindex(2, 3):
        single = relative_noise_variance(Z[index], [0.1, 1.0])
        alone = pairwise_information(Z[index], y, noise_variance=single)
        for a, b in zip(batched[:4], alone[:4], strict=True):
            np.testing.assert_allclose(a[index], b, rtol=0, atol=1e-12)
        bounds = mixture_entropy(Z[index], noise_variance=single)
        np.testing.assert_allclose(entropy.lower[index], bounds.lower, atol=1e-12)


def test_a_sweep_is_a_new_last_dimension():
    bounds = pairwise_information(Z, noise_variance=[0.1, 0.2, 0.4, 0.8])
    assert bounds.lower.shape == (2, 3, 4)
    alone = pairwise_information(Z, noise_variance=0.4)
    assert alone.lower.shape == (2, 3)
    np.testing.assert_allclose(bounds.lower[..., 2], alone.lower, atol=1e-12)


@pytest.fixture
def labelled():
    return xr.DataArray(
        Z, dims=("seed", "epoch", "sample", "unit"), coords={"seed": [5, 6], "epoch": [1, 10, 100]}
    )


def test_labelled_noise_is_aligned_by_name(labelled):
    noise = relative_noise_variance(labelled, [0.1, 1.0])
    assert noise.dims == ("seed", "epoch", "relative_noise_variance")
    plain = pairwise_information(Z, noise_variance=relative_noise_variance(Z, [0.1, 1.0]))
    for arranged in (noise, noise.transpose(..., "seed")):
        bounds = pairwise_information(labelled, noise_variance=arranged)
        assert bounds.lower.dims == ("seed", "epoch", "relative_noise_variance")
        np.testing.assert_array_equal(bounds.relative_noise_variance, [0.1, 1.0])
        np.testing.assert_allclose(bounds.noise_variance, noise)
        np.testing.assert_allclose(bounds.lower, plain.lower, atol=1e-12)


def test_labelled_noise_without_a_sweep(labelled):
    bounds = pairwise_information(labelled, noise_variance=relative_noise_variance(labelled, 0.1))
    assert bounds.lower.dims == ("seed", "epoch")
    assert float(bounds.relative_noise_variance) == 0.1
    assert bounds.noise_variance.dims == ("seed", "epoch")
    by_seed = xr.DataArray([0.1, 0.3], dims="seed", coords={"seed": [5, 6]})
    bounds = pairwise_information(labelled, noise_variance=by_seed)
    np.testing.assert_allclose(
        bounds.kl[1], pairwise_information(Z[1], noise_variance=0.3).kl, atol=1e-12
    )


def test_labelled_absolute_sweep_carries_its_values(labelled):
    bounds = pairwise_information(labelled, noise_variance=[0.1, 0.5])
    assert bounds.lower.dims == ("seed", "epoch", "noise_variance")
    np.testing.assert_array_equal(bounds.noise_variance, [0.1, 0.5])
    np.testing.assert_array_equal(bounds.epoch, [1, 10, 100])


def test_labelled_noise_of_other_runs_is_refused(labelled):
    noise = relative_noise_variance(labelled, 0.1).assign_coords(seed=[6, 7])
    with pytest.raises(ValueError, match="noise_variance differs from the samples along 'seed'"):
        pairwise_information(labelled, noise_variance=noise)


def test_gradient_flows_through_the_scale():
    """Relative noise makes the bound invariant under scaling: the gradient is orthogonal to z."""
    z = torch.tensor(Z[0, 0], requires_grad=True)
    pairwise_information(z, noise_variance=relative_noise_variance(z, 0.5)).kl.backward()
    assert z.grad.abs().max() > 1e-3
    centred = (z - z.mean(0)).detach()
    assert float((z.grad * centred).sum()) == pytest.approx(0, abs=1e-10)


def leave_one_out(z, variance):
    squared = ((z[:, None] - z[None]) ** 2).sum(-1)
    kernel = np.exp(-squared / (2 * variance))
    np.fill_diagonal(kernel, 0)
    return np.log(kernel.sum(1)).mean() - z.shape[1] / 2 * np.log(variance)


@pytest.mark.parametrize("block", [8, 1024])
def test_likelihood_variance_maximises_the_leave_one_out_likelihood(monkeypatch, block):
    monkeypatch.setattr(distances, "HOST_BLOCK", block)
    z = Z[0, 0]
    best = likelihood_noise_variance(z)
    # a relative 1e-3 away on either side the likelihood is lower, so the error is below that
    assert leave_one_out(z, best) > leave_one_out(z, best * 1.001)
    assert leave_one_out(z, best) > leave_one_out(z, best / 1.001)
    grid = [leave_one_out(z, v) for v in np.geomspace(0.05, 20, 60)]
    assert leave_one_out(z, best) >= max(grid)


def test_likelihood_variance_by_kind(labelled):
    batched = likelihood_noise_variance(Z)
    assert batched.shape == (2, 3, 1)
    # joint scaling by 10 scales a variance by 100; grids differ by rounding only
    ten = likelihood_noise_variance(Z[0, 0] * 10)
    assert ten / 100 == pytest.approx(batched[0, 0, 0], rel=1e-6)
    array = likelihood_noise_variance(labelled)
    assert array.dims == ("seed", "epoch")
    np.testing.assert_allclose(array, batched[..., 0], rtol=1e-12)
    tensor = likelihood_noise_variance(torch.tensor(Z, requires_grad=True))
    np.testing.assert_allclose(tensor, batched, rtol=1e-9)
    assert pairwise_information(Z, noise_variance=batched).lower.shape == (2, 3, 1)


def test_likelihood_variance_refuses_duplicates():
    with pytest.raises(ValueError, match="exact duplicate of every sample"):
        likelihood_noise_variance([[0.0], [0.0], [1.0], [1.0]])


def test_relative_variance_refuses_constants():
    with pytest.raises(ValueError, match=r"z is constant: every unit has variance 0"):
        relative_noise_variance(np.full((5, 2), 0.1), 0.1)
    z = Z.copy()
    z[1, 2] = 7
    with pytest.raises(ValueError, match=r"batch element \(1, 2\) has variance 0"):
        relative_noise_variance(z, 0.1)


@pytest.mark.parametrize(
    ("fraction", "error", "message"),
    [
        (0, ValueError, "fraction contains 0; expected positive"),
        ([0.1, -1], ValueError, r"fraction contains -1\.0"),
        (np.nan, ValueError, "fraction contains nan"),
        ([], ValueError, r"fraction has shape \(0,\)"),
        ([[0.1]], ValueError, r"fraction has shape \(1, 1\); expected a number or \(K,\)"),
        ("0.1", TypeError, "fraction has dtype"),
    ],
)
def test_bad_fractions(fraction, error, message):
    with pytest.raises(error, match=message):
        relative_noise_variance(Z, fraction)


@pytest.mark.parametrize(
    ("noise", "error", "message"),
    [
        (0, ValueError, "noise_variance contains 0; expected positive"),
        (-0.1, ValueError, r"noise_variance contains -0\.1"),
        ([0.1, np.inf], ValueError, "noise_variance contains inf"),
        ([], ValueError, r"noise_variance has shape \(0,\)"),
        (np.ones((3, 2)), ValueError, r"noise_variance has shape \(3, 2\); expected a number"),
        (np.ones((1, 3, 2)), ValueError, r"noise_variance has shape \(1, 3, 2\)"),
        ("tiny", TypeError, "noise_variance has dtype"),
        (None, TypeError, "noise_variance is None; expected positive numbers"),
        (True, TypeError, "noise_variance has dtype bool"),
    ],
)
@pytest.mark.parametrize("estimator", [pairwise_information, mixture_entropy])
def test_bad_noise_variances(estimator, noise, error, message):
    with pytest.raises(error, match=message):
        estimator(Z, noise_variance=noise)
