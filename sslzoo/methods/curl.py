"""CURL: contrast two random crops of a frame with a bilinear similarity; keys are of an EMA encoder."""

import keras
from keras import ops

from sslzoo.layers.targets import Target
from sslzoo.losses import bilinear_info_nce
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class CURL(SSLModel):
    """Matches z_q of one crop with z_k of another by z_q W z_k, among all frames of the global batch.

    The features of the encoder are contrasted as they are, without normalization, projector or temperature. In the
    paper an agent is trained on the same encoder, which has a second optimizer for its own loss.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        ema_rate: float, share that the key encoder moves towards the encoder in an update.
        ema_interval: int, steps between two updates of the key encoder.
    """

    paper = "https://arxiv.org/abs/2004.04136"
    use = "frames of an environment without episodes; its random crops alone explain much of its gain"
    batch = 32
    views = "curl"
    default_encoder = "conv_rl"
    kinds = ("image",)

    def __init__(self, encoder, ema_rate: float = 0.05, ema_interval: int = 2, **kwargs):
        super().__init__(encoder, **kwargs)
        self.ema_rate = ema_rate
        self.ema_interval = ema_interval
        self.target = Target(encoder)
        dim = encoder.output_shape[-1]
        between = keras.initializers.RandomUniform(0.0, 1.0)
        self.similarity = self.add_weight(shape=(dim, dim), initializer=between, dtype="float32", name="similarity")

    def call(self, batch):
        view_a, view_b = batch["views"]
        return dict(z_a=self.embed(view_a), z_b=ops.cast(self.target(view_b), "float32"))

    def objective(self, z_a, z_b):
        return bilinear_info_nce(gather(z_a), ops.stop_gradient(gather(z_b)), self.similarity)

    def after_step(self, **outputs):
        self.target.update(ops.where(self.step % self.ema_interval == 0, self.ema_rate, 0.0))
