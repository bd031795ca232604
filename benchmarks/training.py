"""Replicas against one network after another, and against the bare matrix products.

    python benchmarks/training.py [--device cuda] [--replicas 60] [--threads 2]
    python benchmarks/training.py --only resnet [--depth 32] [--threads 1]
    python benchmarks/training.py --only methods [--threads 1]

``resnet`` trains one residual network by the trainer and by a plain loop; ``methods`` compares
replicas under ``vmap`` with one after another, the rule in :mod:`infotheo.training.replicas`.

Both sides take the same steps on the same data: gather a batch, forward, cross-entropy, backward,
Adam; one after another with torch's default Adam and, for comparison, with the fused one that
replicas use. Rounds alternate between them and the medians are compared, so a machine whose speed
drifts does not favour either. Prints one line for each width of the input.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from infotheo.networks import multilayer_perceptron
from infotheo.networks.resnet import residual_network
from infotheo.training.gradients import Draws, Objective
from infotheo.training.replicas import Method, Replicas
from infotheo.training.settings import TrainingSettings
from infotheo.training.trainer import train

BATCH, CLASSES, WIDTH = 100, 10, 100


def seconds(run: Callable[[], object], device: torch.device) -> float:
    """Time one call, the device's queue included."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def plain_loop(
    networks: list[nn.Module], inputs: torch.Tensor, labels: torch.Tensor, *, fused: bool | None
) -> None:
    """Train the networks one after another in the ordinary way, one epoch each."""
    for seed, network in enumerate(networks):
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, fused=fused)
        stream = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(labels), generator=stream).to(inputs.device)
        for chosen in order.split(BATCH):
            optimizer.zero_grad()
            cross_entropy(network(inputs[chosen]), labels[chosen]).backward()
            optimizer.step()


def matrix_products(replicas: int, features: int, device: torch.device) -> Callable[[], None]:
    """Return a function that does the matrix products of one step and nothing else."""
    sizes = [features, *[WIDTH] * 5, CLASSES]
    layers = [
        (
            torch.randn(replicas, BATCH, before, device=device),
            torch.randn(replicas, before, after, device=device),
            torch.randn(replicas, BATCH, after, device=device),
        )
        for before, after in zip(sizes, sizes[1:], strict=False)
    ]

    def products() -> None:
        for number, (inputs, weights, outputs) in enumerate(layers):
            torch.bmm(inputs, weights)
            torch.bmm(inputs.mT, outputs)
            if number:  # the data need no gradient
                torch.bmm(outputs, weights.mT)

    return products


def time_replicas(
    features: int, replicas: int, steps: int, rounds: int, device: torch.device
) -> dict[str, float]:
    """Seconds of a step of all perceptrons with inputs of this width, by contender."""
    stream = torch.Generator().manual_seed(0)
    inputs = torch.rand(steps * BATCH, features, generator=stream).to(device)
    labels = torch.randint(CLASSES, (steps * BATCH,), generator=stream).to(device)
    nothing = (inputs[:0], labels[:0])

    def build() -> nn.Module:
        return multilayer_perceptron((features,), CLASSES, width=WIDTH)

    networks = [build().to(device) for _ in range(replicas)]
    products = matrix_products(replicas, features, device)
    contenders: dict[str, Callable[[], object]] = {
        "replicas": lambda: train(
            build,
            (inputs, labels),
            nothing,
            TrainingSettings(epochs=1, batch_size=BATCH),
            seeds=range(replicas),
            device=device,
        ),
        "one after another": lambda: plain_loop(networks, inputs, labels, fused=None),
        "with fused Adam": lambda: plain_loop(networks, inputs, labels, fused=True),
        "matrix products": lambda: [products() for _ in range(steps)],
    }
    # Building the stacked networks is no part of a step: it is timed alone and taken off.
    set_up: Callable[[], object] = lambda: train(  # noqa: E731
        build,
        (inputs, labels),
        nothing,
        TrainingSettings(epochs=0, batch_size=BATCH),
        seeds=range(replicas),
        device=device,
    )
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for run in (set_up, *contenders.values()):
        run()
    for _ in range(rounds):
        building = seconds(set_up, device)
        for name, run in contenders.items():
            spent = seconds(run, device)
            times[name].append(spent - building if name == "replicas" else spent)
    return {name: statistics.median(spent) / steps for name, spent in times.items()}


