import copy
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from infotheo.invertibility.layer_norms import layer_norms
from infotheo.invertibility.lipschitz import lipschitz_bounds
from infotheo.invertibility.pair_quotients import largest_pair_quotient
from infotheo.invertibility.singular_values import largest_singular_values, linearize

ROUNDING = 1e-9  # of sums in float64, and of a square root near it


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def made(build, seed=0):
    """Build a module with weights of its own seed, in float64 and evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = build().double()
        for part in module.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm):
                part.running_mean.normal_()
                part.running_var.uniform_(0.2, 2)
                nn.init.normal_(part.weight)
    return module.eval()


def linear(matrix):
    layer = nn.Linear(matrix.shape[1], matrix.shape[0], bias=False)
    layer.weight = nn.Parameter(matrix, requires_grad=False)
    return layer


def dense(layer, shape):
    """Matrix of an affine layer: what it makes of the identity."""
    size = math.prod(shape)
    with torch.no_grad():
        zero = layer(torch.zeros(1, *shape, dtype=torch.float64))
        columns = layer(torch.eye(size, dtype=torch.float64).reshape(size, *shape)) - zero
    return columns.flatten(1).mT


def test_linear_branch_has_one_norm_everywhere():
    matrix = normal(6, 6)
    _, values, right = torch.linalg.svd(matrix)
    x = torch.cat([right, torch.zeros(1, 6, dtype=torch.float64)])
    result = lipschitz_bounds(linear(matrix), x, iterations=6)
    norm = float(values[0])
    assert float(result.upper) == pytest.approx(norm, rel=1e-12)
    # six steps in six dimensions are exact
    np.testing.assert_allclose(result.jacobian, norm, rtol=1e-10)
    # the pair of the first singular vector and 0
    assert float(result.pairs) == pytest.approx(norm, rel=1e-12)
    assert float(result.lower) == pytest.approx(norm, rel=1e-7)  # a quotient over a step of 1e-8
    assert float(result.lower) <= norm * (1 + 1e-7)


CONVOLUTIONS = {
    "same": (lambda: nn.Conv2d(3, 4, 3, padding=1), (3, 9, 9)),
    "valid": (lambda: nn.Conv2d(2, 5, 3), (2, 8, 7)),
    "stride": (lambda: nn.Conv2d(2, 4, 3, stride=2, padding=1), (2, 9, 8)),
    "stride beyond kernel": (lambda: nn.Conv2d(3, 2, 2, stride=3), (3, 8, 8)),
    "one by one, stride": (lambda: nn.Conv2d(3, 6, 1, stride=2), (3, 8, 8)),
    "groups": (lambda: nn.Conv2d(4, 6, 3, padding=1, groups=2), (4, 8, 8)),
    "dilation": (lambda: nn.Conv2d(2, 3, 3, padding=2, dilation=2), (2, 10, 10)),
    "dilation, stride": (lambda: nn.Conv2d(2, 3, 3, stride=2, dilation=3, padding=1), (2, 11, 11)),
    "even kernel": (lambda: nn.Conv2d(2, 3, (4, 2), padding=(1, 0)), (2, 9, 9)),
    "one dimension": (lambda: nn.Conv1d(3, 3, 5, padding=2), (3, 40)),
    "three dimensions": (lambda: nn.Conv3d(1, 2, 3, padding=1), (1, 5, 5, 5)),
    "transposed": (
        lambda: nn.ConvTranspose2d(3, 2, 3, stride=2, padding=1, output_padding=1),
        (3, 6, 6),
    ),
    "transposed, groups": (lambda: nn.ConvTranspose2d(4, 2, 3, groups=2), (4, 6, 6)),
    "circular": (lambda: nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"), (2, 8, 8)),
    "reflected": (lambda: nn.Conv2d(2, 3, 5, padding=2, padding_mode="reflect"), (2, 8, 8)),
    "replicated": (lambda: nn.Conv2d(2, 3, 3, padding=2, padding_mode="replicate"), (2, 8, 8)),
}


@pytest.mark.parametrize("case", CONVOLUTIONS)
@pytest.mark.parametrize("seed", [0, 1])
def test_convolution_lies_between_iteration_and_bound(case, seed):
    build, shape = CONVOLUTIONS[case]
    layer = made(build, seed)
    exact = float(torch.linalg.matrix_norm(dense(layer, shape), ord=2))
    result = lipschitz_bounds(layer, normal(2, *shape), iterations=30)
    assert exact <= float(result.upper) * (1 + ROUNDING)
    assert float(result.upper_estimate) <= exact * (1 + ROUNDING)
    assert float(result.upper_estimate) > 0.95 * exact  # 12 steps: measured 0.97 and more
    assert float(result.jacobian.max()) <= exact * (1 + ROUNDING)
    # what the border of a small image takes away: a gross looseness would hide a defect
    assert float(result.upper) < (3.2 if layer.padding_mode != "zeros" else 1.45) * exact


@pytest.mark.parametrize(
    "build",
    [
        lambda: nn.Conv1d(1, 1, 3, padding=1),
        lambda: nn.Conv1d(2, 3, 4, padding=2),
        lambda: nn.Conv1d(2, 3, 3, stride=2, padding=1),
        lambda: nn.Conv1d(2, 3, 5, stride=3, padding=1, dilation=2),
        lambda: nn.Conv1d(2, 6, 3, padding=1, groups=2),
    ],
)
@pytest.mark.parametrize("tolerance", [0.2, 0.01, 1e-5])  # the last: in double precision
def test_convolution_bound_is_tight_on_a_long_signal(build, tolerance):
    """The norm of the finite section tends to that on the infinite grid as 1 / length^2."""
    layer = made(build)
    shape = (layer.in_channels, 300)
    exact = float(torch.linalg.matrix_norm(dense(layer, shape), ord=2))
    result = float(lipschitz_bounds(layer, normal(2, *shape), tolerance=tolerance).upper)
    assert exact <= result * (1 + ROUNDING)
    assert result <= exact * (1 + tolerance) * 1.003  # (pi / 300 * taps)^2, as the section is short


def test_adversarial_symbol_between_the_points_of_the_grid():
    """Kernels whose symbol peaks at any frequency: the grid never falls below the peak."""
    taps = torch.arange(5, dtype=torch.float64)
    for peak in np.linspace(0, math.pi, 23):
        layer = nn.Conv1d(1, 1, 5, bias=False).double()
        layer.weight.data = torch.cos(peak * (taps - 2))[None, None]
        fine = torch.linspace(0, math.pi, 20_001, dtype=torch.float64)
        symbol = torch.exp(-1j * fine[:, None] * taps).mv(layer.weight.data[0, 0] + 0j).abs().max()
        for tolerance in (0.3, 0.05):
            bound = layer_norms[nn.Conv1d](layer, torch.ones(1, 1, 9), tolerance)
            assert float(symbol) <= bound * (1 + ROUNDING)
            assert bound <= float(symbol) * (1 + tolerance) * (1 + 1e-6)


def test_circular_symbol_is_not_that_of_zero_padding():
    """Why a transform at the image's size does not do: its frequencies may miss the peak."""
    layer = nn.Conv1d(1, 1, 2, padding=1, bias=False).double()
    layer.weight.data = torch.tensor([[[1.0, -1.0]]], dtype=torch.float64)  # peaks at pi: 2
    length = 5  # odd: no frequency at pi
    at_size = float(torch.fft.fft(layer.weight.data[0, 0], n=length).abs().max())
    exact = float(torch.linalg.matrix_norm(dense(layer, (1, length)), ord=2))
    assert at_size < exact
    assert exact <= float(lipschitz_bounds(layer, normal(2, 1, length)).upper)


