import math
import weakref

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from infotheo.invertibility.block_inputs import visit_blocks
from infotheo.invertibility.inversion import InversionWarning, invert_residual
from infotheo.invertibility.lipschitz import lipschitz_bounds
from infotheo.invertibility.residual_norms import residual_norms
from infotheo.networks.invertible_resnet import invertible_residual_network
from infotheo.networks.irevnet import reversible_network
from infotheo.networks.residual_units import ResidualBlock
from infotheo.networks.resnet import residual_network
from infotheo.study.measures.invertibility import invertibility
from infotheo.study.measures.networks import network_measures
from infotheo.study.measures.residual import residual


def normal(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def made(build, seed=0):
    """Build a module with weights of its own seed, and batch norms that do something."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = build()
        for part in module.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.running_mean.normal_()
                part.running_var.uniform_(0.5, 2)
    return module


def linear(matrix):
    layer = nn.Linear(matrix.shape[1], matrix.shape[0], bias=False)
    layer.weight = nn.Parameter(matrix, requires_grad=False)
    return layer


def blocks(*branches):
    return nn.Sequential(*map(ResidualBlock, branches))


def values(measured, *names):
    return {name: measured[name].values.tolist() for name in names}


def labels(x):
    return torch.zeros(len(x), dtype=torch.int64)


def test_linear_branch_every_number_is_the_spectral_norm_and_the_inverse_exact():
    matrix = normal(6, 6, dtype=torch.float64)
    matrix *= 0.6 / torch.linalg.matrix_norm(matrix, ord=2)
    _, _, right = torch.linalg.svd(matrix)
    top = torch.cat([right[:1], -right[:1]])  # the data: where L stretches most
    network = blocks(linear(matrix))
    ratio = residual(network, top, labels(top))
    bounds = invertibility(
        network, top, labels(top), jacobian_iterations=6, residual_tolerance=1e-12
    )
    for measured, names in (
        (ratio, ("mean", "pooled", "q05", "median", "q95")),
        (bounds, ("lipschitz_upper", "lipschitz_pairs", "lipschitz_jacobian")),
    ):
        for name in names:
            variable = f"residual_norm_{name}" if measured is ratio else name
            np.testing.assert_allclose(measured[variable], 0.6, rtol=1e-12, err_msg=name)
    np.testing.assert_allclose(bounds["lipschitz_lower"], 0.6, rtol=1e-7)  # a difference quotient
    assert float(bounds["reconstruction_error"][0]) < 1e-12 / (1 - 0.6) * 1.6
    assert values(bounds, "licensed", "inverted", "inversion_converged") == {
        "licensed": [1],
        "inverted": [1],
        "inversion_converged": [1],
    }


def test_contraction_converges_at_the_predicted_rate():
    """L = c I: every step multiplies the residual by c, until it is below the tolerance."""
    x = normal(20, 4, dtype=torch.float64)
    for constant in (0.1, 0.5, 0.8):
        measured = invertibility(blocks(linear(constant * torch.eye(4).double())), x, labels(x))
        assert float(measured["inversion_rate"][0]) == pytest.approx(constant, rel=1e-6)
        # the first residual is c |y| relative to |y|: c^(k + 1) <= 1e-5
        steps = math.ceil(math.log(1e-5) / math.log(constant)) - 1
        assert abs(float(measured["inversion_iterations"][0]) - steps) <= 1
        assert values(measured, "licensed", "inverted") == {"licensed": [1], "inverted": [1]}


def shear(first, second):
    """Two diagonal layers that stretch different axes."""
    return nn.Sequential(linear(torch.diag(torch.tensor(first))), linear(torch.tensor(second)))


def test_verdicts_where_the_answer_is_known():
    x = normal(40, 2) * torch.tensor([1.0, 0.01])  # the second axis hardly shows in norms
    network = blocks(
        linear(0.5 * torch.eye(2)),  # a contraction
        linear(2 * torch.eye(2)),  # an expansion
        shear([2.0, 0.1], [[0.1, 0.0], [0.0, 2.0]]),  # 0.2 I, of layers with norm 2
        linear(torch.diag(torch.tensor([0.1, 3.0]))),  # the ratio at the data does not see 3
        linear(torch.tensor([[0.0, 5.0], [0.0, 0.0]])),  # nilpotent: two steps invert it
    )
    ratio = residual(network, x, labels(x))
    measured = invertibility(network, x, labels(x))
    assert measured["licensed"].values.tolist() == [1, 0, 0, 0, 0]
    assert measured["inverted"].values.tolist() == [1, 0, 1, 0, 1]
    np.testing.assert_allclose(measured["lipschitz_upper"], [0.5, 2, 4, 3, 5], rtol=1e-6)
    # difference quotients in float32 over a step of 3e-4 |x|
    np.testing.assert_allclose(measured["lipschitz_lower"], [0.5, 2, 0.2, 3, 5], rtol=2e-3)
    claimed = ratio["residual_norm_pooled"].values < 1
    assert claimed.tolist() == [True, False, True, True, True]
    assert float(ratio["blocks_claimed"]) == 0.8
    assert float(measured["blocks_licensed"]) == 0.2
    assert float(measured["blocks_inverted"]) == 0.6
    assert float(measured["lipschitz_upper_largest"]) == pytest.approx(5)
    assert float(measured["lipschitz_lower_largest"]) == pytest.approx(5, rel=2e-3)
    assert math.isnan(float(measured["inverse_error"]))


def test_convergence_to_another_solution_is_no_inversion():
    """y = x + L(x) with two solutions: iteration finds one, and it is not the block's input."""

    class Fold(nn.Module):
        def forward(self, x):  # x + L(x) = |x|: whence x cannot be told from -x
            return x.abs() - x

    x = normal(10, 1).abs()
    measured = invertibility(blocks(Fold()), x, labels(x))
    assert values(measured, "inversion_converged", "inverted") == {
        "inversion_converged": [1],
        "inverted": [1],
    }
    measured = invertibility(blocks(Fold()), -x, labels(x))
    names = ("inversion_converged", "inversion_succeeded", "inverted", "reconstruction_error")
    assert values(measured, *names) == {
        "inversion_converged": [1],
        "inversion_succeeded": [0],
        "inverted": [0],
        "reconstruction_error": [2],
    }


@pytest.fixture(scope="module")
def small():
    return made(lambda: residual_network((3, 8, 8), 4, depth=14, width=4)).eval()


def test_one_pass_over_the_network_agrees_with_each_block_by_itself(small):
    """The public functions on inputs recorded beforehand: a twin without hooks and sharing."""
    images = normal(12, 3, 8, 8)
    measured = invertibility(
        small, images, labels(images), inverted_samples=12, iterations=9, residual_tolerance=1e-4
    )
    ratio = residual(small, images, labels(images))
    by_public = residual_norms(small, images, quantiles=[0.5])
    names = measured["block"].values.tolist()
    assert names == ratio["block"].values.tolist() == by_public["block"].values.tolist()
    assert names == [f"stage{stage}.{n}" for stage in (1, 2, 3) for n in (0, 1)]
    np.testing.assert_allclose(ratio["residual_norm_mean"], by_public["mean"])
    np.testing.assert_allclose(ratio["residual_norm_median"], by_public["quantiles"][:, 0])
    with torch.no_grad():
        x = small.stem(images)
        for name in names:
            block = small.get_submodule(name)
            output = block.branch(x.clone())
            bounds = lipschitz_bounds(block.branch, x)
            block_measures = measured.sel(block=name)
            for field in ("lower", "upper", "upper_estimate", "pairs"):
                expected = float(getattr(bounds, field))
                assert float(block_measures[f"lipschitz_{field}"]) == pytest.approx(
                    expected, rel=1e-9
                )
            assert float(block_measures["lipschitz_jacobian"]) == pytest.approx(
                float(bounds.jacobian.max())
            )
            lengths = [array.flatten(1).double().norm(dim=1) for array in (output, x)]
            pooled = float(lengths[0].norm() / lengths[1].norm())
            assert float(ratio["residual_norm_pooled"].sel(block=name)) == pytest.approx(pooled)
            if block.shortcut is None:
                with pytest.warns(InversionWarning):
                    tried = invert_residual(block.branch, x + output, iterations=9, tolerance=1e-4)
                error = (tried.x - x).flatten(1).norm(dim=1) / x.flatten(1).norm(dim=1)
                expected = {
                    "inversion_residual": tried.residual.max(),
                    "inversion_rate": tried.rate.median(),
                    "inversion_converged": tried.converged.double().mean(),
                    "reconstruction_error": error.max(),
                }
                for field, value in expected.items():
                    assert float(block_measures[field]) == pytest.approx(float(value), rel=1e-5), (
                        field
                    )
            x = block(x)


def test_blocks_that_change_the_shape_are_bounded_and_not_inverted(small):
    images = normal(6, 3, 8, 8)
    measured = invertibility(small, images, labels(images))
    changing = [name in ("stage2.0", "stage3.0") for name in measured["block"].values]
    assert bool(
        measured["lipschitz_lower"].notnull().all() & measured["lipschitz_upper"].notnull().all()
    )
    for name in ("licensed", "inverted", "inversion_rate", "reconstruction_error"):
        assert measured[name].isnull().values.tolist() == changing, name
    reasons = measured["inverted"].attrs["left_out"]
    assert "stage2.0: input (4, 8, 8) and output (8, 4, 4) differ in shape; stage3.0:" in reasons
    projected = nn.Sequential(ResidualBlock(linear(torch.eye(3)), linear(torch.eye(3))))
    measured = invertibility(projected, normal(5, 3), torch.zeros(5))
    assert math.isnan(float(measured["inverted"][0]))
    assert math.isnan(float(measured["blocks_inverted"]))
    assert "'0': " not in measured["inverted"].attrs["left_out"]
    assert measured["inverted"].attrs["left_out"] == "0: the shortcut is no identity (Linear)"


def test_layers_of_unknown_norm_are_a_result():
    class Square(nn.Module):
        def forward(self, x):
            return 0.01 * x**2

    x = normal(6, 3)
    network = blocks(linear(0.5 * torch.eye(3)), nn.Sequential(Square()))
    measured = invertibility(network, x, labels(x))
    assert np.isnan(measured["lipschitz_upper"].values).tolist() == [False, True]
    assert np.isnan(measured["licensed"].values).tolist() == [False, True]
    assert measured["inverted"].values.tolist() == [1, 1]
    assert math.isnan(float(measured["lipschitz_upper_largest"]))
    assert float(measured["blocks_licensed"]) == 0.5  # nothing licenses the other
    assert (
        "1: branch: the norm of layer '0' (Square)" in measured["lipschitz_upper"].attrs["unknown"]
    )


def test_spectrally_normalised_network_is_licensed_and_inverted_everywhere():
    def branch():
        layers = []
        for _ in range(2):
            convolution = nn.Conv2d(4, 4, 3, padding=1)
            # of the reshaped kernel: times 3 bounds a 3 x 3 convolution
            layers += [spectral_norm(convolution, n_power_iterations=30), nn.ELU()]
        return nn.Sequential(*layers, nn.Conv2d(4, 4, 1, bias=False))

    network = made(lambda: blocks(branch(), branch(), branch()))
    for block in network:
        block.branch[-1].weight.data = 0.09 * torch.eye(4)[..., None, None]
    x = normal(8, 4, 6, 6)
    measured = invertibility(network, x, labels(x))
    assert float(measured["lipschitz_upper_largest"]) < 0.09 * 9 * 1.05
    assert float(measured["blocks_licensed"]) == float(measured["blocks_inverted"]) == 1
    # residual 1e-5 of |y| <= 1.9 |x|, over 1 - c
    upper = measured["lipschitz_upper"].values
    assert bool((measured["reconstruction_error"].values < 1.9e-5 / (1 - upper)).all())


def test_reversible_network_is_inverted_without_a_license():
    network = made(lambda: reversible_network((3, 8, 8), 4, blocks=[2, 2], bottleneck=4))
    images = normal(10, 3, 8, 8)
    for name, weight in network.named_parameters():
        if name.endswith("convolution3.weight"):
            weight.data *= 5
    measured = invertibility(network, images, labels(images))
    assert float(measured["blocks_inverted"]) == 1
    assert float(measured["blocks_licensed"]) < 1
    assert float(measured["lipschitz_lower_largest"]) > 1
    # two roundings in each of four blocks, stretched by those before it
    stretch = np.prod(1 + measured["lipschitz_lower"].values)
    assert float(measured["inverse_error"]) < 8 * 2**-24 * stretch < 1e-3
    assert bool((measured["inversion_iterations"] <= 2).all())
    network.train()
    with torch.no_grad():  # in training mode another batch is another function
        back = network.inverse(network.encode(images)[:5])
    assert float((back - images[:5]).norm() / images.norm()) > 0.01
    assert float(invertibility(network, images, labels(images))["inverse_error"]) < 1e-3


def test_contractive_network_is_licensed_inverted_and_has_an_inverse():
    network = made(lambda: invertible_residual_network((3, 8, 8), 4, blocks=[2], bottleneck=4))
    images = normal(10, 3, 8, 8)
    measured = invertibility(network, images, labels(images))
    assert float(measured["blocks_licensed"]) == float(measured["blocks_inverted"]) == 1
    assert float(measured["lipschitz_upper_largest"]) < 1
    # each block to 1e-6 over 1 - 0.9
    assert float(measured["inverse_error"]) < 2 * 1e-5 * 2
    with torch.no_grad():  # an expansion does not invert itself, and says so in the number
        for block in network.stage1:
            block.branch = nn.Sequential(block.branch, linear(torch.eye(4) * 100))  # columns
    broken = invertibility(network, images, labels(images))
    assert float(broken["blocks_licensed"]) == float(broken["blocks_inverted"]) == 0
    assert float(broken["inverse_error"]) > 1


def test_network_is_left_as_it_was_and_the_seed_decides():
    network = made(lambda: residual_network((3, 8, 8), 4, depth=8, width=4))
    network.stage1.eval()
    modes = [part.training for part in network.modules()]
    before = {key: value.clone() for key, value in network.state_dict().items()}
    images = normal(10, 3, 8, 8)
    copy, state = images.clone(), torch.random.get_rng_state()
    first, again, other = (
        invertibility(network, images, labels(images), seed=seed) for seed in (3, 3, 4)
    )
    assert first.identical(again)
    assert not first["lipschitz_jacobian"].equals(other["lipschitz_jacobian"])
    assert first["lipschitz_upper"].equals(other["lipschitz_upper"])
    assert residual(network, images, labels(images)).identical(
        residual(network, images, labels(images))
    )
    assert torch.equal(images, copy)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert [part.training for part in network.modules()] == modes
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in network.modules())
    with pytest.raises(RuntimeError):
        invertibility(network, normal(10, 2, 8, 8), labels(images))
    assert not any(part._forward_pre_hooks for part in network.modules())


