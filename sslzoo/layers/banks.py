"""A bank of all images that embeddings are told from, by the full softmax or by NCE."""

import tensorflow as tf
from keras import ops

from sslzoo import losses
from sslzoo.layers.queues import Bank


class ContrastBank(Bank):
    """A bank that embeddings are told from: by the full softmax over it, or by NCE (InstDisc, arXiv 1805.01978).

    The noise of NCE is drawn anew in each step and shared by the batch, where the paper draws it for each image. Z is
    estimated in the first step and then stays, as in the authors' code.

    Args:
        size, dim: images of the data, width of an embedding.
        temperature: divides the cosine similarities.
        negatives: 0 for the full softmax; else how many remembered images are the noise.
        rate: the fraction that a remembered embedding moves towards a new one of its image.

    Raises:
        ValueError: a negative number of negatives, a rate outside of (0, 1].
    """

    def __init__(self, size: int, dim: int, temperature: float, negatives: int, rate: float, **kwargs):
        super().__init__(size, dim, **kwargs)
        if negatives < 0:
            raise ValueError(f"negatives must be 0 (the full softmax) or more, got {negatives}")
        if not 0 < rate <= 1:
            raise ValueError(f"bank_rate must be in (0, 1], got {rate!r}")
        self.temperature, self.negatives, self.rate = temperature, negatives, rate
        self.normalizer = self._state((), "normalizer")
        self.step = self._state((), "step", dtype="int32")

    def contrast(self, z, index, seen):
        """How far embeddings z (n, dim) are from what is remembered of the images `index` (n,).

        Args:
            z, index: of the global batch.
            seen: embeddings (n, dim) of the images as they are remembered, which estimate Z in the first step.
        """
        if not self.negatives:
            return losses.non_parametric_softmax(z, self.rows, index, self.temperature)
        settings = self.temperature, self.size
        return losses.noise_contrastive(z, self.read(index), self.noise(), *settings, self.estimate(seen))

    def noise(self):
        """What is remembered of images drawn uniformly for this step, (negatives, dim), the same on all replicas."""
        seed = self.step + ops.arange(2, dtype="int32")
        options = dict(maxval=self.size, dtype="int32", alg="philox")
        return self.read(tf.random.stateless_uniform((self.negatives,), seed, **options))

    def estimate(self, z):
        """Z of NCE: what the first step estimated, or in that step the estimate from z (n, dim)."""
        first = losses.partition_function(z, self.noise(), self.temperature, self.size)
        return ops.where(self.normalizer > 0, self.normalizer, first)

    def remember(self, z, index) -> None:
        """After a step: moves the rows of the images `index` (n,) towards z (n, dim), and remembers Z."""
        z = ops.normalize(z)
        if self.negatives:
            self.normalizer.assign(self.estimate(z))
            self.step.assign_add(1)
        known = self.read(index)
        self.write(index, ops.normalize(known + self.rate * (z - known)))