AFFINE = {
    "average": (lambda: nn.AvgPool2d(3, stride=2, padding=1), (2, 7, 8)),
    "average, border left out": (
        lambda: nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
        (1, 6, 6),
    ),
    "average, divisor": (lambda: nn.AvgPool2d(2, divisor_override=1, ceil_mode=True), (1, 5, 5)),
    "average, one dimension": (lambda: nn.AvgPool1d(4, stride=1), (2, 9)),
    "adaptive": (lambda: nn.AdaptiveAvgPool2d((3, 1)), (2, 7, 5)),
    "batch norm": (lambda: nn.BatchNorm2d(3), (3, 4, 4)),
    "batch norm of units": (lambda: nn.BatchNorm1d(4), (4,)),
    "linear": (lambda: nn.Linear(5, 7), (5,)),
    "flatten": (lambda: nn.Flatten(), (2, 3, 2)),
    "unshuffle": (lambda: nn.PixelUnshuffle(2), (1, 4, 4)),
    "dropout": (lambda: nn.Dropout(0.9), (6,)),
    "spectrally normalised": (lambda: spectral_norm(nn.Linear(5, 4)), (5,)),
}


@pytest.mark.parametrize("case", AFFINE)
def test_affine_layers_have_the_norm_of_their_matrix(case):
    build, shape = AFFINE[case]
    layer = made(build)
    exact = float(torch.linalg.matrix_norm(dense(layer, shape), ord=2))
    result = lipschitz_bounds(layer, normal(2, *shape))
    assert float(result.upper) == pytest.approx(exact, rel=1e-10)


