import math
import warnings

import numpy as np
import pytest
import torch
import xarray as xr

import infotheo as it
from infotheo.estimators.gaussian import DependenceWarning, gaussian_information
from infotheo.estimators.total_correlation import total_correlation


def by_determinants(x, y):
    """Reference twin: the textbook formula."""
    dets = [
        np.linalg.slogdet(np.atleast_2d(np.cov(z, rowvar=False)))[1] for z in (x, y, np.c_[x, y])
    ]
    return (dets[0] + dets[1] - dets[2]) / 2


@pytest.fixture
def pair():
    stream = np.random.default_rng(0)
    x = stream.normal(size=(60, 3)) @ stream.normal(size=(3, 3)) + 5
    return x, x[:, :2] @ stream.normal(size=(2, 4)) + stream.normal(size=(60, 4))


def test_agrees_with_determinants(pair):
    x, y = pair
    for a, b in ((x, y), (y, x)):
        result = gaussian_information(a, b, correction=None)
        assert result.value == pytest.approx(by_determinants(a, b), rel=1e-11)
    bits = gaussian_information(x, y, correction=None, units="bits").value
    assert bits * math.log(2) == pytest.approx(by_determinants(x, y), rel=1e-11)


def test_invariant_to_linear_maps_of_each_side(pair):
    x, y = pair
    expected = gaussian_information(x, y)
    stream = np.random.default_rng(1)
    a, b = stream.normal(size=(3, 3)), stream.normal(size=(4, 4))
    same = {
        "linear maps": gaussian_information(x @ a + 7, y @ b - 3),
        "far means": gaussian_information(x + 1e5, y),  # costs 5 of the digits
        "small scale": gaussian_information(x * 1e-200, y * 1e200),
        "constant unit": gaussian_information(np.c_[x, np.full(60, 0.1)], y),
        "repeated unit": gaussian_information(np.c_[x, x[:, 0], x @ [1, 2, 3]], y),
        "order": gaussian_information(x[::-1], y[::-1]),
    }
    for name, result in same.items():
        np.testing.assert_allclose(result, expected, rtol=1e-8, err_msg=name)


def test_strong_dependence_keeps_its_digits():
    """1 - rho^2 of 1e-16 is nothing to a determinant; the residual still has it."""
    x, noise = np.linalg.qr(np.random.default_rng(2).normal(size=(50, 3)))[0].T[:2]
    x, noise = x - x.mean(), noise - noise.mean()
    noise -= x * (x @ noise) / (x @ x)
    x, noise = x / np.linalg.norm(x), noise / np.linalg.norm(noise)
    result = gaussian_information(x[:, None], (x + 1e-8 * noise)[:, None], correction=None)
    # 1 - rho^2 = 1e-16 / (1 + 1e-16); the residual 1e-8 is known to 1e-8 of itself
    assert result.value == pytest.approx(8 * math.log(10), abs=1e-6)


def test_exact_dependence_is_infinite_and_says_so(pair):
    x, y = pair
    with pytest.warns(DependenceWarning, match=r"infinite \(1 of 1 values\)"):
        assert gaussian_information(x, np.c_[y, x @ [1.0, -1, 2]]).value == math.inf
    z = np.stack([np.c_[x, x[:, 0]], y])
    with pytest.warns(DependenceWarning, match=r"a unit of z .* \(1 of 2 values\)"):
        assert np.isinf(total_correlation(z).value).tolist() == [True, False]


def test_constants_carry_nothing(pair):
    x, y = pair
    assert tuple(gaussian_information(np.ones((60, 2)), y)) == (0, 0)
    assert total_correlation(np.ones((60, 2))).value == 0
    z = total_correlation(np.c_[x, np.full(60, 0.3)])
    assert z.value == pytest.approx(total_correlation(x).value, rel=1e-12)


def draw_seeds(samples, x_units, y_units, rho, count=400):
    stream = np.random.default_rng(3)
    x = stream.normal(size=(count, samples, x_units))
    y = stream.normal(size=(count, samples, y_units))
    y[..., 0] = rho * x[..., 0] + math.sqrt(1 - rho**2) * y[..., 0]
    return x, y, -0.5 * math.log1p(-(rho**2))


