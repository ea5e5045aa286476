"""Inputs of encoders from a dataset: images of one size in [0, 1], series of one length; and features."""

import functools
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from sslzoo.catalog.kinds import KINDS
from sslzoo.data import Dataset
from sslzoo.utils.bars import bar
from sslzoo.views.baselines import Baseline, flattened


def images(dataset: Dataset, size: int, batch_size: int = 256, view: Callable | None = None) -> Iterator[np.ndarray]:
    """Yields the inputs of all examples in order, in batches of float32: of images (n, size, size, channels) in [0, 1].

    Args:
        dataset: of any kind.
        size: extent of the inputs: of images the side in pixels, of series the number of steps.
        batch_size: examples of a batch.
        view: function (examples, sizes) -> inputs, that of the kind of data if None.
    """
    view = view or _evaluation(dataset.kind, size, dataset.spec[dataset.kind], dataset.spec["size"])
    for examples, sizes in _in_order(dataset, batch_size):
        yield view(examples, sizes).numpy()


@functools.lru_cache(64)
def _evaluation(kind: str, size: int, *specs: tf.TensorSpec) -> Callable:
    """The view for evaluation of a kind of data, traced once for all datasets of one shape."""
    given = [tf.TensorSpec((None, *spec.shape), spec.dtype) for spec in specs]
    return tf.function(KINDS[kind].functions.evaluation(size), input_signature=given, autograph=False)


def _in_order(dataset: Dataset, batch_size: int) -> Iterator[tuple]:
    """The examples and their sizes, in batches: read ahead where reading is costly."""
    if dataset.in_memory:
        for start in range(0, len(dataset), batch_size):
            examples, sizes = dataset.examples(np.arange(start, min(start + batch_size, len(dataset))))
            yield examples, np.asarray(sizes, "int32")
    else:
        for batch in dataset.batches(batch_size, drop_remainder=False):
            yield batch[dataset.kind], batch["size"]


def encode(encoder: keras.Model, dataset: Dataset, size: int, batch_size: int = 256) -> np.ndarray:
    """Returns the features (n, dim), float32, of all examples in order."""
    return np.concatenate(list(feature_batches(encoder, dataset, size, batch_size)))


def feature_batches(encoder: keras.Model, dataset: Dataset, size: int, batch_size: int = 256) -> Iterator[np.ndarray]:
    """Yields the features of all examples in order, in batches (n, dim)."""
    batches, total = images(dataset, size, batch_size), -(-len(dataset) // batch_size)
    for batch in bar(batches, f"features of {dataset.name}", total):
        yield encoder.predict_on_batch(batch).astype("float32")


def mild_views(examples: np.ndarray, dataset: Dataset, size: int, count: int) -> list[np.ndarray]:
    """Returns `count` mild views of inputs (n, ...), the same each time, by which figures without labels compare.

    They are those of the kind of data, whatever an encoder was trained with: of images SimCLR's, halved in strength.

    Args:
        examples: inputs of an encoder.
        dataset: the data that they are from.
        size: extent of the inputs.
        count: number of views of each example.
    """
    view = KINDS[dataset.kind].functions.views(size, examples.shape[-1], dataset)[0]
    sizes = np.tile(np.int32(examples.shape[1:-1]), (len(examples), 1))
    return [view(examples, sizes, (draw, 7)).numpy() for draw in range(count)]


def mild_pairs(dataset: Dataset, size: int, most: int) -> list[np.ndarray]:
    """Returns two mild views of the first examples, at most `most`."""
    few = dataset.take(np.arange(min(len(dataset), most)))
    return mild_views(next(iter(images(few, size, most))), dataset, size, 2)


def pixels(dataset: Dataset, size: int) -> np.ndarray:
    """Returns the raw inputs (n, dim) of all examples in order, as a baseline: of images pixels in [0, 1]."""
    return without_encoder(dataset, Baseline(size, flattened))


def without_encoder(dataset: Dataset, baseline: Baseline) -> np.ndarray:
    """Returns the features (n, dim) of a baseline of all examples in order."""
    return np.concatenate([baseline.features(batch) for batch in images(dataset, baseline.size)])


def patches(images: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Returns the pixels (n, rows, columns, pixels) under each of rows x columns places; a remainder is cut off."""
    tall, wide = images.shape[1] // rows, images.shape[2] // columns
    cut = images[:, : tall * rows, : wide * columns]
    blocks = cut.reshape(len(images), rows, tall, columns, wide, -1).transpose(0, 1, 3, 2, 4, 5)
    return blocks.reshape(len(images), rows, columns, -1)