@pytest.mark.parametrize(
    ("layer", "slope"),
    [
        (nn.ReLU(), 1),
        (nn.LeakyReLU(0.2), 1),
        (nn.LeakyReLU(-3.0), 3),
        (nn.PReLU(init=1.5), 1.5),
        (nn.ELU(2.0), 2),
        (nn.SELU(), 1.7581),
        (nn.CELU(3.0), 1),
        (nn.Tanh(), 1),
        (nn.Sigmoid(), 0.25),
        (nn.Hardsigmoid(), 1 / 6),
        (nn.Softplus(3.0), 1),
        (nn.Softsign(), 1),
        (nn.LogSigmoid(), 1),
        (nn.SiLU(), 1.0999),
        (nn.GELU(), 1.1291),
        (nn.GELU(approximate="tanh"), 1.1291),
        (nn.Mish(), 1.0885),
        (nn.Hardswish(), 1.5),
        (nn.Hardtanh(), 1),
        (nn.Softshrink(), 1),
        (nn.Tanhshrink(), 1),
    ],
)
def test_activations_have_their_largest_slope(layer, slope):
    layer = layer.double()
    grid = torch.linspace(-30, 30, 600_001, dtype=torch.float64)[:, None]
    with torch.no_grad():
        steepest = float((layer(grid).diff(dim=0) / grid.diff(dim=0)).abs().max())
    upper = layer_norms[type(layer)](layer, grid[:1], 0.01)
    assert upper == pytest.approx(slope)
    # rounded up in the fourth digit; quotients over 1e-4 have an error of 1e-11
    assert steepest <= upper * (1 + 1e-10)
    assert steepest > upper * (1 - 3e-4)


