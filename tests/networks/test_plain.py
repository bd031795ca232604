"""PlainNet: the residual network's layers, and no way around them."""

import pytest
import torch

from infotheo.invertibility import residual_norms
from infotheo.invertibility.blocks import is_residual_block
from infotheo.networks import plain_network, residual_network


def built(function, **settings):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return function((3, 8, 8), 4, depth=14, width=4, **settings).eval()


def test_layers_are_those_of_the_residual_network():
    plain, residual = built(plain_network), built(residual_network)
    shapes = [[p.shape for p in network.parameters()] for network in (plain, residual)]
    assert shapes[0] == shapes[1]
    assert [name for name, _ in plain.named_children()] == [
        name for name, _ in residual.named_children()
    ]


@torch.no_grad()
def test_output_is_the_residual_network_s_without_shortcuts():
    """With the same weights: take from each residual block what its shortcut added."""
    plain, residual = built(plain_network), built(residual_network)
    weights = zip(plain.state_dict(), residual.state_dict().values(), strict=True)
    plain.load_state_dict(dict(weights))
    x = torch.linspace(-1, 1, 2 * 3 * 64).reshape(2, 3, 8, 8)
    expected = residual.stem(x)
    for stage in (residual.stage1, residual.stage2, residual.stage3):
        for block in stage:
            expected = torch.relu(block.branch(expected))
    expected = residual.output(residual.features(expected))
    assert torch.equal(plain(x), expected)
    assert not torch.allclose(plain(x), residual(x), rtol=0.1)


def test_it_has_no_residual_block():
    network = built(plain_network)
    assert not any(is_residual_block(part) for part in network.modules())
    with pytest.raises(ValueError, match="no residual block"):
        residual_norms(network, torch.ones(2, 3, 8, 8))


def test_depth_is_checked():
    with pytest.raises(ValueError, match=r"^depth is 21; expected 6 n \+ 2"):
        plain_network((3, 8, 8), 2, depth=21)
