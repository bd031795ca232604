"""The invertible residual network: the control whose bounds prove what the data cannot."""

import pytest
import torch
from torch import nn

from infotheo.invertibility import invert_residual, lipschitz_bounds, residual_norms
from infotheo.invertibility.blocks import require_sum
from infotheo.networks import invertible_residual_network

SETTINGS = {"blocks": [1, 1], "bottleneck": 4}


def images(count=8, side=8, seed=0):
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


def built(**settings):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return invertible_residual_network((3, 8, 8), 4, **{**SETTINGS, **settings})


def trained(steps=10, learning_rate=0.2, **settings):
    network = built(**settings)
    x, labels = images(), torch.arange(8) % 4
    optimizer = torch.optim.SGD(network.parameters(), learning_rate, momentum=0.9)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x), labels).backward()
        optimizer.step()
    return network.eval()


def blocks(network, x):
    """Yield each block's name, itself and what it receives."""
    with torch.no_grad():
        for name, child in network.named_children():
            if not hasattr(child, "inverse"):
                return
            if name.startswith("stage"):
                for number, block in child.named_children():
                    yield f"{name}.{number}", block, x
                    x = block(x)
            else:
                x = child(x)


@pytest.mark.parametrize(
    ("learning_rate", "contraction"), [(None, 0.9), (0.2, 0.9), (20, 0.9), (20, 0.5)]
)
def test_every_branch_is_proved_a_contraction(learning_rate, contraction):
    """Before and after training, and where training has gone astray."""
    settings = {"contraction": contraction, "steps": 0 if learning_rate is None else 8}
    network = trained(learning_rate=learning_rate or 0.0, **settings)
    for name, block, x in blocks(network, images()):
        result = lipschitz_bounds(block.branch, x[:2], iterations=1)
        # 2 % for each convolution is what lipschitz_bounds itself may exceed their norm by
        assert float(result.upper) < contraction * 1.02**3 < 1, name
        assert float(result.lower) <= float(result.upper), name


def test_the_constraint_is_used_up():
    """He's weights start above it: it is not by being idle that branches contract."""
    network = built()
    for name, block, x in blocks(network.eval(), images()):
        result = lipschitz_bounds(block.branch, x[:2], iterations=1)
        # two 3 x 3 layers at least 1 / (1.075 * 12^(1/64)) of what they may, one 1 x 1
        assert float(result.upper) > 0.9 / (1.075**2 * 12 ** (3 / 64)), name


def test_inversion_converges_at_the_rate_of_the_constant():
    network = trained()
    for name, block, x in blocks(network, images(seed=1)):
        with torch.no_grad():
            result = invert_residual(block.branch, require_sum(block, x, name), iterations=100)
        assert bool(result.converged.all()), name
        assert float(result.rate.max()) <= 0.9, name
        error = torch.linalg.vector_norm((result.x - x).flatten(1), dim=1)
        # a relative residual of 1e-6 of max(|x|, |y|), |y| <= 1.9 |x|, over 1 - c; rounding
        length = torch.linalg.vector_norm(torch.cat([x, block(x)], 1).detach().flatten(1), dim=1)
        assert bool((error <= 1.1e-6 / (1 - 0.9) * length).all()), name


def test_a_slow_contraction_converges_too():
    """A linear map that contracts by exactly 0.9 through the block's own inverse."""
    block = built(blocks=[1], contraction=0.9).stage1[0]
    layer = nn.Conv2d(12, 12, 1, bias=False)
    layer.weight.data = -0.9 * torch.eye(12)[..., None, None]
    block.branch = layer
    x = images(side=4).repeat(1, 4, 1, 1)
    with torch.no_grad():
        torch.testing.assert_close(block.inverse(block(x)), x, rtol=0, atol=2e-5)


def test_the_network_runs_backwards():
    network, x = trained(), images(seed=1)
    with torch.no_grad():
        z = network.encode(x)
        assert z.numel() == x.numel()
        result = network.inverse(z)
    # 1e-6 in each of two blocks, amplified by at most 1 / (1 - c) = 10 each; measured 2e-6
    assert float(torch.linalg.vector_norm(result - x) / torch.linalg.vector_norm(x)) < 2e-5


def test_states_are_loaded_with_the_constraint():
    network, fresh = trained(), built().eval()
    fresh.load_state_dict(network.state_dict())
    assert torch.equal(fresh(images()), network(images()))
    state = {name: 50 * value for name, value in network.state_dict().items()}
    fresh.load_state_dict(state)  # weights from anywhere
    for _, block, x in blocks(fresh, images()):
        assert float(lipschitz_bounds(block.branch, x[:2], iterations=1).upper) < 1


def test_branches_have_no_batch_norm_and_the_first_no_first_activation():
    network = built(width=16, blocks=[2, 2])
    names = [list(dict(b.branch.named_children())) for _, b, _ in blocks(network, images())]
    inner = ["convolution1", "elu2", "convolution2", "elu3", "convolution3"]
    assert names == [inner, *[["elu1", *inner]] * 3]
    assert list(dict(network.named_children()))[:3] == ["halving1", "zeros", "stage1"]
    assert residual_norms(network.eval(), images())["block"].values.tolist() == [
        *("stage1.0", "stage1.1", "stage2.0", "stage2.1")
    ]


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"contraction": 1.0}, "contraction"),
        ({"contraction": 0}, "contraction"),
        ({"bottleneck": 0}, "bottleneck is 0"),
        ({"blocks": [1, 1, 1, 1]}, ".*divide by 16, as they are halved 4 times"),
        ({"width": 5}, "width is 5; expected a whole number >= 12"),
    ],
)
def test_bad_settings_are_named(settings, line):
    with pytest.raises((ValueError, TypeError), match=f"^{line}"):
        built(**settings)
