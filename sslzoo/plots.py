"""Plots: PNGs with axes, units, the command that made them, and colours apart for every kind of colour blindness."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from sslzoo.files import replacing

# Okabe and Ito's, without the yellow that paper swallows.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000")
BLUE, ORANGE, GRAY = COLOURS[0], COLOURS[1], "#777777"
MARKERS = "osD^vP*X<>"


def save(figure: Figure, path: Path, command: str) -> None:
    """Writes the figure as a PNG with the command under it."""
    figure.supxlabel(command, fontsize=7, color=GRAY, wrap=True)
    with replacing(path) as beside:
        figure.savefig(beside, format="png", dpi=120)


def curves(
    panels: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]],
    xlabel: str,
    path: Path,
    command: str,
    log: bool = False,
    lines: Mapping[str, Mapping[str, float]] | None = None,
) -> None:
    """Figures over a number, a panel for each figure: a dot for each run, a line through the means.

    Args:
        panels: label of the y axis -> name of the curve -> (x, y) of each run.
        xlabel: what x is, with its unit.
        path: of the PNG.
        command: that made it.
        log: x is logarithmic; zeros stand at the left end.
        lines: label of a panel -> name -> a level that is drawn as a dashed line, such as a baseline.
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
    """Points (n, 2), each class with a colour and a marker of its own."""
    figure = Figure(figsize=(7, 6), layout="constrained")
    axes = figure.subplots()
    labels = np.zeros(len(points), int) if labels is None else labels
    for number, label in enumerate(np.unique(labels)):
        some = points[labels == label]
        style = dict(color=COLOURS[number % len(COLOURS)], marker=MARKERS[number % len(MARKERS)])
        axes.scatter(*some.T, s=9, alpha=0.6, lw=0, label=names[label] if names else str(label), **style)
    axes.set_xlabel(axes_names[0])
    axes.set_ylabel(axes_names[1])
    axes.set_title(title, fontsize=10)
    if len(np.unique(labels)) > 1:
        axes.legend(fontsize=7, markerscale=2, loc="center left", bbox_to_anchor=(1, 0.5))
    save(figure, path, command)
