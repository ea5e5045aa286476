"""Preview of views: a contact sheet, and a table of how often and how strongly each operation acts."""

import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tensorflow as tf

from sslzoo.utils.files import replacing
from sslzoo.utils.text_table import text_table
from sslzoo.views.image import LARGEST, View
from sslzoo.views.operation import Draws, Operation

if TYPE_CHECKING:
    from PIL import Image

CELL, GAP, HEAD = (
    96,
    4,
    16,
)  # minimum side of a cell, space between cells, height of the line of titles, in px


class Row(NamedTuple):
    """A row of the statistics: the share of changed images, and mean and range of the strength if there is one."""

    view: str
    operation: str
    share: float
    strength: str = ""
    mean: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")


def contact_sheet(
    images: np.ndarray, sizes: np.ndarray, views: Sequence[View], path: str | Path, draws: int = 3
) -> None:
    """Writes a contact sheet as a PNG: one row per image, the original, then `draws` draws of each view.

    Args:
        images: (n, height, width, channels) uint8, uint16 or float in [0, 1]; one channel is shown in
            gray, two channels as their mean, of more than three channels the first three.
        sizes: (n, 2), height and width of the valid part.
        views: the views.
        path: path of the PNG; an existing file is replaced.
        draws: number of columns for each view.
    """
    columns = _columns(np.asarray(images), np.asarray(sizes), views, draws)
    with replacing(path) as temporary:
        _grid(columns, max([CELL, *(view.size for view in views)])).save(temporary, format="PNG")


def batch_sheet(batch: Mapping, function: Callable[[Mapping], dict], path: str | Path, draws: int = 3) -> None:
    """Writes a PNG as `contact_sheet` does, for views that are a function of a batch.

    Args:
        batch: a batch of a dataset, with `image`, `size`, `row` and `step`.
        function: function from batch to batch that adds `views`.
        path: path of the PNG; an existing file is replaced.
        draws: number of columns for each view, each for another step.
    """
    columns = {"original": _valid(np.asarray(batch["image"]), np.asarray(batch["size"]))}
    for draw in range(draws):
        views = function({**batch, "step": tf.zeros_like(batch["step"]) + draw})["views"]
        for letter, view in zip(_letters(views), views, strict=True):
            columns[f"{letter} {draw + 1}"] = np.asarray(view)
    ordered = ["original", *sorted(columns.keys() - {"original"})]
    with replacing(path) as temporary:
        _grid({title: columns[title] for title in ordered}, CELL).save(temporary, format="PNG")


def picture_sheet(columns: Mapping[str, np.ndarray], path: str | Path) -> None:
    """Writes pictures as a PNG: one row per image, one column per title.

    Args:
        columns: title -> (n, height, width, channels) in [0, 1], as many in each column.
        path: path of the PNG; an existing file is replaced.
    """
    rows = {title: [np.asarray(picture) for picture in pictures] for title, pictures in columns.items()}
    with replacing(path) as temporary:
        _grid(rows, CELL).save(temporary, format="PNG")


def statistics(views: Sequence[View], channels: int = 3, count: int = 8192) -> list[Row]:
    """Computes how often and how strongly each operation of each view acts.

    The statistics are those of drawn parameters; no pixels are computed.

    Args:
        views: the views.
        channels: number of channels of the images.
        count: number of draws.

    Returns:
        A list of rows.

    Raises:
        ValueError: if a colour operation does not accept this number of channels.
    """
    for view in views:
        view(tf.zeros((1, 2, 2, channels)), tf.constant([[2, 2]]))  # raises if the chain does not accept these channels
    return acting(views, map(ord, _letters(views)), count)


def acting(views: Sequence, seeds: Iterable[int], count: int = 512, skip: int = 0) -> list[Row]:
    """Rows of the statistics of views of any kind.

    Args:
        views: the views.
        seeds: an integer for each view.
        count: number of draws.
        skip: number of the first draws of a view that are not of its operations.
    """
    rows = []
    for letter, seed, view in zip(_letters(views), seeds, views, strict=False):
        draws = view.sample(tf.constant([0, seed]), count)[skip:]
        for operation, parameters in zip(view.operations, draws, strict=True):
            rows += describe(letter, operation, parameters, count)
    return rows


