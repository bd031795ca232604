import math
import weakref

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from infotheo.invertibility.residual_norms import ZeroNormWarning, residual_norms


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Block(nn.Module):
    """activation(shortcut(x) + branch(x)), by the attributes of the protocol."""

    def __init__(self, branch, shortcut=None):
        super().__init__()
        self.branch = branch
        self.shortcut = shortcut

    def forward(self, x):
        return torch.relu_(self.branch(x) + (x if self.shortcut is None else self.shortcut(x)))


class Classic(nn.Module):
    """A block as most code writes it: no module is the branch, and the activation is in place."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = nn.Sequential(nn.Conv2d(2, 4, 1, stride=2), nn.BatchNorm2d(4))

    def branch_of(self, x):
        return self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))

    def forward(self, x):
        out = self.branch_of(x)
        out += self.downsample(x)
        return self.relu(out)


def linear(matrix):
    layer = nn.Linear(matrix.shape[1], matrix.shape[0], bias=False)
    layer.weight = nn.Parameter(matrix, requires_grad=False)
    return layer


def test_singular_vectors_have_their_singular_values_as_ratio():
    matrix = normal(5, 5).double()
    _, values, right = torch.linalg.svd(matrix)
    result = residual_norms(Block(linear(matrix)), right, per_sample=True)
    assert result["block"].values.tolist() == [""]
    # a ratio of two sums of 5 products of float64
    np.testing.assert_allclose(result["ratio"].values[0], values, rtol=1e-13)
    assert float(result["mean"][0]) == pytest.approx(float(values.mean()), rel=1e-13)
    expected = np.quantile(values.numpy(), result["quantile"].values)
    np.testing.assert_allclose(result["quantiles"].values[0], expected, rtol=1e-13)


@pytest.fixture
def classic():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(1, 2, 3), Classic())
        for part in model.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.running_mean.normal_()
                part.running_var.uniform_(0.5, 2)
    return model


@pytest.mark.parametrize("reference", ["input", "shortcut"])
def test_both_definitions_of_x_in_a_block_written_by_hand(classic, reference):
    images = normal(7, 1, 8, 8)
    result = residual_norms(
        classic,
        images.split(3),
        branches={"1": "bn2"},
        shortcuts={"1": "downsample"},
        reference=reference,
        per_sample=True,
    )
    classic.eval()
    with torch.no_grad():
        x = classic[0](images)
        of = x if reference == "input" else classic[1].downsample(x)
        expected = classic[1].branch_of(x).flatten(1).norm(dim=1) / of.flatten(1).norm(dim=1)
    np.testing.assert_allclose(result["ratio"].values[0], expected, rtol=1e-5)  # float32
    assert bool(result["same_shape"][0]) == (reference == "shortcut")
    assert result.attrs["estimator"] == "residual_norms"
    assert f'"reference": "{reference}"' in result["mean"].attrs["settings"]


def test_protocol_blocks_are_found_nested_and_in_order():
    half, double = linear(torch.eye(3) / 2), linear(2 * torch.eye(3))
    model = nn.Sequential(Block(half), nn.Sequential(Block(double, linear(-torch.eye(3)))))
    x = normal(4, 3)
    result = residual_norms(model, x)
    assert result["block"].values.tolist() == ["0", "1.0"]
    np.testing.assert_allclose(result["mean"], [0.5, 2.0], rtol=1e-6)
    # the shortcut's sign does not change its norm, but a scale would
    model[1][0].shortcut.weight.data.mul_(4)
    by_shortcut = residual_norms(model, x, reference="shortcut")
    np.testing.assert_allclose(by_shortcut["mean"], [0.5, 0.5], rtol=1e-6)
    named = residual_norms(model, x, branches=["1.0.branch", "0"])
    assert named["block"].values.tolist() == ["1.0.branch", "0"]
    np.testing.assert_allclose(named["mean"], [2.0, 0.5], rtol=1e-6)


def test_evaluation_mode_is_enforced_and_the_model_left_as_it_was(classic):
    classic.train()
    classic[1].bn1.eval()  # frozen by its user
    before = {key: value.clone() for key, value in classic.state_dict().items()}
    settings = {"branches": {"1": "bn2"}}
    first = residual_norms(classic, normal(6, 1, 8, 8), **settings)
    assert classic[1].bn2.training
    assert not classic[1].bn1.training
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in classic.modules())
    assert all(torch.equal(value, before[key]) for key, value in classic.state_dict().items())
    second = residual_norms(classic.eval(), normal(6, 1, 8, 8), **settings)
    assert first.identical(second)
    with pytest.raises(
        ValueError, match=r"model does not take x of shape \(6, 2, 8, 8\) .*channels"
    ):
        residual_norms(classic.train(), normal(6, 2, 8, 8), **settings)
    assert classic.training
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in classic.modules())


def test_zero_norms_are_counted_and_never_dropped():
    """As in i-RevNet's first block, whose half is zero padding: the ratio is infinite."""

    class Shifted(nn.Module):
        def forward(self, x):
            return torch.where(x[:, :1] < 0, 0.0, x + 1)

    x = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0], [6.0, 8.0]])
    with pytest.warns(ZeroNormWarning, match="block '': 2 infinite, 0 undefined"):
        result = residual_norms(Block(Shifted()), x, quantiles=[0, 1 / 3, 0.5, 1], per_sample=True)
    assert result["infinite"].values.tolist() == [2]
    assert result["undefined"].values.tolist() == [0]
    assert math.isinf(float(result["mean"][0]))
    low = math.hypot(7, 9) / 10
    mid = math.hypot(4, 5) / 5
    np.testing.assert_allclose(result["quantiles"].values[0], [low, mid, math.inf, math.inf])
    with pytest.warns(ZeroNormWarning, match="1 undefined"):
        both = residual_norms(Block(nn.Identity()), torch.tensor([[0.0], [2.0]]), per_sample=True)
    assert both["undefined"].values.tolist() == [1]
    assert float(both["mean"][0]) == 1
    assert np.isnan(both["ratio"].values[0]).tolist() == [True, False]


