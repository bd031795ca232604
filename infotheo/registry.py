"""Registries: functions by name, and what is passed to each of them besides its settings."""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])
Result = TypeVar("Result")


class Registry(dict[str, Function]):
    """Functions by name: a dictionary that also says how they are called.

    Parameters
    ----------
    functions
        The entries. Others can be set later, as in any dictionary.
    kind
        What is registered ("network", "data set", ...), for messages.
    positional
        What every function is passed first, in this order; its other parameters are settings.
    context
        What a function is passed by name where it has a parameter of that name.

    Examples
    --------
    >>> scalings = Registry({"double": lambda x: 2 * x}, kind="scaling", positional=("x",))
    >>> scalings["double"](3)
    6
    """

    def __init__(
        self,
        functions: Mapping[str, Function],
        *,
        kind: str,
        positional: tuple[str, ...] = (),
        context: tuple[str, ...] = (),
    ):
        super().__init__(functions)
        self.kind, self.positional, self.context = kind, positional, context


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest of ``known``, or an empty string."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def lookup(name: str, *registries: Registry[Function]) -> Function:
    """Return the function registered as ``name``, or imported from ``"package.module:function"``.

    Parameters
    ----------
    name
        A key of one of the registries, or a dotted path with a colon before the attribute.
    registries
        Where to look, one after another.

    Raises
    ------
    ValueError
        If the name is neither registered nor importable; names the nearest registered one.

    Examples
    --------
    >>> squares = Registry({"square": lambda x: x * x}, kind="function")
    >>> lookup("square", squares)(3)
    9
    """
    for registry in registries:
        if name in registry:
            return registry[name]
    kind = registries[0].kind
    if ":" not in name:
        known = [entry for registry in registries for entry in registry]
        raise ValueError(
            f"unknown {kind} {name!r}{nearest(name, known)}; expected one of "
            f"{', '.join(sorted(known))}, or a path like 'package.module:function'"
        )
    return cast(Function, import_function(name, kind))


def import_function(path: str, kind: str) -> Callable[..., Any]:
    """Return what ``"package.module:function"`` names.

    Parameters
    ----------
    path
        A module's name, a colon, and an attribute of it.
    kind
        What is imported ("network", "data set", ...), for the message.

    Raises
    ------
    ValueError
        If there is no such module or attribute.

    Examples
    --------
    >>> import_function("math:floor", "function")(2.5)
    2
    """
    module_name, _, attribute = path.partition(":")
    try:
        function: Callable[..., Any] = getattr(importlib.import_module(module_name), attribute)
    except ImportError as error:
        raise ValueError(f"{kind} {path!r} does not import: {error}") from error
    except AttributeError:
        raise ValueError(f"{kind} {path!r}: {module_name} has no {attribute!r}") from None
    return function


def bind(
    name: str,
    registry: Registry[Callable[..., Result]],
    settings: Mapping[str, Any],
    **context: Any,
) -> Callable[..., Result]:
    """Return the function of this name with all but its positional arguments filled in.

    Parameters
    ----------
    name, registry
        As for :func:`lookup`.
    settings
        Keyword arguments of the function. They come before the context of the same name.
    context
        What there is of the registry's ``context``.

    Examples
    --------
    >>> powers = Registry(
    ...     {"power": lambda x, *, exponent=2, base=0: base + x**exponent},
    ...     kind="power", positional=("x",), context=("base", "unit"),
    ... )
    >>> bind("power", powers, {"exponent": 3}, base=10, unit="nats")(2)
    18
    """
    function = lookup(name, registry)
    parameters = inspect.signature(function).parameters if registry.context else {}
    taken = {
        argument: value
        for argument, value in context.items()
        if argument in registry.context and argument in parameters
    }
    return partial(function, **{**taken, **settings})
