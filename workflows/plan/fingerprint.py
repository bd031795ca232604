"""Tell when code that a result depends on has changed: a hash of its meaning, nothing imported."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator, Sequence
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
_TELLING = {"workflows.job", "infotheo.training.progress"}
_NAMING = (ast.Name, ast.Attribute)
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
    opaque = set(REGISTRIES.values())
    waiting = [_whole_module(root) if isinstance(root, str) else root for root in roots]
    texts: dict[str, str] = {}
    while waiting:
        found = waiting.pop()
        key = f"{found.module}:{found.name}"
        if key in texts or key in opaque or found.module in _TELLING:
            continue
        texts[key] = _text_of(found)
        waiting += _used(found, frozenset(packages))
    digest = hashlib.sha256()
    for key in sorted(texts):
        digest.update(f"{key}\n{texts[key]}\n".encode())
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


@cache
def _used(found: Definition, packages: frozenset[str]) -> tuple[Definition, ...]:
    """Definitions that a definition's code names: directly, or as an attribute of a module."""
    return tuple(_named(found, packages))


def _named(found: Definition, packages: frozenset[str]) -> Iterator[Definition]:
    names = dict(top_level(found.module))
    code = list(_walk(found.node))
    for node in code:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= imported(node, found.module)
    for path in sorted({tuple(_dotted(node)) for node in code if type(node) in _NAMING}):
        origin = names.get(path[0]) if path else None
        if isinstance(origin, tuple):
            followed = origin[0].partition(".")[0] in packages
            origin = _resolved(*origin, path[1:]) if followed else None
        if isinstance(origin, Definition):
            yield origin


def _dotted(node: ast.AST) -> list[str]:
    """Return ``a.b.c`` in code as its parts, nothing for any other expression."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    return [node.id, *parts] if isinstance(node, ast.Name) else []


def _resolved(module: str, name: str | None, attributes: Sequence[str]) -> Definition | None:
    """Return the definition behind ``name`` of a module, or behind attributes of a module."""
    path = [*([name] if name else []), *attributes]
    while path:
        first, *path = path
        found = definition(module, first)
        if found is not None:
            return found
        homes = _lazy_homes(module)
        if first in homes:
            return definition(homes[first], first)
        origin = top_level(module).get(first)
        if origin is None and not module_file(f"{module}.{first}"):
            return None
        if isinstance(origin, tuple):  # a module, imported by the package
            module = origin[0] if origin[1] is None else f"{origin[0]}.{origin[1]}"
        else:
            module = f"{module}.{first}"
    return None


@cache
def _text_of(found: Definition) -> str:
    return _text(found.node)


def _text(value: object) -> str:
    if isinstance(value, ast.AST):
        return f"{type(value).__name__}({','.join(map(_text, _fields(value)))})"
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
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
