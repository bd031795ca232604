import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from infotheo.estimators.critics.bounds import (
    donsker_varadhan,
    info_nce,
    log_normalizer,
    nwj,
    read_scores,
    standard_error,
)

BOUNDS = [donsker_varadhan, nwj, info_nce]
RHO = 0.75
TRUTH = -0.5 * math.log(1 - RHO**2)


def log_ratio(x, y):
    """ln p(x, y) / p(x) p(y) of a normal pair."""
    quadratic = 2 * RHO * x * y - RHO**2 * (x**2 + y**2)
    return TRUTH + quadratic / (2 * (1 - RHO**2))


def normal_scores(n, seed):
    stream = np.random.default_rng(seed)
    x = stream.normal(size=n)
    y = RHO * x + math.sqrt(1 - RHO**2) * stream.normal(size=n)
    return torch.tensor(log_ratio(x[:, None], y[None]))


def naive(scores):
    """The three bounds by loops over pairs."""
    n = len(scores)
    joint = sum(scores[i][i] for i in range(n)) / n
    pairs = [math.exp(scores[i][j]) for i in range(n) for j in range(n) if i != j]
    product = sum(pairs) / len(pairs)
    nce = 0.0
    for i in range(n):
        nce += math.log(math.exp(scores[i][i]) / (sum(math.exp(s) for s in scores[i]) / n)) / n
    return joint - math.log(product), 1 + joint - product, nce


@pytest.mark.parametrize("n", [2, 7])
def test_values_are_those_of_loops_over_pairs(n):
    scores = torch.randn(n, n, dtype=torch.float64, generator=torch.Generator().manual_seed(n))
    result = [float(bound(read_scores(scores)).value) for bound in BOUNDS]
    np.testing.assert_allclose(result, naive(scores.tolist()), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("bound", BOUNDS)
def test_influence_is_the_derivative_by_a_samples_weight(bound):
    """A sample that is there twice moves the bound by its influence over N, to first order."""
    n, step = 9, 1e-6
    scores = normal_scores(n, 1)

    def weighted(weights):
        """The bound when sample i weighs weights[i], by the formulas; self pairs left out."""
        w = weights / weights.sum()
        joint = (w * scores.diagonal()).sum()
        off = scores.exp().clone().fill_diagonal_(0) * n / (n - 1)
        product = (w[:, None] * w * off).sum()
        if bound is donsker_varadhan:
            return joint - product.log()
        if bound is nwj:
            return 1 + joint - product
        return joint - (w * ((w * scores.exp()).sum(1)).log()).sum()

    one = torch.ones(n, dtype=torch.float64)
    slopes = []
    for i in range(n):
        bump = torch.zeros(n, dtype=torch.float64)
        bump[i] = step
        slopes.append(float(weighted(one + bump) - weighted(one - bump)) / (2 * step) * n)
    influence = bound(read_scores(scores)).influence
    # central differences of step 1e-6: rounding of about 1e-9
    np.testing.assert_allclose(influence, slopes, rtol=0, atol=1e-7)
    assert float(influence.sum()) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("bound", BOUNDS)
def test_standard_error_is_the_spread_over_samples(bound):
    result = [bound(read_scores(normal_scores(100, seed))) for seed in range(400)]
    values = torch.stack([estimate.value for estimate in result])
    errors = torch.stack([standard_error(estimate.influence) for estimate in result])
    # 400 draws know the spread to 1 / sqrt(800) = 3.5 % if normal; tails and second order: 4 times
    assert float(errors.square().mean().sqrt() / values.std()) == pytest.approx(1, abs=0.15)
    spread = float(values.std()) / 20
    assert float(values.mean()) < TRUTH + 4 * spread + 0.01  # DV's logarithm: var / 2 N below 0.01
    assert float(values.mean()) > TRUTH - 4 * spread - 0.02  # InfoNCE of 100: (K-1)^-1 chi² / 2


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 12), size=st.sampled_from([0.1, 3.0, 300.0]))
def test_orders_and_shifts(seed, n, size):
    scores = size * torch.randn(n, n, generator=torch.Generator().manual_seed(seed))
    read = read_scores(scores)
    dv, nce = donsker_varadhan(read).value, info_nce(read).value
    assert nwj(read).value <= dv + 1e-6 * size
    assert nce <= math.log(n) + 1e-12
    shifted = read_scores(scores.double() + 1000)
    assert float(donsker_varadhan(shifted).value) == pytest.approx(float(dv), abs=1e-9)
    assert float(info_nce(shifted).value) == pytest.approx(float(nce), abs=1e-9)
    assert float(log_normalizer(shifted).value) == pytest.approx(
        float(log_normalizer(read).value) + 1000, abs=1e-9
    )


def test_shuffled_samples_change_nothing():
    scores = normal_scores(20, 3)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(0))
    for bound in BOUNDS:
        ordered, mixed = bound(read_scores(scores)), bound(read_scores(scores[order][:, order]))
        torch.testing.assert_close(ordered.value, mixed.value)
        torch.testing.assert_close(ordered.influence[order], mixed.influence)
