"""Studies that extend another: ``extends: other.yaml``, and what differs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflows.plan.errors import ConfigError, shown
from workflows.plan.reading import read_config
from workflows.plan.runs import merged

# Settings of one thing are changed one by one; lists of things are stated whole.
_SETTINGS = ("data", "network", "training", "snapshots", "correlation")
_LONGEST_CHAIN = 20


def extended(
    config: Mapping[str, Any], file: str
) -> tuple[dict[str, Any], dict[Path, dict[str, Any]]]:
    """Return the configuration with what it extends filled in, and what each base file states.

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
    config, files, bases = dict(config), [Path(file)], {}
    while "extends" in config:
        base = config.pop("extends")
        if not isinstance(base, str) or "\0" in base:
            raise ConfigError(
                f"{files[-1]}: extends: found {shown(base)}, expected the name of a file"
            )
        path = files[-1].parent / base
        if path.resolve() in [known.resolve() for known in files]:
            raise ConfigError(f"{files[-1]}: extends: found {base!r}, which extends this file")
        if len(files) > _LONGEST_CHAIN:
            raise ConfigError(f"{files[0]}: extends: found a chain of more than {_LONGEST_CHAIN}")
        bases[path] = read_config(path, f"{files[-1]}: extends")
        config = _filled_in(config, bases[path])
        files.append(path)
    return config, bases


def _filled_in(config: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    result = {**base, **config}
    for section in _SETTINGS:
        stated, inherited = config.get(section), base.get(section)
        if isinstance(stated, Mapping) and isinstance(inherited, Mapping):
            settings = merged(inherited, stated)
            result[section] = {name: v for name, v in settings.items() if v is not None}
    return result