@pytest.mark.parametrize(
    ("pool", "shape", "windows"),
    [
        (nn.MaxPool2d(2), (1, 4, 4), 1),
        (nn.MaxPool2d(3, stride=2, padding=1), (1, 7, 7), 4),
        (nn.MaxPool2d(3, stride=1), (1, 8, 8), 9),
        (nn.MaxPool1d(3, stride=1, dilation=2), (1, 12), 3),
        (nn.MaxPool2d((3, 1), stride=(1, 1)), (1, 2 + 3, 4), 3),
    ],
)
def test_max_pooling_counts_overlapping_windows(pool, shape, windows):
    assert layer_norms[type(pool)](pool, torch.zeros(1, *shape), 0.01) == math.sqrt(windows)
    # reached: one value that all its windows pick
    peak = torch.zeros(1, *shape)
    centre = tuple(length // 2 for length in shape)
    peak[(0, *centre)] = 1.0
    assert float(pool(peak).norm()) == pytest.approx(math.sqrt(windows))


@pytest.mark.parametrize(
    "layer",
    [
        nn.LayerNorm(6, eps=0.04),
        nn.LayerNorm((3, 2), eps=0.04, elementwise_affine=False),
        nn.GroupNorm(2, 4, eps=0.04),
        nn.GroupNorm(1, 2, eps=0.04, affine=False),
    ],
)
def test_norms_of_each_sample_are_steepest_where_it_is_constant(layer):
    of_layer = isinstance(layer, nn.LayerNorm)
    shape = layer.normalized_shape if of_layer else (layer.num_channels, 3)
    layer = layer.double()
    x = normal(30, *shape) * torch.logspace(-3, 1, 30).double().reshape(-1, *[1] * len(shape))
    x[0] = 2.0
    result = lipschitz_bounds(layer, x, iterations=12)
    assert float(result.upper) == pytest.approx(1 / 0.2)
    assert float(result.jacobian[0]) == pytest.approx(5)  # at the constant sample
    assert float(result.lower) <= float(result.upper) * (1 + ROUNDING)
    if layer.weight is not None:  # one scale that is larger: at most, and all but its share
        layer.weight.data[1] = -3.0
        result = lipschitz_bounds(layer, x, iterations=12)
        assert float(result.upper) == pytest.approx(15)
        assert 0.8 * 15 < float(result.jacobian[0]) <= 15 * (1 + ROUNDING)


def test_norm_of_one_value_is_constant_and_without_eps_unbounded():
    assert layer_norms[nn.GroupNorm](nn.GroupNorm(3, 3), torch.ones(1, 3), 0.01) == 0
    assert layer_norms[nn.LayerNorm](nn.LayerNorm(1), torch.ones(1, 1), 0.01) == 0
    with pytest.raises(ValueError, match=r"layer 'itself' \(LayerNorm\) has norm inf"):
        lipschitz_bounds(nn.LayerNorm(3, eps=0), torch.eye(3))


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_batch_norm_folds_into_the_convolution_before_it(case):
    """The product of two norms, over the norm of the product, which is a dense matrix here."""
    build, shape = CONVOLUTIONS[case]
    kinds = {4: nn.BatchNorm2d, 3: nn.BatchNorm3d, 2: nn.BatchNorm1d}
    kind = kinds[{2: 2, 3: 4, 4: 3}[len(shape)]]
    layer = made(lambda: nn.Sequential(convolution := build(), kind(convolution.out_channels)))
    exact = float(torch.linalg.matrix_norm(dense(layer, shape), ord=2))
    result = lipschitz_bounds(layer, normal(2, *shape), iterations=30)
    assert float(result.jacobian.max()) == pytest.approx(exact, rel=0.02)  # 30 steps
    assert float(result.jacobian.max()) <= exact * (1 + ROUNDING)
    assert exact <= float(result.upper) * (1 + ROUNDING)
    scale = layer[1].weight.detach().abs() / (layer[1].running_var + layer[1].eps).sqrt()
    alone = float(lipschitz_bounds(layer[0], normal(2, *shape)).upper)
    assert float(result.upper) == pytest.approx(alone * float(scale.max()))
    # the same scale for all channels folds in exactly
    layer[1].weight.data /= scale
    exact = float(torch.linalg.matrix_norm(dense(layer, shape), ord=2))
    assert exact == pytest.approx(
        float(torch.linalg.matrix_norm(dense(layer[0], shape), ord=2)), rel=1e-10
    )
    assert float(lipschitz_bounds(layer, normal(2, *shape)).upper) == pytest.approx(alone)


def test_softmax_is_half_a_contraction():
    result = lipschitz_bounds(nn.Softmax(dim=1), torch.zeros(2, 2, dtype=torch.float64))
    assert float(result.upper) == 0.5
    assert float(result.jacobian.max()) == pytest.approx(0.5, rel=1e-12)  # two equal logits


class Block(nn.Module):
    def __init__(self, branch, shortcut=None, activation=None):
        super().__init__()
        self.branch, self.shortcut, self.activation = branch, shortcut, activation

    def forward(self, x):
        out = self.branch(x) + (x if self.shortcut is None else self.shortcut(x))
        return out if self.activation is None else self.activation(out)


class Lying(Block):
    def forward(self, x):
        return 3 * super().forward(x)


def test_composition_multiplies_and_nested_blocks_add():
    a, b, c = (linear(normal(4, 4, seed=seed)) for seed in range(3))
    norms = [float(torch.linalg.matrix_norm(layer.weight, ord=2)) for layer in (a, b, c)]
    x = normal(3, 4)
    chain = nn.Sequential(a, nn.Sigmoid(), nn.Sequential(b, nn.Identity()))
    result = lipschitz_bounds(chain, x)
    assert float(result.upper) == pytest.approx(norms[0] * norms[1] / 4)
    assert [layer.name for layer in result.layers] == ["0", "1", "2.0", "2.1"]
    assert [layer.kind for layer in result.layers] == ["Linear", "Sigmoid", "Linear", "Identity"]
    nested = nn.Sequential(a, Block(b), Block(c, shortcut=b, activation=nn.Sigmoid()))
    expected = norms[0] * (1 + norms[1]) * (norms[2] + norms[1]) / 4
    result = lipschitz_bounds(nested, x)
    assert float(result.upper) == pytest.approx(expected)
    assert float(result.lower) <= expected
    assert result.layers[-1].name == "2.activation"
    with pytest.raises(ValueError, match="block '1' .Lying. does not put out"):
        lipschitz_bounds(nn.Sequential(a, Lying(b)), x)


def residual_branch(channels=4):
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
    )


