"""Fingerprints of the code that a result depends on: hashes of its meaning, nothing imported."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from sysconfig import get_path

from workflows.plan.sources import (
    REGISTRIES,
    Definition,
    definition,
    imported,
    module_file,
    top_level,
    tree_of,
)

_PROJECT = {"infotheo", "workflows"}
# What is told while a job runs, or when it fails, is no part of its result.
_TELLING = {"workflows.job", "infotheo.progress"}
_DOCUMENTED = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def fingerprint(roots: Iterable[Definition | str]) -> str:
    """Return a hash of all code the roots depend on, blind to comments, docstrings and messages.

    A root is a definition, or a module's name for all of that module. Names are followed through
    the packages of this project and of the roots, not into other libraries.
    """
    return _fingerprint(tuple(roots))


@cache
def _whole_module(name: str) -> Definition:
    return Definition(name, "*", tree_of(name) or ast.Module([], []))


@cache
def _fingerprint(roots: tuple[Definition | str, ...]) -> str:
    packages = _PROJECT | {
        (root if isinstance(root, str) else root.module).partition(".")[0] for root in roots
    }
    packages = {package for package in packages if not _installed(package)}
    # Definitions are numbered as they are met, so that no module's name is part of the hash.
    waiting: list[Definition] = []
    numbers: dict[tuple[str, str], int] = {}

    def number(used: Definition) -> int:
        key = (used.module, used.name)
        if key not in numbers:
            numbers[key] = len(waiting)
            waiting.append(used)
        return numbers[key]

    digest = hashlib.sha256()
    for root in roots:
        number(_whole_module(root) if isinstance(root, str) else root)
    for read in waiting:  # grows as it is read
        code = _code(read, frozenset(packages))
        digest.update(f"{code.text}\n{[number(used) for used in code.used]}\n".encode())
    return digest.hexdigest()[:16]


@cache
def _installed(package: str) -> bool:
    """Return whether this is an installed library; the project itself is none, wherever it is."""
    path = module_file(package)
    libraries = [Path(get_path(kind)) for kind in ("purelib", "platlib", "stdlib")]
    return (
        path is not None
        and package not in _PROJECT
        and any(library in path.parents for library in libraries)
    )


@dataclass(frozen=True)
class Code:
    """A definition's code as text, where ``@0``, ``@1``, … stand for the definitions it uses."""

    text: str
    used: tuple[Definition, ...]


@cache
def _code(definition: Definition, packages: frozenset[str]) -> Code:
    """Return a definition's code; used is what it names, also as an attribute of a module."""
    names = dict(top_level(definition.module))
    for node in _walk(definition.node):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= imported(node, definition.module)
    used: dict[tuple[str, str], int] = {}
    definitions: list[Definition] = []

    def reference(parts: list[str]) -> str:
        origin, rest = names.get(parts[0]), parts[1:]
        if isinstance(origin, tuple):
            if origin[0].partition(".")[0] not in packages:
                return ".".join([*filter(None, origin), *rest])
            origin, rest = _resolved(*origin, rest)
        if not isinstance(origin, Definition) or _is_opaque(origin):
            return ".".join([parts[-1 - len(rest)], *rest])
        key = (origin.module, origin.name)
        if key not in used:
            used[key] = len(definitions)
            definitions.append(origin)
        return ".".join([f"@{used[key]}", *rest])

    text = _text(definition.node, names, reference)
    return Code(text, tuple(definitions))


def _is_opaque(definition: Definition) -> bool:
    """Return whether a definition is looked into, but never followed."""
    name = f"{definition.module}:{definition.name}"
    return name in REGISTRIES.values() or definition.module in _TELLING


def _dotted(node: ast.AST) -> list[str]:
    """Return ``a.b.c`` in code as its parts, nothing for any other expression."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    return [node.id, *parts] if isinstance(node, ast.Name) else []


def _resolved(
    module: str, name: str | None, attributes: Sequence[str]
) -> tuple[Definition | None, list[str]]:
    """Return the definition behind ``name`` of a module, or behind attributes of a module.

    With it the attributes that are left: those of the definition itself.
    """
    path = [*([name] if name else []), *attributes]
    while path:
        first, *path = path
        resolved = definition(module, first)
        if resolved is not None:
            return resolved, path
        homes = _lazy_homes(module)
        if first in homes:
            return definition(homes[first], first), path
        origin = top_level(module).get(first)
        if origin is None and not module_file(f"{module}.{first}"):
            return None, path
        if isinstance(origin, tuple):  # a module, imported by the package
            module = origin[0] if origin[1] is None else f"{origin[0]}.{origin[1]}"
        else:
            module = f"{module}.{first}"
    return None, path


def _text(value: object, names: Container[str], reference: Callable[[list[str]], str]) -> str:
    """Return code as text; a dotted name that starts with one of ``names`` is a reference."""
    if isinstance(value, ast.Import | ast.ImportFrom):
        return ""  # what is imported shows where it is used
    if isinstance(value, ast.Name | ast.Attribute):
        parts = _dotted(value)
        if parts and parts[0] in names:
            return reference(parts)
    if isinstance(value, ast.AST):
        fields = (_text(field, names, reference) for field in _fields(value))
        return f"{type(value).__name__}({','.join(fields)})"
    if isinstance(value, list):
        return f"[{','.join(_text(item, names, reference) for item in value)}]"
    return repr(value)


@cache
def _lazy_homes(module: str) -> dict[str, str]:
    """Return the names that a package imports when they are first used, from its ``_HOMES``."""
    homes = definition(module, "_HOMES")
    return ast.literal_eval(homes.node.value) if homes else {}  # type: ignore[attr-defined]


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    waiting: list[object] = [node]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, ast.AST):
            yield value
            waiting += _fields(value)


def _fields(node: ast.AST) -> list[object]:
    """Return what a part of the code consists of, without docstrings and the wording of errors."""
    given = [getattr(node, name, None) for name in node._fields if name != "ctx"]
    # later versions of Python add fields that are empty where nothing uses them
    fields = [value for value in given if value is not None and value != []]
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        return [node.exc.func]
    if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
        return [node.body[1:] if value is node.body else value for value in fields]
    return fields
