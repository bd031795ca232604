"""Docstrings as a page shows them: with the imports that their examples need, and stars escaped.

In a docstring an example uses its module's names. Who copies it from a page has to import them.
"""

import ast
import builtins
import doctest
import inspect
import re
import sys
import types

import infotheo


def imports_for(docstring, module):
    """Lines that import what a docstring's examples take from the module they stand in.

    Parameters
    ----------
    docstring
        Text with doctest examples.
    module
        The module whose names the examples use.

    Returns
    -------
    list of str
        Import statements, those of packages first; public names come from ``infotheo``.

    Examples
    --------
    >>> imports_for(">>> float(np.log(fano_error_bound(2.0, 10)))", infotheo.estimators.prediction)
    ['import numpy as np', 'from infotheo import fano_error_bound']
    """
    examples = doctest.DocTestParser().get_examples(docstring)
    tree = ast.parse("".join(example.source for example in examples))
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    stored = {node.id for node in nodes if isinstance(node.ctx, ast.Store)}
    stored |= {
        alias.asname or alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            stored.add(node.name)
        elif isinstance(node, ast.arg):
            stored.add(node.arg)
    packages, names = [], {}
    for name in sorted({node.id for node in nodes} - stored - set(dir(builtins))):
        value = getattr(module, name)
        if isinstance(value, types.ModuleType):
            as_name = "" if value.__name__ == name else f" as {name}"
            packages.append(f"import {value.__name__}{as_name}")
        else:
            home = getattr(value, "__module__", module.__name__)
            names.setdefault("infotheo" if name in infotheo._HOMES else home, []).append(name)
    return packages + [f"from {home} import {', '.join(found)}" for home, found in names.items()]


def escape(app, what, name, obj, options, lines):
    """Escape what reads well in a docstring and means something else to Sphinx.

    That is the star of a shape like (*batch, K), and the bars of |x| outside of code and formulas.
    """
    for row, line in enumerate(lines):
        parts = re.split(r"(`[^`]*`)", re.sub(r"(?<!`)\(\*(?=\w)", r"(\\*", line))
        parts[::2] = [re.sub(r"\|(?=\S*\|)|(?<=\S)\|", r"\\|", part) for part in parts[::2]]
        lines[row] = "".join(parts)


def add_imports(app, what, name, obj, options, lines):
    """Put the imports before the first example of a docstring."""
    code = inspect.unwrap(obj) if callable(obj) else obj
    module = sys.modules.get(getattr(code, "__module__", None))
    first = next((row for row, line in enumerate(lines) if line.lstrip().startswith(">>> ")), None)
    if first is None or module is None:
        return
    indent = re.match(r"\s*", lines[first])[0]
    lines[first:first] = [f"{indent}>>> {line}" for line in imports_for("\n".join(lines), module)]


def setup(app):
    """Act on docstrings before their sections are translated."""
    app.connect("autodoc-process-docstring", add_imports, priority=100)
    app.connect("autodoc-process-docstring", escape, priority=101)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
