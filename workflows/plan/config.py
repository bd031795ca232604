"""Check a study's configuration; whatever is wrong with it is said in one line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from infotheo.registry import nearest
from workflows.plan.errors import ConfigError
from workflows.plan.identity import canonical

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
    plain = canonical(_numbers(config))
    schema = yaml.safe_load(_SCHEMA.read_text(encoding="utf-8"))
    errors = sorted(Draft202012Validator(schema).iter_errors(plain), key=lambda e: list(e.path))
    if errors:
        raise ConfigError(f"{file}: {_line(errors[0])}")
    for section in ("regularizers", "conditions", "measures", "figures", "tables"):
        plain[section] = {
            # the order of the file is the order of tables and figures
            name: plain.get(section, {})[name] or {}
            for name in config.get(section) or {}
        }
    plain["conditions"] = plain["conditions"] or {"default": {}}
    return plain


def _numbers(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_numbers(item) for item in value]
    if isinstance(value, str) and _EXPONENT.fullmatch(value):
        return float(value)
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
