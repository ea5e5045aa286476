"""Presets of views of texts. Each preset returns a list of `TextView`, one for each view, for `Views`.

Every preset takes `tokens`, the number of tokens of the views. Other knobs are keyword arguments and are checked for
their range.
"""

from sslzoo.catalog.checked import checked
from sslzoo.views.text import Delete, Span, TextView


@checked()
def simclr(tokens: int, deleted_share: float = 0.2, span_share: float = 0.7) -> list[TextView]:
    """Two views of one chain: a span of the text, in which words are deleted; after CLEAR (arXiv:2012.15466).

    Args:
        tokens: int, number of tokens of the views.
        deleted_share: float in [0, 1], probability that a token is deleted.
        span_share: float in [0, 1], share of the tokens of the text that are consecutive in a view.
    """
    return [TextView([Span(max(span_share, 1e-6)), Delete(deleted_share)], tokens)] * 2


@checked()
def whole(tokens: int, **knobs) -> list[TextView]:
    """The text as it is, for methods that hide or drop parts themselves, and a view that monitors compare it with.

    Args:
        tokens: int, number of tokens of the views.
        **knobs: deleted_share and span_share, of the second view.
    """
    return [TextView([], tokens), simclr(tokens, **knobs)[0]]
