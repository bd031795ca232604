"""Formulas as MathML, which browsers draw themselves: no script, no font, no network.

The translator is the one of docutils; what it cannot read is a warning at the formula's place.
"""

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

logger = logging.getLogger(__name__)


def formula(self, node, as_block):
    """Write the formula and skip its children, which are its source text."""
    try:
        self.body.append(tex2mathml(node.astext(), as_block=as_block))
    except MathError as error:
        logger.warning("formula %r: %s", node.astext(), error, location=node)
        self.body.append(self.encode(node.astext()))
    raise nodes.SkipNode


def inline(self, node):
    """Write a formula within a line."""
    formula(self, node, as_block=False)


def display(self, node):
    """Write a formula on lines of its own."""
    self.body.append(self.starttag(node, "div", CLASS="formula"))
    try:
        formula(self, node, as_block=True)
    finally:
        self.body.append("</div>\n")


def setup(app):
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (inline, None), (display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
