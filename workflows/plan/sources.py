"""Read the project's and the user's code without importing it.

The Snakefile must stay quick, so it learns from the source text which functions a registry holds
and which settings a function takes.
"""

from __future__ import annotations

import ast
import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from workflows.plan.errors import ConfigError

# Registries are looked into, never followed: a new entry changes no result of the others.
REGISTRIES = {
    "network": "infotheo.networks:networks",
    "data set": "infotheo.data:datasets",
    "regularizer": "infotheo.penalties:regularizers",
    "weight regularizer": "infotheo.penalties.weights:weight_regularizers",
    "network regularizer": "infotheo.penalties.loss_term:network_regularizers",
    "optimizer": "infotheo.training.optimizers:optimizers",
    "augmentation": "infotheo.data.augmentation:augmentations",
    "measure": "infotheo.study.measures:measures",
    "network measure": "infotheo.study.measures.networks:network_measures",
    "figure": "infotheo.study.figures:figures",
    "table": "infotheo.study.tables:tables",
    "animation": "infotheo.study.figures:animations",
}
REQUIRED = object()


@dataclass(frozen=True)
class Definition:
    """A function, class or assignment at the top level of a module."""

    module: str
    name: str
    node: ast.AST


# What a name stands for: its definition, or the module and name (None: the module) imported.
Origin = Definition | tuple[str, str | None]
_BINDS_ANEW = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


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
def tree_of(module: str) -> ast.Module | None:
    """Return a module's code, or ``None`` if it has no source."""
    path = module_file(module)
    if path is None:
        return None
    try:
        return ast.parse(path.read_text(encoding="utf-8"), str(path))
    except (SyntaxError, ValueError, OSError) as error:
        line = getattr(error, "lineno", None)
        where = f"{path}, line {line}" if line else str(path)
        raise ConfigError(f"{where}: cannot be read as Python: {error.args[0]}") from None


@cache
def top_level(module: str) -> dict[str, Origin]:
    """Return what each top-level name of a module is: a definition, or (module, name) imported."""
    tree = tree_of(module)
    names: dict[str, Origin] = {}
    for statement in tree.body if tree else ():
        for name, origin in _bound(statement, module).items():
            before = names.get(name)
            redefined = isinstance(statement, _BINDS_ANEW)
            if isinstance(before, Definition) and isinstance(origin, Definition) and not redefined:
                # a table filled line by line, a name that depends on a condition: all of it counts
                origin = Definition(module, name, _together(before.node, statement))
            names[name] = origin
    return names


def _together(before: ast.AST, statement: ast.stmt) -> ast.Module:
    earlier = before.body if isinstance(before, ast.Module) else [before]
    return ast.Module([*earlier, statement], [])


def _bound(statement: ast.stmt, module: str) -> dict[str, Origin]:
    """Return the names that a top-level statement binds, or changes in place."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return imported(statement, module)
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name: Definition(module, statement.name, statement)}
    names: dict[str, Origin] = {}
    for node in ast.walk(statement):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= imported(node, module)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names[node.name] = Definition(module, node.name, statement)
        elif isinstance(node, ast.Name | ast.Subscript | ast.Attribute) and isinstance(
            node.ctx, ast.Store
        ):
            target: ast.AST = node
            while isinstance(target, ast.Subscript | ast.Attribute):
                target = target.value
            if isinstance(target, ast.Name):
                names[target.id] = Definition(module, target.id, statement)
    return names


def imported(node: ast.Import | ast.ImportFrom, module: str) -> dict[str, Origin]:
    """Return the names that an import in this module binds."""
    if isinstance(node, ast.Import):
        return {
            alias.asname or alias.name.partition(".")[0]: (
                alias.name if alias.asname else alias.name.partition(".")[0],
                None,
            )
            for alias in node.names
        }
    source = node.module or ""
    if node.level:
        path = module_file(module)
        is_package = path is not None and path.name == "__init__.py"
        base = module.split(".")[: len(module.split(".")) - node.level + is_package]
        source = ".".join([*base, *([source] if source else [])])
    return {alias.asname or alias.name: (source, alias.name) for alias in node.names}


def definition(module: str, name: str) -> Definition | None:
    """Return where a module's name is defined, through imports; ``None`` if nowhere in source."""
    return _definition(module, name, frozenset())


def _definition(module: str, name: str, seen: frozenset[tuple[str, str]]) -> Definition | None:
    if (module, name) in seen:  # two modules that import from one another
        return None
    seen |= {(module, name)}
    names = top_level(module)
    found = names.get(name)
    if isinstance(found, tuple):
        return _definition(found[0], found[1], seen) if found[1] else None
    star = names.get("*")
    if found is None and isinstance(star, tuple):
        return _definition(star[0], name, seen)
    return found


def registered(kind: str) -> dict[str, Definition]:
    """Return the entries of a registry: name → definition."""
    module, _, name = REGISTRIES[kind].partition(":")
    registry = definition(module, name)
    if registry is None:
        return {}
    entries: dict[str, Definition] = {}
    table = getattr(registry.node, "value", None)
    pairs = zip(table.keys, table.values, strict=True) if isinstance(table, ast.Dict) else ()
    for key, item in pairs:
        found = definition(registry.module, item.id) if isinstance(item, ast.Name) else None
        if found is not None and isinstance(key, ast.Constant):
            assert isinstance(key.value, str)
            entries[key.value] = found
    return entries


def parameters(found: Definition) -> dict[str, Parameter] | None:
    """Return the parameters of a function or class; ``None`` if they cannot be read."""
    node = found.node
    if isinstance(node, ast.Module):  # a definition and what the module does to it afterwards
        node = next((part for part in node.body if isinstance(part, _BINDS_ANEW)), node)
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
