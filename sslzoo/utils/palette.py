"""Colours and dashes of curves that colour-vision deficiency does not confuse."""

# The palette of Okabe and Ito without yellow, which is hard to see on white.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000")
DASHES = ("", "6 3", "2 3", "9 3 2 3")  # of SVG


def line_style(number: int) -> tuple[str, str]:
    """Returns colour and dashes of a curve; the pair is unique among 28 curves."""
    return COLOURS[number % len(COLOURS)], DASHES[number // len(COLOURS) % len(DASHES)]