def test_samples_are_taken_from_all_of_the_inputs():
    """In the shares of the classes, whether they come in order or in turn."""
    in_order = torch.cat([torch.full((50, 1), 1.0), torch.full((50, 1), 2.0)])
    in_turn = in_order.view(2, 50).T.reshape(100, 1)

    class Step(nn.Module):
        def forward(self, x):
            return x * (x > 1.5)

    for x in (in_order, in_turn):
        classes = (x[:, 0] > 1.5).long()
        for samples in (2, 10, 50, 100, 500):
            found = residual(blocks(Step()), x, classes, samples=samples)
            assert float(found["residual_norm_mean"][0]) == pytest.approx(0.5)
        assert float(residual(blocks(Step()), x, classes, samples=99)["residual_norm_mean"][0]) in (
            pytest.approx(49 / 99),
            pytest.approx(50 / 99),
        )
        # the inversion's are a random part of them: 20 of 100, standard deviation 0.1
        found = invertibility(blocks(Step()), x, classes, inverted_samples=20)
        assert 0.1 < float(found["inversion_converged"][0]) < 0.9
        other = invertibility(blocks(Step()), x, classes, inverted_samples=20, seed=3)
        assert 0.1 < float(other["inversion_converged"][0]) < 0.9


def test_share_of_black_inputs_and_the_shortcut_as_reference():
    class Shift(nn.Module):
        def forward(self, x):
            return x + 1

    x = torch.tensor([[0.0], [1.0], [0.0], [1.0]])
    measured = residual(blocks(Shift()), x, labels(x))
    assert float(measured["residual_norm_infinite"][0]) == 0.5
    assert math.isinf(float(measured["residual_norm_largest"]))
    assert float(measured["residual_norm_pooled"][0]) == pytest.approx(math.sqrt(10 / 2))
    network = nn.Sequential(ResidualBlock(nn.Identity(), linear(torch.tensor([[4.0]]))))
    x = torch.ones(3, 1)
    assert float(residual(network, x, labels(x))["residual_norm_mean"][0]) == 1
    by_shortcut = residual(network, x, labels(x), reference="shortcut")
    assert float(by_shortcut["residual_norm_mean"][0]) == 0.25
    assert "its shortcut" in by_shortcut["residual_norm_mean"].attrs["long_name"]


