"""The package's version, looked up when it is first asked for: that alone costs 50 ms."""

from __future__ import annotations

from functools import cache

__all__ = ["package_version"]


@cache
def package_version() -> str:
    """Return the installed version, or "0+unknown" in a checkout that is not installed.

    Examples
    --------
    >>> package_version()[0].isdigit()
    True
    """
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("infotheo")
    except PackageNotFoundError:
        return "0+unknown"
