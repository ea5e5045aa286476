"""ATC: contrast a frame with a frame of the same episode a few steps later."""

import keras

from sslzoo.layers.heads import plain_mlp
from sslzoo.layers.targets import Target
from sslzoo.losses import bilinear_info_nce
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class ATC(SSLModel):
    """Augmented temporal contrast: matches (c + MLP(c)) W c' among the later frames of the global batch.

    c is the embedding of a frame, c' that of the frame `interval` steps later by the EMA networks. Anchors whose
    episode ends before are left out. The paper clips the norm of the gradient at 10.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        interval: int, steps between the two frames.
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the hidden layer of the predictor.
        ema_rate: float, share that the target network moves towards the online network in a step.
    """

    paper = "https://arxiv.org/abs/2009.08319"
    use = "frames of episodes, without actions: what changes slowly, and what can be foreseen"
    batch = 64
    views = "random_shift"
    relation = "later"
    default_encoder = "conv_rl"
    kinds = ("image",)

    def __init__(
        self,
        encoder,
        interval: int = 3,
        projection_dim: int = 256,
        hidden_dim: int = 512,
        ema_rate: float = 0.01,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.interval = interval
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.ema_rate = ema_rate
        self.projector = plain_mlp(encoder.output_shape[-1], 0, projection_dim, name="projector")
        self.predictor = plain_mlp(projection_dim, hidden_dim, projection_dim, name="predictor")
        self.target = Target(encoder, self.projector)
        square = (projection_dim, projection_dim)
        self.similarity = self.add_weight(
            shape=square, initializer="glorot_uniform", dtype="float32", name="similarity"
        )

    def call(self, batch):
        frame, later = batch["views"]
        z_a = self.embed(frame)
        return dict(z_a=z_a, z_b=self.target(later), p_a=z_a + self.predictor(z_a), valid=batch["valid"][:, 0])

    def objective(self, p_a, z_b, valid, **outputs):
        z_b = keras.ops.stop_gradient(gather(z_b))
        return bilinear_info_nce(gather(p_a), z_b, self.similarity, gather(valid))

    def after_step(self, **outputs):
        self.target.update(self.ema_rate)
