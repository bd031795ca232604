"""A replica that diverges is recorded as such and leaves its neighbours as they are."""

import numpy as np
import pytest
import torch

from infotheo.networks import multilayer_perceptron
from infotheo.training.fit import fit
from infotheo.training.settings import TrainingSettings
from infotheo.training.trainer import train
from tests.training.plain_training import CLASSES, UNITS, clusters, small_samples

NETWORK = {"name": "mlp", "width": 20, "hidden_layers": 3}
# With momentum, a gradient near 1e30 takes weights beyond float32 in a step or two.
TRAINING = {"optimizer": "momentum", "learning_rate": 0.05, "batch_size": 30, "epochs": 4}


def fit_weights(name, loss_weights):
    return fit(
        small_samples(),
        network=NETWORK,
        training=TRAINING,
        regularizer={"name": name, "layer": "hidden3"},
        seeds=[0, 1],
        loss_weights=loss_weights,
        grid=True,
        device="cpu",
    )


@pytest.mark.parametrize("name", ["L1W", "L2W", "CR", "cw-CR", "VR", "cw-VR", "L1R", "RR", "cw-RR"])
def test_diverged_replica_is_recorded_and_harms_no_neighbour(name):
    healthy = fit_weights(name, [2**-6, 2**-5, 2**-4])
    spoiled = fit_weights(name, [2**-6, 1e30, 2**-4])
    lost = spoiled.history.isel(loss_weight=1)
    assert lost["diverged"].all()
    for quantity in ("train_error", "test_error"):
        assert lost[quantity].isnull().all()
    for quantity in ("train_loss", "penalty", "validation_error"):
        assert lost[quantity].isel(epoch=-1).isnull().all()
    assert spoiled.predictions["logits"].isel(loss_weight=1).isnull().any(["sample", "unit"]).all()
    kept = {"loss_weight": [0, 2]}
    assert not spoiled.history["diverged"].isel(kept).any()
    # no operation mixes replicas and the shapes are the same, so not a bit may differ
    for with_it, without in zip(spoiled[:3], healthy[:3], strict=True):
        for variable in without.data_vars:
            result = with_it[variable].isel(kept).values
            assert np.isfinite(result).all(), variable
            np.testing.assert_array_equal(result, without[variable].isel(kept).values, variable)


def test_one_tensor_that_is_not_finite_is_divergence():
    """After a single step nothing but the output's weights is beyond float32."""
    fitted = fit(
        small_samples(),
        network=NETWORK,
        training={**TRAINING, "batch_size": 120, "epochs": 1},
        regularizer={"name": "L2W", "layer": "output"},
        seeds=[0],
        loss_weights=[2**-6, 1e39],
        grid=True,
        device="cpu",
    )
    lost = fitted.weights.isel(loss_weight=1)
    assert np.isfinite(lost["hidden1.linear.weight"]).all()
    assert not np.isfinite(lost["output.weight"]).all()
    assert fitted.history["diverged"].values.ravel().tolist() == [False, True]


@pytest.mark.parametrize("optimizer", ["adam", "momentum", "sgd", "rmsprop"])
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_every_optimizer_keeps_a_spoiled_gradient_to_its_replica(optimizer, bad):
    """Batch normalization and dropout included, from the third epoch on."""
    inputs, labels = clusters()

    def run(factor):
        steps = iter(range(100))

        def penalty(parameters, activations, own_labels):
            spoil = factor if next(steps) >= 8 else 1.0  # four steps an epoch
            size = parameters["output.weight"].square().sum((1, 2))
            return size * torch.tensor([1.0, spoil, 1.0])

        return train(
            lambda: multilayer_perceptron(
                (UNITS,),
                CLASSES,
                width=20,
                hidden_layers=2,
                dropout={"hidden1": 0.5},
                batch_norm=["hidden2"],
            ),
            (inputs, labels),
            (inputs[:20], labels[:20]),
            TrainingSettings(optimizer=optimizer, batch_size=30, epochs=4),
            seeds=[0, 1, 2],
            loss_weights=[0.01] * 3,
            penalty=penalty,
        )

    healthy, spoiled = run(1.0), run(bad)
    for name, value in spoiled.replicas.parameters.items():
        assert torch.equal(value[[0, 2]], healthy.replicas.parameters[name][[0, 2]]), name
    for name, value in spoiled.replicas.buffers.items():
        assert torch.equal(value[[0, 2]], healthy.replicas.buffers[name][[0, 2]]), name
    error = spoiled.history["validation_error"]
    assert error[:2].isfinite().all()
    assert error[2:, 1].isnan().all()
    assert error[:, [0, 2]].isfinite().all()
