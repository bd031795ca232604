"""Replicas against one network after another, and against the bare matrix products.

    python benchmarks/training.py [--device cuda] [--replicas 60] [--threads 2]

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

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from infotheo.networks import multilayer_perceptron
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


def compare(features: int, replicas: int, steps: int, rounds: int, device: torch.device) -> None:
    """Print the ratio for inputs of this width."""
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
            seeds=range(replicas),
            epochs=1,
            batch_size=BATCH,
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
        seeds=range(replicas),
        epochs=0,
        batch_size=BATCH,
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
    ours, theirs, fused, floor = (statistics.median(times[name]) for name in contenders)
    per_step = 1e3 / steps
    print(
        f"{features:>4}-{WIDTH}x5-{CLASSES}, {replicas} replicas, batch {BATCH}, {device}: "
        f"{theirs / ours:5.1f} times as fast as one after another "
        f"({ours * per_step:.1f} against {theirs * per_step:.1f} ms a step), "
        f"{fused / ours:.1f} times with fused Adam on both sides; "
        f"bare matrix products take {floor / ours:.0%} of it",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--replicas", type=int, default=60)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for features in (64, 784):
        compare(
            features, options.replicas, options.steps, options.rounds, torch.device(options.device)
        )


if __name__ == "__main__":
    main()
