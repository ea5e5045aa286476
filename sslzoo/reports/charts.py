"""Charts and sheets of images as PNG bytes: axes with units, colours safe for colour-vision deficiency."""

import io
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from sslzoo.utils.plots import COLOURS, GRAY, MARKERS, class_style, plain

STYLES = {"trained": (COLOURS[0], "o", "-"), "untrained": (COLOURS[1], "s", "--"), "raw pixels": (GRAY, "^", ":")}
STYLES["start"] = STYLES["untrained"]
WIDTH = 9.7  # inches of a figure at most: the width of the page, so that the browser does not shrink the text
NAMED = 40  # classes whose names fit along a matrix


def style(name: str, number: int = 0) -> tuple[str, str, str]:
    """Colour, marker and dashes of a column; all untrained encoders look alike.

    Args:
        name: of the column or encoder.
        number: chooses a style for other names.
    """
    known = next((look for start, look in STYLES.items() if name.startswith(start)), None)
    return known or (COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)], "-")


def png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110)
    return file.getvalue()


def panels(
    titles: Sequence[str],
    draw: Callable,
    xlabel: str = "",
    ylabel: str = "",
    width: float = 3.2,
    height: float | None = None,
) -> bytes:
    """One or more rows of panels; `draw(axes, title)` fills each.

    Args:
        titles: of the panels.
        draw: draws one panel.
        xlabel, ylabel: of the axes, with units; left to `draw` if empty.
        width, height: of a panel, inches; a little wider than high if only the width is given. A row has as many
            panels as fit into WIDTH.
    """
    columns = max(1, min(int(WIDTH / width), len(titles)))
    rows = -(-len(titles) // columns)
    figure = Figure(figsize=(width * columns, (height or 0.92 * width) * rows), layout="constrained")
    every = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, title in zip(every, titles, strict=False):
        axes.set_title(title, fontsize=10)
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        draw(axes, title)
    for axes in every[len(titles) :]:
        axes.set_axis_off()
    return png(figure)


def lines(
    axes, series: Mapping[str, tuple[Sequence, Sequence]], log: bool = False, markers: bool = True, legend: bool = True
) -> None:
    """A curve (xs, ys) for each name, in the style of that name."""
    for number, (name, (xs, ys)) in enumerate(series.items()):
        colour, marker, dash = style(name, number)
        axes.plot(xs, ys, dash, color=colour, marker=marker if markers else None, ms=4.5, lw=1.6, label=name)
    if log:
        axes.set_xscale("log")
        axes.set_yscale("log")
    axes.grid(alpha=0.3)
    if legend:
        axes.legend(fontsize=8)


def from_chance(axes, chance: float, *values) -> None:
    """Lets the accuracy axis start at chance, or at the lowest value if that is lower; marks chance by a line.

    Args:
        axes: of a chart of accuracies in per cent.
        chance: accuracy of guessing, in per cent.
        values: all accuracies of the chart, arrays in per cent.
    """
    least = min([chance, *(float(np.min(some)) for some in values)])
    axes.set_ylim(least - 0.03 * (100 - least), 101)
    axes.axhline(chance, color="black", lw=0.8, ls=(0, (1, 2)))
    axes.text(0.01, chance, "chance", fontsize=7, va="bottom", transform=axes.get_yaxis_transform())


def classes(axes, points: np.ndarray, labels: np.ndarray, names: Sequence[str], legend: bool) -> None:
    """Points (n, 2) in the colour and marker of their class."""
    drawn = {}
    for number, label in enumerate(np.unique(labels)):
        size = max(8, 4000 / len(points))
        some = points[labels == label]
        drawn[plain(names[label], 22)] = axes.scatter(*some.T, s=size, alpha=0.65, lw=0, **class_style(number))
    if legend and 1 < len(drawn) <= NAMED:
        place = dict(loc="outside lower center", ncols=min(len(drawn), 7))
        axes.figure.legend(drawn.values(), drawn.keys(), fontsize=8, markerscale=2, **place)


def matrix(axes, values: np.ndarray, names: Sequence[str]) -> None:
    """A square table of percentages (classes, classes) whose rows sum to 100; those of 1 % and more are written."""
    axes.imshow(values, cmap="Blues", vmin=0, vmax=100)
    shown = [plain(name, 20) for name in names]
    if len(names) <= NAMED:
        axes.set_xticks(range(len(names)), shown, rotation=45, ha="right", rotation_mode="anchor", fontsize=8)
        axes.set_yticks(range(len(names)), shown, fontsize=8)
    for row, column in np.argwhere(values >= 1) if len(names) <= NAMED else ():
        value = values[row, column]
        colour = "white" if value > 55 else "black"
        axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=7, color=colour)


def matrix_width(names: Sequence[str]) -> float:
    """Inches of a panel in which `matrix` is readable."""
    longest = max(len(plain(name, 20)) for name in names)
    return min(WIDTH, max(3.2, 0.25 * min(len(names), NAMED) + 0.075 * longest + 0.75))


def sheet(
    cells: Sequence[Sequence[np.ndarray | Callable | None]],
    row_titles: Sequence[str] = (),
    column_titles: Sequence[str] = (),
    captions: Mapping[tuple[int, int], tuple[str, str]] | None = None,
    cell: float = 0.85,
    gap: float = 0.01,
) -> bytes:
    """Images in rows and columns.

    Args:
        cells: rows of images (height, width) or (height, width, channels), values 0..1; functions of axes
            that draw on them; None is an empty cell.
        row_titles, column_titles: at the left, and on top.
        captions: (row, column) -> text under an image and the colour of text and frame.
        cell: side of an image, inches.
        gap: between images, as a share of them.
    """
    rows, columns = len(cells), max(map(len, cells))
    margin = 1.25 if row_titles else 0
    lines_below = max((text.count("\n") + 1 for text, _ in (captions or {}).values()), default=0)
    size = (margin + columns * cell, rows * (cell * 1.04 + 0.15 * lines_below) + 0.3)
    figure = Figure(figsize=size, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=gap, hspace=gap)
    grid = figure.subplots(rows, columns, squeeze=False)
    for place, axes in np.ndenumerate(grid):
        image = cells[place[0]][place[1]] if place[1] < len(cells[place[0]]) else None
        _cell(axes, image, (captions or {}).get(place))
    for axes, title in zip(grid[:, 0], row_titles, strict=False):
        axes.set_ylabel(title, rotation=0, ha="right", va="center", fontsize=8)
    for axes, title in zip(grid[0], column_titles, strict=False):
        axes.set_title(title, fontsize=8)
    return png(figure)


def _cell(axes, image, caption):
    axes.set_xticks([])
    axes.set_yticks([])
    text, colour = caption or ("", "none")
    for side in axes.spines.values():
        side.set(visible=bool(caption) and colour != "black", color=colour, linewidth=2)
    if callable(image):
        image(axes)
    elif image is not None:
        axes.imshow(visible(image), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    if image is not None:
        axes.set_xlabel(text, fontsize=7, color=colour if caption else "black", labelpad=2)


def visible(image: np.ndarray) -> np.ndarray:
    """An image (height, width[, channels]) as it can be shown: gray, or the first three channels."""
    image = np.clip(image, 0, 1)
    if image.ndim == 2:
        return image
    return image[..., :3] if image.shape[-1] >= 3 else image.mean(-1)


def stretched(image: np.ndarray) -> np.ndarray:
    """Scaled linearly from its range to 0..1."""
    low, high = image.min(), image.max()
    return (image - low) / (high - low if high > low else 1)
