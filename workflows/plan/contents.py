"""What the files hold that a data set is read from: part of what the data set is.

A data set function of the user's declares them by its settings: one that is annotated ``Path``
names a file, or a folder with all files in it. So does a text that happens to name a file.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from infotheo.file_settings import names_file
from infotheo.whole_files import partial_file
from workflows.plan.errors import ConfigError
from workflows.plan.identity import digest
from workflows.plan.sources import REQUIRED, Definition, Parameter, parameters

__all__ = ["CONTENTS", "file_contents"]

# the key of a data set's specification; no setting is called so, for it is no name in Python
CONTENTS = "file contents"
_CACHE = ".contents.json"


def file_contents(
    settings: Mapping[str, Any], function: Definition, key: str, cache: Path
) -> dict[str, str]:
    """Return a hash of what each setting's files hold.

    Parameters
    ----------
    settings
        What the configuration gives; paths are relative to the working directory.
    function
        The data set's function.
    key
        Where in the configuration the settings stand.
    cache
        A folder; hashes are kept there, by path, size and time of modification, if it exists.

    Raises
    ------
    ConfigError
        If a file that the function declares is not there or cannot be read.
    """
    contents = {}
    known = _Known(cache)
    for name, parameter in (parameters(function) or {}).items():
        value = settings.get(name, _default(parameter))
        declared = names_file(parameter.annotation)
        texts = value if isinstance(value, list) else [value]
        hashes = []
        for text in texts:
            if declared and value is not None and not isinstance(text, str):
                raise ConfigError(f"{key}.{name}: found {text!r}, expected the path of a file")
            if not isinstance(text, str):
                continue
            path = Path(text).expanduser()
            if declared and not path.exists():
                raise ConfigError(
                    f"{key}.{name}: found {text!r}, but there is no such file or folder in "
                    f"{Path.cwd()}"
                )
            if declared or _is_file(path):
                hashes.append(_hash(path, known, f"{key}.{name}"))
        if hashes:
            contents[name] = hashes[0] if len(hashes) == 1 else digest(hashes, 16)
    known.save()
    return contents


def _default(parameter: Parameter) -> Any:
    """Return a literal default, or the text in ``Path("text")``."""
    default = parameter.default
    if default is REQUIRED or not isinstance(default, str):
        return None if default is REQUIRED else default
    if not default.startswith(("Path(", "pathlib.Path(")):
        return default
    call = ast.parse(default, mode="eval").body
    argument = call.args[0] if isinstance(call, ast.Call) and len(call.args) == 1 else None
    return argument.value if isinstance(argument, ast.Constant) else default


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long for a name, or a zero byte in it: any other text
        return False


def _hash(path: Path, known: _Known, key: str) -> str:
    try:
        if not path.is_dir():
            return known.hash(path)
        names = sorted(file.relative_to(path).as_posix() for file in _files(path))
        return digest([[name, known.hash(path / name)] for name in names], 16)
    except OSError as error:
        raise ConfigError(
            f"{key}: {error.filename or path} cannot be read: {error.strerror or error}"
        ) from None


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


class _Known:
    """Hashes of files as they were when last looked at."""

    def __init__(self, folder: Path):
        self._file = folder / _CACHE
        try:
            self._before = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # none yet, or damaged: files are read again
            self._before = {}
        self._now = dict(self._before) if isinstance(self._before, dict) else {}

    def hash(self, path: Path) -> str:
        """Return the hash of a file's content, from the cache if the file was not touched."""
        name, status = str(path.resolve()), path.stat()
        state = [status.st_size, status.st_mtime_ns]
        entry = self._now.get(name)
        if isinstance(entry, list) and entry[:2] == state:
            return str(entry[2])
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()[:16]
        self._now[name] = [*state, content]
        return content

    def save(self) -> None:
        """Keep the hashes for the next time, where the folder is there and may be written."""
        folder = self._file.parent
        if self._now == self._before or not os.access(folder, os.W_OK | os.X_OK):
            return
        with partial_file(self._file) as partial:
            partial.write_text(json.dumps(self._now), encoding="utf-8")
