"""The functions of the kind "audio"; see `sslzoo.catalog.kinds`."""

import itertools
import string
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from sslzoo.data import Dataset
from sslzoo.layers.log_mel import BANDS, frames, least, log_mel
from sslzoo.utils.files import replacing
from sslzoo.utils.plots import plain
from sslzoo.views import audio_presets, sheet
from sslzoo.views.audio import AT_ONCE, Bank
from sslzoo.views.audio_presets import evaluation  # noqa: F401, one of the functions
from sslzoo.views.baselines import Baseline

SECONDS = 0.95  # of a view, as in BYOL-A
FITTED = 2048  # training clips that give mean and deviation, and that views mix in, as many as BYOL-A's memory
DRAWS = 3  # columns for each view that a contact sheet shows


def input_size(dataset: Dataset, wanted: int | None = None) -> int:
    """The samples of the input: the wanted ones, or SECONDS, or the longest clip if that is shorter.

    Raises:
        ValueError: fewer samples are wanted than encoders take.
    """
    shortest = least(dataset.rate)
    if wanted is not None and wanted < shortest:
        raise ValueError(f"image_size={wanted}: views of audio at {dataset.rate} Hz have {shortest} samples or more")
    return wanted or max(shortest, min(round(SECONDS * dataset.rate), dataset.shape[0]))


def input_shape(size: int, channels: int) -> tuple[int, int]:
    """(samples, channels)."""
    return size, channels


def samples(shape: Sequence[int]) -> tuple[np.ndarray, str]:
    """Eight waveforms of a shape, and what they are of."""
    rng = np.random.default_rng(0)
    steps = np.arange(shape[0])[None, :, None]
    frequency, phase, fall = (rng.uniform(low, high, (8, 1, 1)) for low, high in ((0.01, 0.4), (0, 6), (0, 5)))
    tones = np.sin(2 * np.pi * frequency * steps + phase) * np.exp(-fall * steps / shape[0])
    return (0.5 * tones + 0.01 * rng.normal(size=tones.shape)).astype("float32"), "tones with noise"


def baselines(size: int, dataset: Dataset | None = None) -> dict[str, Baseline]:
    """Mean and standard deviation over time of each band of the log-mel; only their names without a dataset."""

    def statistics(waves: np.ndarray) -> np.ndarray:
        mels = log_mel(waves[..., 0], dataset.rate).numpy()
        return np.concatenate([mels.mean(1), mels.std(1)], axis=1)

    return {"log-mel statistics": Baseline(size, statistics)}


def schema(dataset: Dataset) -> dict[str, float]:
    """The rate, and mean and deviation of the log-mel, over the frames of at most FITTED training clips."""
    count = total = squares = 0.0
    for waves, sizes in _batches(dataset.sample(FITTED)):
        inside = np.arange(frames(waves.shape[1], dataset.rate))[None] < frames(sizes, dataset.rate)
        values = log_mel(waves[..., 0], dataset.rate).numpy()[inside].astype("float64")
        count, total, squares = count + values.size, total + values.sum(), squares + np.square(values).sum()
    mean = total / count
    return {"rate": dataset.rate, "mean": mean, "deviation": float(np.sqrt(max(squares / count - mean**2, 0)) or 1)}


def bank(dataset: Dataset) -> Bank:
    """At most FITTED training clips, that views mix in, and the statistics of the log-mel."""
    return Bank(*dataset.sample(FITTED).arrays(), **schema(dataset))


def views(size: int, channels: int, dataset: Dataset) -> list:
    """Mild views of any clips, by which reports measure how an encoder changes."""
    return audio_presets.byol_a(size, bank(dataset), mixup_ratio=0.2, crop_min_scale=0.8)


def draw(chain: Any, batch: dict, path: Path, dataset: Dataset) -> str:
    """Writes the contact sheet as a PNG; returns the table of the operations, "" for a function of a batch."""
    columns = {}
    for number in range(DRAWS):
        if callable(chain):
            made = chain({**batch, "step": tf.zeros_like(batch["step"]) + number})["views"]
        else:
            drawn = [view.sample_of(tf.constant([0, number]), k, len(batch["audio"])) for k, view in enumerate(chain)]
            made = [view.apply(batch["audio"], batch["size"], one) for view, one in zip(chain, drawn, strict=True)]
        columns |= {f"{a} {number + 1}": np.asarray(v) for a, v in zip(string.ascii_letters, made, strict=False)}
    with replacing(path) as temporary:
        _pictures(columns, temporary)
    return "" if callable(chain) else sheet.table(sheet.acting(chain, itertools.count(), skip=1))


def _batches(dataset: Dataset) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for start in range(0, len(dataset), AT_ONCE):
        yield dataset.examples(np.arange(start, min(start + AT_ONCE, len(dataset))))


def _pictures(columns: dict[str, np.ndarray], path: Path) -> None:
    """Draws log-mels as pictures, low bands below: a row for each clip, a column for each view."""
    from matplotlib.figure import Figure  # slow to import

    columns = dict(sorted(columns.items()))
    rows = len(next(iter(columns.values())))
    figure = Figure(figsize=(1.8 * len(columns), 1.1 * rows), layout="constrained")
    axes = figure.subplots(rows, len(columns), squeeze=False)
    for column, (title, every) in enumerate(columns.items()):
        axes[0, column].set_title(plain(title), fontsize=8)
        for row, shown in enumerate(every):
            place = axes[row, column]
            place.set_axis_off()
            if shown.shape[-1] == BANDS:
                place.imshow(shown.T, origin="lower", aspect="auto", vmin=-3, vmax=3)
            else:
                place.plot(shown[:, 0], lw=0.5)
    figure.savefig(path, format="png", dpi=100)
