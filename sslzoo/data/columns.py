"""Columns of examples: what images and series consist of, and how they are read."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

ReadMain = ReadImages = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class MainColumns:
    """Reads the main column and "size", and the columns of another reader if there is one."""

    main: ReadMain
    others: Callable[[np.ndarray], dict[str, np.ndarray]] | None = None
    kind: str = "image"

    def __call__(self, index: np.ndarray) -> dict[str, np.ndarray]:
        main, size = self.main(index)
        return (self.others(index) if self.others else {}) | {self.kind: main, "size": size}


def taken(graph: Callable, chosen: np.ndarray) -> Callable:
    """The reader in a graph of the examples `chosen` (n,), from the reader of all examples."""
    with tf.device("CPU"):
        numbers = tf.constant(chosen, tf.int64)  # captured, since a constant would become part of the graph
    return lambda index: graph(tf.gather(numbers, index))


def main_spec(shape: tuple[int, ...], dtype: np.dtype, kind: str = "image") -> dict[str, tf.TensorSpec]:
    """The main column of a kind, on a canvas (..., channels), and "size", the extent of each example along its axes."""
    return {kind: tf.TensorSpec(shape, tf.as_dtype(dtype)), "size": tf.TensorSpec((len(shape) - 1,), tf.int32)}
