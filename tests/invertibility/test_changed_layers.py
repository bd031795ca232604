"""Layers that do not what their type says: bounded rightly, or refused by name."""

import contextlib
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

from infotheo import invert_residual, lipschitz_bounds, residual_norms
from infotheo.invertibility.layer_norms import layer_norms

X = torch.randn(16, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def linear(**settings):
    torch.manual_seed(0)
    return nn.Linear(3, 3, dtype=torch.float64, **settings)


def three_times(module, arguments, output):
    return 3 * output


def three_times_before(module, arguments):
    return (3 * arguments[0],)


def hooked(module, hook=three_times, before=None):
    if before is None:
        module.register_forward_hook(hook)
    else:
        module.register_forward_pre_hook(before)
    return module


def own_forward(module):
    module.forward = lambda x: 3 * x
    return module


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.branch = linear()

    def forward(self, x):
        return x + self.branch(x)


class OtherConvolution(nn.Conv1d):
    def _conv_forward(self, x, weight, bias):
        return super()._conv_forward(x, 3 * weight, bias)


class Triple(nn.Module):
    def forward(self, weight):
        return 3 * weight


@pytest.mark.parametrize(
    ("branch", "name"),
    [
        (nn.Sequential(hooked(linear())), "layer '0' (Linear)"),
        (nn.Sequential(nn.Tanh(), hooked(linear(), before=three_times_before)), "layer '1'"),
        (hooked(nn.Sequential(linear(), nn.Tanh())), "layer 'itself' (Sequential)"),
        (hooked(Block()), "layer 'itself' (Block)"),
        (nn.Sequential(own_forward(linear())), "layer '0' (Linear)"),
        (nn.Sequential(nn.CELU(-1.0)), "layer '0' (CELU) has norm inf (alpha=-1.0)"),
        (nn.Softplus(threshold=0.5), "(Softplus) has norm inf (beta=1.0, threshold=0.5)"),
        (nn.ELU(math.nan), "(ELU) has norm nan"),
        (nn.LeakyReLU(math.nan), "(LeakyReLU) has norm nan"),
        (nn.LayerNorm(3, eps=-1.0, dtype=torch.float64), ""),
        (nn.Softmax(dim=0), "Softmax(dim=0) mixes the samples"),
        (nn.Softmax(dim=-2), "Softmax(dim=-2) mixes the samples"),
        (
            nn.Sequential(nn.Unflatten(1, (3, 1)), OtherConvolution(3, 3, 1).double()),
            "layer '1' (OtherConvolution)",
        ),
    ],
)
def test_what_has_no_bound_is_refused_by_name(branch, name):
    x = X.abs() if "nan" in name else X  # where a NaN of the other side does not show
    with pytest.raises(ValueError, match=r".") as caught:
        lipschitz_bounds(branch, x)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "factor"),
    [
        (lambda layer: parametrize.register_parametrization(layer, "weight", Triple()), 3.0),
        (parametrizations.weight_norm, 1.0),
        (nn.utils.weight_norm, 1.0),
    ],
)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_parametrized_weights_are_those_in_use(change, factor):
    layer = linear()
    norm = factor * float(torch.linalg.matrix_norm(layer.weight.detach(), ord=2))
    bounds = lipschitz_bounds(nn.Sequential(change(layer)), X, iterations=3)
    assert float(bounds.upper) == pytest.approx(norm, rel=1e-12)
    assert float(bounds.lower) == pytest.approx(norm, rel=1e-6)


@pytest.mark.parametrize("change", [parametrizations.spectral_norm, nn.utils.spectral_norm])
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_spectral_norm_is_that_of_the_weight_in_use(change):
    layer = nn.Sequential(change(linear()))
    with torch.no_grad():
        for _ in range(100):  # training mode: its own power iteration
            layer(X)
    bounds = lipschitz_bounds(layer, X)
    assert float(bounds.upper) == pytest.approx(1.0, rel=1e-6)
    assert bounds.lower <= bounds.upper


def test_hooks_that_look_are_free_to():
    seen = []
    layer = hooked(linear(), lambda module, arguments, output: seen.append(output.shape))
    plain = lipschitz_bounds(linear(), X)
    assert lipschitz_bounds(layer, X).upper == plain.upper
    assert seen


def test_a_norm_that_is_registered_too_small_does_not_go_through():
    layer = linear()
    layer_norms[type("Small", (nn.Linear,), {})] = lambda layer, x, tolerance: 0.1
    small = list(layer_norms)[-1]
    try:
        layer.__class__ = small
        with pytest.raises(ValueError, match=r"changes 0\.\d+ times as much .* the product 0\.1"):
            lipschitz_bounds(layer, X * 2)
    finally:
        del layer_norms[small]


@pytest.mark.parametrize("seed", range(20))
def test_lower_is_never_above_upper(seed):
    stream = np.random.default_rng(seed)
    torch.manual_seed(seed)
    layers = []
    for _ in range(stream.integers(1, 5)):
        a = float(stream.normal() * 2)
        layers.append(
            [
                linear(),
                nn.CELU(a or 1.0),
                nn.ELU(a),
                nn.LeakyReLU(a),
                nn.Softplus(beta=a or 1.0, threshold=float(stream.choice([0.5, 20, 30]))),
                nn.SELU(),
                nn.GELU("tanh"),
                nn.Softmax(dim=-1),
                nn.LayerNorm(3, eps=abs(a) + 0.1, dtype=torch.float64),
                hooked(linear()),
                parametrize.register_parametrization(linear(), "weight", Triple()),
            ][stream.integers(11)]
        )
    with contextlib.suppress(ValueError):  # refused; what is returned must hold
        bounds = lipschitz_bounds(nn.Sequential(*layers), 3 * X)
        assert 0 <= bounds.lower <= bounds.upper < math.inf


def test_inversion_and_norms_take_the_branch_with_its_hooks():
    block = Block()
    with torch.no_grad():
        block.branch.weight.copy_(0.1 * torch.eye(3, dtype=torch.float64))
        block.branch.bias.zero_()
    hooked(block.branch)  # L(x) = 0.3 x
    norms = residual_norms(nn.Sequential(block), X)
    assert float(norms["mean"][0]) == pytest.approx(0.3, rel=1e-12)
    inversion = invert_residual(block.branch, 1.3 * X, iterations=60)
    torch.testing.assert_close(inversion.x, X, rtol=1e-10, atol=1e-10)
