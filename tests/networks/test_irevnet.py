"""i-RevNet: the control whose blocks are invertible whatever their norms."""

import pytest
import torch
from torch import nn

from infotheo.invertibility import invert_residual, lipschitz_bounds, residual_norms
from infotheo.invertibility.blocks import is_residual_block, require_sum
from infotheo.networks import reversible_network
from infotheo.networks.invertible_base import SpaceToDepth, ZeroChannels


def images(count=16, side=16, seed=0):
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


@torch.enable_grad()
def trained(steps=15, side=16, **settings):
    """A few steps away from its start, so that weights and running statistics are not trivial."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = reversible_network((3, side, side), 4, **settings)
    x, labels = images(side=side), torch.arange(16) % 4
    optimizer = torch.optim.SGD(network.parameters(), 0.05, momentum=0.9)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x), labels).backward()
        optimizer.step()
    return network.eval()


def off(result, expected):
    difference = (result - expected).detach()
    return float(torch.linalg.vector_norm(difference) / torch.linalg.vector_norm(expected.detach()))


def run(network, x):
    """Yield name, module, input and output of every invertible layer and block."""
    for name, child in network.named_children():
        if not hasattr(child, "inverse"):
            return
        for number, part in child.named_children() if name.startswith("stage") else [("", child)]:
            output = part(x)
            yield f"{name}.{number}" if number else name, part, x, output
            x = output


SETTINGS = [{"blocks": [2, 2, 2]}, {"blocks": [3, 1], "width": 24}]


@pytest.mark.parametrize("settings", SETTINGS)
@torch.no_grad()
def test_a_new_network_inverts_to_single_precision(settings):
    network, x = trained(0, **settings), images(seed=1)
    # a few roundings of 2^-24 = 6e-8, each amplified by blocks that start near the identity
    assert off(network.inverse(network.encode(x)), x) < 2e-7


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_trained_network_inverts_block_by_block_and_as_a_whole(settings):
    network, x = trained(**settings), images(seed=1)
    with torch.no_grad():
        for name, part, before, after in run(network, x):
            # one rounding of x + L(x), one of y - L(y): 2^-24 (|x + L| + |x|) / |x| at most
            assert off(part.inverse(after), before) < 3e-7, name
        z = network.encode(x)
        assert off(network.inverse(z), x) < 1e-5  # rounding, amplified by the blocks' norms
    # of rounding alone: the same in double precision is off by as much less
    network, x = network.double(), x.double()
    with torch.no_grad():
        assert off(network.inverse(network.encode(x)), x) < 1e-5 * 2.0**-29


@torch.no_grad()
def test_training_mode_inverts_no_other_batch():
    """Batch statistics: what evaluation mode is needed for."""
    network, x = trained(blocks=[2, 2]).train(), images(seed=1)
    z = network.encode(x)
    assert off(network.inverse(z), x) < 1e-5
    parts = torch.cat([network.inverse(part) for part in z.split(4)])
    assert off(parts, x) > 0.01
    network.eval()
    parts = torch.cat([network.inverse(part) for part in network.encode(x).split(4)])
    assert off(parts, x) < 1e-5


@pytest.mark.parametrize("settings", SETTINGS)
@torch.no_grad()
def test_blocks_are_residual_and_change_each_half_in_turn(settings):
    network = trained(**settings)
    taken = []
    for name, block, before, after in run(network, images()):
        if "stage" not in name:
            continue
        assert is_residual_block(block)
        assert torch.equal(require_sum(block, before, name), after)
        half = before.shape[1] // 2
        same = [torch.equal(before[:, part], after[:, part]) for part in _halves(half)]
        assert sorted(same) == [False, True]
        taken.append(same[0])
    assert taken == [number % 2 == 0 for number in range(len(taken))]  # the images' half first


def _halves(half):
    return slice(0, half), slice(half, None)


@torch.no_grad()
def test_two_blocks_are_the_coupling_of_the_paper():
    """(x1, x2) -> (x2, x1 + F(x2)), twice, is two of ours with the halves in their places."""
    network = trained(blocks=[2])
    x = network.halving1(images())
    first, second = (block.branch.function for block in network.stage1)
    a, b = x[:, 6:], x[:, :6]  # the first block reads the first half
    a, b = b, a + first(b)
    a, b = b, a + second(b)
    assert torch.equal(network.stage1(x), torch.cat([b, a], dim=1))


def test_added_zeros_make_no_ratio_infinite():
    network = trained(blocks=[2, 1], width=40)
    result = residual_norms(network, images())
    assert result["block"].values.tolist() == ["stage1.0", "stage1.1", "stage2.0"]
    assert not result["infinite"].any()
    assert (result["mean"] > 0).all()


def test_any_lipschitz_constant_is_inverted_by_one_step():
    network = trained(blocks=[2])
    block = network.stage1[1]
    block.branch.function.convolution3.weight.data.mul_(100)
    with torch.no_grad():
        x = network.stage1[0](network.halving1(images()))
        y = block(x)
    assert float(lipschitz_bounds(block.branch, x).lower) > 1
    result = invert_residual(block.branch, y)
    assert bool((result.iterations == 1).all())
    assert bool(result.converged.all())
    assert off(result.x, block.inverse(y)) < 1e-6


def test_halving_moves_squares_into_channels_and_back():
    x = torch.arange(2 * 3 * 4 * 6.0).reshape(2, 3, 4, 6)
    y = SpaceToDepth()(x)
    assert y.shape == (2, 12, 2, 3)
    assert torch.equal(y[0, 4:8, 1, 2], x[0, 1, 2:4, 4:6].flatten())
    assert torch.equal(SpaceToDepth().inverse(y), x)
    padded = ZeroChannels(5)(x)
    assert padded.shape == (2, 8, 4, 6)
    assert not padded[:, 3:].any()
    assert torch.equal(ZeroChannels(5).inverse(padded), x)


def test_names_and_shapes():
    network = trained(0, blocks=[1, 1], width=16)
    assert [name for name, _ in network.named_children()] == [
        *("halving1", "zeros", "stage1", "halving2", "stage2", "final", "features", "output")
    ]
    assert network.encode(images()).shape == (16, 64, 4, 4)
    assert network(images()).shape == (16, 4)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"input_shape": (3, 28, 28)}, "input_shape is .*divide by 8, as they are halved 3 times"),
        ({"input_shape": (784,)}, "input_shape is .*expected an image"),
        ({"width": 13}, "width is 13; expected an even number"),
        ({"width": 10}, "width is 10; expected a whole number >= 12"),
        ({"blocks": []}, r"blocks is \[\]; expected a list"),
        ({"blocks": 3}, "blocks is 3; expected a list"),
        ({"blocks": [2, 0]}, r"blocks\[1\] is 0"),
        ({"bottleneck": 0}, "bottleneck is 0"),
        ({"classes": 0}, "classes is 0"),
    ],
)
def test_bad_settings_are_named(settings, line):
    settings = {"input_shape": (3, 16, 16), "classes": 2, **settings}
    with pytest.raises((ValueError, TypeError), match=f"^{line}"):
        reversible_network(settings.pop("input_shape"), settings.pop("classes"), **settings)