@pytest.mark.parametrize("steps", [1, 2, 4, 12])
def test_jacobian_is_a_lower_bound_at_any_number_of_steps(steps):
    branch = made(residual_branch)
    x = normal(3, 4, 5, 5)
    exact = torch.stack(
        [
            torch.linalg.matrix_norm(
                torch.func.jacrev(lambda v: branch(v.clone()))(sample[None]).reshape(100, 100),
                ord=2,
            )
            for sample in x
        ]
    ).detach()
    result = lipschitz_bounds(branch, x, iterations=steps)
    assert bool((result.jacobian <= exact * (1 + ROUNDING)).all())
    least = {1: 0.3, 2: 0.6, 4: 0.85, 12: 0.99}[steps]  # a random start in 100 dimensions
    assert bool((result.jacobian >= least * exact).all())
    assert float(result.lower) <= float(result.upper_estimate) <= float(result.upper)


def test_iterations_never_fall_behind_plain_power_iteration():
    matrix = normal(1, 40, 40)
    start = normal(1, 40, seed=3)
    exact = float(torch.linalg.matrix_norm(matrix, ord=2))
    power = start
    for steps in range(1, 8):
        result, vector = largest_singular_values(
            lambda v: (matrix @ v[..., None])[..., 0],
            lambda u: (matrix.mT @ u[..., None])[..., 0],
            start,
            steps,
        )
        plain = float((matrix[0] @ power[0]).norm() / power.norm())
        assert plain * (1 - 1e-12) <= float(result) <= exact * (1 + 1e-12)
        assert float(vector.norm()) == pytest.approx(1)
        power = power @ matrix[0].mT @ matrix[0]
        power = power / power.norm()


def test_more_steps_than_dimensions_and_zero_maps():
    for scale, expected in (([1.0, 3.0], 3.0), ([2.0, 2.0], 2.0), ([0.0, 0.0], 0.0)):
        weight = torch.tensor([scale])
        result, _ = largest_singular_values(weight.mul, weight.mul, torch.tensor([[0.3, 0.5]]), 9)
        assert float(result) == pytest.approx(expected, rel=1e-6)  # float32


def test_linearized_products_are_those_of_the_jacobian():
    function = made(lambda: nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)))
    x = normal(2, 4)
    value, push, pull = linearize(function, x)
    jacobian = torch.func.vmap(torch.func.jacrev(function))(x).detach()
    v, u = normal(2, 4, seed=1), normal(2, 3, seed=2)
    torch.testing.assert_close(value, function(x).detach())
    torch.testing.assert_close(push(v), torch.einsum("sij,sj->si", jacobian, v))
    torch.testing.assert_close(pull(u), torch.einsum("sij,si->sj", jacobian, u))


def naive_pairs(x, y):
    """Reference twin: a double loop over pairs."""
    best = 0.0
    for i in range(len(x)):
        for j in range(i):
            apart = float((x[i] - x[j]).norm())
            if apart > 0:
                best = max(best, float((y[i] - y[j]).norm()) / apart)
    return best


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_pairs_agree_with_a_double_loop(offset, monkeypatch):
    x, y = normal(30, 7) + offset, normal(30, 2, seed=1)
    x[1] = x[0]  # the same sample twice: no quotient
    y[1] = y[0]
    assert largest_pair_quotient(x, y) == pytest.approx(naive_pairs(x, y), rel=1e-12)
    monkeypatch.setattr("infotheo.invertibility.pair_quotients.TILE", 64)
    monkeypatch.setattr("infotheo.invertibility.pair_quotients.COLUMNS", 3)
    assert largest_pair_quotient(x, y) == pytest.approx(naive_pairs(x, y), rel=1e-12)


