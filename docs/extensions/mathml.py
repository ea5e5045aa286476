"""Formulas as MathML, which browsers draw themselves: the site needs neither a network nor a script for them."""

from docutils import nodes
from docutils.utils.math import MathError, latex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

log = logging.getLogger(__name__)


def mathml(latex: str, display: bool) -> str:
    """MathML of a formula.

    Raises:
        MathError: the formula has an unknown command.
    """
    return latex2mathml.tex2mathml(latex.strip(), as_block=display)


def inline(self, node: nodes.math) -> None:
    self.body.append(_written(node, display=False))
    raise nodes.SkipNode


def block(self, node: nodes.math_block) -> None:
    self.body.append(f'<div class="math-block">{_written(node, display=True)}</div>')
    raise nodes.SkipNode


def _written(node: nodes.Node, display: bool) -> str:
    try:
        return mathml(node.astext(), display)
    except MathError as error:
        log.warning("formula %r: %s", node.astext(), error, location=node)
        return f"<code>{node.astext()}</code>"


def setup(app: Sphinx) -> dict:
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
