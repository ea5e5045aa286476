"""The functions of the kind "rows"; see `sslzoo.catalog.kinds`."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from sslzoo.data import Dataset
from sslzoo.evaluators import boosting
from sslzoo.layers.columns import Columns
from sslzoo.utils.files import replacing
from sslzoo.utils.plots import plain
from sslzoo.views import rows_presets, sheet
from sslzoo.views.baselines import Baseline
from sslzoo.views.rows import Bank

BANK = 10_000  # training rows that views take values from, at most
ROWS, COLUMNS, DRAWS = 5, 12, 2  # rows and columns of a contact sheet, and draws of each view
CHANGED, ORIGINAL = "#ffd9a0", "#eeeeee"  # colours of changed cells, and of the original rows


def input_size(dataset: Dataset, wanted: int | None = None) -> int:
    """The number of columns.

    Raises:
        ValueError: another number is wanted.
    """
    columns = dataset.shape[0]
    if wanted not in (None, columns):
        raise ValueError(f"image_size={wanted}: {dataset.name} has {columns} columns, which have no size; leave it out")
    return columns


def input_shape(size: int, channels: int) -> tuple[int]:
    """(columns,)."""
    return (size,)


def evaluation(size: int) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """The rows as they are."""
    return lambda rows, sizes: tf.cast(rows, tf.float32)


def samples(shape: Sequence[int]) -> tuple[np.ndarray, str]:
    """Eight rows of a shape, and what they are of: small whole numbers, of which some are missing."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 5, (8, *shape)).astype("float32")
    return np.where(rng.uniform(size=rows.shape) < 0.1, np.float32("nan"), rows), "small numbers, some missing"


def baselines(size: int, dataset: Dataset | None = None) -> dict[str, Baseline]:
    """Standardized and one-hot columns, and gradient boosting on raw columns; only their names without a dataset."""

    def prepared(rows: np.ndarray) -> np.ndarray:
        return keras.ops.convert_to_numpy(Columns(schema(dataset)["columns"], dtype="float32")(rows))

    return {
        "raw columns": Baseline(size, prepared),
        "boosting": Baseline(size, boosting.filled, {"linear": boosting.evaluate_boosted}),
    }


def schema(dataset: Dataset) -> dict[str, list[dict]]:
    """The columns with their categories, and means and deviations of the numbers, over the known training values."""
    rows = dataset.arrays()[0].astype("float64")
    described = dataset.columns or Bank(rows).columns
    columns = []
    for column, values in zip(described, rows.T, strict=True):
        column, known = dict(column), values[np.isfinite(values)]
        if column["kind"] == "number":
            deviation = float(known.std()) if len(known) else 0.0
            column |= {"mean": float(known.mean()) if len(known) else 0.0, "deviation": deviation or 1.0}
        columns.append(column)
    return {"columns": columns}


def bank(dataset: Dataset) -> Bank:
    """At most BANK training rows, that views take values from."""
    return Bank(dataset.sample(BANK).arrays()[0], dataset.columns)


def views(size: int, channels: int, dataset: Dataset) -> list:
    """Mild views of any rows, by which reports measure how an encoder changes."""
    return rows_presets.scarf(size, bank(dataset), corrupted_share=0.3)[1:]


def draw(chain: Any, batch: dict, path: Path, dataset: Dataset) -> str:
    """Writes the contact sheet as a PNG; returns the table of the operations, "" for a function of a batch."""
    seen = sheet.drawn(chain, batch, "rows", DRAWS)
    columns = Bank(seen["original"]).columns if callable(chain) else chain[0].bank.columns
    with replacing(path) as temporary:
        _table(seen, columns, temporary)
    return "" if callable(chain) else sheet.table(sheet.acting(chain, itertools.count()))


def _table(seen: dict[str, np.ndarray], columns: Sequence[dict], path: Path) -> None:
    """Draws values: of each row the original and its views below each other; changed cells are marked."""
    from matplotlib.figure import Figure  # slow to import

    shown, titles = columns[:COLUMNS], ["original", *sorted(seen.keys() - {"original"})]
    original = seen["original"][:ROWS]
    lines = [(title, seen[title][row], before) for row, before in enumerate(original) for title in titles]
    texts, colours = [], []
    for title, values, before in lines:
        texts.append([title, *(_shown(x, column) for x, column in zip(values, shown, strict=False))])
        same = [_same(x, y) for x, y in zip(values, before, strict=True)]
        colours.append([_colour(title, one) for one in (True, *same[: len(shown)])])
    figure = Figure(figsize=(1.1 * (1 + len(shown)), 0.22 * (1 + len(lines))), layout="constrained")
    axes = figure.subplots()
    axes.axis("off")
    head = ["", *(plain(column["name"][:16]) for column in shown)]
    table = axes.table(cellText=texts, cellColours=colours, colLabels=head, loc="center", cellLoc="right")
    table.auto_set_font_size(False)
    table.set_fontsize(7)
    figure.savefig(path, format="png", dpi=110)


def _shown(value: float, column: dict) -> str:
    """A cell as text."""
    if not np.isfinite(value):
        return "missing"
    if column["kind"] == "number":
        return f"{value:.5g}"
    names = column["categories"]
    return plain(names[int(value)][:16]) if 0 <= value < len(names) else "missing"


def _same(one: float, other: float) -> bool:
    return one == other or not (np.isfinite(one) or np.isfinite(other))


def _colour(title: str, same: bool) -> str:
    return ORIGINAL if title == "original" else "white" if same else CHANGED
