"""The one error a bad configuration raises."""

from __future__ import annotations

import re

_LONGEST = 100


class ConfigError(Exception):
    """One line: the file, the key, what was found and what is expected."""

    def __init__(self, line: str):
        super().__init__(re.sub(r"\s*[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]\s*", " ", line))


def shown(value: object) -> str:
    """Return a value as a message shows it: what is longer than a line is cut.

    Examples
    --------
    >>> shown("four")
    "'four'"
    >>> len(shown([1] * 1000))
    100
    """
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
