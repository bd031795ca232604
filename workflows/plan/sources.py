"""Read the project's and the user's code without importing it.

The Snakefile must stay quick, so it learns from the source text which functions a registry holds,
which settings a function takes, and when code that a result depends on has changed.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

# Registries are looked into, never followed: a new entry changes no result of the others.
REGISTRIES = {
    "network": "infotheo.networks:networks",
    "data set": "infotheo.data:datasets",
    "regularizer": "infotheo.penalties:regularizers",
    "weight regularizer": "infotheo.weight_penalties:weight_regularizers",
    "network regularizer": "infotheo.training.objective:network_regularizers",
    "optimizer": "infotheo.training.optimizers:optimizers",
    "measure": "infotheo.measures:measures",
    "figure": "infotheo.figures:figures",
    "table": "infotheo.figures:tables",
}
_FOLLOWED_PACKAGES = {"infotheo", "workflows"}
REQUIRED = object()


@dataclass(frozen=True)
class Definition:
    """A function, class or assignment at the top level of a module."""

    module: str
    name: str
    node: ast.AST


@dataclass(frozen=True)
class Parameter:
    """One parameter of a function: its annotation as written and its literal default."""

    name: str
    annotation: str
    default: Any


@cache
def module_file(name: str) -> Path | None:
    """Return the source file of a module, importing nothing."""
    top, *rest = name.split(".")
    try:
        found = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if found is None:
        return None
    if not rest:
        return Path(found.origin) if found.origin and found.origin.endswith(".py") else None
    for folder in found.submodule_search_locations or ():
        path = Path(folder, *rest)
        for candidate in (path.with_suffix(".py"), path / "__init__.py"):
            if candidate.is_file():
                return candidate
    return None


@cache
def _tree(module: str) -> ast.Module | None:
    path = module_file(module)
    return ast.parse(path.read_text(encoding="utf-8"), str(path)) if path else None


@cache
def _top_level(module: str) -> dict[str, Definition | tuple[str, str | None]]:
    """Return what each top-level name of a module is: a definition, or (module, name) imported."""
    tree = _tree(module)
    names: dict[str, Definition | tuple[str, str | None]] = {}
    for node in tree.body if tree else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names[node.name] = Definition(module, node.name, node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    names[target.id] = Definition(module, target.id, node)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= _imported(node, module)
    return names


def _imported(
    node: ast.Import | ast.ImportFrom, module: str
) -> dict[str, Definition | tuple[str, str | None]]:
    if isinstance(node, ast.Import):
        return {alias.asname or alias.name: (alias.name, None) for alias in node.names}
    source = node.module or ""
    if node.level:
        path = module_file(module)
        is_package = path is not None and path.name == "__init__.py"
        base = module.split(".")[: len(module.split(".")) - node.level + is_package]
        source = ".".join([*base, *([source] if source else [])])
    return {alias.asname or alias.name: (source, alias.name) for alias in node.names}


def definition(module: str, name: str) -> Definition | None:
    """Return where a module's name is defined, through imports; ``None`` if nowhere in source."""
    found = _top_level(module).get(name)
    if isinstance(found, tuple):
        return definition(found[0], found[1]) if found[1] else None
    return found


def registered(kind: str) -> dict[str, Definition]:
    """Return the entries of a registry: name → definition."""
    module, _, name = REGISTRIES[kind].partition(":")
    registry = definition(module, name)
    if registry is None:
        return {}
    entries: dict[str, Definition] = {}
    value = registry.node.value  # type: ignore[attr-defined]
    for key, item in zip(value.keys, value.values, strict=True):
        found = definition(registry.module, item.id)
        if found is not None:
            entries[key.value] = found
    return entries


def parameters(found: Definition) -> dict[str, Parameter] | None:
    """Return the parameters of a function or class; ``None`` if they cannot be read."""
    node = found.node
    if isinstance(node, ast.ClassDef):
        inits = [n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
        if not inits:
            return None
        node, skip = inits[0], 1
    elif isinstance(node, ast.FunctionDef):
        skip = 0
    else:
        return None
    arguments = node.args
    if arguments.kwarg:
        return None
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    pairs = list(zip(positional, [*defaults, *arguments.defaults], strict=True))[skip:]
    pairs += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return {
        argument.arg: Parameter(
            argument.arg,
            ast.unparse(argument.annotation) if argument.annotation else "",
            _literal(default),
        )
        for argument, default in pairs
    }


def summary(found: Definition) -> str:
    """Return the first sentence or line of a function's docstring."""
    text = ast.get_docstring(found.node) if isinstance(found.node, ast.FunctionDef) else None
    return " ".join((text or found.name).partition("\n\n")[0].split())


def _literal(node: ast.expr | None) -> Any:
    if node is None:
        return REQUIRED
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)


def fingerprint(roots: Iterable[Definition | str]) -> str:
    """Return a hash of all code the roots depend on, blind to comments, docstrings and layout.

    A root is a definition, or a module's name for all of that module. Names are followed through
    the packages of this project and of the roots, not into other libraries.
    """
    return _fingerprint(tuple(roots))


@cache
def _whole_module(name: str) -> Definition:
    return Definition(name, "*", _tree(name) or ast.Module([], []))


@cache
def _fingerprint(roots: tuple[Definition | str, ...]) -> str:
    packages = _FOLLOWED_PACKAGES | {
        (root if isinstance(root, str) else root.module).partition(".")[0] for root in roots
    }
    opaque = set(REGISTRIES.values())
    waiting: list[Definition] = []
    texts: dict[str, str] = {}
    for root in roots:
        if isinstance(root, str):
            waiting.append(_whole_module(root))
        else:
            waiting.append(root)
    while waiting:
        found = waiting.pop()
        key = f"{found.module}:{found.name}"
        if key in texts or key in opaque:
            continue
        texts[key] = _meaning(found)
        waiting += _used(found, frozenset(packages))
    digest = hashlib.sha256()
    for key in sorted(texts):
        digest.update(f"{key}\n{texts[key]}\n".encode())
    return digest.hexdigest()[:16]


@cache
def _used(found: Definition, packages: frozenset[str]) -> tuple[Definition, ...]:
    """Definitions that a definition's code names: directly, or as an attribute of a module."""
    return tuple(_named(found, packages))


def _named(found: Definition, packages: frozenset[str]) -> Iterator[Definition]:
    names = dict(_top_level(found.module))
    for node in ast.walk(found.node):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= _imported(node, found.module)
    for node in ast.walk(found.node):
        if isinstance(node, ast.Name):
            used, attribute = names.get(node.id), None
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            used, attribute = names.get(node.value.id), node.attr
        else:
            continue
        if isinstance(used, tuple):
            used = _resolved(*used, attribute) if used[0].partition(".")[0] in packages else None
        if isinstance(used, Definition):
            yield used


def _resolved(module: str, name: str | None, attribute: str | None) -> Definition | None:
    """Return the definition behind ``name`` of a module, or ``attribute`` of a module imported."""
    if name is None:
        return definition(module, attribute) if attribute else None
    submodule = f"{module}.{name}"
    if attribute and name not in _top_level(module) and module_file(submodule):
        return definition(submodule, attribute)
    return definition(module, name)


@cache
def _meaning(found: Definition) -> str:
    """Return the code as a tree without positions and docstrings."""
    copy = ast.parse(ast.unparse(found.node))
    for inner in ast.walk(copy):
        if isinstance(inner, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            body = inner.body
            if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
                inner.body = body[1:] or [ast.Pass()]
    return ast.dump(copy)