@pytest.mark.parametrize(
    ("samples", "x_units", "y_units", "rho"),
    [(12, 2, 3, 0.6), (40, 10, 10, 0.9), (200, 1, 1, 0.75), (60, 5, 2, 0.0)],
)
def test_correction_is_exact_and_error_bars_are_right(samples, x_units, y_units, rho):
    """400 samples: the mean is known to 1/20 of the spread, the spread to 3.5 %."""
    x, y, truth = draw_seeds(samples, x_units, y_units, rho)
    result = gaussian_information(x, y)
    spread = result.value.std(ddof=1)
    assert result.value.mean() == pytest.approx(truth, abs=4 * spread / 20)
    plain = gaussian_information(x, y, correction=None).value
    assert (plain - result.value).std() < 1e-12
    if samples > 2 * (x_units + y_units) + 50:  # the error is of the leading orders in 1/N
        assert np.sqrt(np.mean(result.standard_error**2)) == pytest.approx(spread, rel=0.15)
    if samples == 40:
        assert plain.mean() - truth > 10 * spread / 20  # what the correction is for


def test_coverage_of_the_standard_error():
    x, y, truth = draw_seeds(500, 2, 2, 0.7)
    result = gaussian_information(x, y)
    inside = np.abs(result.value - truth) < 1.96 * result.standard_error
    # 95 %, of 400 samples: binomial standard error 1.1 %; 4 of them, and 0.5 % for skewness
    assert inside.mean() == pytest.approx(0.95, abs=0.05)


def test_gaussian_tasks():
    for name in ("normal 0.75", "dense 5x5", "linear layer 3-2"):
        task = it.tasks[name]
        result = gaussian_information(*task.sample(20_000, 5))
        assert abs(result.value - task.mutual_information) < 3 * result.standard_error, name


# Total correlation


def test_total_correlation_of_a_gaussian():
    stream = np.random.default_rng(6)
    root = stream.normal(size=(4, 4))
    z = stream.normal(size=(400, 200, 4)) @ root.T
    covariance = root @ root.T
    truth = 0.5 * (np.log(np.diag(covariance)).sum() - np.linalg.slogdet(covariance)[1])
    result = total_correlation(z)
    spread = result.value.std(ddof=1)
    assert result.value.mean() == pytest.approx(truth, abs=4 * spread / 20)
    # 400 samples know the spread to 3.5 %
    assert np.mean(result.standard_error) == pytest.approx(spread, rel=0.15)
    assert result.ceiling is None
    plain = total_correlation(z[0], correction=None).value
    r = np.corrcoef(z[0], rowvar=False)
    assert plain == pytest.approx(-0.5 * np.linalg.slogdet(r)[1], rel=1e-11)


def test_total_correlation_is_a_chain_of_information(pair):
    x, _ = pair
    steps = [gaussian_information(x[:, :i], x[:, i : i + 1], correction=None).value for i in (1, 2)]
    assert total_correlation(x, correction=None).value == pytest.approx(sum(steps), rel=1e-10)


def test_total_correlation_is_invariant_to_scales_not_to_rotations(pair):
    x, _ = pair
    result = total_correlation(x).value
    assert total_correlation(x * [1, -3, 1e4] + 5).value == pytest.approx(result, rel=1e-9)
    rotation = np.linalg.qr(np.random.default_rng(7).normal(size=(3, 3)))[0]
    assert abs(total_correlation(x @ rotation).value - result) > 0.01


@pytest.mark.parametrize("algorithm", ["ksg1", "ksg2"])
def test_neighbor_total_correlation(algorithm):
    stream = np.random.default_rng(8)
    shared = stream.normal(size=(2000, 1))
    z = shared + stream.normal(size=(2000, 3))
    truth = 0.5 * math.log(2**3 / 4)  # covariance 1 + identity: eigenvalues 4, 1, 1
    result = total_correlation(z, method="neighbors", algorithm=algorithm)
    # the terms' spread is about 0.7: 0.016 for 2000 samples, and a bias of the same size
    assert result.value == pytest.approx(truth, abs=0.07)
    assert result.standard_error is None
    assert result.value < result.ceiling
    independent = total_correlation(stream.normal(size=(2000, 3)), method="neighbors")
    assert independent.value == pytest.approx(0, abs=0.07)
    two = total_correlation(z[:, :2], method="neighbors", algorithm=algorithm).value
    pair = it.neighbor_information(z[:, :1], z[:, 1:2], algorithm=algorithm).value
    assert two == pytest.approx(pair, abs=1e-12)
    with_constant = total_correlation(np.c_[z, np.ones(2000)], method="neighbors").value
    assert with_constant == pytest.approx(total_correlation(z, method="neighbors").value, abs=1e-12)


