"""Bounds agree with exact float64 differences to 1e-4 nats, whatever the input is stored in."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist, squareform

from infotheo.data.digits import digits
from infotheo.estimators.pairwise.bounds import pairwise_information

pytestmark = pytest.mark.filterwarnings("ignore::infotheo.SaturationWarning")

PROMISED = 1e-4  # nats


def exact_squares(z):
    """Squared distances from differences of float64."""
    return squareform(pdist(np.asarray(z, dtype=np.float64), "sqeuclidean"))


def exact_bounds(squares, variances, codes=None):
    """(lower, upper, kl, chernoff) (4, sweep) before clipping: full matrices, plain formulas."""
    bounds = []
    for variance in variances:
        total, within = np.zeros(2), np.zeros(2)
        for which, scale in enumerate((8, 2)):
            kernel = np.exp(-squares / (scale * variance))
            total[which] = -np.log(kernel.mean(axis=1)).mean()
            if codes is not None:
                same = codes[:, None] == codes[None]
                class_means = (kernel * same).sum(axis=1) / same.sum(axis=1)
                within[which] = -np.log(class_means).mean()
        low, high = total
        bounds.append((low - within[1], high - within[0], high - within[1], low - within[0]))
    return np.array(bounds).T


def assert_agree(squares, variances, codes, *offered):
    """Compare what comes of each of the ``offered`` arrays with what the squares say."""
    exact = exact_bounds(squares, variances, codes)
    for z in offered:
        bounds = pairwise_information(z, codes, noise_variance=variances)
        values = np.array([np.asarray(values) for values in bounds[:4]])
        expected = exact.copy()
        expected[:2] = expected[:2].clip(0, float(bounds.ceiling))
        np.testing.assert_allclose(values, expected, rtol=0, atol=PROMISED)
        assert (values[0] <= values[1] + 1e-12).all()
        assert (values[1] <= float(bounds.ceiling)).all()


def offset_relu():
    """The peers' first hazard, at its size."""
    return np.maximum(np.random.default_rng(0).normal(size=(2000, 1024)) + 3, 0).astype(np.float32)


def tight_clusters():
    """The second: ten clusters of standard deviation 1e-3 with the same offset."""
    generator = np.random.default_rng(1)
    centres = np.maximum(generator.normal(size=(10, 1024)) + 3, 0)
    z = np.repeat(centres, 200, axis=0) + 1e-3 * generator.normal(size=(2000, 1024))
    return z.astype(np.float32)


@pytest.mark.parametrize("make", [offset_relu, tight_clusters])
def test_float32_hazards_at_their_size(make):
    z = make()
    squares = exact_squares(z)
    codes = np.arange(2000) // 200
    assert_agree(squares, [1e-3], codes, z)
    assert_agree(squares, [1e-3, 1e3], None, z, torch.tensor(z))
    bounds = pairwise_information(z, noise_variance=1e-3, units="bits")
    assert bounds.upper <= math.log2(2000)
    if make is tight_clusters:
        # a textbook float32 product is off by far more than what is promised
        norms = (z * z).sum(axis=1)
        gram = np.maximum(norms[:, None] + norms[None] - 2 * z @ z.T, 0)
        naive = exact_bounds(gram.astype(np.float64), [1e-3])
        assert abs(naive[1, 0] - exact_bounds(squares, [1e-3])[1, 0]) > 1000 * PROMISED


@pytest.fixture(scope="module")
def trained_layer():
    """Hidden activations of a small network after a few epochs on scikit-learn's digits."""
    data = digits()
    x = torch.tensor(data["input"].values.reshape(data.sizes["sample"], -1), dtype=torch.float32)
    y = torch.tensor(data["label"].values.astype(np.int64))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        hidden = torch.nn.Sequential(
            torch.nn.Linear(64, 100), torch.nn.ReLU(), torch.nn.Linear(100, 50), torch.nn.ReLU()
        )
        network = torch.nn.Sequential(hidden, torch.nn.Linear(50, 10))
        optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
        for _ in range(4):
            for batch in torch.randperm(len(x)).split(64):
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(network(x[batch]), y[batch]).backward()
                optimizer.step()
    with torch.no_grad():
        assert (network(x).argmax(1) == y).float().mean() > 0.9
        return hidden(x[:800]), y[:800].numpy()


SWEEP = [1e-6, 1e-4, 1e-2, 1.0, 1e2]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_trained_activations(trained_layer, dtype):
    activations, codes = trained_layer
    stored = activations.to(dtype)
    squares = exact_squares(stored.float())
    offered = [stored] if dtype == torch.bfloat16 else [stored, stored.numpy()]
    for labels in (None, codes):
        assert_agree(squares, SWEEP, labels, *offered)


def test_precision_does_not_depend_on_the_sweep_around_it(trained_layer):
    """The smallest variance decides the precision of a pass, not the promise for the others."""
    z, codes = trained_layer
    swept = pairwise_information(z, codes, noise_variance=SWEEP)
    for k, variance in enumerate(SWEEP):
        alone = pairwise_information(z, codes, noise_variance=variance)
        assert float(swept.kl[k]) == pytest.approx(float(alone.kl), abs=2 * PROMISED)


@pytest.mark.parametrize("per", ["unit", "sample"])
def test_trained_activations_with_noise_of_their_own(trained_layer, per):
    """Scaled units and general divergences keep the promise for float32 input."""
    z = trained_layer[0].numpy()
    z = z[:, z.std(axis=0) > 0][:400]
    generator = np.random.default_rng(2)
    s = 10 ** generator.uniform(-6, 0, size=z.shape[1:] if per == "unit" else z.shape)
    bounds = pairwise_information(z, noise_variance=s, noise_per=per)
    x = z.astype(np.float64)
    variances = np.broadcast_to(s, z.shape)
    expected = []
    for i in range(len(x)):
        squared, v = (x[i] - x) ** 2, (variances[i] + variances) / 2
        chernoff = (squared / v / 8 + np.log(v) / 2 - np.log(variances[i] * variances) / 4).sum(
            axis=1
        )
        kl = (
            np.log(variances / variances[i]) + variances[i] / variances - 1 + squared / variances
        ).sum(axis=1) / 2
        expected.append([-np.log(np.exp(-d).mean()) for d in (chernoff, kl)])
    np.testing.assert_allclose(bounds[:2], np.mean(expected, axis=0), rtol=0, atol=PROMISED)
