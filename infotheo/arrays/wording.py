"""How an error message shows a value: in one short line, whatever the value is."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["describe"]

LONGEST = 60  # characters of a value in a message


def describe(value: Any) -> str:
    """Return a value's ``repr`` where that is short, else its type and shape.

    Examples
    --------
    >>> describe(2.5), describe("many"), describe(None)
    ('2.5', "'many'", 'None')
    >>> describe(np.zeros((24, 3))), describe({3: "x" * 100})
    ('an array of shape (24, 3)', 'a dict')
    """
    if isinstance(value, np.number):
        return str(value)
    kind = type(value).__name__
    if isinstance(value, list | tuple | dict | set | frozenset) and len(value) > LONGEST:
        return f"a {kind} of {len(value)}"
    try:  # a stranger's may do anything, and an integer be too long to print
        shape = getattr(value, "shape", None)
        text = "" if isinstance(shape, tuple) and shape else repr(value)
    except Exception:
        shape, text = None, ""
    if isinstance(shape, tuple) and shape:
        noun = "an array" if kind == "ndarray" else f"a {kind}"
        return f"{noun} of shape {tuple(shape)}"
    if not text or text[0] == "<" or "\n" in text:
        return f"a {kind}"
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}..." if isinstance(value, str | bytes) else f"a {kind}"