def compare_replicas(
    features: int, replicas: int, steps: int, rounds: int, device: torch.device
) -> None:
    """Print the ratios for inputs of this width."""
    times = time_replicas(features, replicas, steps, rounds, device)
    ours, theirs = times["replicas"], times["one after another"]
    print(
        f"{features:>4}-{WIDTH}x5-{CLASSES}, {replicas} replicas, batch {BATCH}, {device}: "
        f"{theirs / ours:5.1f} times as fast as one after another "
        f"({1e3 * ours:.1f} against {1e3 * theirs:.1f} ms a step), "
        f"{times['with fused Adam'] / ours:.1f} times with fused Adam on both sides; "
        f"bare matrix products take {times['matrix products'] / ours:.0%} of it",
        flush=True,
    )


def time_resnet(
    depth: int, batch: int, steps: int, rounds: int, device: torch.device
) -> dict[str, float]:
    """Seconds of a step of one residual network by the trainer, building included, and plainly."""
    stream = torch.Generator().manual_seed(0)
    inputs = torch.randn(steps * batch, 3, 32, 32, generator=stream).to(device)
    labels = torch.randint(CLASSES, (steps * batch,), generator=stream).to(device)

    def build() -> nn.Module:
        return residual_network((3, 32, 32), CLASSES, depth=depth)

    network = build().to(device)

    def plainly() -> None:
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, fused=True)
        for chosen in torch.randperm(len(labels)).to(device).split(batch):
            optimizer.zero_grad()
            cross_entropy(network(inputs[chosen]), labels[chosen]).backward()
            optimizer.step()

    def by_trainer() -> None:
        train(
            build,
            (inputs, labels),
            (inputs[:0], labels[:0]),
            TrainingSettings(epochs=1, batch_size=batch, optimizer="momentum", learning_rate=0.1),
            seeds=[0],
            device=device,
        )

    times = alternately({"trainer": by_trainer, "plain": plainly}, rounds, device)
    return {name: spent / steps for name, spent in times.items()}


def compare_resnet(depth: int, batch: int, steps: int, rounds: int, device: torch.device) -> None:
    """Print what one residual network costs the trainer, over a plain loop."""
    times = time_resnet(depth, batch, steps, rounds, device)
    print(
        f"ResNet-{depth}, one replica, batch {batch}, {device}: the trainer takes "
        f"{times['trainer'] / times['plain']:.2f} times a plain loop, building included "
        f"({1e3 * times['trainer']:.0f} against {1e3 * times['plain']:.0f} ms a step)",
        flush=True,
    )


def time_methods(
    depth: int, side: int, replicas: int, rounds: int, device: torch.device
) -> dict[str, float]:
    """Seconds of residual networks' gradients under vmap, and one network after another."""
    build = partial(residual_network, (3, side, side), CLASSES, depth=depth)
    stream = torch.Generator().manual_seed(0)
    inputs = torch.randn(32, 3, side, side, generator=stream).to(device)
    labels = torch.randint(CLASSES, (32,), generator=stream).to(device)
    objective = Objective(inputs, labels, torch.zeros(replicas, device=device), None, None)
    order = torch.arange(32, device=device).expand(replicas, -1)
    draws = Draws(range(replicas), 0, device)
    contenders: dict[str, Callable[[], object]] = {}
    methods: tuple[Method, ...] = ("vmap", "one by one")
    for method in methods:
        stacked = Replicas(build, range(replicas), device, method=method)
        contenders[method] = partial(
            objective.differentiate, stacked, stacked.parts(), order, draws
        )
    return alternately(contenders, rounds, device)


def compare_methods(replicas: int, rounds: int, device: torch.device) -> None:
    """Print gradients under vmap over those of one network after another."""
    for depth, side in ((8, 16), (32, 32)):
        times = time_methods(depth, side, replicas, rounds, device)
        print(
            f"ResNet-{depth} of {side} by {side}, {replicas} replicas, batch 32, {device}: vmap "
            f"takes {times['vmap'] / times['one by one']:.2f} times one by one",
            flush=True,
        )


def alternately(
    contenders: dict[str, Callable[[], object]], rounds: int, device: torch.device
) -> dict[str, float]:
    """Median seconds of each contender, round after round."""
    for run in contenders.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            times[name].append(seconds(run, device))
    return {name: statistics.median(spent) for name, spent in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=["perceptron", "resnet", "methods"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--replicas", type=int)
    parser.add_argument("--depth", type=int, default=32)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    if options.only in (None, "perceptron"):
        for features in (64, 784):
            replicas, steps = options.replicas or 60, options.steps or 20
            compare_replicas(features, replicas, steps, options.rounds, device)
    if options.only in (None, "resnet"):
        compare_resnet(options.depth, options.batch, options.steps or 5, options.rounds, device)
    if options.only in (None, "methods"):
        for replicas in [options.replicas] if options.replicas else (1, 2, 5):
            compare_methods(replicas, options.rounds, device)


if __name__ == "__main__":
    main()
