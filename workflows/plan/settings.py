"""Settings checked against the function that takes them, as its source reads."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from infotheo.registry import nearest
from workflows.plan.errors import ConfigError, shown
from workflows.plan.identity import canonical
from workflows.plan.sources import (
    REQUIRED,
    Definition,
    Passed,
    definition,
    exists,
    module_file,
    parameters,
    registered,
)

_KINDS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "bool": (bool,),
}
_LISTS = {
    "Sequence[float]": (_KINDS["float"], "numbers"),
    "Sequence[int]": (_KINDS["int"], "whole numbers"),
}
_EXPECTED = {"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false"}


def resolve(name: str, kinds: tuple[str, ...], key: str) -> Definition:
    """Return the definition that a name or dotted path stands for.

    Raises
    ------
    ConfigError
        If it is neither registered nor found in the source of the module.
    """
    entries = {entry: code for kind in kinds for entry, code in registered(kind).items()}
    if name in entries:
        return entries[name]
    if ":" not in name:
        raise ConfigError(
            f"{key}: unknown {kinds[0]} {name!r}{nearest(name, entries)}; expected one of "
            f"{', '.join(entries)}, or a path 'package.module:function'"
        )
    module, _, attribute = name.partition(":")
    if module_file(module) is None:
        lack = f"there is no module {module!r} to import"
        if exists(module):
            lack = f"module {module!r} is built in or compiled"
        raise ConfigError(
            f"{key}: found {name!r}, but {lack}; expected a function of a module with Python source"
        )
    code = definition(module, attribute)
    if code is None:
        raise ConfigError(f"{key}: found {name!r}, but {module} defines no {attribute!r}")
    return code


def takes(function: Definition, setting: str) -> bool:
    """Return whether a function takes this setting, as far as its source tells."""
    known = parameters(function)
    return known is None or setting in known


def minimal(
    settings: Mapping[str, Any], function: Definition, key: str, passed: Passed
) -> dict[str, Any]:
    """Return the settings without those equal to the function's defaults, keys sorted.

    Parameters
    ----------
    settings
        What the config gives.
    function
        What will be called with them.
    key
        Where in the config they stand.
    passed
        What the function is passed besides, which is no setting.

    Raises
    ------
    ConfigError
        For a setting that the function does not take, or of the wrong type, or one it lacks.
    """
    known = parameters(function)
    plain: dict[str, Any] = canonical(settings)
    if known is None:
        return plain
    after = list(known.items())[len(passed.positional) :]
    keywords = {name: parameter for name, parameter in after if name not in passed.context}
    for name, value in plain.items():
        if name not in keywords:
            raise ConfigError(
                f"{key}.{name}: unknown setting{nearest(name, keywords)}; "
                f"{function.name} takes {', '.join(keywords) or 'none'}"
            )
        parameter = keywords[name]
        _check_type(value, parameter.annotation, f"{key}.{name}")
    for name, parameter in keywords.items():
        if parameter.default is REQUIRED and name not in settings:
            raise ConfigError(f"{key}.{name}: missing; {function.name} needs it")
    return {
        name: value
        for name, value in plain.items()
        if keywords[name].default is REQUIRED or canonical(keywords[name].default) != value
    }


def _check_type(value: Any, annotation: str, key: str) -> None:
    kind, *rest = annotation.replace(" ", "").split("|")
    if kind in _LISTS and rest in ([], ["None"]):
        if value is None and rest:
            return
        types, expected = _LISTS[kind]
        if not isinstance(value, list) or not all(type(item) in types for item in value):
            raise ConfigError(f"{key}: found {shown(value)}, expected a list of {expected}")
        return
    if kind.startswith("Literal["):
        choices = ast.literal_eval(f"({kind[len('Literal[') : -1]},)")
        if value not in choices and not (value is None and "None" in rest):
            raise ConfigError(
                f"{key}: found {shown(value)}, expected {' or '.join(map(repr, choices))}"
            )
        return
    if kind not in _KINDS or (value is None and "None" in rest) or any(r != "None" for r in rest):
        return
    fits = isinstance(value, _KINDS[kind]) and (kind == "bool" or not isinstance(value, bool))
    if not fits:
        raise ConfigError(f"{key}: found {shown(value)}, expected {_EXPECTED[kind]}")
