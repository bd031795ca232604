"""The bound of a convolution's norm: above it always, close to it, and with the right gradient."""

import pytest
import torch
from torch import nn

from infotheo.invertibility.convolution_norm import symbol_norm
from infotheo.networks.norm_bound import convolution_bound, keep_below


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


KERNELS = {
    "one channel": normal(1, 1, 3, 3),
    "more out": normal(9, 4, 3, 3, seed=1),
    "more in": normal(4, 9, 3, 3, seed=2),
    "one by one": normal(6, 5, 1, 1, seed=3),
    "five by five": normal(3, 3, 5, 5, seed=4),
    "oblong, even": normal(3, 4, 1, 4, seed=5),
    "average": torch.ones(2, 2, 3, 3, dtype=torch.float64),
    "identity": torch.eye(8, dtype=torch.float64)[..., None, None],  # all singular values alike
    "tiny": 1e-150 * normal(3, 3, 3, 3, seed=6),
    "huge": 1e150 * normal(3, 3, 3, 3, seed=7),
}


@pytest.mark.parametrize("case", KERNELS)
def test_bound_is_above_the_norm_and_near_it(case):
    weight = KERNELS[case]
    result = float(convolution_bound(weight))
    near = float(symbol_norm(weight, 1e-4)) / (1 + 1e-4)  # at most the supremum
    excess = 1.075 * min(weight.shape[:2]) ** (1 / 64)
    assert near * (1 - 1e-4) <= result <= near * (1 + 1e-4) * excess


@pytest.mark.parametrize("seed", range(3))
def test_bound_is_above_the_dense_matrix_of_a_padded_image(seed):
    layer = nn.Conv2d(2, 3, 3, padding=1, bias=False).double()
    layer.weight.data = normal(3, 2, 3, 3, seed=seed)
    columns = layer(torch.eye(2 * 49, dtype=torch.float64).reshape(-1, 2, 7, 7)).flatten(1).mT
    exact = float(torch.linalg.matrix_norm(columns.detach(), ord=2))
    result = float(convolution_bound(layer.weight.detach()))
    # the finite image: (1 + 2 cos(pi / 8)) / 3 = 0.95 of the norm in each direction
    assert exact <= result <= exact * 1.075 * 2 ** (1 / 64) / 0.9


@pytest.mark.parametrize("peak", torch.linspace(0, torch.pi, 9).tolist())
def test_peaks_between_the_frequencies_of_the_grid_are_covered(peak):
    taps = torch.arange(3, dtype=torch.float64) - 1
    wave = torch.cos(peak * taps)
    weight = (wave[:, None] * wave)[None, None]
    fine = torch.linspace(0, torch.pi, 2001, dtype=torch.float64)
    supremum = float((torch.cos(fine[:, None] * taps) @ wave).abs().max()) ** 2
    assert supremum <= float(convolution_bound(weight)) * (1 + 1e-9)


def test_gradient_is_that_of_the_function():
    weight = normal(2, 3, 3, 3).requires_grad_()
    assert torch.autograd.gradcheck(convolution_bound, (weight,))


def test_zero_weights_stay_zero_with_a_gradient():
    layer = keep_below(nn.Conv2d(2, 2, 3, padding=1), 0.5)
    layer.parametrizations.weight.original.data.zero_()
    layer.weight.sum().backward()
    assert not layer.weight.detach().any()
    assert bool((layer.parametrizations.weight.original.grad == 1).all())


def test_single_precision_agrees_with_double():
    weight = normal(16, 12, 3, 3)
    # sums of 9 x 12 products, then four squarings whose root is taken: about 1e-6
    assert float(convolution_bound(weight.float())) == pytest.approx(
        float(convolution_bound(weight)), rel=1e-5
    )


def test_networks_at_once_are_networks_one_by_one():
    weights = normal(3, 4, 5, 3, 3)
    together = torch.vmap(convolution_bound)(weights)
    alone = torch.stack([convolution_bound(weight) for weight in weights])
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=0)


def test_weights_below_the_bound_are_left_alone():
    layer = nn.Conv2d(3, 3, 3, padding=1)
    layer.weight.data.mul_(1e-3)
    before = layer.weight.detach().clone()
    assert torch.equal(keep_below(layer, 0.9).weight.detach(), before)
    layer.parametrizations.weight.original.data.mul_(1e5)
    assert float(symbol_norm(layer.weight.detach(), 1e-3)) < 0.9


@pytest.mark.parametrize(
    "settings", [{"stride": 2}, {"groups": 2}, {"padding_mode": "circular", "padding": 1}]
)
def test_other_convolutions_are_refused(settings):
    with pytest.raises(ValueError, match="expected one group, stride 1 and zero padding"):
        keep_below(nn.Conv2d(4, 4, 3, **settings), 0.9)
