"""Training and measuring where torch's default type is float64."""

import pytest
import torch
from torch import nn

from infotheo.data.digits import digits
from infotheo.study.trajectories.follow import follow, record
from infotheo.training.fit import fit
from infotheo.training.random_streams import Masks
from infotheo.training.replicas import Replicas

TRAINING = {"batch_size": 20, "epochs": 1}


@pytest.fixture
def float64():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.mark.gate
@pytest.mark.parametrize(
    ("network", "regularizer"),
    [
        ({"name": "mlp", "width": 10, "hidden_layers": 2}, {"name": "dropout", "layer": "hidden2"}),
        ({"name": "mlp", "width": 10, "hidden_layers": 2}, {"name": "VR", "layer": "hidden2"}),
        ({"name": "resnet"}, {"name": "baseline"}),
    ],
)
def test_networks_are_trained_and_measured_in_float64(float64, network, regularizer):
    samples = digits(train_size=60, validation_size=20, images=network["name"] == "resnet")
    of = {"network": network, "regularizer": regularizer}
    weights = [0.1] if regularizer["name"] == "VR" else []
    fitted = fit(samples, training=TRAINING, seeds=[0, 1], loss_weights=weights, **of)
    assert fitted.predictions["logits"].dtype == "float64"
    assert not fitted.history["diverged"].any()
    measured = follow(
        samples,
        fitted.weights,
        measure="residual" if network["name"] == "resnet" else "margins",
        subject="network",
        settings={"samples": 8},
        **of,
    )
    assert measured.sizes["seed"] == 2
    layer = next(name for name in fitted.weights if name.endswith("weight")).removesuffix(".weight")
    assert record(samples, fitted.weights, layer=layer, count=5, **of)["activation"].dtype == "f8"


def test_masks_keep_the_type_of_what_they_are_drawn_for(float64):
    def build():
        return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 2)).float()

    inputs = torch.ones(2, 5, 4, dtype=torch.float32)
    for method in ("products", "vmap", "one by one"):
        replicas = Replicas(build, [0, 1], torch.device("cpu"), method=method)
        assert replicas(inputs, Masks([0, 1], 0, torch.device("cpu")))[0].dtype == torch.float32