def drawn(chain: Any, batch: Mapping, column: str, draws: int) -> dict[str, np.ndarray]:
    """Title -> the examples of a batch, and each view of them `draws` times.

    Args:
        chain: list of views, or function from batch to batch that adds `views`.
        batch: a batch of a dataset.
        column: name of its main column.
        draws: number of draws of each view.
    """
    original = np.asarray(batch[column])
    seen = {"original": original}
    for number in range(draws):
        if callable(chain):
            made = chain({**batch, "step": tf.zeros_like(batch["step"]) + number})["views"]
        else:
            made = [view(original, batch["size"], (number, k)).numpy() for k, view in enumerate(chain)]
        seen |= {f"view {a} {number + 1}": np.asarray(v) for a, v in zip(string.ascii_letters, made, strict=False)}
    return seen


def table(rows: Sequence[Row]) -> str:
    """Formats the statistics as plain text."""
    lines = [("view", "operation", "applied", "strength", "mean", "range")]
    for row in rows:
        numbers = (f"{row.mean:.2f}", f"{row.low:.2f} to {row.high:.2f}") if row.strength else ("", "")
        lines.append((row.view, row.operation, f"{row.share:.0%}", row.strength, *numbers))
    return text_table(lines)


def describe(letter: str, operation: Operation, draws: Draws, count: int) -> list[Row]:
    """Rows of the statistics of an operation, from `count` draws of its parameters."""
    on = draws["on"].numpy() if "on" in draws else np.ones(count, bool)
    head = (letter, operation.name, float(on.mean()))
    strengths = {words: drawn.numpy()[on] for words, drawn in operation.strengths(draws).items()} if on.any() else {}
    return [Row(*head, words, x.mean(), x.min(), x.max()) for words, x in strengths.items()] or [Row(*head)]


def _letters(views: Sequence) -> str:
    return string.ascii_letters[: len(views)]


def _columns(images: np.ndarray, sizes: np.ndarray, views: Sequence[View], draws: int) -> dict[str, list[np.ndarray]]:
    """Returns title of a column -> pictures (height, width, channels) in [0, 1]."""
    shown = {
        f"{letter} {draw + 1}": view(images, sizes, (draw, ord(letter))).numpy()
        for letter, view in zip(_letters(views), views, strict=True)
        for draw in range(draws)
    }
    return {"original": _valid(images, sizes), **shown}


def _valid(images: np.ndarray, sizes: np.ndarray) -> list[np.ndarray]:
    """Returns the valid part of each image, in [0, 1]."""
    brightest = LARGEST.get(tf.as_dtype(images.dtype), 1.0)
    return [image[:height, :width] / brightest for image, (height, width) in zip(images, sizes, strict=True)]


def _grid(columns: dict[str, list[np.ndarray]], cell: int) -> "Image.Image":
    from PIL import Image, ImageDraw

    step, lines = cell + GAP, len(next(iter(columns.values())))
    sheet = Image.new("RGB", (GAP + len(columns) * step, HEAD + GAP + lines * step), "white")
    for column, (title, pictures) in enumerate(columns.items()):
        ImageDraw.Draw(sheet).text((GAP + column * step, 2), title, fill="black")
        for line, picture in enumerate(pictures):
            sheet.paste(_thumbnail(picture, cell), (GAP + column * step, HEAD + GAP + line * step))
    return sheet


def _thumbnail(picture: np.ndarray, cell: int) -> "Image.Image":
    """Fits a picture into cell x cell pixels, enlarged by integer factors only, so that its pixels stay visible."""
    from PIL import Image

    shown = picture[..., :3] if picture.shape[-1] >= 3 else np.repeat(picture.mean(-1, keepdims=True), 3, axis=-1)
    image = Image.fromarray(np.uint8(np.round(np.clip(shown, 0, 1) * 255)))
    times = cell / max(image.size)
    if times < 1:
        return image.resize([max(1, int(side * times)) for side in image.size], Image.Resampling.BILINEAR)
    return image.resize([side * int(times) for side in image.size], Image.Resampling.NEAREST)
