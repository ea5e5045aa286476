"""Datasets of `tf.data.Dataset`: read once, into memory."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from sslzoo.data.arrays import splits_of
from sslzoo.data.dataset import DataError, Splits
from sslzoo.data.images import on_canvas
from sslzoo.data.made import in_memory
from sslzoo.utils.machine import machine_memory

SHARE = 0.5  # of the machine's memory, at most


def from_stream(
    stream: tf.data.Dataset, *, name: str = "tf.data", max_size: int | None = None, value_range=None
) -> Splits:
    """The images of a finite `tf.data.Dataset`.

    Args:
        stream: elements are images (height, width, channels), pairs (image, label), or dicts with `image` and, if it is
            known, `label`; or batches of these.
        name: of the dataset.
        max_size: longest side in pixels; larger images are shrunk.
        value_range: as of `load`.

    Raises:
        DataError: an infinite stream, elements of another form, or more than half of the memory.
    """
    if stream.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise DataError("the tf.data.Dataset is infinite: leave out repeat(), or add take(n)")
    images, labels = [], []
    size, most = 0, SHARE * machine_memory()
    for image, label in _elements(stream):
        images.append(image)
        labels.append(label)
        size += image.nbytes
        if size > most:
            raise DataError("the tf.data.Dataset does not fit into half of the memory: write its images to a folder")
    if not images:
        raise DataError("the tf.data.Dataset has no elements")
    known = [label for label in labels if label is not None]
    if len({image.shape for image in images}) == 1:
        return splits_of((np.stack(images), known or None), name=name, max_size=max_size, value_range=value_range)
    shape = tuple(np.max([image.shape for image in images], axis=0))
    canvas, sizes = on_canvas(images, len(images), shape, images[0].dtype)
    return Splits(in_memory(name, canvas, sizes, labels=np.asarray(known, np.int32) if known else None))


def _elements(stream: tf.data.Dataset) -> Iterator[tuple[np.ndarray, int | None]]:
    for element in stream.as_numpy_iterator():
        image, label = _parts(element)
        if image.ndim == 4:
            yield from zip(image, [None] * len(image) if label is None else label, strict=True)
        elif image.ndim == 3:
            yield image, label
        else:
            raise DataError(f"elements of the tf.data.Dataset have shape {image.shape}: give (height, width, channels)")


def _parts(element) -> tuple[np.ndarray, np.ndarray | None]:
    if isinstance(element, dict):
        if "image" not in element:
            raise DataError(f'elements of the tf.data.Dataset have {", ".join(element)}: name the image "image"')
        return np.asarray(element["image"]), element.get("label")
    if isinstance(element, tuple):
        return np.asarray(element[0]), element[1] if len(element) > 1 else None
    return np.asarray(element), None
