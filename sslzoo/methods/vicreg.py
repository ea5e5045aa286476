"""VICReg: embeddings of two views agree, each feature varies over the batch, and features are uncorrelated."""

from sslzoo.layers.heads import norm_mlp
from sslzoo.losses import vicreg
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class VICReg(SSLModel):
    """Minimizes the weighted sum of an invariance, a variance and a covariance term over the global batch.

    The views pass through the networks one by one, with BatchNorm statistics of their own. Reductions are those of the
    authors' code.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the expander's two hidden layers.
        invariance: float, weight of the mean squared difference of the views.
        variance: float, weight of the variance term, without which the embeddings collapse.
        covariance: float, weight of the squared covariances between features.
    """

    paper = "https://arxiv.org/abs/2105.04906"
    use = "batches of 256 or more without negatives; a wide projector"
    batch = 128
    views = "byol"

    def __init__(
        self,
        encoder,
        projection_dim: int = 8192,
        hidden_dim: int = 8192,
        invariance: float = 25.0,
        variance: float = 25.0,
        covariance: float = 1.0,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.invariance = invariance
        self.variance = variance
        self.covariance = covariance
        widths = encoder.output_shape[-1], hidden_dim, projection_dim
        self.projector = norm_mlp(*widths, hidden_layers=2, last_norm=False, name="projector")

    def call(self, batch):
        z_a, z_b = (self.embed(view) for view in batch["views"][:2])
        return dict(z_a=z_a, z_b=z_b)

    def objective(self, z_a, z_b):
        weights = dict(invariance=self.invariance, variance=self.variance, covariance=self.covariance)
        return vicreg(gather(z_a), gather(z_b), **weights)
