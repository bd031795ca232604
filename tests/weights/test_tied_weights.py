"""A weight that bears two names is one weight."""

import pytest
import torch
from torch import nn

from infotheo import hessian_diagonal, hessian_trace


@pytest.fixture
def tied():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    net[1].weight = net[0].weight
    return net


def make_loss(net):
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))
    return lambda: net(x).square().mean()


def test_a_state_dict_counts_tied_weights_once(tied):
    loss = make_loss(tied)
    state = tied.state_dict(keep_vars=True)
    assert len(state) == 4
    module = hessian_trace(loss, tied, seed=0, probes=8)
    assert hessian_trace(loss, state, seed=0, probes=8) == module
    twice = {"a": tied[0].weight, "b": tied[0].weight}
    one = hessian_trace(loss, tied[0].weight, seed=0, probes=8)
    assert hessian_trace(loss, twice, seed=0, probes=8) == one


def test_the_diagonal_has_tied_weights_under_their_first_name(tied):
    loss = make_loss(tied)
    diagonal = hessian_diagonal(loss, tied.state_dict(keep_vars=True), seed=0, probes=8)
    module = hessian_diagonal(loss, tied, seed=0, probes=8)
    assert list(diagonal.value) == ["0.weight", "0.bias", "1.bias"]
    for name, values in module.value.items():
        assert torch.equal(diagonal.value[name], values)


def test_two_tensors_over_one_memory_are_refused():
    weight = torch.ones(3, requires_grad=True)
    copies = {"a": weight.detach().requires_grad_(), "b": weight.detach().requires_grad_()}
    with pytest.raises(ValueError, match=r"weights\['b'\] is a view of the memory of weights\['a'"):
        hessian_trace(lambda: (copies["a"] * copies["b"]).sum() ** 2, copies, seed=0, probes=4)
