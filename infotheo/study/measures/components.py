"""Measure of a network: how few principal components of its features classifiers need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from infotheo.arrays.numbers import check_count
from infotheo.arrays.subsets import random_subset, split_in_halves
from infotheo.modules.last_layer import last_layer_features
from infotheo.representation.component_accuracies import component_accuracies

__all__ = ["components"]

_NAMES = {
    "svm": "component_svm_accuracy",
    "neighbor": "component_neighbor_accuracy",
    "explained_variance": "component_explained_variance",
}


def components(
    network: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    *,
    components: Sequence[float] = (),
    samples: int = 2000,
    penalty: float = 1.0,
    seed: int = 0,
) -> xr.Dataset:
    """Accuracy of a linear SVM and a nearest neighbour on principal components of the features.

    Parameters
    ----------
    network
        A module that ends in a linear layer, whose input are the features.
    inputs
        (sample, ...), on the network's device.
    labels
        (sample,) integer classes.
    components
        Numbers of leading components; none given: 1, 2, 3, 5, 10, 20, ... as far as there are.
    samples
        How many of the inputs are used, chosen at random in the shares of the classes. Half of
        each class's fit components and classifiers, the others are classified.
    penalty
        As for `infotheo.component_accuracies`.
    seed
        Of the choice of samples and of the halves.

    Returns
    -------
    xarray.Dataset
        Over ``components``: ``component_svm_accuracy``, ``component_neighbor_accuracy`` and
        ``component_explained_variance``; NaN for a network whose features are not finite.

    Raises
    ------
    TypeError, ValueError
        If a setting is out of range, or there is one class only.

    Examples
    --------
    >>> x = torch.tensor([[-2.0, 0.1], [-2.1, -0.1], [2.0, 0.1], [2.1, -0.1]])
    >>> accuracies = components(nn.Linear(2, 2), x, torch.tensor([0, 0, 1, 1]))
    >>> accuracies["component_svm_accuracy"].values
    array([1.])
    """
    check_count(samples, "samples", least=4)
    check_count(seed, "seed", least=0)
    if len(inputs) < 4:
        raise ValueError(f"inputs has {len(inputs)} samples; expected at least 4")
    numbers: list[Any] = [
        int(number) if float(number).is_integer() else number for number in components
    ]
    truth = labels.cpu().numpy()
    chosen = random_subset(len(inputs), samples, seed, "components", truth)
    features, _ = last_layer_features(network, inputs[torch.from_numpy(chosen)])
    values = features.double().cpu().numpy()
    diverged = not np.isfinite(values).all()
    values = np.zeros_like(values) if diverged else values  # settings are checked all the same
    x = xr.DataArray(values, dims=("sample", "unit"))
    classes = truth[chosen]
    fit, test = split_in_halves(classes, seed, "component halves")
    accuracies: xr.Dataset = component_accuracies(
        x[fit], classes[fit], x[test], classes[test], components=numbers or None, penalty=penalty
    )
    accuracies = accuracies.rename(_NAMES)
    return accuracies.where(False) if diverged else accuracies
