"""BYOL: predict the EMA target's embedding of the other view; no negatives."""

from keras import ops

from sslzoo.layers.heads import byol_mlp
from sslzoo.layers.targets import Target, cosine_to_zero
from sslzoo.losses import negative_cosine
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class BYOL(SSLModel):
    """Minimizes |n(p) - n(z)|^2 in both directions, p the prediction from one view, z the target's of the other.

    The views pass through the networks one by one, with BatchNorm statistics of their own.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the hidden layers of projector and predictor.
        ema_rate: float, share that the target network moves towards the online network in a step at the start; decays
            to 0 along a cosine.
    """

    paper = "https://arxiv.org/abs/2006.07733"
    use = "batches that are too small for contrastive methods; needs BatchNorm in its heads and some patience"
    batch = 64
    views = "byol"

    def __init__(self, encoder, projection_dim: int = 256, hidden_dim: int = 4096, ema_rate: float = 0.004, **kwargs):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.ema_rate = ema_rate
        self.projector = byol_mlp(encoder.output_shape[-1], hidden_dim, projection_dim, name="projector")
        self.predictor = byol_mlp(projection_dim, hidden_dim, projection_dim, name="predictor")
        self.target = Target(encoder, self.projector)

    def call(self, batch):
        view_a, view_b = batch["views"]
        z_a, z_b = (self.embed(view) for view in (view_a, view_b))
        target_a, target_b = self.target(view_a), self.target(view_b)
        return dict(
            z_a=z_a, z_b=z_b, p_a=self.predictor(z_a), p_b=self.predictor(z_b), target_a=target_a, target_b=target_b
        )

    def objective(self, p_a, p_b, target_a, target_b, **embeddings):
        target_a, target_b = ops.stop_gradient(target_a), ops.stop_gradient(target_b)
        a_sees_b = negative_cosine(gather(p_a), gather(target_b))
        b_sees_a = negative_cosine(gather(p_b), gather(target_a))
        return 4 + 2 * (a_sees_b + b_sees_a)

    def after_step(self, **outputs):
        self.target.update(cosine_to_zero(self.ema_rate, self.progress_before))
