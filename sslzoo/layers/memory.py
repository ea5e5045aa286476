"""Memories of embeddings: a queue of the newest rows, and banks with one row for each example of the data.

Their rows are weights, so that checkpoints contain them, and are equal on all replicas.
"""

import keras
from keras import ops

from sslzoo import losses
from sslzoo.losses import unit
from sslzoo.utils import replicas


def add_state(
    layer: keras.layers.Layer, name: str, shape: tuple, initializer="zeros", dtype="float32", autocast: bool = False
) -> keras.Variable:
    """A weight that no gradient reaches, saved with the layer.

    Every replica has to assign the same value: that of the first replica is the one that is saved.

    Args:
        layer: the layer or model that owns the weight. Set it as an attribute too.
        name: str, name of the weight.
        shape: tuple of int.
        initializer: a Keras initializer or its name.
        dtype: str.
        autocast: bool, whether the weight is read in half precision within `call` under a mixed policy.
    """
    options = dict(dtype=dtype, autocast=autocast, trainable=False, aggregation="only_first_replica")
    return layer.add_weight(shape, initializer, name=name, **options)


class Memory(keras.layers.Layer):
    """Rows of norm one, float32 (size, dim), which start as random directions.

    Args:
        size: int, number of rows.
        dim: int, width of a row.

    Raises:
        ValueError: if `size` is less than 1.
    """

    def __init__(self, size: int, dim: int, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        if size < 1:
            raise ValueError(f"{self.name} needs at least one row, got {size}")
        self.size, self.dim = size, dim
        self.rows = add_state(self, "rows", (size, dim), keras.initializers.RandomNormal())
        self.rows.assign(unit(self.rows))
        self.built = True

    def nearest(self, z):
        """The row of largest cosine similarity to each embedding: z (n, dim) -> (n, dim). No gradient reaches z."""
        found = ops.argmax(ops.matmul(unit(z), ops.transpose(self.rows)), axis=1)
        return ops.stop_gradient(ops.take(self.rows, found, axis=0))

    def neighbours(self, z, count: int):
        """The rows of largest cosine similarity to each embedding, nearest first: z (n, dim) -> (n, count, dim)."""
        _, found = ops.top_k(ops.matmul(unit(z), ops.transpose(self.rows)), count)
        return ops.stop_gradient(ops.take(self.rows, found, axis=0))


class Queue(Memory):
    """First in, first out: the last `size` rows that were added.

    Args:
        size: int, number of rows.
        dim: int, width of a row.
    """

    def __init__(self, size: int, dim: int, **kwargs):
        super().__init__(size, dim, **kwargs)
        self.position = add_state(self, "position", (), dtype="int32")

    def enqueue(self, rows) -> None:
        """Replaces the oldest rows by new ones.

        Args:
            rows: (count, dim), of the global batch. Of more than `size` rows only the last are kept.
        """
        count = ops.shape(rows)[0]
        where = self._oldest(count)
        self.rows.assign(ops.scatter_update(self.rows, where, ops.cast(rows, "float32")[-self.size :]))
        self.position.assign((self.position + count) % self.size)

    def _oldest(self, count):
        """The places (kept, 1) of the next `count` rows, of which at most `size` are kept."""
        first = self.position + ops.maximum(count - self.size, 0)
        return ((first + ops.arange(ops.minimum(count, self.size), dtype="int32")) % self.size)[:, None]


class LabelledQueue(Queue):
    """A queue of directions and their labels, -1 for rows that are not filled yet.

    Args:
        size: int, number of rows.
        dim: int, width of a row.
    """

    def __init__(self, size: int, dim: int, **kwargs):
        super().__init__(size, dim, **kwargs)
        self.labels = add_state(self, "labels", (size,), keras.initializers.Constant(-1), dtype="int32")

    def enqueue(self, rows, labels) -> None:
        """Replaces the oldest rows by the directions of new ones.

        Args:
            rows: (count, dim), of the global batch. Of more than `size` rows only the last are kept.
            labels: int (count,).
        """
        kept = ops.cast(labels, "int32")[-self.size :]
        self.labels.assign(ops.scatter_update(self.labels, self._oldest(ops.shape(rows)[0]), kept))
        super().enqueue(unit(rows))


class Bank(Memory):
    """One row for each example of the data, addressed by the `index` of a batch.

    Args:
        size: int, number of examples.
        dim: int, width of a row.
    """

    def read(self, index):
        """The rows (n, dim) of the examples `index`, int (n,)."""
        return ops.take(self.rows, index, axis=0)

    def write(self, index, rows) -> None:
        """Replaces the rows of the examples `index`, int (n,), of the global batch by `rows`, (n, dim)."""
        self.rows.assign(ops.scatter_update(self.rows, ops.cast(index, "int32")[:, None], ops.cast(rows, "float32")))


class ContrastBank(Bank):
    """A bank that embeddings are contrasted with, by the full softmax or by NCE (InstDisc, arXiv 1805.01978).

    NCE draws its noise once for each step and shares it within the batch; the paper draws it for each image. The
    normalizer Z is estimated in the first step and kept, as in the authors' code.

    Args:
        size: int, number of examples.
        dim: int, width of an embedding.
        temperature: float, divides the cosine similarities.
        negatives: int, rows that are the noise of NCE; 0 for the full softmax.
        rate: float in (0, 1], share that a row moves towards a new embedding of its example.

    Raises:
        ValueError: if `negatives` is negative or `rate` is outside of (0, 1].
    """

    def __init__(self, size: int, dim: int, temperature: float, negatives: int, rate: float, **kwargs):
        super().__init__(size, dim, **kwargs)
        if negatives < 0:
            raise ValueError(f"negatives must be 0 (the full softmax) or more, got {negatives}")
        if not 0 < rate <= 1:
            raise ValueError(f"bank_rate must be in (0, 1], got {rate!r}")
        self.temperature, self.negatives, self.rate = temperature, negatives, rate
        self.normalizer = add_state(self, "normalizer", ())
        self.step = add_state(self, "step", (), dtype="int32")

    def contrast(self, z, index, seen):
        """The loss of embeddings that should be close to the rows of their examples.

        Args:
            z: (n, dim), of the global batch, of any norm.
            index: int (n,), the example of each embedding.
            seen: (n, dim), embeddings as the bank holds them, which estimate Z in the first step.

        Returns:
            A float32 scalar.
        """
        if not self.negatives:
            return losses.non_parametric_softmax(z, self.rows, index, temperature=self.temperature)
        settings = dict(temperature=self.temperature, images=self.size, normalizer=self.estimate(seen))
        return losses.noise_contrastive(z, self.read(index), self.noise(), **settings)

    def noise(self):
        """Rows (negatives, dim) of examples drawn uniformly for this step, the same on all replicas."""
        return self.read(replicas.integers((self.negatives,), self.size, (self.step, self.step + 1)))

    def estimate(self, z):
        """Z of NCE: the estimate of the first step, or within that step the estimate from z (n, dim)."""
        first = losses.partition_function(z, self.noise(), temperature=self.temperature, images=self.size)
        return ops.where(self.normalizer > 0, self.normalizer, first)

    def remember(self, z, index) -> None:
        """After a step: moves the rows of the examples `index` (n,) towards z (n, dim), and keeps Z."""
        z = unit(z)
        if self.negatives:
            self.normalizer.assign(self.estimate(z))
            self.step.assign_add(1)
        known = self.read(index)
        self.write(index, unit(known + self.rate * (z - known)))
