"""Pictures of examples of any kind for sheets: images, lines for series and sounds, words for rows and texts."""

import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sslzoo.catalog.kinds import KINDS
from sslzoo.data import Dataset
from sslzoo.evaluation.neighbours import Index
from sslzoo.reports import charts
from sslzoo.utils.plots import plain

Cell = np.ndarray | Callable[[Any], None] | None  # as of `charts.sheet`
POINTS = 600  # of a line
VALUES, LETTERS = 6, 22  # of a table's row: values, and letters of a line
WORDS = 150  # letters of a text


def cell(data: Dataset, row: int) -> Cell:
    """The picture of an example of a dataset, as `charts.sheet` takes it."""
    (example,), (size,) = data.examples(np.array([row]))
    if KINDS[data.kind].pixels:
        brightest = np.iinfo(example.dtype).max if example.dtype.kind == "u" else 1.0
        return example[: size[0], : size[1]].astype("float32") / brightest
    if data.kind in ("series", "audio"):
        return _line(example[: size[0]] if len(size) else example)
    if data.kind == "text":
        words = data.texts[row] if data.texts else " ".join(map(str, example[example > 0]))
        return _words(textwrap.wrap(words[:WORDS], LETTERS))
    return _words([_value(*pair) for pair in zip(data.columns or _unnamed(example), example, strict=True)][:VALUES])


def cells(index: Index, rows: Sequence[int]) -> list[Cell]:
    """The pictures of examples of an index."""
    return [cell(*index.place(row)) for row in rows]


def caption(index: Index, row: int, *numbers: str) -> str:
    """Lines under an example: numbers, its row, and its class or the end of its name."""
    name = index.class_of(row) or index.name_of(row).rsplit("/", 1)[-1]
    return "\n".join([*numbers, f"row {row}", plain(name[-18:])])


def sheet(pictures: Sequence[Cell], texts: Sequence[str], columns: int, colours: Sequence[str] = ()) -> bytes:
    """Pictures in lines of `columns`, with a text and a colour under each."""
    lines = [list(pictures[start : start + columns]) for start in range(0, len(pictures), columns)]
    colours = colours or ["black"] * len(texts)
    captions = {divmod(k, columns): pair for k, pair in enumerate(zip(texts, colours, strict=True)) if pair[0]}
    return charts.sheet(lines, captions=captions, cell=charts.WIDTH / columns)


def _line(values: np.ndarray) -> Callable:
    step = max(1, len(values) // POINTS)
    return lambda axes: axes.plot(np.asarray(values, "float32")[::step], lw=0.6)


def _words(lines: Sequence[str]) -> Callable:
    text = "\n".join(plain(line) for line in lines)
    return lambda axes: axes.text(0.03, 0.96, text, va="top", fontsize=5.5, transform=axes.transAxes, clip_on=True)


def _value(column: dict, value: float) -> str:
    known = column.get("categories")
    shown = known[int(value)] if known and np.isfinite(value) and 0 <= value < len(known) else f"{value:.4g}"
    return f"{column['name']} {shown}"[:LETTERS]


def _unnamed(example: np.ndarray) -> list[dict]:
    return [{"name": f"x{number}"} for number in range(len(example))]
