"""Inputs of encoders from a dataset: images of one size in [0, 1], raw pixels, and features."""

from collections.abc import Iterator

import keras
import numpy as np

from sslzoo.data import Dataset
from sslzoo.utils.bars import bar
from sslzoo.views import presets


def images(dataset: Dataset, size: int, batch_size: int = 256) -> Iterator[np.ndarray]:
    """Yields all images in order, as batches (n, size, size, channels) of float32 in [0, 1]."""
    view = presets.evaluation(size)
    for batch in dataset.batches(batch_size, drop_remainder=False):
        yield view(batch["image"], batch["size"]).numpy()


def encode(encoder: keras.Model, dataset: Dataset, size: int, batch_size: int = 256) -> np.ndarray:
    """Returns the features (n, dim), float32, of all images in order."""
    return np.concatenate(list(feature_batches(encoder, dataset, size, batch_size)))


def feature_batches(encoder: keras.Model, dataset: Dataset, size: int, batch_size: int = 256) -> Iterator[np.ndarray]:
    """Yields the features of all images in order, in batches (n, dim)."""
    batches, total = images(dataset, size, batch_size), -(-len(dataset) // batch_size)
    for batch in bar(batches, f"features of {dataset.name}", total):
        yield encoder.predict_on_batch(batch).astype("float32")


def pixels(dataset: Dataset, size: int) -> np.ndarray:
    """Returns the raw pixels (n, size x size x channels) of all images in order, in [0, 1], as a baseline."""
    return np.concatenate([batch.reshape(len(batch), -1) for batch in images(dataset, size)])


def patches(images: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Returns the pixels (n, rows, columns, pixels) under each of rows x columns places; a remainder is cut off."""
    tall, wide = images.shape[1] // rows, images.shape[2] // columns
    cut = images[:, : tall * rows, : wide * columns]
    blocks = cut.reshape(len(images), rows, tall, columns, wide, -1).transpose(0, 1, 3, 2, 4, 5)
    return blocks.reshape(len(images), rows, columns, -1)
