"""Configuration files and the command line, read with care: no key twice, nothing unbounded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from workflows.plan.errors import ConfigError

COMMAND_LINE = "the command line (--config)"
_BYTES = 2**20  # a configuration has a few thousand
_VALUES = 50_000  # aliases written out
_DEPTH = 20
_MERGED = 2_000  # keys of one mapping


class _BadKey(yaml.YAMLError):  # type: ignore[misc]
    """A key that stands twice in a mapping, or cannot be one."""


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Reads YAML as ``yaml.safe_load`` does, but no key twice and none that is no scalar."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise _BadKey(f"line {line}: found a list or mapping as a key, expected text")
            if key.value in seen:
                raise _BadKey(
                    f"{key.value}: found twice, in lines {seen[key.value]} and {line}; "
                    "expected once"
                )
            seen[key.value] = line
            if key.value == "<<" and isinstance(value, yaml.SequenceNode):
                _check_merged(len(value.value), line)
        return node

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        _check_merged(len(node.value), node.start_mark.line + 1)


def _check_merged(count: int, line: int) -> None:
    if count > _MERGED:
        raise _BadKey(f"line {line}: found more than {_MERGED} keys in one mapping")


def read_config(path: Path, asked_for: str | None = None) -> dict[str, Any]:
    """Read a configuration: UTF-8, YAML or JSON, with keys at the top level.

    Parameters
    ----------
    path
        The file.
    asked_for
        What asks for it, for messages where it cannot be read.

    Raises
    ------
    ConfigError
        If it cannot be read, is no mapping, has a key twice, or is out of all proportion.
    """
    place = f"{asked_for}: {path}" if asked_for else str(path)
    try:
        if path.stat().st_size > _BYTES:
            raise ConfigError(f"{place}: found more than {_BYTES} bytes, expected some thousands")
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{place}: not UTF-8 (byte {error.start + 1} is {error.object[error.start]:#04x}); "
            "expected a text file in UTF-8"
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{place}: {getattr(error, 'strerror', None) or error}") from None
    config = _parsed(text, str(path))
    if not isinstance(config, dict):
        raise ConfigError(
            f"{path}: found {'nothing' if config is None else type(config).__name__}, "
            "expected a mapping of keys"
        )
    check_bounded(config, str(path))
    if "__use_yte__" in config:
        raise ConfigError(
            f"{path}: __use_yte__: found a template, which runs code; expected plain YAML or JSON"
        )
    return config


def read_arguments(arguments: Iterable[str]) -> dict[str, Any]:
    """Read what the command line says, ``key=value``, as a file would: numbers are numbers.

    Examples
    --------
    >>> read_arguments(["training={seeds: 4}", "device=cpu"])
    {'training': {'seeds': 4}, 'device': 'cpu'}
    """
    config: dict[str, Any] = {}
    for argument in arguments:
        key, _, text = argument.partition("=")
        try:
            value = yaml.load(text, _Loader)
        except _BadKey as error:
            raise ConfigError(f"{COMMAND_LINE}: {key}.{error}") from None
        except (yaml.YAMLError, ValueError, RecursionError):
            value = text
        check_bounded(value, COMMAND_LINE)
        update(config, {key: value})
    return config


def update(config: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Change a configuration in place, mappings key by key, as Snakemake does."""
    for key, value in changes.items():
        before = config.get(key)
        if isinstance(value, Mapping):
            config[key] = dict(before) if isinstance(before, Mapping) else {}
            update(config[key], value)
        else:
            config[key] = value


def _parsed(text: str, place: str) -> Any:
    try:
        try:
            return json.loads(text, object_pairs_hook=_once)
        except json.JSONDecodeError:
            return yaml.load(text, _Loader)
    except _BadKey as error:
        raise ConfigError(f"{place}: {error}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        what = ", ".join(filter(None, (error.context, error.problem)))
        raise ConfigError(f"{place}{line}: cannot be read as YAML: {what}") from None
    except RecursionError:
        raise ConfigError(f"{place}: found more than {_DEPTH} levels of keys") from None
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise ConfigError(f"{place}: cannot be read as YAML: {error}") from None


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    config = dict(pairs)
    if len(config) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _BadKey(f"{twice}: found twice, expected once")
    return config


def check_bounded(config: Any, place: str) -> None:
    """Check the number of values as if every alias were written out, and their depth.

    Raises
    ------
    ConfigError
        If there are more than a configuration can have.
    """
    waiting, values = [(config, 0)], 0
    while waiting:
        value, depth = waiting.pop()
        values += 1
        inner = list(value.values()) if isinstance(value, Mapping) else value
        if not isinstance(inner, list | tuple):
            continue
        if depth >= _DEPTH:
            raise ConfigError(f"{place}: found more than {_DEPTH} levels of keys")
        if values + len(waiting) + len(inner) > _VALUES:
            raise ConfigError(
                f"{place}: found more than {_VALUES} values, aliases written out; expected fewer"
            )
        waiting += [(item, depth + 1) for item in inner]
