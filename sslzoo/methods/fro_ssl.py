"""FroSSL: views agree, and a small Frobenius norm of their covariance spreads the embeddings over all features."""

from keras import ops

from sslzoo.layers.heads import norm_mlp
from sslzoo.losses import frossl
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class FroSSL(SSLModel):
    """Minimizes the log of the Frobenius norm of each view's covariance, and the distance of the views from their mean.

    The logarithm makes the gradient largest near collapse, so that embeddings spread early. Any number of views; they
    pass through the networks one by one, with BatchNorm statistics of their own.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the projector's two hidden layers.
        invariance_weight: float, weight of the distance from the mean view.
    """

    paper = "https://arxiv.org/abs/2310.02903"
    use = "short trainings without negatives; two or more views"
    batch = 128
    views = "simclr"

    def __init__(
        self,
        encoder,
        projection_dim: int = 1024,
        hidden_dim: int = 2048,
        invariance_weight: float = 1.0,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.invariance_weight = invariance_weight
        widths = encoder.output_shape[-1], hidden_dim, projection_dim
        self.projector = norm_mlp(*widths, hidden_layers=2, last_norm=False, last_bias=True, name="projector")

    def call(self, batch):
        z = ops.stack([self.embed(view) for view in batch["views"]], axis=1)
        return dict(z_a=z[:, 0], z_b=z[:, 1], z=z)

    def objective(self, z, **embeddings):
        return frossl(ops.swapaxes(gather(z), 0, 1), invariance_weight=self.invariance_weight)