def test_nested_blocks_are_measured_once_each():
    inner = ResidualBlock(linear(0.5 * torch.eye(2)))
    outer = ResidualBlock(nn.Sequential(inner, linear(0.1 * torch.eye(2))))
    x = normal(5, 2)
    measured = invertibility(nn.Sequential(outer), x, labels(x))
    assert measured["block"].values.tolist() == ["0", "0.branch.0"]
    np.testing.assert_allclose(measured["lipschitz_upper"], [0.15, 0.5], rtol=1e-6)
    assert measured["inverted"].values.tolist() == [1, 1]


def test_only_one_block_is_held_at_a_time():
    network = blocks(*(linear(torch.eye(3)) for _ in range(5)))
    seen = []

    def visit(name, block, x):
        seen.append(weakref.ref(x))
        return sum(reference() is not None for reference in seen)

    alive = visit_blocks(network, normal(4, 3), visit)
    # the first is the caller's; nn.Sequential holds a block's input until it has its output
    assert max(alive.values()) <= 3


def test_measures_are_in_the_registry_and_labelled():
    x = normal(6, 3)
    seen = set()
    for name in ("residual", "invertibility"):
        measured = network_measures[name](blocks(linear(0.5 * torch.eye(3))), x, labels(x))
        for variable in measured.data_vars.values():
            assert variable.dims in ((), ("block",))
            assert variable.dtype == np.float64
            assert {"units", "long_name", "estimator", "settings"} <= set(variable.attrs)
        assert not seen & set(measured.data_vars)
        seen |= set(measured.data_vars)


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = ResidualBlock(nn.Linear(3, 3))

    def forward(self, x):
        return self.block(self.block(x))


