"""Check settings against the function that takes them, as its source reads."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from infotheo.registry import nearest
from workflows.plan.errors import ConfigError
from workflows.plan.identity import canonical
from workflows.plan.sources import (
    REQUIRED,
    Definition,
    definition,
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


def found(name: str, kinds: tuple[str, ...], key: str) -> Definition:
    """Return the definition that a name or dotted path stands for.

    Raises
    ------
    ConfigError
        If it is neither registered nor found in the source of the module.
    """
    entries = {entry: of for kind in kinds for entry, of in registered(kind).items()}
    if name in entries:
        return entries[name]
    if ":" not in name:
        raise ConfigError(
            f"{key}: unknown {kinds[0]} {name!r}{nearest(name, entries)}; expected one of "
            f"{', '.join(entries)}, or a path 'package.module:function'"
        )
    module, _, attribute = name.partition(":")
    if module_file(module) is None:
        raise ConfigError(f"{key}: found {name!r}, but there is no module {module!r} to import")
    resolved = definition(module, attribute)
    if resolved is None:
        raise ConfigError(f"{key}: found {name!r}, but {module} defines no {attribute!r}")
    return resolved


def takes(function: Definition, setting: str) -> bool:
    """Return whether a function takes this setting, as far as its source tells."""
    known = parameters(function)
    return known is None or setting in known


def minimal(
    settings: Mapping[str, Any],
    function: Definition,
    key: str,
    *,
    positional: int,
    given: tuple[str, ...] = (),
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
    positional, given
        How many leading parameters, and which others, the pipeline itself fills in.

    Raises
    ------
    ConfigError
        For a setting that the function does not take, or of the wrong type, or one it lacks.
    """
    known = parameters(function)
    if known is None:
        return canonical(dict(settings))
    keywords = {name: each for name, each in list(known.items())[positional:] if name not in given}
    kept = {}
    for name, value in settings.items():
        if name not in keywords:
            raise ConfigError(
                f"{key}.{name}: unknown setting{nearest(name, keywords)}; "
                f"{function.name} takes {', '.join(keywords) or 'none'}"
            )
        expected = keywords[name].annotation
        _check_type(value, expected, f"{key}.{name}")
        if keywords[name].default is REQUIRED or canonical(keywords[name].default) != value:
            kept[name] = value
    for name, each in keywords.items():
        if each.default is REQUIRED and name not in settings:
            raise ConfigError(f"{key}.{name}: missing; {function.name} needs it")
    return canonical(kept)


def _check_type(value: Any, annotation: str, key: str) -> None:
    kind, *rest = annotation.replace(" ", "").split("|")
    if kind in _LISTS and rest in ([], ["None"]):
        if value is None and rest:
            return
        each_kind, expected = _LISTS[kind]
        if not isinstance(value, list) or not all(type(each) in each_kind for each in value):
            raise ConfigError(f"{key}: found {value!r}, expected a list of {expected}")
        return
    if kind.startswith("Literal["):
        choices = ast.literal_eval(f"({kind[len('Literal[') : -1]},)")
        if value not in choices and not (value is None and "None" in rest):
            raise ConfigError(f"{key}: found {value!r}, expected {' or '.join(map(repr, choices))}")
        return
    if kind not in _KINDS or (value is None and "None" in rest) or any(r != "None" for r in rest):
        return
    fits = isinstance(value, _KINDS[kind]) and (kind == "bool" or not isinstance(value, bool))
    if not fits:
        raise ConfigError(f"{key}: found {value!r}, expected {_EXPECTED[kind]}")
