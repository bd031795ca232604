import math

import numpy as np
import pytest
import torch

from infotheo.estimators.critics.critic import Critics
from infotheo.estimators.critics.standard_units import StandardUnits

ARCHITECTURES = ["separable", "concatenated"]


def critics(architecture, folds=3):
    networks = Critics(
        architecture,
        (4, 2),
        [np.random.default_rng(fold) for fold in range(folds)],
        hidden=8,
        embedding=3,
        device="cpu",
    )
    stream = torch.Generator().manual_seed(0)
    for value in networks.parameters:  # no zeros left
        value.data += 0.3 * torch.randn(value.shape, generator=stream)
    return networks


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_all_pairs_are_single_pairs_and_folds_stay_apart(architecture):
    stream = torch.Generator().manual_seed(1)
    x, y = torch.randn(3, 5, 4, generator=stream), torch.randn(3, 6, 2, generator=stream)
    together = critics(architecture)
    scores = together(x, y)
    assert scores.shape == (3, 5, 6)
    for fold in range(3):
        alone = together.take(fold)
        for i in range(5):
            for j in range(6):
                one = alone(x[fold : fold + 1, i : i + 1], y[fold : fold + 1, j : j + 1])
                # float32: sums of some ten terms of size 1
                assert float(one) == pytest.approx(float(scores[fold, i, j].detach()), abs=1e-4)
    assert not torch.equal(scores[0], scores[1])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_folds_first_weights_come_from_its_own_seed(architecture):
    def first(seeds):
        return Critics(
            architecture,
            (4, 2),
            [np.random.default_rng(seed) for seed in seeds],
            hidden=8,
            embedding=3,
            device="cpu",
        ).parameters

    for both, alone in zip(first([5, 6]), first([6]), strict=True):
        assert torch.equal(both[1:], alone)


def test_the_gaussian_log_ratio_is_a_separable_critic():
    rho = 0.75
    result = Critics(
        "separable", (1, 1), [np.random.default_rng(0)], hidden=4, embedding=1, device="cpu"
    )
    for value in result.parameters:
        value.data.zero_()
    (square_weights_x, square_weights_y), towers = result.parameters[:2], result.parameters[2:]
    size = rho / (1 - rho**2)
    towers[6].data[0, 0, 0] = 1.0  # g(x) = x
    towers[13].data[0, 0, 0] = size  # h(y) = y rho / (1 - rho²)
    square_weights_x.data[:] = -(rho**2) / (2 * (1 - rho**2))
    square_weights_y.data[:] = -(rho**2) / (2 * (1 - rho**2)) / size**2
    towers[5].data[0, 1] = -0.5 * math.log(1 - rho**2)
    x, y = torch.linspace(-2, 2, 5), torch.linspace(-3, 3, 7)
    a, b = x[:, None], y[None]
    quadratic = 2 * rho * a * b - rho**2 * (a**2 + b**2)
    expected = quadratic / (2 * (1 - rho**2)) - 0.5 * math.log(1 - rho**2)
    torch.testing.assert_close(result(x[None, :, None], y[None, :, None])[0].detach(), expected)


def test_units_are_standard_on_the_training_part_whatever_their_place_and_scale():
    stream = np.random.default_rng(0)
    z = stream.normal(size=(50, 3))
    training = torch.arange(40).reshape(1, 40)
    rows = torch.arange(50)[None]
    plain = StandardUnits(torch.tensor(z), training)(rows)
    scales = (z[:40] - z[:40].mean(0)) / z[:40].std(0)
    # float32; none beyond 4 deviations
    np.testing.assert_allclose(plain[0, :40], scales, atol=1e-5)
    moved = StandardUnits(torch.tensor(1e8 + 1e-3 * z), training)(rows)
    # 1e8 leaves 1e-3 z to 1.5e-8, that is to 1.5e-5 deviations
    np.testing.assert_allclose(moved, plain, atol=1e-4)
    changed = z.copy()
    changed[40:] = 1e6
    held_out = StandardUnits(torch.tensor(changed), training)(rows)
    np.testing.assert_allclose(held_out[0, :40], plain[0, :40], atol=1e-5)
    assert torch.isfinite(held_out).all()
    assert held_out.max() < 4 + math.log(2e6) + 1


def test_constant_units_are_zero_and_folds_have_their_own_scale():
    z = torch.tensor([[0.1, 0.0], [0.1, 1.0], [0.1, 10.0], [0.1, 30.0]])
    units = StandardUnits(z, torch.tensor([[0, 1], [2, 3]]))
    result = units(torch.tensor([[0, 1], [2, 3]]))
    torch.testing.assert_close(result[..., 1], torch.tensor([[-1.0, 1.0], [-1.0, 1.0]]))
    assert (result[..., 0] == 0).all()


def test_the_tail_keeps_its_order():
    z = torch.tensor([[0.0], [1.0], [4.0], [5.0], [50.0], [-50.0]])
    result = StandardUnits(z, torch.tensor([[0, 1]]))(torch.tensor([[0, 1, 2, 3, 4]]))[0, :, 0]
    assert (result.diff() > 0).all()
    assert float(result[3]) == pytest.approx(4 + math.log(1 + 9 - 4), abs=1e-5)  # z = 9 deviations


def test_one_hot_rows_stay_as_they_are():
    z = torch.eye(3)
    units = StandardUnits(z, torch.tensor([[0, 1]]), prepared=True)
    assert torch.equal(units(torch.tensor([[2, 0]]))[0], z[[2, 0]])
