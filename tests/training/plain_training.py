"""The reference twin: one network, an ordinary loop, penalties written as they are printed."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from infotheo.data.samples import labelled_samples
from infotheo.training.random_streams import Masks, generator, orders

CLASSES = 4
UNITS = 16


def clusters(samples: int = 120, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Points around one centre for each class, close enough that learning takes a while."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, samples)
    centres = np.random.default_rng(99).normal(size=(CLASSES, UNITS))
    inputs = 0.7 * centres[labels] + random.normal(size=(samples, UNITS))
    return torch.tensor(inputs, dtype=torch.float32), torch.tensor(labels)


def small_samples():
    """The same points as a data set: 120 for training, 40 for validation, 30 for the test."""
    inputs, labels = clusters(190)
    split = np.repeat([0, 1, 2], [120, 40, 30])
    return labelled_samples(inputs.numpy(), labels.numpy(), split, name="clusters", classes=CLASSES)


class GivenMask(nn.Module):
    """Dropout by masks that the loop hands in."""

    def __init__(self, rate: float):
        super().__init__()
        self.rate = rate
        self.mask = torch.ones(())

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs * self.mask if self.training else inputs


def seeded(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Build with torch's generator set as for the replica of this seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(generator(seed, "initialization").initial_seed())
        return build()


def plain_network(batch_norm: bool = False, dropout: bool = False) -> nn.Sequential:
    """Build 16-20-20-20-4 by hand, the third hidden layer as asked for."""
    last = nn.Sequential(nn.Linear(20, 20))
    if batch_norm:
        last.append(nn.BatchNorm1d(20))
    last.append(nn.ReLU())
    if dropout:
        last.append(GivenMask(0.5))
    network = nn.Sequential(
        nn.Sequential(nn.Linear(UNITS, 20), nn.ReLU()),
        nn.Sequential(nn.Linear(20, 20), nn.ReLU()),
        last,
        nn.Linear(20, CLASSES),
    )
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return network


def _by_class(function: Callable[[Tensor], Tensor], z: Tensor, labels: Tensor) -> Tensor:
    members = [z[labels == number] for number in range(CLASSES)]
    return torch.stack([function(rows) for rows in members if len(rows) > 1]).sum()


def _covariance(z: Tensor) -> Tensor:
    units = z.shape[1]
    squares = torch.cov(z.T, correction=0).square()
    return squares[~torch.eye(units, dtype=torch.bool)].sum() / (units * (units - 1))


def _variance(z: Tensor) -> Tensor:
    return z.var(0, correction=0).mean()


def _rank(z: Tensor) -> Tensor:
    size = z.abs()
    return z.square().sum() / (size.sum(0).max() * size.sum(1).max())


# Name → function (activations, labels, weights of the layer) of one network.
PLAIN_PENALTIES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "L1W": lambda z, labels, weights: weights.abs().sum(),
    "L2W": lambda z, labels, weights: weights.square().sum(),
    "CR": lambda z, labels, weights: _covariance(z),
    "cw-CR": lambda z, labels, weights: _by_class(_covariance, z, labels) / CLASSES,
    "VR": lambda z, labels, weights: _variance(z),
    "cw-VR": lambda z, labels, weights: _by_class(_variance, z, labels) / CLASSES,
    "L1R": lambda z, labels, weights: z.abs().mean(),
    "RR": lambda z, labels, weights: _rank(z),
    "cw-RR": lambda z, labels, weights: _by_class(_rank, z, labels),
}


def train_alone(
    network: nn.Module,
    samples: tuple[Tensor, Tensor],
    optimizer: torch.optim.Optimizer,
    seed: int,
    *,
    epochs: int,
    batch_size: int,
    penalty: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None,
    loss_weight: float = 0.0,
    layer: nn.Module | None = None,
    mask_shape: Sequence[int] = (20,),
) -> list[tuple[float, float]]:
    """Train one network the ordinary way; return each epoch's mean loss and mean penalty."""
    inputs, labels = samples
    seen: list[Tensor] = []
    if layer is not None:
        layer.register_forward_hook(lambda module, arguments, output: seen.append(output))
    dropouts = [module for module in network.modules() if isinstance(module, GivenMask)]
    history = []
    for epoch in range(epochs):
        network.train()
        order = orders([seed], epoch, len(labels))[0]
        masks = Masks([seed], epoch, torch.device("cpu"))
        losses, penalties = 0.0, 0.0
        for chosen in order.split(batch_size):
            for dropout in dropouts:
                dropout.mask = masks.draw((len(chosen), *mask_shape), dropout.rate)[0]
            seen.clear()
            optimizer.zero_grad()
            loss = cross_entropy(network(inputs[chosen]), labels[chosen])
            losses += loss.item() * len(chosen)
            if penalty is not None:
                weights = next(iter(layer.parameters()))
                term = penalty(seen[-1], labels[chosen], weights)
                penalties += term.item() * len(chosen)
                loss = loss + loss_weight * term
            loss.backward()
            optimizer.step()
        history.append((losses / len(labels), penalties / len(labels)))
    network.eval()
    return history
