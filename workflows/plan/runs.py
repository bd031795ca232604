"""Which networks a study trains, what each is called, and which chunks of seeds hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infotheo.registry import nearest
from workflows.plan.chunks import Chunk, chunks_of, seed_text
from workflows.plan.errors import ConfigError
from workflows.plan.identity import digest, readable
from workflows.plan.settings import found, minimal, takes
from workflows.plan.sources import Definition, definition, parameters, registered

# Where a data set lies is no part of what it is, where its content is checked.
LOCATIONS = ("data_dir",)
_SCHEDULING = ("seeds", "seeds_per_job", "regularized_layer")
_PENALTIES = ("regularizer", "weight regularizer")
_FILLED_IN_BY_FIT = (
    "seeds",
    "loss_weights",
    "penalty",
    "penalized_layer",
    "device",
    "label",
    "checkpoint_path",
    "checkpoint_seconds",
    "snapshots",
    "at_snapshot",
)


@dataclass(frozen=True)
class Run:
    """One condition and regularizer of a study."""

    condition: str
    regularizer: str
    name: str
    data_name: str
    spec: dict[str, Any]
    chunks: tuple[Chunk, ...]
    code: tuple[Definition, ...]
    selection: Chunk | None

    @property
    def network_code(self) -> tuple[Definition, ...]:
        """What the network depends on: its own function and a regularizer that changes it."""
        return self.code[:2]


def expand(
    config: Mapping[str, Any],
    file: str,
    folder: Path,
    snapshots: Mapping[str, Any] | None = None,
    code: Sequence[Definition] = (),
) -> list[Run]:
    """Return the runs of a study; ``folder`` holds those that exist.

    ``snapshots`` is what each training does besides, ``code`` what it needs for that.

    Raises
    ------
    ConfigError
        For settings that the functions they name do not take.
    """
    runs = []
    for condition, changes in config["conditions"].items():
        changed = {
            section: _merged(config[section], changes.get(section, {}))
            for section in ("data", "network", "training")
        }
        for place in LOCATIONS:
            if place in changes.get("data", {}):
                raise ConfigError(
                    f"{file}: conditions.{condition}.data.{place}: found it here, expected it "
                    "under data only: a folder cannot vary"
                )
        for label, settings in config["regularizers"].items():
            besides = (dict(snapshots or {}), tuple(code))
            runs.append(_run(condition, label, settings, changed, file, folder, besides))
    _check_locations(config, runs, file)
    names: dict[str, Run] = {}
    for run in runs:
        twin = names.setdefault(run.name, run)
        if twin is not run:
            raise ConfigError(
                f"{file}: {run.condition}, {run.regularizer} is the same as "
                f"{twin.condition}, {twin.regularizer}; expected different settings"
            )
    return runs


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section as a condition changes it; what another function was told does not carry."""
    kept = dict(base)
    if changes.get("name", base.get("name")) != base.get("name"):
        kept = {place: base[place] for place in LOCATIONS if place in base}
    if changes.get("optimizer", base.get("optimizer")) != base.get("optimizer"):
        kept.pop("optimizer_settings", None)
    return kept | dict(changes)


def _run(
    condition: str,
    label: str,
    settings: Mapping[str, Any],
    sections: Mapping[str, Any],
    file: str,
    folder: Path,
    besides: tuple[dict[str, Any], tuple[Definition, ...]],
) -> Run:
    data, network, training = (dict(sections[key]) for key in ("data", "network", "training"))
    dataset = found(data["name"], ("data set",), f"{file}: data.name")
    # a registered data set is checked, wherever it lies; one of the user's own is its folder's
    elsewhere = LOCATIONS if ":" not in data["name"] else ()
    placeless = {name: value for name, value in data.items() if name not in elsewhere}
    data_spec = _named(placeless, dataset, f"{file}: data", positional=0, given=elsewhere)
    network_code = found(network["name"], ("network",), f"{file}: network.name")
    network_spec = _named(network, network_code, f"{file}: network", positional=2)
    optimizer = found(
        training.get("optimizer", "adam"), ("optimizer",), f"{file}: training.optimizer"
    )
    regularizer_code, regularizer_spec = _regularizer(
        label, settings, training.get("regularized_layer"), file
    )
    _check_network_takes(regularizer_code, network_code, label, network["name"], file)
    selection = None
    kept = {key: value for key, value in training.items() if key not in _SCHEDULING}
    count = kept.pop("selection_seeds", 1)
    key = f"{file}: training.optimizer_settings"
    if own := minimal(kept.pop("optimizer_settings", {}), optimizer, key, positional=2):
        kept["optimizer_settings"] = own
    augmentation = _augmentation(kept, file)
    trainer = definition("infotheo.training.trainer", "train")
    assert trainer is not None
    training_spec = minimal(
        kept, trainer, f"{file}: training", positional=3, given=_FILLED_IN_BY_FIT
    )
    _check_batch(data, dataset, training, trainer, file)
    spec = {"data": data_spec, "network": network_spec, "regularizer": regularizer_spec}
    spec["training"] = training_spec
    snapshots, snapshot_code = besides
    if snapshots:
        if not {"count", "points"} & set(snapshots):
            epochs = training.get("epochs", (parameters(trainer) or {})["epochs"].default)
            snapshots = snapshots | {"count": min(100, epochs + 1)}
        spec["snapshots"] = snapshots
    weight = regularizer_spec.get("weight")
    if isinstance(weight, list) and snapshots:
        raise ConfigError(
            f"{file}: regularizers.{label}.weight: found a list to choose from, expected a number: "
            "a study with snapshots follows one training"
        )
    if isinstance(weight, list):
        seeds = tuple(range(count))
        selection = Chunk("selection" + seed_text(seeds), seeds, seeds)
        if count > 1:
            spec["selection_seeds"] = count
    shown = readable(data["name"], network["name"], regularizer_spec["name"])
    if weight is not None:
        shown += "-grid" if isinstance(weight, list) else f"-{weight:g}"
    name = f"{shown}-{digest(spec)}"
    seeds = training.get("seeds", 1)
    wanted = tuple(range(seeds) if isinstance(seeds, int) else seeds)
    chunks = chunks_of(wanted, folder / name, training.get("seeds_per_job", 20))
    data_name = f"{readable(data['name'])}-{digest(data_spec)}"
    code = (network_code, regularizer_code, optimizer, *augmentation, *snapshot_code)
    return Run(condition, label, name, data_name, spec, chunks, code, selection)


