"""Names of runs: readable, and ending in a hash of what the run is."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any


def canonical(value: Any) -> Any:
    """Return the value with sorted keys, whole floats of 64 bits as integers, tuples as lists.

    Examples
    --------
    >>> canonical({"b": 3.0, "a": (1, 2.5)})
    {'a': [1, 2.5], 'b': 3}
    """
    if isinstance(value, Mapping):
        return {key: canonical(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    # beyond 64 bits a whole number is none that NumPy takes: 1e20 stays a float
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return int(value)
    return value


def digest(value: Any, length: int = 8) -> str:
    """Return a short hash of the canonical value.

    Examples
    --------
    >>> digest({"a": 1, "b": 3.0}) == digest({"b": 3, "a": 1})
    True
    """
    text = json.dumps(canonical(value), separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def readable(*parts: str) -> str:
    """Join parts to a file name: letters, digits, ``-``, ``.`` and ``_`` only.

    Examples
    --------
    >>> readable("mnist", "mypackage.networks:Mine")
    'mnist-Mine'
    """
    return "-".join(re.sub(r"[^A-Za-z0-9._-]+", "_", part.rpartition(":")[2]) for part in parts)
