"""The networks that a study trains, their names, and the chunks of seeds that hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infotheo.registry import nearest
from workflows.plan.chunks import Chunk, chunks_of, seed_text
from workflows.plan.contents import CONTENTS, file_contents
from workflows.plan.errors import ConfigError
from workflows.plan.identity import digest, readable
from workflows.plan.settings import minimal, resolve, takes
from workflows.plan.sources import (
    Definition,
    Passed,
    definition,
    parameters,
    passed,
    registered,
    result_keys,
)

_SCHEDULING = ("seeds", "seeds_per_job", "regularized_layer")
_LONGEST = 100  # of the readable part of a name: a file's has at most 255
_PENALTIES = ("regularizer", "weight regularizer")


def locations() -> tuple[str, ...]:
    """Return the keys of ``data`` that say where a set lies, which is no part of what it is."""
    return passed("data set").context


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
        """What the network depends on: its function, and a regularizer that changes it."""
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
            section: merged(config[section], changes.get(section, {}))
            for section in ("data", "network", "training")
        }
        for place in locations():
            if place in changes.get("data", {}):
                raise ConfigError(
                    f"{file}: conditions.{condition}.data.{place}: found it here, expected it "
                    "under data only: a folder cannot vary"
                )
        for label, settings in config["regularizers"].items():
            along = (dict(snapshots or {}), tuple(code))
            try:
                runs.append(_run(condition, label, settings, changed, file, folder, along))
            except ConfigError as error:
                raise _in_condition(error, condition, changes, file) from None
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


def _in_condition(
    error: ConfigError, condition: str, changes: Mapping[str, Any], file: str
) -> ConfigError:
    """Return the error with its key where the condition states it, or with the condition."""
    start = f"{file}: "
    if not changes or not str(error).startswith(start):
        return error
    line = str(error).removeprefix(start)
    for section, stated in changes.items():
        for key in stated:
            rest = line.removeprefix(f"{section}.{key}")
            if rest != line and rest[:1] in (".", ":"):
                return ConfigError(f"{start}conditions.{condition}.{line}")
    return ConfigError(f"{start}{line}, in condition {condition!r}")


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section as a condition changes it; what another function was told does not carry."""
    section = dict(base)
    if changes.get("name", base.get("name")) != base.get("name"):
        section = {place: base[place] for place in locations() if place in base}
    if changes.get("optimizer", base.get("optimizer")) != base.get("optimizer"):
        section.pop("optimizer_settings", None)
    return section | dict(changes)


def _run(
    condition: str,
    label: str,
    settings: Mapping[str, Any],
    sections: Mapping[str, Any],
    file: str,
    folder: Path,
    along: tuple[dict[str, Any], tuple[Definition, ...]],
) -> Run:
    data, network, training = (dict(sections[key]) for key in ("data", "network", "training"))
    dataset = resolve(data["name"], ("data set",), f"{file}: data.name")
    # a registered data set is checked, wherever it lies; one of the user's is its folder's
    elsewhere = passed("data set") if ":" not in data["name"] else Passed()
    placeless = {name: value for name, value in data.items() if name not in elsewhere.context}
    data_spec = _named(placeless, dataset, f"{file}: data", elsewhere)
    if ":" in data["name"] and (
        contents := file_contents(data, dataset, f"{file}: data", folder.parent / "data")
    ):
        data_spec[CONTENTS] = contents
    network_code = resolve(network["name"], ("network",), f"{file}: network.name")
    network_spec = _named(network, network_code, f"{file}: network", passed("network"))
    regularizer_code, regularizer_spec = _regularizer(
        label, settings, training.get("regularized_layer"), file
    )
    _check_network_takes(regularizer_code, network_code, label, network["name"], file)
    training_spec, training_code = _training(training, file)
    changes_network = _is(regularizer_code, "network regularizer")
    normalizes = changes_network and "batch_norm" in result_keys(regularizer_code)
    _check_batch(data, dataset, training, file, label if normalizes else None)
    spec = {"data": data_spec, "network": network_spec, "regularizer": regularizer_spec}
    spec["training"] = training_spec
    snapshots, snapshot_code = along
    if snapshots:
        if not {"count", "points"} & set(snapshots):
            epochs = training.get("epochs", _training_defaults()["epochs"])
            snapshots = snapshots | {"count": min(100, epochs + 1)}
        spec["snapshots"] = snapshots
    weight = regularizer_spec.get("weight")
    if isinstance(weight, list) and snapshots:
        raise ConfigError(
            f"{file}: regularizers.{label}.weight: found a list to choose from, expected a number: "
            "a study with snapshots follows one training"
        )
    selection = None
    if isinstance(weight, list):
        count = training.get("selection_seeds", 1)
        seeds = tuple(range(count))
        selection = Chunk("selection" + seed_text(seeds), seeds, seeds)
        if count > 1:
            spec["selection_seeds"] = count
    title = readable(data["name"], network["name"], regularizer_spec["name"])
    if weight is not None:
        title += "-grid" if isinstance(weight, list) else f"-{weight:g}"
    name = f"{title[:_LONGEST]}-{digest(spec)}"
    seeds = training.get("seeds", 1)
    wanted = tuple(range(seeds) if isinstance(seeds, int) else seeds)
    chunks = chunks_of(wanted, folder / name, training.get("seeds_per_job", 20))
    data_name = f"{readable(data['name'])[:_LONGEST]}-{digest(data_spec)}"
    code = (network_code, regularizer_code, *training_code, *snapshot_code)
    return Run(condition, label, name, data_name, spec, chunks, code, selection)


