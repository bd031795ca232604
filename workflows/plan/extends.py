"""Studies that extend another: ``extends: other.yaml``, and what differs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from workflows.plan.errors import ConfigError
from workflows.plan.runs import merged

# Settings of one thing are changed one by one; lists of things are stated whole.
_SETTINGS = ("data", "network", "training", "snapshots", "correlation")


def extended(config: Mapping[str, Any], file: str) -> tuple[dict[str, Any], list[Path]]:
    """Return the configuration with what it extends filled in, and all files that it comes from.

    In ``data``, ``network``, ``training``, ``snapshots`` and ``correlation`` a setting that is
    stated replaces that of the base, one that is stated as nothing (``augmentation:``) drops it,
    and another ``name`` drops all of the base's. Every other key that is stated replaces the base's
    as a whole.

    Parameters
    ----------
    config
        The configuration as loaded.
    file
        Its file; ``extends`` is relative to the folder of it.

    Raises
    ------
    ConfigError
        If there is no such file, it is no configuration, or files extend one another in a circle.
    """
    config, files = dict(config), [Path(file)]
    while "extends" in config:
        base = config.pop("extends")
        if not isinstance(base, str):
            raise ConfigError(f"{files[-1]}: extends: found {base!r}, expected the name of a file")
        path = files[-1].parent / base
        if path.resolve() in [known.resolve() for known in files]:
            raise ConfigError(f"{files[-1]}: extends: found {base!r}, which extends this file")
        config = _filled_in(config, _read(path, files[-1]))
        files.append(path)
    return config, files


def _read(path: Path, extending: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        what = getattr(error, "strerror", None) or "not UTF-8"
        raise ConfigError(f"{extending}: extends: {path}: {what}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: {' '.join(str(error).split())}") from None
    if not isinstance(config, dict):
        raise ConfigError(f"{path}: found {type(config).__name__}, expected a mapping of keys")
    return config


def _filled_in(config: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    result = {**base, **config}
    for section in _SETTINGS:
        stated, inherited = config.get(section), base.get(section)
        if isinstance(stated, Mapping) and isinstance(inherited, Mapping):
            settings = merged(inherited, stated)
            result[section] = {name: v for name, v in settings.items() if v is not None}
    return result
