import copy
import math
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from infotheo.invertibility.inversion import InversionWarning, invert_residual
from infotheo.invertibility.lipschitz import lipschitz_bounds


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def linear(matrix):
    layer = nn.Linear(matrix.shape[1], matrix.shape[0], bias=False)
    layer.weight = nn.Parameter(matrix, requires_grad=False)
    return layer


def made(build, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build().double()


@pytest.mark.parametrize("seed", range(3))
def test_linear_branch_inverts_to_the_solution_of_the_system(seed):
    matrix = normal(6, 6, seed=seed)
    matrix *= 0.6 / torch.linalg.matrix_norm(matrix, ord=2)
    y = normal(5, 6, seed=10 + seed)
    result = invert_residual(linear(matrix), y, iterations=80)
    exact = torch.linalg.solve(torch.eye(6).double() + matrix, y.mT).mT
    # residual 1e-12 |y| over 1 - 0.6
    np.testing.assert_allclose(result.x, exact, rtol=0, atol=2.5e-12 * float(y.norm(dim=1).max()))
    assert bool(result.converged.all())
    assert bool((result.residual <= 1e-12).all())


def test_contraction_converges_at_the_predicted_rate():
    """After k steps the error is at most c^k times the first."""
    constant = 0.7
    branch = made(
        lambda: nn.Sequential(
            spectral_norm(nn.Linear(8, 8), n_power_iterations=100),
            nn.Tanh(),
            spectral_norm(nn.Linear(8, 8), n_power_iterations=100),
        )
    ).eval()
    last = linear(constant * torch.eye(8).double())
    branch = nn.Sequential(*branch, last)
    assert float(lipschitz_bounds(branch, normal(4, 8)).upper) == pytest.approx(constant, rel=1e-3)
    x = normal(4, 8)
    y = (x + branch(x)).detach()
    first = (y - x).norm(dim=1)
    for steps in (1, 2, 5, 10):
        with pytest.warns(InversionWarning):
            result = invert_residual(branch, y, iterations=steps, tolerance=1e-15)
        error = (result.x - x).norm(dim=1)
        assert bool((error <= (constant * 1.001) ** steps * first).all())
        assert bool((result.iterations == steps).all())
        # and the residual bounds the error: |x_k - x| <= r / (1 - c)
        absolute = result.residual * torch.maximum(y.norm(dim=1), result.x.norm(dim=1))
        assert bool((error <= absolute / (1 - constant * 1.001)).all())
        assert bool((result.rate <= constant * 1.001).all())


def test_linear_rate_is_the_spectral_radius_and_not_the_norm():
    matrix = torch.tensor([[0.5, 3.0], [0.0, 0.25]]).double()  # norm 3.05, radius 0.5
    assert float(torch.linalg.matrix_norm(matrix, ord=2)) > 3
    with pytest.warns(InversionWarning):
        result = invert_residual(linear(matrix), normal(6, 2), iterations=30, tolerance=1e-15)
    np.testing.assert_allclose(result.rate, 0.5, rtol=1e-4)  # the other share is 2^-30
    assert bool((result.residual < 1e-6).all())


def test_expansion_fails_and_says_so():
    matrix = 2.0 * torch.eye(3).double()
    y = normal(4, 3)
    with pytest.warns(InversionWarning, match=r"4 of 4 samples did not converge in 200 iterations"):
        result = invert_residual(linear(matrix), y, iterations=200)
    assert not bool(result.converged.any())
    np.testing.assert_allclose(result.rate, 2.0, rtol=1e-9)
    assert bool(result.x.isfinite().all())
    assert bool((result.residual > 0.5).all())
    # given up when 1e6 times worse than at the start: 2^20 > 1e6
    assert result.iterations.tolist() == [20] * 4


def test_overflow_leaves_a_finite_iterate_and_its_residual():
    class Square(nn.Module):
        def forward(self, x):
            return 1e3 * x**9

    x0 = torch.full((1, 2), 1e3)
    with pytest.warns(InversionWarning):
        result = invert_residual(Square(), torch.ones(1, 2), x0=x0)
    assert bool(result.x.isfinite().all())
    assert torch.equal(result.x, x0)  # not one step could be taken
    assert int(result.iterations) == 0
    assert math.isnan(float(result.rate))
    assert not bool(result.converged)


def test_each_sample_is_judged_alone():
    """One converges, one diverges, one starts at the solution; neighbours change nothing."""

    class Gain(nn.Module):
        def forward(self, x):
            return x * torch.where(x.abs() > 1, -3.0, 0.5)

    y = torch.tensor([[0.3], [-40.0], [0.0]], dtype=torch.float64)
    with pytest.warns(InversionWarning, match="1 of 3 samples"):
        result = invert_residual(Gain(), y, iterations=60)
    assert result.converged.tolist() == [True, False, True]
    assert float(result.x[0]) == pytest.approx(0.2, rel=1e-11)
    assert int(result.iterations[2]) == 0
    assert float(result.residual[2]) == 0
    assert math.isnan(float(result.rate[2]))
    alone = invert_residual(Gain(), y[:1], iterations=60)
    for of_all, of_one in zip(result, alone, strict=True):
        assert torch.equal(of_all[:1], of_one)


def test_errata_ratio_below_one_and_yet_not_injective():
    """Papers 4 and 5: |L(x)|/|x| < 1 at the data, though two x have the same y."""

    class Bump(nn.Module):
        def forward(self, x):
            return -3 * torch.relu(x - 1) + 6 * torch.relu(x - 1.25) - 3 * torch.relu(x - 1.5)

    data = torch.tensor([[0.5], [1.25], [2.0]]).double()
    ratio = Bump()(data).abs() / data.abs()
    assert float(ratio.max()) < 0.7
    one, other = torch.tensor([[1.0]]).double(), torch.tensor([[1.375]]).double()
    assert torch.equal(one + Bump()(one), other + Bump()(other))
    near = torch.tensor([[1.2], [1.3]]).double()  # the quotient of a pair shows it
    assert float((Bump()(near)[1] - Bump()(near)[0]).abs() / 0.1) < 1e-9  # but not of every pair
    steep = torch.tensor([[1.05], [1.2]]).double()
    assert float((Bump()(steep)[1] - Bump()(steep)[0]).abs() / 0.15) == pytest.approx(3)


def test_errata_lipschitz_constant_above_one_and_yet_invertible():
    """The bound is sufficient, not necessary: additive coupling, as in i-RevNet, always inverts."""
    function = made(lambda: nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 4)))
    for layer in (function[0], function[2]):
        layer.weight.data *= 10
    branch = Coupling(function)
    x = normal(5, 8)
    y = x + branch(x).detach()
    assert float(lipschitz_bounds(function, x[:, :4]).lower) > 5
    result = invert_residual(branch, y)
    assert bool(result.converged.all())
    assert int(result.iterations.max()) <= 2  # L after L is 0
    np.testing.assert_allclose(result.x, x, rtol=0, atol=1e-13 * float(y.abs().max()))