def test_batches_labels_and_one_tensor_agree_and_no_batch_is_kept():
    model = Block(linear(normal(3, 3)))
    x = normal(10, 3, seed=1)
    undivided = residual_norms(model, x)
    divided = residual_norms(model, [(x[:4], torch.arange(4)), [x[4:]]])
    # single precision, sums of three products: how they are rounded may depend on the batch's size
    xr.testing.assert_allclose(divided, undivided, rtol=1e-5)
    assert divided.attrs == undivided.attrs
    references, alive = [], []

    def batches():
        for _ in range(5):
            batch = torch.ones(4, 3)
            references.append(weakref.ref(batch))
            alive.append(sum(reference() is not None for reference in references))
            yield batch
            del batch

    assert "20" in residual_norms(model, batches()).attrs["settings"]
    assert max(alive) <= 2  # the one that is made and, at most, the one before


def test_pooled_ratio_is_that_of_all_samples_as_one_tensor():
    """Paper 5's norm is over all entries of the batch: long samples weigh more."""
    x = torch.tensor([[1.0, 0.0], [0.0, 3.0], [2.0, 2.0]])
    model = Block(linear(torch.diag(torch.tensor([0.5, 2.0]))))
    expected = float(model.branch(x).norm() / x.norm())
    for batches in (x, x.split(2)):
        result = residual_norms(model, batches)
        assert float(result["pooled"][0]) == pytest.approx(expected, rel=1e-6)
    assert expected != pytest.approx(float(result["mean"][0]), rel=0.05)


def test_large_and_half_precision_values_do_not_overflow():
    x = torch.full((2, 4), 1e20)  # squares overflow float32
    assert float(residual_norms(Block(nn.Identity()), x)["mean"][0]) == 1
    x = torch.full((2, 4), 6e4, dtype=torch.float16)
    assert float(residual_norms(nn.Sequential(Block(nn.Identity())), x)["mean"][0]) == 1


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Block(nn.Linear(2, 2))
        self.unused = nn.Linear(2, 2)

    def forward(self, x):
        return self.block(self.block(x))


def test_what_cannot_be_measured_is_said_in_a_line(classic):
    x, images = normal(4, 2), normal(2, 1, 8, 8)
    block = Block(nn.Linear(2, 2))
    with pytest.raises(TypeError, match=r"x is a numpy.ndarray; expected a torch.Tensor"):
        residual_norms(block, x.numpy())
    with pytest.raises(TypeError, match=r"batch 0 is a numpy.ndarray; expected a torch.Tensor"):
        residual_norms(block, [x.numpy()])
    with pytest.raises(TypeError, match=r"model is a builtin.*; expected a torch.nn.Module"):
        residual_norms(torch.relu, x)
    with pytest.raises(TypeError, match="dtype torch.int64; expected floating-point"):
        residual_norms(block, x.long())
    with pytest.raises(ValueError, match="x contains nan in sample 1"):
        residual_norms(block, torch.tensor([[1.0, 2.0], [3.0, math.nan]]))
    with pytest.raises(ValueError, match="x: found a batch of 3 parts, expected inputs, or inputs"):
        residual_norms(block, [(x, x, x)])
    with pytest.raises(ValueError, match="found no batch"):
        residual_norms(block, [])
    with pytest.raises(ValueError, match="model has no residual block"):
        residual_norms(nn.Linear(2, 2), x)
    with pytest.raises(ValueError, match="branches: '2' is not in the model; its modules: 0, 1"):
        residual_norms(classic, images, branches=["2"])
    with pytest.raises(ValueError, match=r"branches: '1.bn3' is not in the model"):
        residual_norms(classic, images, branches={"1": "bn3"})
    with pytest.raises(ValueError, match="shortcuts: '0' is not among the blocks"):
        residual_norms(classic, images, branches={"1": "bn2"}, shortcuts={"0": "x"})
    with pytest.raises(ValueError, match="shortcuts need branches as a mapping"):
        residual_norms(classic, images, shortcuts={"0": "x"})
    with pytest.raises(TypeError, match="branches is the string '1'"):
        residual_norms(classic, images, branches="1")
    with pytest.raises(ValueError, match="branches: found none"):
        residual_norms(classic, images, branches=[])
    with pytest.raises(ValueError, match=r"shortcut puts out \(2, 2, 6, 6\), the branch \(2, 4, 3"):
        residual_norms(classic, images, branches={"1": "bn2"}, reference="shortcut")
    with pytest.raises(ValueError, match="reference is 'output'; expected one of 'input'"):
        residual_norms(block, x, reference="output")
    with pytest.raises(ValueError, match="quantiles are"):
        residual_norms(block, x, quantiles=[2.0])
    with pytest.raises(ValueError, match="block 'block': .* computed twice"):
        residual_norms(Twice(), x)
    with pytest.raises(ValueError, match="block 'unused': x was not computed"):
        residual_norms(Twice(), x, branches=["unused"])
    block.branch.weight.data[0, 0] = math.nan
    with pytest.raises(ValueError, match=r"\|L\(x\)\| is nan in sample 0; expected finite weights"):
        residual_norms(block, x)
