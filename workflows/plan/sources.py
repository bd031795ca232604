"""The project's and the user's code as text, nothing imported.

The Snakefile must stay quick, so it learns from the source which functions a registry holds, what
they are passed, and which settings a function takes.
"""

from __future__ import annotations

import ast
import glob
import importlib.util
import os
import sys
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
    "prediction measure": "infotheo.study.measures:prediction_measures",
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
    keyword_only: bool = False


@dataclass(frozen=True)
class Passed:
    """What the functions of a registry are passed besides their settings, as it states itself."""

    positional: tuple[str, ...] = ()
    context: tuple[str, ...] = ()


@cache
def module_file(name: str) -> Path | None:
    """Return the source file of a module, importing nothing."""
    top, *rest = name.split(".")
    try:
        package = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if package is None:
        return None
    if not rest:
        return Path(package.origin) if package.origin and package.origin.endswith(".py") else None
    for folder in package.submodule_search_locations or ():
        path = Path(folder, *rest)
        for candidate in (path.with_name(f"{path.name}.py"), path / "__init__.py"):
            if os.path.isfile(candidate):  # of any name at all, too long ones as well
                return candidate
    return None


def exists(module: str) -> bool:
    """Return whether there is such a module, with or without source, importing nothing.

    Built-in and compiled modules, and what a module without folder holds (``os.path``), count.
    """
    top, *rest = module.split(".")
    try:
        package = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return False
    if package is None or not rest:
        return package is not None
    folders = package.submodule_search_locations
    if folders is None:
        return module in sys.modules
    *inner, last = rest
    return any(list(Path(folder, *inner).glob(f"{glob.escape(last)}.*")) for folder in folders)


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
    origin = names.get(name)
    if isinstance(origin, tuple):
        return _definition(origin[0], origin[1], seen) if origin[1] else None
    star = names.get("*")
    if origin is None and isinstance(star, tuple):
        return _definition(star[0], name, seen)
    return origin


@cache
def registered(kind: str) -> dict[str, Definition]:
    """Return the entries of a registry: name → definition."""
    module, call = _registry(kind)
    table = call.args[0] if call is not None and call.args else None
    entries: dict[str, Definition] = {}
    pairs = zip(table.keys, table.values, strict=True) if isinstance(table, ast.Dict) else ()
    for key, item in pairs:
        entry = definition(module, item.id) if isinstance(item, ast.Name) else None
        if entry is not None and isinstance(key, ast.Constant):
            assert isinstance(key.value, str)
            entries[key.value] = entry
    return entries


@cache
def passed(kind: str) -> Passed:
    """Return what a registry says that its functions are passed."""
    module, call = _registry(kind)
    stated = {keyword.arg: keyword.value for keyword in call.keywords} if call is not None else {}
    return Passed(
        **{
            name: tuple(ast.literal_eval(_value(stated[name], module)))
            for name in ("positional", "context")
            if name in stated
        }
    )


def passed_by_position(function: Definition) -> Passed:
    """Return what a script passes that calls this function itself: all but keywords."""
    known = (parameters(function) or {}).values()
    return Passed(tuple(parameter.name for parameter in known if not parameter.keyword_only))


def _registry(kind: str) -> tuple[str, ast.Call | None]:
    """Return the module of a registry and the call that makes it."""
    place, _, name = REGISTRIES[kind].partition(":")
    registry = definition(place, name)
    value = getattr(registry.node, "value", None) if registry is not None else None
    module = registry.module if registry is not None else place
    return module, value if isinstance(value, ast.Call) else None


def _value(node: ast.expr, module: str) -> ast.expr:
    """Return an expression, or what is assigned to the name that it is."""
    constant = definition(module, node.id) if isinstance(node, ast.Name) else None
    return getattr(constant.node, "value", node) if constant is not None else node


@cache
def parameters(function: Definition) -> dict[str, Parameter] | None:
    """Return the parameters of a function or class; ``None`` if they cannot be read."""
    node = function.node
    if isinstance(node, ast.Module):  # a definition and what the module does to it afterwards
        node = next((part for part in node.body if isinstance(part, _BINDS_ANEW)), node)
    if isinstance(node, ast.ClassDef):
        if any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
            return _fields(node)
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
            argument in arguments.kwonlyargs,
        )
        for argument, default in pairs
    }


def _fields(node: ast.ClassDef) -> dict[str, Parameter]:
    """Return the fields of a dataclass."""
    fields = {}
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            name, default = statement.target.id, _literal(statement.value)
            if isinstance(statement.value, ast.Call):  # field(default_factory=dict)
                made = {keyword.arg: keyword.value for keyword in statement.value.keywords}
                default = {"dict": {}, "list": []}[ast.unparse(made["default_factory"])]
            fields[name] = Parameter(name, ast.unparse(statement.annotation), default, True)
    return fields


def result_keys(function: Definition) -> list[str]:
    """Return the keys of the ``TypedDict`` that a function says it returns."""
    returns = getattr(function.node, "returns", None)
    result = definition(function.module, returns.id) if isinstance(returns, ast.Name) else None
    node = result.node if result is not None else None
    return list(_fields(node)) if isinstance(node, ast.ClassDef) else []


def summary(function: Definition) -> str:
    """Return the first sentence or line of a function's docstring."""
    node = function.node
    text = ast.get_docstring(node) if isinstance(node, ast.FunctionDef) else None
    return " ".join((text or function.name).partition("\n\n")[0].split())


def _literal(node: ast.expr | None) -> Any:
    if node is None:
        return REQUIRED
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)
