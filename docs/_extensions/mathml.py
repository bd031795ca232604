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


def write(self, node, display):
    """Write the formula and skip its children, which are its source text."""
    text = node.astext()
    written = convert(spaced(text), display=display)
    if unknown := re.search(r"\\\w+", written):
        logger.warning("formula %r: no MathML for %s", text, unknown[0], location=node)
    self.body.append(written)
    raise nodes.SkipNode


def inline(self, node):
    """Write a formula within a line."""
    write(self, node, "inline")


def block(self, node):
    """Write a formula on lines of its own."""
    self.body.append(self.starttag(node, "div", CLASS="formula"))
    try:
        write(self, node, "block")
    finally:
        self.body.append("</div>\n")


def setup(app):
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
