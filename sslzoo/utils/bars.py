"""Progress bars: on terminals and in notebooks; long work shows a line now and then elsewhere."""

import sys
from collections.abc import Iterable

from tqdm.auto import tqdm


def bar(items: Iterable | None = None, what: str = "", total: int | None = None, unit: str = "it") -> tqdm:
    """A bar that is shown on terminals and in notebooks, and removed at its end.

    Args:
        items: to iterate over; None for a bar that is updated by hand.
        what: text in front of the bar.
        total: number of items, if `items` has no length.
        unit: name of an item.
    """
    return tqdm(items, what, total, leave=False, unit=unit, disable=not (sys.stderr.isatty() or in_notebook()))


def progress(items: Iterable | None, what: str, count: int) -> tqdm:
    """The items, with a bar on standard error if they take longer than a second; 10 seconds without a terminal.

    Without items, the bar is updated by hand.
    """
    quick = sys.stderr.isatty() or in_notebook()
    return tqdm(items, what, count, leave=False, delay=1 if quick else 10, mininterval=0.2 if quick else 30)


def in_notebook() -> bool:
    """Whether bars are widgets of a notebook."""
    return any(cls.__module__ == "tqdm.notebook" for cls in tqdm.__mro__)