class Unused(Twice):
    def forward(self, x):
        return x


class Lying(ResidualBlock):
    def forward(self, x):
        return 2 * super().forward(x)


@pytest.mark.parametrize("measure", [residual, invertibility])
def test_what_cannot_be_measured_is_said_in_a_line(measure):
    x = normal(6, 3)
    network = made(lambda: blocks(nn.Linear(3, 3)))
    with pytest.raises(ValueError, match=r"^network \(Linear\) has no residual block, [^\n]*$"):
        measure(nn.Linear(3, 3), x, labels(x))
    with pytest.raises(TypeError, match="network is a builtin.*; expected a torch.nn.Module"):
        measure(torch.relu, x, labels(x))
    with pytest.raises(TypeError, match="inputs is a numpy.ndarray; expected a torch.Tensor"):
        measure(network, x.numpy(), labels(x))
    with pytest.raises(TypeError, match="inputs has dtype torch.int64"):
        measure(network, x.long(), labels(x))
    with pytest.raises(ValueError, match="inputs contains nan in sample 0"):
        measure(network, x * math.nan, labels(x))
    with pytest.raises(ValueError, match="inputs has shape"):
        measure(network, x[:0], labels(x))
    with pytest.raises(ValueError, match="samples is 0; expected a whole number >="):
        measure(network, x, labels(x), samples=0)
    with pytest.raises(ValueError, match="twice in one pass"):
        measure(Twice(), x, labels(x))
    with pytest.raises(ValueError, match="block 'block'.* was not "):
        measure(Unused(), x, labels(x))
    broken = made(lambda: blocks(nn.Linear(3, 3)))
    broken[0].branch.weight.data[0, 0] = math.nan
    with pytest.raises(ValueError, match=r"network: '0.branch.weight' contains nan; expected fin"):
        measure(broken, x, labels(x))