def test_close_pairs_survive_cancellation():
    """A pair 1e-9 apart at distance 1e3 from the rest: the Gram product cannot see it."""
    x = 1e3 * normal(6, 3)
    y = normal(6, 3, seed=1)
    x[5] = x[4]
    x[5, 0] += 1e-9
    assert largest_pair_quotient(x, y) == pytest.approx(naive_pairs(x, y), rel=1e-12)
    assert largest_pair_quotient(x, y) > 1e8


@pytest.mark.parametrize("seed", range(5))
def test_close_pairs_are_not_ranked_by_rounding(seed):
    """Squared distances of 1e-12 beside norms of 1e6: a Gram product returns noise of 1e-10."""
    x = 1e3 * normal(60, 3, seed=seed)
    x[1::2] = x[::2] + 1e-6 * normal(30, 3, seed=seed + 10)
    y = normal(60, 3, seed=seed + 20)
    assert largest_pair_quotient(x, y) == pytest.approx(naive_pairs(x, y), rel=1e-12)


def test_all_samples_the_same_have_no_pair():
    assert largest_pair_quotient(torch.ones(4, 2), torch.ones(4, 2)) == 0


class Cancelling(nn.Module):
    """x - relu(x) + relu(-x) = 0, whose derivative at 0 is 1 by the rules of differentiation."""

    def forward(self, x):
        return x - torch.relu(x) + torch.relu(-x)


def test_lower_bound_does_not_believe_derivatives_at_kinks(monkeypatch):
    monkeypatch.setitem(layer_norms, Cancelling, lambda layer, x, tolerance: 0.0)
    x = torch.zeros(2, 3, dtype=torch.float64)
    x[1] = 1.0
    result = lipschitz_bounds(Cancelling(), x)
    assert float(result.jacobian[0]) == pytest.approx(1)
    assert float(result.lower) == pytest.approx(0, abs=1e-12)
    assert float(result.upper) == 0


def test_errata_ratio_below_one_does_not_bound_the_operator_norm():
    """Papers 4 and 5: |L(x)|/|x| < 1 at the data "so |L| < 1". It does not follow."""
    steep = linear(torch.diag(torch.tensor([0.1, 5.0], dtype=torch.float64)))
    x = torch.tensor([[1.0, 0.0], [2.0, 0.0], [-1.0, 0.01]], dtype=torch.float64)
    with torch.no_grad():
        ratio = steep(x).norm(dim=1) / x.norm(dim=1)
    assert float(ratio.max()) < 0.2
    result = lipschitz_bounds(steep, x)
    assert float(result.lower) == pytest.approx(5, rel=1e-6)
    assert float(result.upper) == pytest.approx(5, rel=1e-12)


def test_errata_bounds_of_a_residual_branch_bracket_each_other():
    branch = made(residual_branch)
    x = normal(8, 4, 12, 12)
    result = lipschitz_bounds(branch, x)
    ratio = float((branch(x.clone()).norm() / x.norm()).detach())
    assert float(result.pairs) <= float(result.upper)
    assert ratio < float(result.lower) <= float(result.upper_estimate) <= float(result.upper)
    assert float(result.lower) == pytest.approx(
        max(float(result.pairs), float(result.jacobian.max())), rel=0.05
    )


def test_float32_agrees_with_float64():
    branch = made(residual_branch)
    x = normal(5, 4, 8, 8)
    exact = lipschitz_bounds(branch, x, iterations=30)
    single = lipschitz_bounds(copy.deepcopy(branch).float(), x.float(), iterations=30)
    # the starts differ: as far as 30 steps settle
    np.testing.assert_allclose(single.jacobian, exact.jacobian, rtol=1e-3)
    assert float(single.upper) == pytest.approx(float(exact.upper), rel=1e-5)
    assert single.jacobian.dtype == torch.float64


