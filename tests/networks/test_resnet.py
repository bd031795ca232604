"""ResNets: the published sizes, and blocks that are the sums their attributes promise."""

from typing import get_args

import pytest
import torch
from torch import nn

from infotheo.invertibility.blocks import is_residual_block, require_sum
from infotheo.invertibility.lipschitz import lipschitz_bounds
from infotheo.networks import residual_network
from infotheo.networks.residual_units import Shortcut, Unit, residual_block

UNITS, SHORTCUTS = get_args(Unit), get_args(Shortcut)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def used(network, x):
    """Give batch norms statistics and scales that a defect cannot hide behind."""
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.5, 2)
            nn.init.normal_(part.bias)
    with torch.no_grad():
        network.train()(x)
    return network.eval()


@pytest.mark.parametrize(
    ("depth", "published"),
    [(20, 0.27e6), (32, 0.46e6), (44, 0.66e6), (56, 0.85e6), (110, 1.7e6)],
)
def test_number_of_parameters_is_the_published_one(depth, published):
    """He et al. (2016a), table 6: two digits."""
    network = residual_network((3, 32, 32), 10, depth=depth)
    result = sum(parameter.numel() for parameter in network.parameters())
    assert float(f"{result:.1e}") == published
    layers = [p for p in network.modules() if isinstance(p, nn.Conv2d | nn.Linear)]
    assert len(layers) == depth


def test_parameters_by_hand():
    """Depth 8, width 4: each number by the formula of its layer."""
    stem = 3 * 4 * 9 + 2 * 4
    stages = sum((i * o + o * o) * 9 + 4 * o for i, o in [(4, 4), (4, 8), (8, 16)])
    projections = 4 * 8 + 2 * 8 + 8 * 16 + 2 * 16
    output = 16 * 5 + 5
    for shortcut, more in (("padded", 0), ("projection", projections)):
        network = residual_network((3, 8, 8), 5, depth=8, width=4, shortcut=shortcut)
        result = sum(parameter.numel() for parameter in network.parameters())
        assert result == stem + stages + output + more


@pytest.mark.parametrize("shortcut", SHORTCUTS)
@pytest.mark.parametrize("unit", UNITS)
@torch.no_grad()
def test_every_block_is_its_sum(unit, shortcut):
    network = residual_network((2, 9, 8), 3, depth=14, width=4, unit=unit, shortcut=shortcut)
    x = normal(6, 2, 9, 8)
    used(network, x)
    names, shapes = [], []
    for child, part in network.named_children():
        for number, block in part.named_children() if child.startswith("stage") else ():
            names.append(f"{child}.{number}")
            assert is_residual_block(block)
            x = require_sum(block, x, names[-1])
            shapes.append(tuple(x.shape[1:]))
        if not child.startswith("stage"):
            x = part(x)
    assert names == [f"stage{s}.{n}" for s in (1, 2, 3) for n in (0, 1)]
    sizes = [(4, 9, 8), (8, 5, 4), (16, 3, 2)]  # an odd side halves upwards, in both paths
    assert shapes == [size for size in sizes for _ in range(2)]
    assert torch.equal(x, network(normal(6, 2, 9, 8)))
    assert x.shape == (6, 3)


def test_blocks_are_found_by_their_full_names():
    network = residual_network((3, 8, 8), 2, depth=32, width=4)
    result = [name for name, part in network.named_modules() if is_residual_block(part)]
    assert result == [f"stage{stage}.{number}" for stage in (1, 2, 3) for number in range(5)]


