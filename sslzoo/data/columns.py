"""Columns of examples: what images consist of, and how they are read."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

ReadImages = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class ImageColumns:
    """Reads the columns "image" and "size", and those of another reader if there is one."""

    images: ReadImages
    others: Callable[[np.ndarray], dict[str, np.ndarray]] | None = None

    def __call__(self, index: np.ndarray) -> dict[str, np.ndarray]:
        image, size = self.images(index)
        return (self.others(index) if self.others else {}) | {"image": image, "size": size}


def taken(graph: Callable, chosen: np.ndarray) -> Callable:
    """The reader in a graph of the examples `chosen` (n,), from the reader of all examples."""
    with tf.device("CPU"):
        numbers = tf.constant(chosen, tf.int64)  # captured, since a constant would become part of the graph
    return lambda index: graph(tf.gather(numbers, index))


def image_spec(shape: tuple[int, int, int], dtype: np.dtype) -> dict[str, tf.TensorSpec]:
    """The columns of images on a canvas (height, width, channels)."""
    return {"image": tf.TensorSpec(shape, tf.as_dtype(dtype)), "size": tf.TensorSpec((2,), tf.int32)}
