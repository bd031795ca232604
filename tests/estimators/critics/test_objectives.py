import math

import pytest
import torch

from infotheo.estimators.critics import bounds
from infotheo.estimators.critics.calibration import best_scale, clipped_normalizer
from infotheo.estimators.critics.objectives import (
    all_pairs,
    class_pairs,
    contrastive_objective,
    logistic_objective,
)

TABLE = torch.tensor([[0.3, 0.1, 0.05], [0.05, 0.2, 0.3]], dtype=torch.float64)  # p(x, y)


def some(n, seed, folds=2):
    stream = torch.Generator().manual_seed(seed)
    return torch.randn(folds, n, n, dtype=torch.float64, generator=stream)


def test_contrastive_is_the_mean_of_the_bounds():
    scores = some(6, 0)
    for fold, result in enumerate(contrastive_objective(all_pairs(scores))):
        rows = bounds.read_scores(scores[fold])
        columns = bounds.read_scores(scores[fold].T)
        nce = (bounds.info_nce(rows).value + bounds.info_nce(columns).value) / 2
        expected = (bounds.donsker_varadhan(rows).value + nce) / 2
        assert float(result) == pytest.approx(float(expected), abs=1e-12)


def test_logistic_by_loops():
    scores = some(4, 1, folds=1)
    s = scores[0].tolist()
    expected = 2 * math.log(2)
    for i in range(4):
        expected += math.log(1 / (1 + math.exp(-s[i][i]))) / 4
        for j in range(4):
            if i != j:
                expected += math.log(1 / (1 + math.exp(s[i][j]))) / 12
    assert float(logistic_objective(all_pairs(scores))) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("objective", [contrastive_objective, logistic_objective])
def test_a_constant_critic_has_nothing(objective):
    codes = torch.tensor([[0, 1, 1]])
    shares = torch.tensor([[1 / 3, 2 / 3]])
    assert float(objective(all_pairs(torch.zeros(1, 3, 3)))) == pytest.approx(0, abs=1e-6)
    result = objective(class_pairs(torch.zeros(1, 3, 2), codes, shares))
    assert float(result) == pytest.approx(0, abs=1e-6)


def table_samples():
    """Every (x, y) in the table's proportions, as x, codes of y and shares of y."""
    counts = (TABLE * 20).round().long()
    x = torch.repeat_interleave(torch.arange(2), counts.sum(1))
    y = torch.cat([torch.repeat_interleave(torch.arange(3), row) for row in counts])
    return x, y, TABLE.sum(0)


def test_the_discriminator_likes_the_log_ratio_best_and_with_this_sign():
    x, y, shares = table_samples()
    truth = (TABLE / (TABLE.sum(1, keepdim=True) * shares)).log()
    table = truth.clone().requires_grad_()
    value = logistic_objective(class_pairs(table[x][None], y[None], shares[None]))
    (gradient,) = torch.autograd.grad(value, table)
    assert float(gradient.abs().max()) < 1e-12
    for wrong in (-truth, 0.8 * truth, truth + 0.2):
        assert logistic_objective(class_pairs(wrong[x][None], y[None], shares[None])) < value


def test_class_pairs_by_loops():
    x, y, shares = table_samples()
    scores = torch.randn(2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    result = class_pairs(scores[x][None], y[None], shares[None])
    for i in range(len(x)):
        row = sum(float(shares[c]) * math.exp(scores[x[i], c]) for c in range(3))
        column = sum(math.exp(scores[x[k], y[i]]) for k in range(len(x))) / len(x)
        assert float(result.joint[0, i]) == float(scores[x[i], y[i]])
        assert float(result.log_rows[0, i]) == pytest.approx(math.log(row), abs=1e-12)
        assert float(result.log_columns[0, i]) == pytest.approx(math.log(column), abs=1e-12)


@pytest.mark.parametrize("objective", [contrastive_objective, logistic_objective])
def test_gradients(objective):
    scores = some(4, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: objective(all_pairs(s)), scores)


CRITERIA = {
    "dv": lambda s: bounds.donsker_varadhan(bounds.read_scores(s)).value,
    "infonce": lambda s: bounds.info_nce(bounds.read_scores(s)).value,
    "logistic": lambda s: logistic_objective(all_pairs(s[None]))[0],
}


@pytest.mark.parametrize("criterion", CRITERIA)
def test_scale_is_the_best_of_a_grid(criterion):
    scores = some(30, 4, folds=3) + torch.eye(30) * torch.tensor([0.3, 1.0, 2.0])[:, None, None]
    grid = torch.linspace(0, 4, 401, dtype=torch.float64)
    for fold, result in enumerate(best_scale(scores, criterion)):
        values = torch.stack([CRITERIA[criterion](t * scores[fold]) for t in grid])
        assert float(result) == pytest.approx(float(grid[values.argmax()]), abs=0.011)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_a_critic_that_points_the_wrong_way_is_not_used(criterion):
    scores = -torch.eye(5)[None].repeat(2, 1, 1)
    assert best_scale(scores, criterion).tolist() == [0, 0]


def test_the_offset_makes_the_clipped_ratio_one_and_does_not_hang_on_one_sample():
    scores = some(40, 5, folds=2) + 3
    scores[1, 7] += 30  # as when one sample lies far outside
    largest = math.log(20)
    offset = clipped_normalizer(scores, largest)
    settled = (scores - offset[:, None, None]).clamp(-largest, largest).exp()
    for fold in settled:
        product = (fold.sum() - fold.diagonal().sum()) / (40 * 39)
        assert float(product) == pytest.approx(1, abs=1e-3)
    alone = bounds.log_normalizer(bounds.read_scores(scores[0])).value
    assert float(offset[0]) == pytest.approx(float(alone), abs=1e-2)  # of 1,560, few are clipped
    # a row at the clip, ln 20, is half of the mean of 1: the others make up the other half
    assert float(offset[1]) == pytest.approx(float(offset[0]) + math.log(2), abs=0.2)
    assert float(bounds.log_normalizer(bounds.read_scores(scores[1])).value) > 25