def _named(
    section: Mapping[str, Any],
    function: Definition,
    key: str,
    positional: int,
    given: tuple[str, ...] = (),
) -> dict[str, Any]:
    own = {name: value for name, value in section.items() if name != "name"}
    kept = minimal(own, function, key, positional=positional, given=given)
    return {"name": section["name"], **kept}


def _regularizer(
    label: str, settings: Mapping[str, Any], default_layer: str | None, file: str
) -> tuple[Definition, dict[str, Any]]:
    key = f"{file}: regularizers.{label}"
    name = settings.get("penalty", label)
    code = found(name, (*_PENALTIES, "network regularizer"), key)
    own = {k: v for k, v in settings.items() if k not in ("penalty", "layer", "weight")}
    is_penalty = not _is(code, "network regularizer")
    takes_layer = is_penalty or "layer" in (parameters(code) or {})
    layer = settings.get("layer", default_layer)
    if takes_layer and layer is None:
        raise ConfigError(f"{key}.layer: missing; give it or training.regularized_layer")
    if is_penalty and "weight" not in settings:
        raise ConfigError(
            f"{key}.weight: missing; expected a loss weight, or a list to choose from"
        )
    if not is_penalty and "weight" in settings:
        raise ConfigError(
            f"{key}.weight: found {settings['weight']!r}, but {name} has no loss weight"
        )
    positional = 1 if not is_penalty or _is(code, "weight regularizer") else 2
    spec = {
        "name": name,
        **minimal(own, code, key, positional=positional if takes_layer else 0, given=("classes",)),
    }
    if takes_layer:
        spec["layer"] = layer
    if is_penalty:
        weight = settings["weight"]
        spec["weight"] = sorted(weight) if isinstance(weight, list) else weight
    return code, spec


def _augmentation(training: dict[str, Any], file: str) -> list[Definition]:
    """Return the code of the augmentation, and leave what is set of it in ``training``."""
    key = f"{file}: training.augmentation"
    settings = training.pop("augmentation_settings", {})
    if "augmentation" not in training:
        if settings:
            raise ConfigError(f"{key}_settings: found settings, but no training.augmentation")
        return []
    code = found(training["augmentation"], ("augmentation",), key)
    if own := minimal(settings, code, f"{key}_settings", positional=2):
        training["augmentation_settings"] = own
    return [code]


def _is(code: Definition, kind: str) -> bool:
    return code in registered(kind).values()


def _check_network_takes(
    regularizer: Definition, network: Definition, label: str, name: str, file: str
) -> None:
    if not _is(regularizer, "network regularizer") or regularizer.name == "baseline":
        return
    needed = "dropout" if regularizer.name == "dropout" else "batch_norm"
    known = parameters(network)
    if known is not None and needed not in known:
        raise ConfigError(
            f"{file}: regularizers.{label}: network {name!r} takes no setting {needed!r}"
            f"{nearest(needed, known)}"
        )


def _check_locations(config: Mapping[str, Any], runs: Sequence[Run], file: str) -> None:
    names = {run.spec["data"]["name"] for run in runs}
    for place in LOCATIONS:
        functions = [found(name, ("data set",), f"{file}: data.name") for name in sorted(names)]
        if place in config["data"] and not any(takes(each, place) for each in functions):
            raise ConfigError(
                f"{file}: data.{place}: found {config['data'][place]!r}, but data set "
                f"{' and '.join(map(repr, sorted(names)))} is read from no folder; leave it out"
            )


def _check_batch(
    data: Mapping[str, Any],
    dataset: Definition,
    training: Mapping[str, Any],
    trainer: Definition,
    file: str,
) -> None:
    known, defaults = parameters(dataset) or {}, parameters(trainer) or {}
    size = data.get("train_size", known["train_size"].default if "train_size" in known else None)
    batch = training.get("batch_size", defaults["batch_size"].default)
    batches = {"batch_size": batch}
    for number, phase in enumerate(training.get("phases", ())):
        batches[f"phases.{number}.batch_size"] = phase.get("batch_size", "full")
    for key, found_batch in batches.items():
        if isinstance(size, int) and found_batch != "full" and 0 < size < found_batch:
            raise ConfigError(
                f"{file}: training.{key}: found {found_batch}, expected at most {size}, the number "
                "of training samples"
            )
