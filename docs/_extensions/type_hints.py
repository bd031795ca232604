"""Type hints that name xarray, which the library imports only once it has a result to label."""

import importlib

import xarray

import infotheo


def setup(app):
    """Let autodoc evaluate the hints: a module that does not import xarray knows it as ``xr``."""
    for home in set(infotheo._HOMES.values()):
        vars(importlib.import_module(home)).setdefault("xr", xarray)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