class Coupling(nn.Module):
    """L(a, b) = (0, F(a)): the additive coupling of i-RevNet as a residual branch."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        a, _ = x.chunk(2, dim=1)
        return torch.cat([torch.zeros_like(a), self.function(a)], dim=1)


@pytest.fixture
def coupling():
    def build():
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(inplace=True),
            nn.Conv2d(8, 3, 3, padding=1),
            nn.BatchNorm2d(3),
        )

    function = made(build)
    for _ in range(20):
        function(normal(16, 3, 8, 8) * 2 + 1)  # running statistics
    return Coupling(function)


@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 1e-7), (torch.float64, 1e-15)])
def test_coupling_block_inverts_to_rounding_in_evaluation_mode(coupling, dtype, error):
    branch = copy.deepcopy(coupling).to(dtype).eval()
    x = normal(6, 6, 8, 8).to(dtype)
    with torch.no_grad():
        y = x + branch(x)
    result = invert_residual(branch, y)
    assert bool(result.converged.all())
    assert result.x.dtype == dtype
    assert float((result.x - x).norm() / x.norm()) < error  # 3e-8 and 5e-17 measured


def test_training_mode_gives_another_y_which_evaluation_mode_does_not_invert(coupling):
    """Batch norm of the batch is no function of one sample: i-RevNet's 0.4 in training mode."""
    x = normal(6, 6, 8, 8)
    coupling.train()
    with torch.no_grad():
        y = x + copy.deepcopy(coupling)(x)
    kept = {key: value.clone() for key, value in coupling.state_dict().items()}
    result = invert_residual(coupling, y)
    assert coupling.training  # left as it was
    assert all(torch.equal(value, kept[key]) for key, value in coupling.state_dict().items())
    assert bool(result.converged.all())  # it has solved y = x + L(x) for L in evaluation mode
    assert float((result.x - x).norm() / x.norm()) > 0.05
    coupling.eval()
    again = invert_residual(coupling, y)
    assert torch.equal(result.x, again.x)


def test_spectrally_normalised_block_is_licensed_and_inverts():
    branch = made(
        lambda: nn.Sequential(
            nn.ELU(),
            spectral_norm(nn.Linear(6, 6), n_power_iterations=50),
            nn.ELU(),
            spectral_norm(nn.Linear(6, 6), n_power_iterations=50),
            linear(0.8 * torch.eye(6)),
        )
    ).eval()
    x = normal(7, 6)
    y = x + branch(x).detach()
    assert float(lipschitz_bounds(branch, x).upper) < 0.81
    result = invert_residual(branch, y, iterations=150)
    assert bool(result.converged.all())
    np.testing.assert_allclose(result.x, x, rtol=0, atol=1e-10)