@pytest.mark.parametrize("scale", [1e8, 1e30])
def test_weights_so_large_that_activations_overflow_are_a_result(scale):
    network = made(lambda: residual_network((3, 8, 8), 4, depth=8, width=4))
    images = normal(6, 3, 8, 8)
    names = [tap for tap, part in network.named_modules() if hasattr(part, "branch")]
    with torch.no_grad():
        for weight in network.parameters():
            weight *= scale
    for measure in (residual, invertibility):
        measured = measure(network, images, labels(images))
        assert measured["block"].values.tolist() == names
        for name, value in measured.items():
            assert value.isnull().all(), name
    assert all(name + ": " in measured["lipschitz_lower"].attrs["not_finite"] for name in names)
    with pytest.raises(ValueError, match=r"^block '[^\n]*' is (inf|nan) in|^block '[^\n]*$"):
        residual_norms(network, images)
    with torch.no_grad():
        x = network.stem(images)
    with pytest.raises(ValueError, match=r"^(L\(x\)|x) contains [^\n]*; expected finite values$"):
        lipschitz_bounds(network.get_submodule(names[0]).branch, x)


def test_overflow_in_one_block_leaves_the_others_as_they_are():
    """Each block is the sum before an activation that brings it back; the second overflows."""

    class Bounded(ResidualBlock):
        def __init__(self, branch):
            super().__init__(branch)
            self.activation = nn.Tanh()

    def sequence(middle):
        wide = nn.Sequential(linear(middle * torch.eye(3)), linear(middle * torch.eye(3)))
        ends = (linear(0.5 * torch.eye(3)), linear(0.25 * torch.eye(3)))
        return nn.Sequential(Bounded(ends[0]), Bounded(wide), Bounded(ends[1]))

    x = normal(6, 3)
    for measure in (residual, invertibility):
        measured, usual = (measure(sequence(middle), x, labels(x)) for middle in (1e30, 1e3))
        for name in (name for name, array in usual.items() if array.dims):
            firsts = (measured[name][0], usual[name][0])
            np.testing.assert_array_equal(*firsts, err_msg=name)
            assert math.isnan(float(measured[name][1])), name
            # 1e3 and 1e30 alike end in the signs of x
            np.testing.assert_array_equal(measured[name][2], usual[name][2], err_msg=name)
        for name in (name for name, array in usual.items() if not array.dims):
            assert math.isnan(float(measured[name])), name
    assert "1: " in measured["lipschitz_lower"].attrs["not_finite"]
    assert usual["lipschitz_lower"].attrs["not_finite"] == ""


