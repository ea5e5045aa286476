"""COLA: two parts of a clip are matched by a learned bilinear similarity, among all clips of the batch."""

import keras
from keras import layers

from sslzoo.losses import bilinear_info_nce
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class COLA(SSLModel):
    """Contrasts the second part of each clip with those of all others of the global batch, in one direction.

    Args:
        encoder: functional or sequential model, waveforms or log-mels -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
    """

    paper = "https://arxiv.org/abs/2010.10915"
    use = "audio whose clips are longer than two views; its views are two parts of a clip without further changes"
    views = "cola"
    kinds = ("audio",)

    def __init__(self, encoder, projection_dim: int = 512, **kwargs):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.projector = keras.Sequential(
            [
                keras.Input((encoder.output_shape[-1],)),
                layers.Dense(projection_dim, name="dense"),
                layers.LayerNormalization(epsilon=1e-3, dtype="float32", name="norm"),
                layers.Activation("tanh", dtype="float32", name="tanh"),
            ],
            name="projector",
        )
        self.similarity = self.add_weight(
            shape=(projection_dim, projection_dim),
            initializer=keras.initializers.RandomNormal(stddev=0.05),
            dtype="float32",
            name="similarity",
        )

    def call(self, batch):
        z_a, z_b = self.together(batch["views"], self.embed)
        return dict(z_a=z_a, z_b=z_b)

    def objective(self, z_a, z_b):
        return bilinear_info_nce(gather(z_a), gather(z_b), self.similarity)