@pytest.mark.parametrize("unit", UNITS)
def test_order_of_the_parts_is_that_of_figure_4(unit):
    """Against the formulas written out, with a block that is not the network's first."""
    block = residual_block(4, 4, unit=unit)
    x = normal(8, 4, 6, 6)
    used(block, x)
    part = dict(block.branch.named_children())
    conv1, conv2, relu = part["convolution1"], part["convolution2"], torch.relu
    norm1, norm2 = part["norm1"], part.get("norm2")
    expected = {
        "original": lambda: relu(x + norm2(conv2(relu(norm1(conv1(x)))))),
        "bn_after_addition": lambda: relu(block.activation.norm(x + conv2(relu(norm1(conv1(x)))))),
        "relu_before_addition": lambda: x + relu(norm2(conv2(relu(norm1(conv1(x)))))),
        "relu_only_preactivation": lambda: x + norm2(conv2(relu(norm1(conv1(relu(x)))))),
        "full_preactivation": lambda: x + conv2(relu(norm2(conv1(relu(norm1(x)))))),
    }[unit]()
    torch.testing.assert_close(block(x), expected, rtol=0, atol=0)


@pytest.mark.parametrize("unit", UNITS)
def test_pre_activation_of_the_first_unit_is_the_stem_s(unit):
    """Before the first branch and after the last addition stands exactly one activation."""
    network = residual_network((3, 8, 8), 2, depth=14, width=4, unit=unit)
    assert list(dict(network.stem.named_children())) == ["convolution", "norm", "relu"]
    assert isinstance(network.stage1[0].branch[0], nn.Conv2d)
    first = {"relu_only_preactivation": nn.ReLU, "full_preactivation": nn.BatchNorm2d}
    assert isinstance(network.stage1[1].branch[0], first.get(unit, nn.Conv2d))
    final = {"relu_only_preactivation": ["relu"], "full_preactivation": ["norm", "relu"]}
    names = list(dict(network.named_children()))
    assert ("final" in names) == (unit in final)
    if unit in final:
        assert list(dict(network.final.named_children())) == final[unit]


def test_padded_shortcut_takes_every_second_value_and_adds_zeros():
    x = normal(2, 3, 7, 6)
    result = residual_block(3, 5, stride=2).shortcut(x)
    assert torch.equal(result[:, :3], x[:, :, ::2, ::2])
    assert not result[:, 3:].any()
    assert result.shape == (2, 5, 4, 3)


@pytest.mark.parametrize("unit", UNITS)
def test_bounds_can_be_read_off_branches_and_whole_blocks(unit):
    block = used(residual_block(3, 6, stride=2, unit=unit), normal(4, 3, 6, 6))
    x = normal(3, 3, 6, 6, seed=1)
    for module in (block.branch, block):
        result = lipschitz_bounds(module, x)
        assert 0 < float(result.lower) <= float(result.upper)


def test_convolutions_start_with_variance_two_over_fan_in():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = residual_network((3, 32, 32), 10)
    for name, part in network.named_modules():
        if isinstance(part, nn.Conv2d) and part.weight.numel() > 2000:
            expected = 2 / part.weight[0].numel()
            # relative standard error of a variance: sqrt(2 / n) < 0.032; five of them
            assert float(part.weight.detach().var()) == pytest.approx(expected, rel=0.16), name
            assert part.bias is None
    assert not network.output.bias.any()


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"depth": 33}, r"depth is 33; expected 6 n \+ 2"),
        ({"depth": 2}, "depth is 2; expected a whole number >= 8"),
        ({"depth": 20.0}, "depth is 20.0; expected a whole number"),
        ({"width": 0}, "width is 0; expected a whole number >= 1"),
        ({"unit": "orignal"}, "unit"),
        ({"shortcut": "none"}, "shortcut"),
        ({"input_shape": (784,)}, r"input_shape is \(784,\); expected an image"),
        ({"classes": 0}, "classes is 0"),
    ],
)
def test_bad_settings_are_named(settings, line):
    settings = {"input_shape": (3, 8, 8), "classes": 2, "depth": 8, "width": 4, **settings}
    with pytest.raises((ValueError, TypeError), match=f"^{line}"):
        residual_network(settings.pop("input_shape"), settings.pop("classes"), **settings)
