"""A study's configuration, checked: whatever is wrong with it is one line."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from infotheo.registry import nearest
from workflows.plan.entries import MEASURES
from workflows.plan.errors import ConfigError, shown
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
    errors = sorted(_Validator(schema).iter_errors(plain), key=lambda e: list(e.path))
    if errors:
        raise ConfigError(f"{file}: {_line(errors[0])}")
    if "data_dir" in plain["data"]:
        plain["data"]["data_dir"] = _expanded(plain["data"]["data_dir"], file)
    for section in _MAPPINGS:
        entries = plain.get(section) or {}
        plain[section] = {name: settings or {} for name, settings in entries.items()}
    plain["conditions"] = plain["conditions"] or {"default": {}}
    return plain | {
        "conditions": dict(sorted(plain["conditions"].items(), key=_changes_something)),
        "regularizers": _in_order(plain["regularizers"], _REGULARIZERS),
        "measures": _in_order(plain["measures"], MEASURES),
    }


def _expanded(folder: str, file: str) -> str:
    """Return a folder with ``~`` written out, as a shell does."""
    try:
        return str(Path(folder).expanduser())
    except RuntimeError:
        raise ConfigError(
            f"{file}: data.data_dir: found {folder!r}, whose home directory is not known; expected "
            "a folder"
        ) from None


def _unique(_: Any, unique: bool, items: Any, __: Any) -> Iterator[ValidationError]:
    """Check that items differ in time that grows with their number, whatever they are."""
    if unique and isinstance(items, list):
        texts = {json.dumps(item, sort_keys=True) for item in items}
        if len(texts) < len(items):
            yield ValidationError("items are not unique")


_Validator = extend(Draft202012Validator, {"uniqueItems": _unique})


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
        section: dict[str, Any] = {}
        for stated, item in value.items():
            name = f"{key}.{stated}" if key else str(stated)
            if not isinstance(stated, str | int | float):
                raise ConfigError(f"{file}: {name}: found {stated!r} as a key, expected text")
            if str(stated) in section:
                raise ConfigError(f"{file}: {name}: found twice, as text and number; expected once")
            section[str(stated)] = _numbers(item, file, name)
        return section
    if isinstance(value, list | tuple):
        return [_numbers(item, file, f"{key}.{index}") for index, item in enumerate(value)]
    if isinstance(value, str) and _EXPONENT.fullmatch(value):
        value = float(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{file}: {key}: found {value}, expected a finite number")
    if isinstance(value, int) and abs(value) >= _TOO_LARGE:
        raise ConfigError(f"{file}: {key}: found {_digits(value)}, too large")
    if not isinstance(value, str | bool | int | float | None):
        raise ConfigError(
            f"{file}: {key}: found {str(value)[:100]} ({type(value).__name__}), expected text, a "
            "number, true, false, a list or a mapping"
        )
    return value


def _digits(value: int) -> str:
    # Python writes out at most 4300 digits
    exact = abs(value) < 10**4000
    return (
        f"a number of {len(str(abs(value)))} digits"
        if exact
        else "a number of more than 4000 digits"
    )


def _line(error: ValidationError) -> str:
    path = ".".join(str(part) for part in error.path)
    schema = error.schema
    if error.validator == "additionalProperties":
        known = list(schema.get("properties", {}))
        unknown = next(name for name in error.instance if name not in known)
        key = f"{path}.{unknown}" if path else unknown
        return (
            f"{key[:200]}: unknown key{nearest(unknown, known)}; expected one of {', '.join(known)}"
        )
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        return f"{f'{path}.' if path else ''}{missing}: missing; expected this key"
    if error.validator in ("pattern", "maxLength") and "propertyNames" in error.schema_path:
        return f"{path}: found {shown(error.instance)} as a key, expected {schema['description']}"
    expected = schema.get("description", error.message)
    return f"{path or 'the file'}: found {shown(error.instance)}, expected {expected}"
