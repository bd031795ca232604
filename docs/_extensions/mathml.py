r"""Formulas as MathML, which browsers draw themselves: no script, no font, no network.

A command that the translator does not know is a warning at the formula's place.
"""

import re

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.util import logging

logger = logging.getLogger(__name__)

FUNCTION = r"\\(?:ln|log|exp|det|dim)\b"


def spaced(formula):
    r"""Put the thin spaces around ln and its like that TeX makes by itself.

    Examples
    --------
    >>> spaced(r"d \ln 2 - \ln(2) + \ln\frac12")
    'd\\,\\ln\\,2 - \\ln(2) + \\ln\\,\\frac12'
    """
    formula = re.sub(rf"(?<=[\w}})])\s*(?={FUNCTION})", r"\\,", formula)
    return re.sub(rf"({FUNCTION})\s*(?=[\w\\])(?!\\left)", r"\1\\,", formula)


def aligned(formula):
    r"""Say by an environment that lines are aligned, as Sphinx's other renderers do.

    Examples
    --------
    >>> aligned("a &= b")
    '\\begin{split}a &= b\\end{split}'
    """
    if not re.search(r"&|\\\\", formula) or formula.startswith(r"\begin"):
        return formula
    return rf"\begin{{split}}{formula}\end{{split}}"


def write(self, node, text, display):
    """Write one formula."""
    written = convert(spaced(text), display=display)
    if unknown := re.search(r"\\\w+", written):
        logger.warning("formula %r: no MathML for %s", text, unknown[0], location=node)
    self.body.append(written)


def inline(self, node):
    """Write a formula within a line; its children are its source text."""
    write(self, node, node.astext(), "inline")
    raise nodes.SkipNode


def block(self, node):
    """Write formulas on lines of their own; a blank line is between two of them."""
    self.body.append(self.starttag(node, "div", CLASS="formula"))
    for text in re.split(r"\n\s*\n", node.astext().strip()):
        write(self, node, aligned(text), "block")
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app):
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
