"""Barlow Twins: each feature of the embedding agrees between two views and is uncorrelated with the others."""

from sslzoo.layers.heads import norm_mlp
from sslzoo.losses import barlow_twins
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class BarlowTwins(SSLModel):
    """Moves the cross-correlation matrix of the features of two views, over the global batch, to the identity.

    The views pass through the networks one by one, with BatchNorm statistics of their own.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses; the loss grows with it.
        hidden_dim: int, width of the projector's two hidden layers.
        off_diagonal_weight: float, lambda of the paper, as in the authors' code.
        vector_rate: float, factor of the learning rate of biases and norms; 0.024 in the paper, whose LARS does not
            scale them. For Adam, which scales all steps, 1.
    """

    paper = "https://arxiv.org/abs/2103.03230"
    use = "small batches; a wide projector (thousands of dimensions) and memory for it are required"
    batch = 128
    views = "byol"

    def __init__(
        self,
        encoder,
        projection_dim: int = 8192,
        hidden_dim: int = 8192,
        off_diagonal_weight: float = 0.0051,
        vector_rate: float = 0.024,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.off_diagonal_weight = off_diagonal_weight
        self.vector_rate = vector_rate
        widths = encoder.output_shape[-1], hidden_dim, projection_dim
        self.projector = norm_mlp(*widths, hidden_layers=2, last_norm=False, name="projector")

    def call(self, batch):
        z_a, z_b = (self.embed(view) for view in batch["views"][:2])
        return dict(z_a=z_a, z_b=z_b)

    def objective(self, z_a, z_b):
        return barlow_twins(gather(z_a), gather(z_b), off_diagonal_weight=self.off_diagonal_weight)

    def learning_rate_of(self, weight, learning_rate, peak):
        return learning_rate * (self.vector_rate if len(weight.shape) < 2 else 1.0)
