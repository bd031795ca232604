"""From samples and settings to labelled results: weights, histories, predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from infotheo.data.samples import SPLITS, split_of
from infotheo.modules.layers import require_layers
from infotheo.networks import networks
from infotheo.penalties.loss_term import network_settings, penalises_activations, penalty
from infotheo.registry import bind
from infotheo.training.device import chosen_device
from infotheo.training.errors import classification_error, logits
from infotheo.training.selection import choose_loss_weight
from infotheo.training.settings import TrainingSettings
from infotheo.training.snapshot_store import AtSnapshot
from infotheo.training.trainer import Trained, train


class Fitted(NamedTuple):
    """Datasets whose leading dimensions are (seed) or, for a grid, (loss_weight, seed).

    ``snapshots`` is over (seed, epoch) or (seed, step), or ``None`` where none were asked for.
    """

    weights: xr.Dataset
    history: xr.Dataset
    predictions: xr.Dataset
    snapshots: xr.Dataset | None = None


def build_network(
    samples: xr.Dataset, network: Mapping[str, Any], regularizer: Mapping[str, Any]
) -> nn.Module:
    """Build one network for these samples, with what the regularizer changes in it.

    Raises
    ------
    ValueError
        If the network does not exist or does not take what the regularizer asks for.
    """
    settings = {key: value for key, value in network.items() if key != "name"}
    settings |= network_settings(
        regularizer["name"], regularizer.get("layer"), _penalty_settings(regularizer)
    )
    build = bind(network["name"], networks, settings)
    return build(samples["input"].shape[1:], int(samples.attrs["classes"]))


def check_layers(
    samples: xr.Dataset,
    network: Mapping[str, Any],
    regularizer: Mapping[str, Any],
    layers: Sequence[str],
) -> None:
    """Check that the network has these layers, before anything is trained.

    Raises
    ------
    ValueError
        For the first layer it lacks; names those it has.
    """
    require_layers(build_network(samples, network, regularizer), layers)


def fit(
    samples: xr.Dataset,
    *,
    network: Mapping[str, Any],
    training: Mapping[str, Any],
    regularizer: Mapping[str, Any],
    seeds: Sequence[int],
    loss_weights: Sequence[float] = (),
    grid: bool = False,
    snapshots: Mapping[str, Any] | None = None,
    at_snapshot: AtSnapshot | None = None,
    device: str = "auto",
    label: str = "training",
    checkpoint_path: Path | None = None,
) -> Fitted:
    """Train one network for each seed (and loss weight) and measure its errors.

    Parameters
    ----------
    samples
        A data set in the form of :mod:`infotheo.data.samples`.
    network
        ``name`` and its settings.
    training
        Keywords of :class:`infotheo.training.settings.TrainingSettings`.
    regularizer
        ``name``, ``layer`` and the settings of the penalty.
    seeds, loss_weights
        Replicas are all pairs of them; without ``grid`` there is at most one loss weight.
    snapshots, at_snapshot
        When to keep the weights during training, and what to keep in their place; see
        :func:`infotheo.training.trainer.train`. Not for a grid.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    label, checkpoint_path
        See :func:`infotheo.training.trainer.train`.

    Returns
    -------
    Fitted
        ``weights``: every parameter and buffer by its name. ``history``: per epoch
        ``train_loss``, ``penalty`` and ``validation_error``, and at the end ``train_error``,
        ``test_error`` and whether the replica ``diverged``. ``predictions``: ``logits`` of the
        test samples. ``snapshots``: every parameter and buffer at each moment, with both ``epoch``
        and ``step`` as coordinates, or what ``at_snapshot`` found.

    Raises
    ------
    ValueError
        For a setting that does not go with the samples or the network.
    """
    where = chosen_device(device)
    if grid and not (samples["split"] == SPLITS.index("validation")).any():
        raise ValueError(
            "weight: found a list to choose from, but the data set has no validation samples"
        )
    if grid and snapshots is not None:
        raise ValueError("snapshots: found a schedule, but a grid of loss weights takes none")
    weights = list(loss_weights) or [0.0]
    replica_seeds = [seed for _ in weights for seed in seeds]
    replica_weights = [weight for weight in weights for _ in seeds]
    classes = int(samples.attrs["classes"])
    name, layer = regularizer["name"], regularizer.get("layer")
    parts = {part: _tensors(samples, part) for part in ("train", "validation", "test")}
    trained = train(
        partial(build_network, samples, network, regularizer),
        parts["train"],
        parts["validation"],
        TrainingSettings(**training),
        seeds=replica_seeds,
        loss_weights=replica_weights,
        penalty=penalty(name, layer, _penalty_settings(regularizer), classes),
        penalized_layer=layer if penalises_activations(name) else None,
        snapshots=snapshots,
        at_snapshot=at_snapshot,
        device=where,
        label=label,
        checkpoint_path=checkpoint_path,
    )
    leading: dict[str, Sequence[float]] = {"seed": list(seeds)}
    if grid:
        leading = {"loss_weight": weights, "seed": list(seeds)}
    fitted = _labelled(trained, samples, parts, leading)._replace(snapshots=trained.snapshots)
    if loss_weights and not grid:
        history = fitted.history.assign_coords(loss_weight=float(loss_weights[0]))
        fitted = fitted._replace(history=history)
    return fitted


def fit_at_chosen_weight(
    samples: xr.Dataset, selection: Fitted, *, seeds: Sequence[int], **settings: Any
) -> Fitted:
    """Train the seeds at the grid's best loss weight; networks the grid holds are taken from it.

    Parameters
    ----------
    samples, seeds, settings
        As for :func:`fit`, without ``loss_weights`` and ``grid``. With ``snapshots`` every seed
        is trained, for the grid kept none of its networks' way.
    selection
        What :func:`fit` returned for the grid.

    Raises
    ------
    ValueError
        If training diverged at every loss weight.
    """
    errors = selection.history["validation_error"].isel(epoch=-1)
    weight = choose_loss_weight(
        selection.history["loss_weight"].values.tolist(),
        errors.transpose("loss_weight", "seed").values,
    )
    if settings.get("snapshots") is not None:
        return fit(samples, seeds=seeds, loss_weights=[weight], **settings)
    at_weight = [dataset.sel(loss_weight=weight) for dataset in selection[:3]]
    known = [seed for seed in seeds if seed in selection.history["seed"]]
    missing = [seed for seed in seeds if seed not in known]
    parts = [[dataset.sel(seed=known) for dataset in at_weight]] if known else []
    if missing:
        parts.append(list(fit(samples, seeds=missing, loss_weights=[weight], **settings)[:3]))
    joined = [
        xr.concat(
            [dataset.drop_vars("loss_weight", errors="ignore") for dataset in datasets],
            "seed",
            join="exact",
        ).sel(seed=list(seeds))
        for datasets in zip(*parts, strict=True)
    ]
    weights, history, predictions = joined
    return Fitted(weights, history.assign_coords(loss_weight=weight), predictions)


def _labelled(
    trained: Trained,
    samples: xr.Dataset,
    parts: Mapping[str, tuple[Tensor, Tensor]],
    leading: Mapping[str, Sequence[float]],
) -> Fitted:
    dims, shape = list(leading), [len(values) for values in leading.values()]
    coordinates = {name: np.asarray(values) for name, values in leading.items()}
    state = {**trained.replicas.parameters, **trained.replicas.buffers}
    weights = xr.Dataset(
        {
            parameter: (
                dims + [f"{parameter}_{axis}" for axis in range(value.ndim - 1)],
                value.detach().cpu().numpy().reshape(*shape, *value.shape[1:]),
            )
            for parameter, value in state.items()
        },
        coordinates,
    )
    predicted = {part: logits(trained.replicas, parts[part][0]).cpu() for part in ("train", "test")}
    errors = {
        f"{part}_error": classification_error(out, parts[part][1])
        for part, out in predicted.items()
    }
    finite = torch.stack(
        [
            *(value.isfinite().reshape(len(value), -1).all(1).cpu() for value in state.values()),
            *(out.isfinite().reshape(len(out), -1).all(1) for out in predicted.values()),
        ]
    ).all(0)
    history = xr.Dataset(
        {
            quantity: (
                ["epoch", *dims],
                values.numpy().reshape(-1, *shape),
                {"units": "nats" if quantity == "train_loss" else "1"},
            )
            for quantity, values in trained.history.items()
        }
        | {
            quantity: (dims, values.numpy().reshape(shape), {"units": "1"})
            for quantity, values in errors.items()
        }
        | {"diverged": (dims, (~finite).numpy().reshape(shape))},
        coordinates | {"epoch": np.arange(1, len(trained.history["train_loss"]) + 1)},
    ).transpose(*dims, "epoch")
    test = samples["split"].values == SPLITS.index("test")
    predictions = xr.Dataset(
        {
            "logits": (
                [*dims, "sample", "unit"],
                predicted["test"].numpy().reshape(*shape, *predicted["test"].shape[1:]),
                {"long_name": "logits of the test samples", "units": "nats"},
            )
        },
        coordinates
        | {
            "sample": samples["sample"].values[test],
            "class": ("sample", samples["label"].values[test]),
        },
    )
    return Fitted(weights, history, predictions)


def state_of(weights: xr.Dataset, seed: int) -> dict[str, Tensor]:
    """Return one replica's parameters and buffers, for ``load_state_dict``."""
    replica = weights.sel(seed=seed)
    return {str(name): torch.tensor(replica[name].values) for name in replica.data_vars}


def _tensors(samples: xr.Dataset, part: str) -> tuple[Tensor, Tensor]:
    inputs, labels = split_of(samples, part)
    # of the type in which torch builds networks
    return torch.from_numpy(inputs).to(torch.get_default_dtype()), torch.from_numpy(labels)


def _penalty_settings(regularizer: Mapping[str, Any]) -> dict[str, Any]:
    reserved = ("name", "layer", "weight")
    return {key: value for key, value in regularizer.items() if key not in reserved}
