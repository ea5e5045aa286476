"""Datasets made of a reader, or of an array in memory."""

import numpy as np

from sslzoo.data.columns import MainColumns, ReadMain, main_spec
from sslzoo.data.dataset import Dataset


def of_images(
    name: str, read: ReadMain, count: int, shape: tuple[int, ...], dtype, kind: str = "image", **fields
) -> Dataset:
    """A dataset of images, or of another kind.

    Args:
        name: of the dataset.
        read: indices (k,) int64 -> examples (k, *shape) and their sizes int32: of images (k, 2), height and width.
        count: number of examples.
        shape: of the canvas: of images (height, width, channels), in pixels.
        dtype: of the pixels: uint8, uint16 or float32.
        kind: of the examples.
        **fields: other attributes of the Dataset.
    """
    return Dataset(name, MainColumns(read, kind=kind), count, main_spec(shape, dtype, kind), kind=kind, **fields)


def in_memory(name: str, images: np.ndarray, sizes: np.ndarray | None = None, **fields) -> Dataset:
    """A dataset of an array.

    Args:
        images: (n, height, width, channels); (n, steps, channels) with kind="series".
        sizes: (n, axes), of images (n, 2), height and width; None where all fill the canvas.
        **fields: other attributes of the Dataset.
    """
    if sizes is None:
        extent = np.asarray(images.shape[1:-1], np.int32)
        sizes = np.broadcast_to(extent, (len(images), len(extent)))
    return of_images(name, lambda i: (images[i], sizes[i]), len(images), images.shape[1:], images.dtype, **fields)
