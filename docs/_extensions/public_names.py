"""Public names live in ``infotheo``, their code elsewhere: links and result types follow them."""

import importlib
import inspect
import re

from sphinx.util.nodes import make_refnode

import infotheo


def results_of(name):
    """Full names of the named tuples that the docstring of a public function says it returns.

    Parameters
    ----------
    name
        A name of ``infotheo``.

    Examples
    --------
    >>> results_of("mixture_entropy")
    ['infotheo.information.pairwise.MixtureEntropy']
    """
    home = importlib.import_module(infotheo._HOMES[name])
    text = inspect.getdoc(getattr(infotheo, name)) or ""
    returns = re.search(r"\nReturns\n-+\n(.*?)\n\n", text + "\n\n", re.DOTALL)
    words = dict.fromkeys(re.findall(r"\w+", returns[1] if returns else ""))
    values = {word: getattr(home, word, None) for word in words}
    return [
        f"{value.__module__}.{word}"
        for word, value in values.items()
        if inspect.isclass(value) and issubclass(value, tuple) and hasattr(value, "_fields")
    ]


def resolve_by_last_word(app, env, node, contnode):
    """Resolve a reference to a name's home, or within one, to where the name is documented."""
    if node.get("refdomain") != "py":
        return None
    domain = env.get_domain("py")
    last = node["reftarget"].rpartition(".")[2]
    found = {
        name: entry for name, entry in domain.objects.items() if name.rpartition(".")[2] == last
    }
    if len(found) != 1:
        return None
    (entry,) = found.values()
    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, contnode)


def setup(app):
    """Hand the results to the page template, and take part in resolving references."""
    names = [name for name in infotheo._HOMES if callable(getattr(infotheo, name))]
    context = app.config.autosummary_context
    context["results"] = {f"infotheo.{name}": results_of(name) for name in names}
    app.connect("missing-reference", resolve_by_last_word, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
