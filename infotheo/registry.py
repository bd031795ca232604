"""Functions by their registered names, or by dotted paths into the user's own package."""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest of ``known``, or an empty string."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def takes_setting(function: Callable[..., Any], name: str) -> bool:
    """Return whether a function has a parameter of this name.

    Examples
    --------
    >>> takes_setting(lookup, "kind")
    True
    """
    parameters = inspect.signature(function).parameters
    return name in parameters or any(
        parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()
    )


def lookup(name: str, registry: Mapping[str, Callable[..., Any]], kind: str) -> Callable[..., Any]:
    """Return the function registered as ``name``, or imported from ``"package.module:function"``.

    Parameters
    ----------
    name
        A key of ``registry``, or a dotted path with a colon before the attribute.
    registry
        Plain dictionary of functions.
    kind
        What is looked up ("network", "data set", ...), for the message.

    Raises
    ------
    ValueError
        If the name is neither registered nor importable; names the nearest registered one.

    Examples
    --------
    >>> lookup("square", {"square": lambda x: x * x}, "function")(3)
    9
    """
    if name in registry:
        return registry[name]
    if ":" not in name:
        raise ValueError(
            f"unknown {kind} {name!r}{nearest(name, registry)}; expected one of "
            f"{', '.join(sorted(registry))}, or a path like 'package.module:function'"
        )
    module_name, _, attribute = name.partition(":")
    try:
        function: Callable[..., Any] = getattr(importlib.import_module(module_name), attribute)
    except ImportError as error:
        raise ValueError(f"{kind} {name!r} does not import: {error}") from error
    except AttributeError:
        raise ValueError(f"{kind} {name!r}: {module_name} has no {attribute!r}") from None
    return function
