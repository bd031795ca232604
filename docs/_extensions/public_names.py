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
    ['infotheo.estimators.pairwise.bounds.MixtureEntropy']
    """
    home = importlib.import_module(infotheo._HOMES[name])
    text = inspect.getdoc(getattr(infotheo, name)) or ""
    returns = re.search(r"\nReturns\n-+\n(.*?)\n\n", text + "\n\n", re.DOTALL)
    words = re.findall(r"\w+", returns[1] if returns else "")
    found = []
    for word in words:  # grows: a result may hold named tuples of its own
        value = getattr(home, word, None)
        if inspect.isclass(value) and issubclass(value, tuple) and hasattr(value, "_fields"):
            found.append(f"{value.__module__}.{word}")
            words += re.findall(r"\w+", " ".join(map(str, value.__annotations__.values())))
    return list(dict.fromkeys(found))


def resolve_by_last_word(app, env, node, contnode):
    """Resolve a reference to a name's home, or within one, to where the name is documented."""
    if node.get("refdomain") != "py":
        return None
    if node["reftype"] == "mod" and node["reftarget"].startswith("infotheo."):
        importlib.import_module(node["reftarget"])  # it has no page, but it has to exist
        return contnode
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
    shown, results = set(), {}
    for name in infotheo._HOMES:
        if inspect.isfunction(getattr(infotheo, name)):
            own = [result for result in results_of(name) if result not in shown]
            results[f"infotheo.{name}"] = own  # a result of two functions is on the first's page
            shown.update(own)
    app.config.autosummary_context["results"] = results
    app.connect("missing-reference", resolve_by_last_word, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
