"""The functions of the kind "image"; see `sslzoo.catalog.kinds`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from sslzoo.data import Dataset
from sslzoo.views import presets, sheet
from sslzoo.views.baselines import Baseline, flattened
from sslzoo.views.presets import evaluation  # noqa: F401, one of the functions

SIZES = (32, 64, 96, 128, 160, 224)  # input sizes in pixels for images larger than the smallest of them
RAW = "raw pixels"
RAW_SIZE = 32  # side of raw pixels at most: a linear probe on 224 px would have 150 000 inputs


def input_size(dataset: Dataset, wanted: int | None = None) -> int:
    """The side of the square input: the wanted one, or `choose_size`."""
    return wanted or choose_size(dataset)


def choose_size(dataset: Dataset) -> int:
    """Chooses the input size for a dataset.

    Returns:
        The longer side of the images in pixels if it is at most 32; otherwise the largest of SIZES that is not above
        the median of the shorter sides.
    """
    height, width, _ = dataset.shape
    if max(height, width) <= SIZES[0]:
        return max(height, width)
    some = np.linspace(0, len(dataset) - 1, 64).astype(int)
    typical = float(np.median(np.min(dataset.examples(some)[1], axis=1)))
    return max((size for size in SIZES if size <= typical), default=SIZES[0])


def input_shape(size: int, channels: int) -> tuple[int, int, int]:
    """(height, width, channels) of the square input."""
    return size, size, channels


def samples(shape: Sequence[int]) -> tuple[np.ndarray, str]:
    """Eight images of a shape, and what they are of."""
    return photographs(shape), "two photographs"


def photographs(shape: Sequence[int]) -> np.ndarray:
    """Quarters of scikit-learn's two photographs, (8, *shape), float32 in [0, 1]."""
    from sklearn.datasets import load_sample_images

    photos = np.stack(load_sample_images().images)[:, :420, :640]
    quarters = photos.reshape(2, 2, 210, 2, 320, 3).swapaxes(2, 3).reshape(8, 210, 320, 3)
    resized = tf.image.resize(quarters, shape[:2], antialias=True).numpy() / 255
    return np.clip(resized[..., np.arange(shape[2]) % 3], 0, 1).astype("float32")


def baselines(size: int, dataset: Dataset | None = None) -> dict[str, Baseline]:
    """Raw pixels, at most at RAW_SIZE."""
    return {RAW: Baseline(min(size, RAW_SIZE), flattened)}


def schema(dataset: Dataset) -> None:
    """None: encoders of images need their shape alone."""


def bank(dataset: Dataset) -> None:
    """None: views of images take nothing from other images."""


def draw(chain: Any, batch: dict, path: Path, dataset: Dataset) -> str:
    """Writes the contact sheet as a PNG; returns the table of the operations, "" for a function of a batch."""
    if callable(chain):
        sheet.batch_sheet(batch, chain, path)
        return ""
    sheet.contact_sheet(batch["image"], batch["size"], chain, path)
    return sheet.table(sheet.statistics(chain, dataset.shape[-1]))


def views(size: int, channels: int, dataset: Dataset) -> list:
    """Mild views of any image, by which reports measure how an encoder changes."""
    return presets.simclr(size, channels, strength=0.5, min_scale=0.3, flip=False)
