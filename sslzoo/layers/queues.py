"""Memories: a queue of the newest rows, a bank of one row for each image; weights, so checkpoints hold them."""

import keras
from keras import ops


class Memory(keras.layers.Layer):
    """Rows on the unit sphere that no gradient reaches, equal on all replicas if they are given the same rows.

    Args:
        size: number of rows.
        dim: width of a row.
    """

    def __init__(self, size: int, dim: int, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        if size < 1:
            raise ValueError(f"{self.name} needs at least one row, got {size}")
        self.size, self.dim = size, dim
        self.rows = self._state((size, dim), "rows", keras.initializers.RandomNormal())
        self.rows.assign(ops.normalize(self.rows))
        self.built = True

    def _state(self, shape: tuple, name: str, initializer="zeros", dtype: str = "float32") -> keras.Variable:
        options = dict(dtype=dtype, autocast=False, trainable=False, aggregation="only_first_replica")
        return self.add_weight(shape, initializer, name=name, **options)


class Queue(Memory):
    """First in, first out: the last `size` rows that were put in; random directions until it is full."""

    def __init__(self, size: int, dim: int, **kwargs):
        super().__init__(size, dim, **kwargs)
        self.position = self._state((), "position", dtype="int32")

    def enqueue(self, rows) -> None:
        """Puts rows (count, dim) of the global batch in place of the oldest, around the end if need be."""
        count = ops.shape(rows)[0]
        kept = ops.cast(rows, "float32")[-self.size :]
        first = self.position + ops.maximum(count - self.size, 0)
        where = (first + ops.arange(ops.shape(kept)[0], dtype="int32")) % self.size
        self.rows.assign(ops.scatter_update(self.rows, where[:, None], kept))
        self.position.assign((self.position + count) % self.size)


class Bank(Memory):
    """One row for each image of the data, found by the `index` of a batch."""

    def read(self, index):
        """Rows (n, dim) of the images `index` (n,)."""
        return ops.take(self.rows, index, axis=0)

    def write(self, index, rows) -> None:
        """Replaces the rows of the images `index` (n,) of the global batch by rows (n, dim)."""
        self.rows.assign(ops.scatter_update(self.rows, ops.cast(index, "int32")[:, None], ops.cast(rows, "float32")))
