"""Plots as PNG with axes, units and the command that made them, in colours for colour-vision deficiency."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from sslzoo.utils.files import replacing
from sslzoo.utils.palette import COLOURS

BLUE, ORANGE, GRAY = COLOURS[0], COLOURS[1], "#777777"
# The ten-colour cycle of Petroff 2021 (arXiv 2107.02270), for classes.
TEN = tuple("#3f90da #ffa90e #bd1f01 #94a4a2 #832db6 #a96b59 #e76300 #b9ac70 #717581 #92dadd".split())
MARKERS = "osD^vP*X<>"


def class_style(number: int) -> dict[str, str]:
    """Returns the colour and the marker of a class; the pair is unique among a hundred classes."""
    return {"color": TEN[number % 10], "marker": MARKERS[(number + number // 10) % 10]}


def plain(text: object, most: int | None = None) -> str:
    r"""Escapes text for matplotlib: one line, without mathtext, visible in legends.

    Args:
        text: any text, such as the name of a class; it may contain `$\frac{a}$`.
        most: maximum number of characters; longer texts are cut and end in an ellipsis. no limit if None.
    """
    line = (
        " ".join(str(text).split()).encode("utf-8", "backslashreplace").decode()
    )  # file names may contain undecodable bytes
    line = line[: most - 1] + "\u2026" if most and len(line) > most else line
    return (" " + line if line.startswith("_") else line).replace("$", r"\$")


def save(figure: Figure, path: Path, command: str) -> None:
    """Writes a figure as a PNG, with the command below it."""
    figure.supxlabel(command, fontsize=7, color=GRAY, wrap=True)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


def curves(
    panels: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]],
    xlabel: str,
    path: Path,
    command: str,
    log: bool = False,
    lines: Mapping[str, Mapping[str, float]] | None = None,
) -> None:
    """Plots curves in panels, with a dot for each run and a line through the means.

    Args:
        panels: label of the y axis -> name of the curve -> (x, y) of each run.
        xlabel: label of the x axis, with its unit.
        path: path of the PNG.
        command: command line that made the plot.
        log: use a logarithmic x axis.
        lines: label of a panel -> name -> level of a dashed line, such as a baseline.
    """
    figure = Figure(figsize=(max(6.0, 4.2 * len(panels)), 4.4), layout="constrained")
    for axes, (ylabel, series) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for number, (name, points) in enumerate(series.items()):
            style = dict(color=COLOURS[number % len(COLOURS)], marker=MARKERS[number % len(MARKERS)])
            xs = sorted({x for x, _ in points})
            axes.plot(xs, [np.mean([y for at, y in points if at == x]) for x in xs], label=name, ms=5, lw=1.5, **style)
            axes.scatter(*zip(*points, strict=True), s=12, alpha=0.5, **style)
        for number, (name, level) in enumerate((lines or {}).get(ylabel, {}).items()):
            axes.axhline(level, color=GRAY, ls=("--", ":", "-.")[number % 3], lw=1.2, label=name)
        if log:
            axes.set_xscale("log")
            axes.set_xticks(xs, [f"{x:g}" for x in xs], minor=False)
            axes.set_xticks([], minor=True)
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    save(figure, path, command)


def scatter(
    points: np.ndarray,
    labels: np.ndarray | None,
    names: Sequence[str] | None,
    axes_names: tuple[str, str],
    title: str,
    path: Path,
    command: str,
) -> None:
    """Plots points (n, 2) with the colour and the marker of their class."""
    figure = Figure(figsize=(7, 6), layout="constrained")
    axes = figure.subplots()
    labels = np.zeros(len(points), int) if labels is None else labels
    for number, label in enumerate(np.unique(labels)):
        some = points[labels == label]
        name = plain(names[label] if names else label)
        axes.scatter(*some.T, s=9, alpha=0.6, lw=0, label=name, **class_style(number))
    axes.set_xlabel(axes_names[0])
    axes.set_ylabel(axes_names[1])
    axes.set_title(title, fontsize=10)
    if len(np.unique(labels)) > 1:
        axes.legend(fontsize=7, markerscale=2, loc="center left", bbox_to_anchor=(1, 0.5))
    save(figure, path, command)


def retrieved(
    texts: Sequence[str], pictures: Sequence[Sequence[np.ndarray]], right: np.ndarray, path: Path, command: str
) -> None:
    """Draws the pictures that texts retrieve, a row for each text, the nearest first; right ones have a green frame.

    Args:
        texts: of the rows.
        pictures: of each text, (height, width, 1 or 3) each, uint8, uint16 or float within [0, 1].
        right: bool (texts, pictures of a text).
        path: path of the PNG.
        command: command line that made the plot.
    """
    figure = Figure(figsize=(1.2 * right.shape[1], 1.4 * len(texts)), layout="constrained")
    grid = figure.subplots(*right.shape, squeeze=False)
    for row, (text, some) in enumerate(zip(texts, pictures, strict=True)):
        grid[row, 0].set_title(plain(text, 50), fontsize=8, loc="left")
        for axes, picture, hit in zip(grid[row], some, right[row], strict=True):
            whole = 1 if picture.dtype.kind == "f" else np.iinfo(picture.dtype).max
            axes.imshow(np.repeat(picture / whole, 3 // picture.shape[-1], axis=-1))
            axes.set(xticks=[], yticks=[])
            for side in axes.spines.values():
                side.set(color=COLOURS[2] if hit else "#CCCCCC", linewidth=2.5 if hit else 0.5)
    save(figure, path, command)


def values(
    lines: Mapping[str, Sequence[float]], steps: Sequence[int], frames: Sequence[np.ndarray], path: Path, command: str
) -> Path:
    """Draws values along an episode, one line for each encoder, with some of its frames above.

    Args:
        lines: name -> value of each frame, from -1 to 0.
        steps: times of the frames that are drawn.
        frames: (height, width, channels) each, uint8; of a stack the last three channels are drawn.
        path: path of the PNG.
        command: command line that made the plot.

    Returns:
        The path.
    """
    figure = Figure(figsize=(1.6 * len(steps), 4.6), layout="constrained")
    grid = figure.add_gridspec(2, len(steps), height_ratios=(1, 2.4))
    for column, (step, frame) in enumerate(zip(steps, frames, strict=True)):
        axes = figure.add_subplot(grid[0, column])
        shown = frame[..., -3:] if frame.shape[-1] >= 3 else frame[..., -1]
        axes.imshow(shown / np.iinfo(frame.dtype).max if frame.dtype.kind == "u" else shown, cmap="gray")
        axes.set(xticks=[], yticks=[], title=f"step {step}")
    axes = figure.add_subplot(grid[1, :])
    for number, (name, line) in enumerate(lines.items()):
        axes.plot(line, label=plain(name), color=COLOURS[number % len(COLOURS)], lw=1.5)
    axes.set(xlabel="step", ylabel="value: minus the distance to the last frame, of 1")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
    save(figure, path, command)
    return path
