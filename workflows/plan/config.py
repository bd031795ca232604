"""A study's configuration, checked: whatever is wrong with it is one line."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from infotheo.registry import nearest
from workflows.plan.entries import MEASURES
from workflows.plan.errors import ConfigError
from workflows.plan.identity import canonical
from workflows.plan.sources import Definition, registered, result_keys

_MAPPINGS = ("regularizers", "conditions", "measures", "figures", "tables", "animations")
_REGULARIZERS = ("weight regularizer", "network regularizer", "regularizer")
_SCHEMA = Path(__file__).parents[1] / "schemas" / "config.schema.yaml"
# YAML 1.1 reads 1e-4 as text; people mean the number.
_EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")


def checked(config: Mapping[str, Any], file: str) -> dict[str, Any]:
    """Return the configuration in canonical form, with empty entries as empty mappings.

    Raises
    ------
    ConfigError
        For the first thing that is wrong: file, key, what was found, what is expected.
    """
    plain: dict[str, Any] = canonical(_numbers(config, file, ""))
    schema = yaml.safe_load(_SCHEMA.read_text(encoding="utf-8"))
    errors = sorted(Draft202012Validator(schema).iter_errors(plain), key=lambda e: list(e.path))
    if errors:
        raise ConfigError(f"{file}: {_line(errors[0])}")
    for section in _MAPPINGS:
        entries = plain.get(section) or {}
        plain[section] = {name: settings or {} for name, settings in entries.items()}
    plain["conditions"] = plain["conditions"] or {"default": {}}
    return plain | {
        "conditions": dict(sorted(plain["conditions"].items(), key=_changes_something)),
        "regularizers": _in_order(plain["regularizers"], _REGULARIZERS),
        "measures": _in_order(plain["measures"], MEASURES),
    }


def _changes_something(condition: tuple[str, Any]) -> tuple[bool, str]:
    name, changes = condition
    return bool(changes), name


def _comes_after_the_baseline(entry: tuple[str, Definition]) -> bool:
    """Whether a registered entry is other than the regularizer that changes nothing."""
    name, code = entry
    return registered("network regularizer").get(name) != code or bool(result_keys(code))


def _in_order(entries: Mapping[str, Any], kinds: tuple[str, ...]) -> dict[str, Any]:
    """Sort entries as the project lists what they name, then by name.

    The order of a file is no part of a study: reordering it must change no table.
    """
    listed = [item for kind in kinds for item in registered(kind).items()]
    known = [name for name, _ in sorted(listed, key=_comes_after_the_baseline)]

    def rank(item: tuple[str, Any]) -> tuple[int, str]:
        name = item[1].get("penalty", item[0])
        return known.index(name) if name in known else len(known), item[0]

    return dict(sorted(entries.items(), key=rank))


_TOO_LARGE = 2**63


def _numbers(value: Any, file: str, key: str) -> Any:
    if isinstance(value, Mapping):
        return {
            str(name): _numbers(item, file, f"{key}.{name}" if key else str(name))
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_numbers(item, file, f"{key}.{index}") for index, item in enumerate(value)]
    if isinstance(value, str) and _EXPONENT.fullmatch(value):
        value = float(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{file}: {key}: found {value}, expected a finite number")
    if isinstance(value, int) and abs(value) >= _TOO_LARGE:
        raise ConfigError(f"{file}: {key}: found a number of {len(str(value))} digits, too large")
    if not isinstance(value, str | bool | int | float | None):
        raise ConfigError(
            f"{file}: {key}: found {value} ({type(value).__name__}), expected text, a number, "
            "true, false, a list or a mapping"
        )
    return value


def _line(error: ValidationError) -> str:
    path = ".".join(str(part) for part in error.path)
    schema = error.schema
    if error.validator == "additionalProperties":
        known = list(schema.get("properties", {}))
        unknown = next(key for key in error.instance if key not in known)
        key = f"{path}.{unknown}" if path else unknown
        return f"{key}: unknown key{nearest(unknown, known)}; expected one of {', '.join(known)}"
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        return f"{f'{path}.' if path else ''}{missing}: missing; expected this key"
    expected = schema.get("description", error.message)
    return f"{path or 'the file'}: found {error.instance!r}, expected {expected}"
