"""The one error a bad configuration raises."""


class ConfigError(Exception):
    """One line: the file, the key, what was found and what is expected."""