def test_cost_is_one_pass_a_step_and_none_for_the_finished(monkeypatch):
    branch = linear(torch.diag(torch.tensor([0.0, 0.1, 0.5])).double())
    passed = []
    branch.register_forward_hook(lambda module, arguments, output: passed.append(len(output)))
    y = torch.eye(3).double()  # the three converge at 0, 0.1 and 0.5
    result = invert_residual(branch, y, iterations=50)
    assert sum(passed) == 3 + int(result.iterations.sum())
    assert result.iterations.tolist()[0] <= 1
    # 0.1^12 and 0.5^40: the first iterate has the residual |L(y)| already
    assert 11 <= int(result.iterations[1]) <= 13
    assert 38 <= int(result.iterations[2]) <= 40
    monkeypatch.setattr("infotheo.invertibility.inputs.HOST_CHUNK", 3)
    parts = invert_residual(branch, y, iterations=50)
    for of_all, of_parts in zip(result, parts, strict=True):
        torch.testing.assert_close(of_all, of_parts, rtol=1e-12, atol=1e-15, equal_nan=True)


def test_start_moves_the_path_and_not_the_end():
    branch = linear(0.5 * torch.eye(3).double())
    x = normal(4, 3)
    y = 1.5 * x
    from_y = invert_residual(branch, y, iterations=60)
    kept = x.clone()
    from_x = invert_residual(branch, y, x0=x, iterations=60)
    assert torch.equal(x, kept)
    assert bool((from_x.iterations <= 1).all())
    assert bool((from_y.iterations > 30).all())
    np.testing.assert_allclose(from_x.x, from_y.x, atol=1e-11)


def test_branch_that_works_in_place_changes_no_input():
    branch = nn.Sequential(nn.ReLU(inplace=True), linear(0.5 * torch.eye(3)))
    y = normal(4, 3, dtype=torch.float32)
    kept = y.clone()
    result = invert_residual(branch, y, iterations=40)
    assert torch.equal(y, kept)
    torch.testing.assert_close(result.x + 0.5 * result.x.relu(), y)


def test_half_precision_has_a_tolerance_of_its_own():
    branch = linear((0.5 * torch.eye(3)).half())
    y = normal(4, 3).half()
    result = invert_residual(branch, y)
    assert result.x.dtype == torch.float16
    assert bool(result.converged.all())


def test_tolerance_that_rounding_cannot_meet_is_not_met():
    branch = linear(0.3 * normal(5, 5))
    with pytest.warns(InversionWarning):
        result = invert_residual(branch, normal(6, 5), iterations=300, tolerance=1e-300)
    assert bool((result.residual > 0).any())
    assert bool((result.residual[~result.converged] > 1e-300).all())


def test_no_warning_where_all_converge():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        invert_residual(linear(0.1 * torch.eye(2)), normal(3, 2, dtype=torch.float32))


def test_what_cannot_be_inverted_is_said_in_a_line():
    y = normal(4, 3)
    layer = nn.Linear(3, 3).double()
    with pytest.raises(TypeError, match="branch is a builtin.*; expected a torch.nn.Module"):
        invert_residual(torch.relu, y)
    with pytest.raises(TypeError, match=r"y is a numpy.ndarray; expected a torch.Tensor"):
        invert_residual(layer, y.numpy())
    with pytest.raises(ValueError, match="y contains nan in sample 0"):
        invert_residual(layer, y * math.nan)
    with pytest.raises(ValueError, match=r"output of shape \(4, 2\) for input of shape \(4, 3\)"):
        invert_residual(nn.Linear(3, 2).double(), y)
    with pytest.raises(ValueError, match="iterations is -1"):
        invert_residual(layer, y, iterations=-1)
    with pytest.raises(ValueError, match="tolerance is 2; expected a number between"):
        invert_residual(layer, y, tolerance=2)
    with pytest.raises(ValueError, match=r"x0 is \(3, 3\) of torch.float64.*expected \(4, 3\)"):
        invert_residual(layer, y, x0=y[:3])
    mixing = nn.Sequential(layer, nn.BatchNorm1d(3, track_running_stats=False).double())
    with pytest.raises(ValueError, match="layer '1' .BatchNorm1d. without running statistics"):
        invert_residual(mixing, y)
    layer.weight.data[0, 0] = math.inf
    with pytest.raises(ValueError, match=r"L\(x\) contains .* in sample 0"):
        invert_residual(layer, y)
