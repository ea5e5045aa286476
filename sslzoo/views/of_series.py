"""The functions of the kind "series"; see `sslzoo.catalog.kinds`."""

import string
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from sslzoo.data import Dataset
from sslzoo.evaluators.kernels import random_kernels, statistics
from sslzoo.utils.files import replacing
from sslzoo.utils.plots import COLOURS, plain
from sslzoo.views import series_presets, sheet
from sslzoo.views.baselines import Baseline, flattened
from sslzoo.views.series_presets import evaluation  # noqa: F401, one of the functions
from sslzoo.views.series_values import Bank

DRAWS, CHANNELS = 3, 3  # columns for each view, and channels, that a contact sheet shows
BANK = 1024  # training series that views take frequencies from
FITTED = 4096  # training series that give mean and deviation


def input_size(dataset: Dataset, wanted: int | None = None) -> int:
    """The steps of the input: the wanted ones, or those of the longest series."""
    return wanted or dataset.shape[0]


def input_shape(size: int, channels: int) -> tuple[int, int]:
    """(steps, channels)."""
    return size, channels


def samples(shape: Sequence[int]) -> tuple[np.ndarray, str]:
    """Eight series of a shape, and what they are of."""
    return np.random.default_rng(0).normal(size=(8, *shape)).cumsum(1).astype("float32"), "random walks"


def baselines(size: int, dataset: Dataset | None = None) -> dict[str, Baseline]:
    """The flattened series, five statistics of each channel, and random convolution kernels."""
    return {
        "raw series": Baseline(size, flattened),
        "statistics": Baseline(size, statistics),
        "random kernels": Baseline(size, random_kernels),
    }


def schema(dataset: Dataset) -> dict[str, list[float]]:
    """Mean and standard deviation of each channel, over the known steps of at most FITTED training series."""
    series, sizes = dataset.sample(FITTED).arrays()
    inside = np.arange(series.shape[1])[None] < sizes
    values = np.where(inside[..., None], series, np.nan).astype("float64").reshape(-1, series.shape[-1])
    known = np.isfinite(values)
    count = np.maximum(known.sum(0), 1)
    mean = np.where(known, values, 0).sum(0) / count
    deviation = np.sqrt((np.where(known, values - mean, 0) ** 2).sum(0) / count)
    return {"mean": mean.tolist(), "deviation": np.where(deviation > 0, deviation, 1).tolist()}


def bank(dataset: Dataset) -> Callable[[int], Bank]:
    """The function from a length to the bank of at most BANK training series of that length."""
    return lambda length: Bank.of(*dataset.sample(BANK).arrays(), length)


def draw(chain: Any, batch: dict, path: Path, dataset: Dataset) -> str:
    """Writes the contact sheet as a PNG; returns the table of the operations, "" for a function of a batch."""
    columns = {"original": [x[:n] for x, (n,) in zip(batch["series"].numpy(), batch["size"].numpy(), strict=True)]}
    if callable(chain):
        for number in range(DRAWS):
            made = chain({**batch, "step": tf.zeros_like(batch["step"]) + number})["views"]
            columns |= {f"{a} {number + 1}": [*np.asarray(v)] for a, v in zip(string.ascii_letters, made, strict=False)}
    else:
        for letter, view in zip(string.ascii_letters, chain, strict=False):
            for number in range(DRAWS):
                seen = view(batch["series"], batch["size"], (number, ord(letter))).numpy()
                columns[f"{letter} {number + 1}"] = [*seen]
    with replacing(path) as temporary:
        _lines(columns, temporary)
    return "" if callable(chain) else sheet.table(sheet.acting(chain, map(ord, string.ascii_letters)))


def _lines(columns: dict[str, list[np.ndarray]], path: Path) -> None:
    """Draws series as lines: a row for each series with one scale, a column for each title."""
    from matplotlib.figure import Figure  # slow to import

    rows = len(columns["original"])
    figure = Figure(figsize=(1.8 * len(columns), 1.1 * rows), layout="constrained")
    axes = figure.subplots(rows, len(columns), squeeze=False, sharey="row")
    for column, (title, every) in enumerate(sorted(columns.items(), key=lambda item: (item[0] != "original", item[0]))):
        axes[0, column].set_title(plain(title), fontsize=8)
        for row, series in enumerate(every):
            place = axes[row, column]
            for channel in range(min(CHANNELS, series.shape[1])):
                place.plot(series[:, channel], lw=0.8, color=COLOURS[channel % len(COLOURS)])
            place.tick_params(labelsize=5)
    figure.savefig(path, format="png", dpi=100)


def views(size: int, channels: int, dataset: Dataset) -> list:
    """Mild views of any series, by which reports measure how an encoder changes."""
    return series_presets.simclr(size, channels, strength=0.5, min_scale=0.8)
