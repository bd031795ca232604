"""A study's configuration put together, and which file or argument stated what of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflows.plan.errors import ConfigError
from workflows.plan.extends import extended
from workflows.plan.reading import COMMAND_LINE, check_bounded, read_arguments, read_config, update


@dataclass(frozen=True)
class Configuration:
    """What several files and the command line come to."""

    config: dict[str, Any]
    file: str  # the last one on the command line, for messages
    stated: Sequence[tuple[str, Mapping[str, Any]]]  # what counts first comes first
    files: Sequence[Path]

    def name_source(self, error: ConfigError) -> ConfigError:
        """Return the error with the source that its key comes from, in place of the main file."""
        start = f"{self.file}: "
        line = str(error)
        if not line.startswith(start):
            return error
        line = line.removeprefix(start)
        depths = [_depth(line, keys) for _, keys in self.stated]
        if not any(depths):
            return error
        source, _ = self.stated[depths.index(max(depths))]
        return ConfigError(f"{source}: {line}")


def read_configuration(
    files: Sequence[str | Path], arguments: Iterable[str] | Mapping[str, Any] = ()
) -> Configuration:
    """Read a study's files, what they extend, and what the command line changes.

    Parameters
    ----------
    files
        At least one; a later one changes the earlier ones, mappings key by key.
    arguments
        ``key=value`` as after ``--config``, or what it was read to.

    Raises
    ------
    ConfigError
        If one of them cannot be read.
    """
    last = str(files[-1])
    stated = [(str(file), read_config(Path(file))) for file in files]
    given = dict(arguments) if isinstance(arguments, Mapping) else read_arguments(arguments)
    check_bounded(given, COMMAND_LINE)
    stated.append((COMMAND_LINE, given))
    config: dict[str, Any] = {}
    for _, changes in stated:
        update(config, changes)
    stating = [source for source, changes in stated if "extends" in changes]
    extending = stating[-1] if stating and stating[-1] != COMMAND_LINE else last
    completed, bases = extended(config, extending)
    stated = [*reversed(stated), *((str(path), base) for path, base in bases.items())]
    return Configuration(completed, last, stated, [*map(Path, files), *bases])


def _depth(text: str, keys: Any) -> int:
    """Return how many keys of a path that a text starts with, ``a.b.c: …``, are stated."""
    depths = [0]
    for key, value in keys.items() if isinstance(keys, Mapping) else ():
        rest = text.removeprefix(str(key))
        if rest != text and rest[:1] in (".", ":", ""):
            depths.append(1 + _depth(rest[1:], value))
    return max(depths)
