"""Training on the device: replicas together, a residual network's step, the default study."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from benchmarks.accelerator.report import Options, Report
from benchmarks.training import time_methods, time_replicas, time_resnet
from infotheo.data.digits import digits
from infotheo.training.fit import fit

__all__ = ["compare_replicas", "compare_residual_networks", "train_default_study"]

# config.yaml, in the words of `fit`; a test holds the two together
NETWORK = {"name": "mlp"}
TRAINING = {"optimizer": "adam", "learning_rate": 0.001, "batch_size": 100, "epochs": 20}
LAYER, SEEDS = "hidden5", 5
REGULARIZERS: Mapping[str, Mapping[str, float]] = {
    "baseline": {},
    "L1W": {"weight": 0.0001},
    "L2W": {"weight": 0.001},
    "dropout": {"rate": 0.5},
    "batch_norm": {},
    "CR": {"weight": 0.1},
    "cw-CR": {"weight": 0.1},
    "VR": {"weight": 0.1},
    "cw-VR": {"weight": 0.1},
    "L1R": {"weight": 0.1},
    "RR": {"weight": 0.1},
    "cw-RR": {"weight": 0.01},
}
ERROR_APART = 0.02  # of 500 test samples and five seeds: rounding moves a mean error by less


def compare_replicas(options: Options, report: Report) -> None:
    """Report 60 replicas together, against one network after another."""
    replicas, steps, rounds = (3, 2, 1) if options.small else (60, 10, 2)
    for features in (64,) if options.small else (64, 784):
        name = f"{replicas} replicas of {features}-100x5-10"
        with report.attempt(name):
            times = time_replicas(features, replicas, steps, rounds, torch.device(options.device))
            ours = times.pop("replicas")
            floor = times.pop("matrix products")
            for peer, spent in times.items():
                other = f"one after another, {peer}" if peer.startswith("with") else peer
                report.add(f"{name}, against {other}", ours, spent, spent / ours, note="a step")
            report.add(f"{name}, over bare products", ours, floor, ours / floor, note="a step")


def compare_residual_networks(options: Options, report: Report) -> None:
    """Report a residual network's step by the trainer over a plain loop, and vmap's use."""
    device, rounds = torch.device(options.device), 1 if options.small else 3
    depth, batch, steps = (8, 4, 2) if options.small else (32, 128, 20)
    with report.attempt(f"ResNet-{depth}"):
        times = time_resnet(depth, batch, steps, rounds, device)
        name = f"ResNet-{depth}, batch {batch}: the trainer over a plain loop"
        ratio = times["trainer"] / times["plain"]
        report.add(name, times["trainer"], times["plain"], ratio, note="a step, building included")
    for replicas in (2,) if options.small else (2, 5):
        name = f"{replicas} replicas of ResNet-{depth}, batch 32: vmap against one by one"
        with report.attempt(name):
            times = time_methods(depth, 8 if options.small else 32, replicas, rounds, device)
            ours, peer = times["vmap"], times["one by one"]
            report.add(name, ours, peer, peer / ours, note="gradients of a step")


def train_default_study(options: Options, report: Report) -> None:
    """Report the training of all networks of the default study on the device, and on the host."""
    regularizers = list(REGULARIZERS)[:2] if options.small else list(REGULARIZERS)
    training = TRAINING | ({"epochs": 2} if options.small else {})
    torch.set_num_threads(min(4, torch.get_num_threads()))  # small networks have no use for more
    samples = digits()
    spent = {}
    errors: dict[str, np.ndarray] = {}
    for device in dict.fromkeys((options.device, "cpu")):
        with report.attempt(f"default study's training on {device}"):
            train(samples, regularizers[0], training | {"epochs": 1}, device)  # what is loaded once
            started = time.perf_counter()
            errors[device] = np.array(
                [train(samples, name, training, device) for name in regularizers]
            )
            spent[device] = time.perf_counter() - started
            report.add(f"default study's training on {device}", spent[device])
    if options.device not in spent or "cpu" not in spent:
        return
    ours, host = spent[options.device], spent["cpu"]
    off = float(np.abs(errors[options.device] - errors["cpu"]).max())
    note = f"{len(regularizers)} regularizers, {SEEDS} seeds, {training['epochs']} epochs; "
    note += f"mean test errors at most {off:.4f} apart"
    report.add(
        "default study's training on the device, against the host",
        ours,
        host,
        host / ours,
        note=note if off <= ERROR_APART else f"failed: {note}",
    )


def train(samples: Any, name: str, training: Mapping[str, Any], device: str) -> float:
    """Train a regularizer's networks; their mean test error."""
    settings = dict(REGULARIZERS[name])
    weight = settings.pop("weight", None)
    fitted = fit(
        samples,
        network=NETWORK,
        training=training,
        regularizer={"name": name, "layer": LAYER, **settings},
        seeds=range(SEEDS),
        loss_weights=[] if weight is None else [weight],
        device=device,
        label=f"{name} on {device}",
    )
    return float(fitted.history["test_error"].mean())