def _training(
    training: Mapping[str, Any], file: str
) -> tuple[dict[str, Any], tuple[Definition, ...]]:
    """Return the settings of a training, and the optimiser's and augmentation's code."""
    key = f"{file}: training"
    stated = {
        name: value
        for name, value in training.items()
        if name not in (*_SCHEDULING, "selection_seeds", "optimizer_settings")
        and name != "augmentation_settings"
    }
    optimizer_name = training.get("optimizer", _training_defaults()["optimizer"])
    optimizer = resolve(optimizer_name, ("optimizer",), f"{key}.optimizer")
    codes = [optimizer]
    settings = training.get("optimizer_settings", {})
    where = f"{key}.optimizer_settings"
    if settings := minimal(settings, optimizer, where, passed("optimizer")):
        stated["optimizer_settings"] = settings
    settings, where = training.get("augmentation_settings", {}), f"{key}.augmentation_settings"
    if "augmentation" in training:
        augmentation = resolve(training["augmentation"], ("augmentation",), f"{key}.augmentation")
        codes.append(augmentation)
        if settings := minimal(settings, augmentation, where, passed("augmentation")):
            stated["augmentation_settings"] = settings
    elif settings:
        raise ConfigError(f"{where}: found settings, but no training.augmentation")
    return minimal(stated, _training_settings(), key, Passed()), tuple(codes)


def _training_settings() -> Definition:
    settings = definition("infotheo.training.settings", "TrainingSettings")
    assert settings is not None
    return settings


def _training_defaults() -> dict[str, Any]:
    known = parameters(_training_settings()) or {}
    return {name: parameter.default for name, parameter in known.items()}


def _named(
    section: Mapping[str, Any], function: Definition, key: str, passed: Passed
) -> dict[str, Any]:
    settings = {name: value for name, value in section.items() if name != "name"}
    return {"name": section["name"], **minimal(settings, function, key, passed)}


def _regularizer(
    label: str, settings: Mapping[str, Any], default_layer: str | None, file: str
) -> tuple[Definition, dict[str, Any]]:
    key = f"{file}: regularizers.{label}"
    name = settings.get("penalty", label)
    code = resolve(name, (*_PENALTIES, "network regularizer"), key)
    kinds = ("network regularizer", "weight regularizer")
    kind = next((kind for kind in kinds if _is(code, kind)), "regularizer")
    stated = {k: v for k, v in settings.items() if k not in ("penalty", "layer", "weight")}
    is_penalty = kind != "network regularizer"
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
    spec = {"name": name, **minimal(stated, code, key, passed(kind))}
    if takes_layer:
        spec["layer"] = layer
    if is_penalty:
        weight = settings["weight"]
        spec["weight"] = sorted(weight) if isinstance(weight, list) else weight
    return code, spec


def _is(code: Definition, kind: str) -> bool:
    return code in registered(kind).values()


def _check_network_takes(
    regularizer: Definition, network: Definition, label: str, name: str, file: str
) -> None:
    """Check that the network has the settings that a network regularizer fills in."""
    known = parameters(network)
    if known is None or not _is(regularizer, "network regularizer"):
        return
    for needed in result_keys(regularizer):
        if needed not in known:
            raise ConfigError(
                f"{file}: regularizers.{label}: network {name!r} takes no setting {needed!r}"
                f"{nearest(needed, known)}"
            )


def _check_locations(config: Mapping[str, Any], runs: Sequence[Run], file: str) -> None:
    names = sorted({run.spec["data"]["name"] for run in runs})
    functions = [resolve(name, ("data set",), f"{file}: data.name") for name in names]
    for place in locations():
        if place in config["data"] and not any(takes(function, place) for function in functions):
            raise ConfigError(
                f"{file}: data.{place}: found {config['data'][place]!r}, but data set "
                f"{' and '.join(map(repr, names))} is read from no folder; leave it out"
            )


def _check_batch(
    data: Mapping[str, Any],
    dataset: Definition,
    training: Mapping[str, Any],
    file: str,
    normalizing: str | None,
) -> None:
    """Check the batch sizes; ``normalizing`` is a regularizer that cannot take single samples."""
    known = parameters(dataset) or {}
    size = data.get("train_size", known["train_size"].default if "train_size" in known else None)
    batches = {"batch_size": training.get("batch_size", _training_defaults()["batch_size"])}
    for number, phase in enumerate(training.get("phases", ())):
        batches[f"phases.{number}.batch_size"] = phase.get("batch_size", "full")
    for key, batch in batches.items():
        if isinstance(size, int) and batch != "full" and 0 < size < batch:
            raise ConfigError(
                f"{file}: training.{key}: found {batch}, expected at most {size}, the number "
                "of training samples"
            )
    batch_size = batches["batch_size"]
    # what phases leave, and what networks normalise by themselves, training finds out
    if not normalizing or not isinstance(size, int) or batch_size == "full":
        return
    if not training.get("phases") and (batch_size == 1 or size % batch_size == 1):
        better = (n for n in (*range(batch_size, 1, -1), size) if size % n != 1)
        raise ConfigError(
            f"{file}: training.batch_size: found {batch_size}, which leaves a mini-batch of one of "
            f"the {size} training samples, on which {normalizing} cannot normalise; expected "
            f"another, such as {next(better, 'one of more samples')}"
        )