def test_seed_decides_and_nothing_else_changes():
    branch = made(lambda: nn.Sequential(residual_branch(), nn.Dropout(0.5)))
    branch.train()
    branch[0][1].eval()
    before = {key: value.clone() for key, value in branch.state_dict().items()}
    x = normal(40, 4, 5, 5)
    kept = x.clone()
    state = torch.random.get_rng_state()
    first, again, other = (lipschitz_bounds(branch, x, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(first.jacobian, again.jacobian)
    assert not torch.equal(first.jacobian, other.jacobian)
    assert first.upper == other.upper
    assert torch.equal(x, kept)
    assert branch[1].training
    assert not branch[0][1].training
    assert all(torch.equal(value, before[key]) for key, value in branch.state_dict().items())
    assert not first.jacobian.requires_grad
    assert all(parameter.grad is None for parameter in branch.parameters())


def test_parts_of_the_sample_change_no_value(monkeypatch):
    branch = made(residual_branch)
    x = normal(7, 4, 6, 6)
    undivided = lipschitz_bounds(branch, x, iterations=40)
    monkeypatch.setattr("infotheo.invertibility.inputs.HOST_CHUNK", 2 * 4 * 6 * 6)
    parts = lipschitz_bounds(branch, x, iterations=40)
    assert float(parts.pairs) == pytest.approx(float(undivided.pairs), rel=1e-12)
    # other starts: as far as 40 steps in 144 dimensions settle
    np.testing.assert_allclose(parts.jacobian, undivided.jacobian, rtol=1e-4)


def test_own_layers_are_registered_in_a_plain_dictionary(monkeypatch):
    class Scale(nn.Module):
        def forward(self, x):
            return 2 * x

    class Masked(nn.Linear):
        def forward(self, x):
            return 10 * super().forward(x)

    x = normal(2, 3)
    message = r"layer '0' \(Scale\) is not known.*layer_norms\[Scale\]"
    with pytest.raises(ValueError, match=message):
        lipschitz_bounds(nn.Sequential(Scale()), x)
    # a subclass with a forward of its own is no Linear
    with pytest.raises(ValueError, match=r"layer 'itself' \(Masked\) is not known"):
        lipschitz_bounds(Masked(3, 3).double(), x)
    monkeypatch.setitem(layer_norms, Scale, lambda layer, x, tolerance: 2.0)
    assert float(lipschitz_bounds(nn.Sequential(Scale()), x).upper) == 2


def test_what_cannot_be_bounded_is_said_in_a_line():
    x = normal(4, 3)
    layer = nn.Linear(3, 3).double()
    with pytest.raises(TypeError, match="branch is a builtin.*; expected a torch.nn.Module"):
        lipschitz_bounds(torch.relu, x)
    with pytest.raises(TypeError, match=r"x is a numpy.ndarray; expected a torch.Tensor"):
        lipschitz_bounds(layer, x.numpy())
    with pytest.raises(TypeError, match="x has dtype torch.int64; expected floating-point"):
        lipschitz_bounds(layer, x.long())
    with pytest.raises(ValueError, match=r"x has 1 sample\(s\); expected at least 2"):
        lipschitz_bounds(layer, x[:1])
    with pytest.raises(ValueError, match=r"x has shape \(0, 3\)"):
        lipschitz_bounds(layer, x[:0])
    with pytest.raises(ValueError, match=r"x has shape \(3,\)"):
        lipschitz_bounds(layer, x[0])
    with pytest.raises(ValueError, match="x contains inf in sample 2; expected finite"):
        lipschitz_bounds(layer, x.index_fill(0, torch.tensor([2]), math.inf))
    with pytest.raises(ValueError, match="iterations is 0; expected a whole number >= 1"):
        lipschitz_bounds(layer, x, iterations=0)
    with pytest.raises(TypeError, match="iterations is 2.5; expected a whole number"):
        lipschitz_bounds(layer, x, iterations=2.5)
    with pytest.raises(ValueError, match="tolerance is 0; expected a number between 0 and 1"):
        lipschitz_bounds(layer, x, tolerance=0)
    with pytest.raises(ValueError, match="expected one tensor with 4 samples first"):
        lipschitz_bounds(nn.Flatten(0), x)
    with pytest.raises(
        ValueError, match=r"layer 'itself' .BatchNorm1d. without running statistics"
    ):
        lipschitz_bounds(nn.BatchNorm1d(3, track_running_stats=False).double(), x)
    layer.weight.data[0, 0] = math.nan
    with pytest.raises(ValueError, match=r"L\(x\) contains nan in sample 0"):
        lipschitz_bounds(layer, x)
