"""Every network trains as replicas, and what is left of it is what the network does."""

import numpy as np
import pytest
import torch

from infotheo.data.samples import labelled_samples, split_of
from infotheo.networks import networks
from infotheo.training.fit import build_network, fit, state_of

SMALL = {  # smaller than its defaults, where those take long
    "resnet": {"depth": 8, "width": 4},
    "plain": {"depth": 8, "width": 4},
    "irevnet": {"blocks": [1, 1], "bottleneck": 4},
    "invertible_resnet": {"blocks": [1, 1], "bottleneck": 4},
    "mlp": {"widths": [5, 4], "activation": "silu"},
}
TRAINING = {"learning_rate": 0.01, "batch_size": 8, "epochs": 2}
BASELINE = {"name": "baseline"}


@pytest.fixture(scope="module")
def samples():
    generator = np.random.default_rng(0)
    images = generator.normal(size=(24, 2, 8, 8)).astype(np.float32)
    split = np.repeat([0, 1, 2], [16, 4, 4])
    return labelled_samples(images, np.arange(24) % 3, split, name="random images", classes=3)


@pytest.mark.parametrize("name", networks)
def test_replicas_train_and_are_what_their_states_make(name, samples):
    network = {"name": name, **SMALL.get(name, {})}
    settings = {"network": network, "training": TRAINING, "regularizer": BASELINE}
    together = fit(samples, seeds=[3, 1], device="cpu", **settings)
    alone = fit(samples, seeds=[1], device="cpu", **settings)
    assert bool(np.isfinite(together.history["train_loss"]).all())
    assert not together.history["diverged"].any()
    # sums in another order, through four steps of Adam
    np.testing.assert_allclose(
        together.predictions["logits"].sel(seed=[1]), alone.predictions["logits"], atol=2e-3
    )
    inputs = torch.from_numpy(split_of(samples, "test")[0])
    for seed in (3, 1):
        rebuilt = build_network(samples, network, BASELINE)
        rebuilt.load_state_dict(state_of(together.weights, seed))
        with torch.no_grad():
            result = rebuilt.eval()(inputs)
        np.testing.assert_allclose(
            result, together.predictions["logits"].sel(seed=seed), rtol=1e-4, atol=1e-4
        )
