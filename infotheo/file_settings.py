"""Settings that name files: those that a function annotates as ``Path``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["names_file", "with_paths"]


def names_file(annotation: str) -> bool:
    """Return whether a parameter of this annotation names a file or folder, or a list of them.

    Examples
    --------
    >>> names_file("Path | None"), names_file("Sequence[pathlib.Path]"), names_file("str")
    (True, True, False)
    """
    return re.search(r"\bPath\b", annotation) is not None


def with_paths(function: Callable[..., Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings, those that name files as paths, ``~`` expanded.

    Examples
    --------
    >>> def read(path: Path, name: str = ""): ...
    >>> settings = with_paths(read, {"path": "points.csv", "name": "x"})
    >>> settings["path"].suffix, settings["name"]
    ('.csv', 'x')
    """
    converted = dict(settings)
    for name, parameter in inspect.signature(function).parameters.items():
        annotation = parameter.annotation
        text = annotation if isinstance(annotation, str) else repr(annotation)
        value = settings.get(name)
        if annotation is Path or names_file(text):
            if isinstance(value, str):
                converted[name] = Path(value).expanduser()
            elif isinstance(value, list):
                converted[name] = [Path(item).expanduser() for item in value]
    return converted
