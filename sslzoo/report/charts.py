"""Charts and contact sheets as PNG bytes: axes with units, colours apart for every kind of colour blindness."""

import io
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from sslzoo.plots import COLOURS, GRAY, MARKERS

STYLES = {"trained": (COLOURS[0], "o", "-"), "untrained": (COLOURS[1], "s", "--"), "raw pixels": (GRAY, "^", ":")}


def png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110)
    return file.getvalue()


def panels(
    titles: Sequence[str], draw: Callable, xlabel: str = "", ylabel: str = "", width: float = 4.0, columns: int = 4
) -> bytes:
    """A row, or more, of panels: `draw(axes, title)` fills each.

    Args:
        titles: of the panels.
        draw: what to draw.
        xlabel, ylabel: what the axes are, with units; left to `draw` where empty.
        width: of a panel, inches.
        columns: panels of a row at most.
    """
    columns = min(columns, len(titles))
    rows = -(-len(titles) // columns)
    figure = Figure(figsize=(width * columns, 0.92 * width * rows), layout="constrained")
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
    """A curve (xs, ys) for each name, in the style of that name everywhere."""
    for number, (name, (xs, ys)) in enumerate(series.items()):
        colour, marker, dash = STYLES.get(name, (COLOURS[number % 7], MARKERS[number % 10], "-"))
        axes.plot(xs, ys, dash, color=colour, marker=marker if markers else None, ms=4.5, lw=1.6, label=name)
    if log:
        axes.set_xscale("log")
        axes.set_yscale("log")
    axes.grid(alpha=0.3)
    if legend:
        axes.legend(fontsize=8)


def classes(axes, points: np.ndarray, labels: np.ndarray, names: Sequence[str], legend: bool) -> None:
    """Points (n, 2), each class with a colour and a marker of its own."""
    for number, label in enumerate(np.unique(labels)):
        style = dict(color=COLOURS[number % len(COLOURS)], marker=MARKERS[number % len(MARKERS)])
        axes.scatter(
            *points[labels == label].T,
            s=max(8, 4000 / len(points)),
            alpha=0.65,
            lw=0,
            label=str(names[label])[:18],
            **style,
        )
    if legend and len(names) <= 20:
        handles, shown = axes.get_legend_handles_labels()
        place = dict(loc="outside lower center", ncols=min(len(names), 10))
        axes.figure.legend(handles, shown, fontsize=8, markerscale=2, **place)


def matrix(axes, values: np.ndarray, names: Sequence[str]) -> None:
    """A square table of percentages (classes, classes), rows sum to 100; numbers are written where there is room."""
    axes.imshow(values, cmap="Blues", vmin=0, vmax=100)
    shown = [str(name)[:11] for name in names]
    if len(names) <= 20:
        axes.set_xticks(range(len(names)), shown, rotation=45, ha="right", rotation_mode="anchor", fontsize=7)
        axes.set_yticks(range(len(names)), shown, fontsize=7)
    for row, column in np.argwhere(values >= 0.5) if len(names) <= 12 else ():
        value = values[row, column]
        colour = "white" if value > 55 else "black"
        axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=6.5, color=colour)


def sheet(
    cells: Sequence[Sequence[np.ndarray | None]],
    row_titles: Sequence[str] = (),
    column_titles: Sequence[str] = (),
    captions: Mapping[tuple[int, int], tuple[str, str]] | None = None,
    cell: float = 0.85,
    gap: float = 0.01,
) -> bytes:
    """Images in rows and columns.

    Args:
        cells: rows of images (height, width) or (height, width, channels), values 0..1; None is an empty cell.
        row_titles, column_titles: beside and above.
        captions: (row, column) -> text under an image and the colour of text and frame.
        cell: side of an image, inches.
        gap: between images, as a share of them.
    """
    rows, columns = len(cells), max(map(len, cells))
    margin = 1.25 if row_titles else 0
    figure = Figure(
        figsize=(margin + columns * cell, rows * cell * (1.22 if captions else 1.04) + 0.3), layout="constrained"
    )
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
        side.set(visible=bool(caption), color=colour, linewidth=2)
    if image is not None:
        axes.imshow(visible(image), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set_xlabel(text, fontsize=7, color=colour if caption else "black", labelpad=2)


def visible(image: np.ndarray) -> np.ndarray:
    """An image (height, width[, channels]) as it can be shown: gray, or the first three channels."""
    image = np.clip(image, 0, 1)
    if image.ndim == 2:
        return image
    return image[..., :3] if image.shape[-1] >= 3 else image.mean(-1)


def stretched(image: np.ndarray) -> np.ndarray:
    """From its least value to its largest: 0..1."""
    low, high = image.min(), image.max()
    return (image - low) / (high - low if high > low else 1)