def test_jacobian_that_overflows_where_outputs_do_not_is_a_result():
    huge = linear(1e25 * torch.eye(3))
    x = normal(6, 3)
    measured = invertibility(blocks(huge), x, labels(x))
    assert math.isnan(float(measured["lipschitz_jacobian"][0]))
    assert "overflows torch.float32" in measured["lipschitz_lower"].attrs["not_finite"]
    with pytest.raises(ValueError, match=r"^branch: a product with its Jacobian overflows"):
        lipschitz_bounds(huge, x)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"samples": 1}, "samples is 1; expected a whole number >= 2"),
        ({"iterations": 0}, "iterations is 0"),
        ({"jacobian_iterations": 0}, "jacobian_iterations is 0"),
        ({"inverted_samples": 0}, "inverted_samples is 0"),
        ({"norm_tolerance": 0.0}, "norm_tolerance is 0.0; expected a number between 0 and 1"),
        ({"residual_tolerance": 1.0}, "residual_tolerance is 1.0"),
        ({"reconstruction_tolerance": 2.0}, "reconstruction_tolerance is 2.0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_settings_of_the_wrong_range_are_named(setting, message):
    x = normal(6, 3)
    with pytest.raises(ValueError, match=message):
        invertibility(blocks(nn.Linear(3, 3)), x, labels(x), **setting)


def test_block_that_is_not_the_sum_it_promises_is_refused():
    x = normal(6, 3)
    with pytest.raises(ValueError, match="block '0' .Lying. does not put out activation"):
        invertibility(nn.Sequential(Lying(nn.Linear(3, 3))), x, labels(x))
    with pytest.raises(ValueError, match="without running statistics mixes the samples"):
        invertibility(blocks(nn.BatchNorm1d(3, track_running_stats=False)), x, labels(x))
