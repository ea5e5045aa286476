"""Tables as plain text."""

from collections.abc import Sequence


def text_table(lines: Sequence[Sequence]) -> str:
    """Lines of cells of any type as text: columns of equal width, two spaces apart.

    Args:
        lines: the head and the body, each line with the same number of cells.
    """
    texts = [[str(cell) for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in texts)