def test_neighbor_total_correlation_warns_in_many_dimensions():
    stream = np.random.default_rng(9)
    z = stream.normal(size=(1000, 12))
    z[:, 1] += 2 * z[:, 0]
    with pytest.warns(it.NeighborTrustWarning, match="in 12 dimensions it finds"):
        total_correlation(z, method="neighbors")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        total_correlation(z, method="neighbors", check_trust=False)
        total_correlation(z[:, :2], method="neighbors")


# Kinds of array, gradients, bad input


def test_gradients():
    stream = np.random.default_rng(10)
    x, y = (torch.tensor(stream.normal(size=(7, u)), requires_grad=True) for u in (1, 2))
    assert torch.autograd.gradcheck(lambda a, b: gaussian_information(a, b).value, (x, y))
    assert torch.autograd.gradcheck(lambda a, b: gaussian_information(b, a).standard_error, (x, y))
    assert torch.autograd.gradcheck(lambda a: total_correlation(a).value, (y,))
    constant = torch.cat([x, torch.ones(7, 1, dtype=torch.float64)], dim=1)
    gaussian_information(constant, y).value.sum().backward()
    assert bool(torch.isfinite(x.grad).all())


def test_kinds_and_batches(pair):
    x, y = pair
    expected = gaussian_information(x, y)
    result = gaussian_information(torch.tensor(x, dtype=torch.float32), torch.tensor(y))
    assert result.value.dtype == torch.float64
    # a change of 6e-8 of the data
    np.testing.assert_allclose([v.item() for v in result], expected, rtol=1e-5)
    batch = xr.DataArray(np.stack([x, -x]), dims=("layer", "sample", "unit"))
    labelled = gaussian_information(batch, xr.DataArray(y, dims=("sample", "unit")), units="bits")
    assert labelled["value"].dims == ("layer",)
    assert labelled["value"].attrs["units"] == "bits"
    np.testing.assert_allclose(labelled["value"] * math.log(2), expected.value, rtol=1e-12)
    joint = total_correlation(batch)
    assert set(joint.data_vars) == {"value", "standard_error"}
    near = total_correlation(batch, method="neighbors", check_trust=False)
    assert set(near.data_vars) == {"value", "ceiling"}


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x, y: gaussian_information(x, y[:5]), ValueError, "y has 5 samples, x has 60"),
        (lambda x, y: gaussian_information(x[:7], y[:7]), ValueError, r"3 \+ 4 independent units"),
        (lambda x, y: gaussian_information(x, y, correction="none"), ValueError, "correction is"),
        (lambda x, y: gaussian_information(x, y, units="dits"), ValueError, "units is 'dits'"),
        (lambda x, y: gaussian_information(x, y + math.nan), ValueError, "y contains nan"),
        (lambda x, y: gaussian_information(x, y.astype(str)), TypeError, "y has dtype"),
        (lambda x, y: total_correlation(x[:3]), ValueError, "3 units that vary and 3 samples"),
        (lambda x, y: total_correlation(x, method="kde"), ValueError, "method is 'kde'"),
        (lambda x, y: total_correlation(x, method="neighbors", k=60), ValueError, "k is 60"),
    ],
)
def test_bad_input(pair, call, error, message):
    with pytest.raises(error, match=message):
        call(*pair)


def test_as_many_samples_as_can_do(pair):
    x, y = pair
    assert math.isfinite(gaussian_information(x[:8], y[:8]).value)
    assert math.isfinite(total_correlation(x[:4]).value)


def test_error_bars_without_dependence_in_ten_dimensions():
    """The spread is then all of second order, and chance correlations are no dependence.

    400 samples know the spread to 3.5 %; orders beyond 1/N**2 are d/N = 5 to 10 %.
    """
    x, y = np.random.default_rng(12).normal(size=(2, 400, 300, 10))
    for result in (gaussian_information(x, y), total_correlation(x)):
        spread = result.value.std(ddof=1)
        typical = np.sqrt(np.mean(result.standard_error**2))
        assert typical == pytest.approx(spread, rel=0.25)
