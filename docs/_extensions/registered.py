"""The reference of a registry, read from the registry: a table of its names, then each function."""

import importlib

from sphinx.util.docutils import SphinxDirective


def reference(entries):
    """Lines of a table of names and functions, and of what autodoc says of each function.

    Parameters
    ----------
    entries
        Functions by name.

    Examples
    --------
    >>> from infotheo.penalties import regularizers
    >>> lines = reference(regularizers)
    >>> lines[-1]
    '.. autofunction:: infotheo.penalties.rank.class_wise_rank_penalty'
    """
    places = {name: f"{entry.__module__}.{entry.__qualname__}" for name, entry in entries.items()}
    rows = ["name,function", *(f"{name},:func:`~{place}`" for name, place in places.items())]
    table = [".. csv-table::", "   :header-rows: 1", "", *(f"   {row}" for row in rows), ""]
    return [*table, *(f".. autofunction:: {place}" for place in dict.fromkeys(places.values()))]


class Registered(SphinxDirective):
    """``.. registered:: package.module:dictionary``."""

    required_arguments = 1

    def run(self):
        """Return the nodes of the reference."""
        module, _, name = self.arguments[0].partition(":")
        entries = getattr(importlib.import_module(module), name)
        return self.parse_text_to_nodes("\n".join(reference(entries)))


def setup(app):
    """Add the directive."""
    app.add_directive("registered", Registered)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
