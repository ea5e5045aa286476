"""Instance discrimination: every image is a class of its own, known by what a memory bank holds of it."""

import tensorflow as tf
from keras import ops

from sslzoo import losses
from sslzoo.heads import linear
from sslzoo.model import SSLModel
from sslzoo.queues import Bank
from sslzoo.replicas import gather


class InstDisc(SSLModel):
    """Finds an image among the remembered embeddings of all images, by the full softmax or by NCE.

    One view an image learns; the other serves the monitors alone. The noise of NCE is drawn anew in each step and
    shared by the batch, where the paper draws it for each image. Z is estimated in the first step and then stays.

    Args:
        encoder: images (batch, height, width, channels) -> features (batch, features).
        dataset_size: images of the data, each with a row in the memory bank.
        projection_dim: width of the embedding, which training alone uses.
        temperature: 0.07 in the paper, 0.1 for CIFAR-10 in the authors' code.
        negatives: 0 for the full softmax; else how many remembered images are the noise of NCE, 4096 for ImageNet.
        bank_rate: the fraction that a remembered embedding moves when its image is seen.
        proximal_weight: of the squared distance to what is remembered of the same image, 30 in the paper's ablation.

    Raises:
        ValueError: a negative number of negatives, a bank_rate outside of (0, 1].
    """

    paper = "https://arxiv.org/abs/1805.01978"
    views = "moco_v1"

    def __init__(
        self,
        encoder,
        dataset_size: int,
        projection_dim: int = 128,
        temperature: float = 0.07,
        negatives: int = 0,
        bank_rate: float = 0.5,
        proximal_weight: float = 0.0,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        if negatives < 0:
            raise ValueError(f"negatives must be 0 (the full softmax) or more, got {negatives}")
        if not 0 < bank_rate <= 1:
            raise ValueError(f"bank_rate must be in (0, 1], got {bank_rate!r}")
        self.dataset_size = dataset_size
        self.projection_dim = projection_dim
        self.temperature = temperature
        self.negatives = negatives
        self.bank_rate = bank_rate
        self.proximal_weight = proximal_weight
        self.projector = linear(encoder.output_shape[-1], projection_dim, name="projector")
        self.bank = Bank(dataset_size, projection_dim, name="bank")
        state = dict(initializer="zeros", trainable=False, autocast=False, aggregation="only_first_replica")
        self.normalizer = self.add_weight(shape=(), dtype="float32", name="normalizer", **state)
        self.step = self.add_weight(shape=(), dtype="int32", name="step", **state)

    def call(self, batch):
        view_a, view_b = batch["views"]
        z_a = self.projector(self.encoder(view_a))
        # In inference mode it leaves no trace; it comes last, since Keras hands `training` on to whatever comes later.
        z_b = self.projector(self.encoder(view_b, training=False))
        return dict(z_a=z_a, z_b=z_b, index=batch["index"])

    def objective(self, z_a, index, **outputs):
        z, index = gather(z_a), gather(index)
        known = self.bank.read(index)
        apart = self.proximal_weight * ops.mean(ops.sum((ops.normalize(z) - known) ** 2, axis=-1))
        if not self.negatives:
            return losses.non_parametric_softmax(z, self.bank.rows, index, self.temperature) + apart
        z_of_all = self.estimate(z)
        nce = losses.noise_contrastive(z, known, self.noise(), self.temperature, self.dataset_size, z_of_all)
        return nce + apart

    def noise(self):
        """What is remembered of images drawn uniformly for this step, (negatives, dim), the same on all replicas."""
        seed = self.step + ops.arange(2, dtype="int32")
        drawn = tf.random.stateless_uniform(
            (self.negatives,), seed, maxval=self.dataset_size, dtype="int32", alg="philox"
        )
        return self.bank.read(drawn)

    def estimate(self, z):
        """Z of NCE: what the first step estimated, or in that step the estimate from z (n, dim)."""
        first = losses.partition_function(z, self.noise(), self.temperature, self.dataset_size)
        return ops.where(self.normalizer > 0, self.normalizer, first)

    def after_step(self, z_a, index, **outputs):
        z, index = ops.normalize(gather(z_a)), gather(index)
        if self.negatives:
            self.normalizer.assign(self.estimate(z))
            self.step.assign_add(1)
        known = self.bank.read(index)
        self.bank.write(index, ops.normalize(known + self.bank_rate * (z - known)))
