"""VICReg: embeddings of two views agree, each feature varies over the batch, no two features vary together."""

from sslzoo.layers.heads import norm_mlp
from sslzoo.losses import vicreg
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class VICReg(SSLModel):
    """Minimizes the weighted sum of an invariance, a variance and a covariance term over the global batch.

    The views pass one by one: BatchNorm knows each apart. Reductions are those of the authors' code.

    Args:
        encoder: images (batch, height, width, channels) -> features (batch, features).
        projection_dim: width of the embedding, which training alone uses.
        hidden_dim: width of the expander's two hidden layers.
        invariance: weight of the mean squared difference of the views.
        variance: weight of how much standard deviations fall short of 1; without it the embeddings collapse.
        covariance: weight of the squared covariances between features.
    """

    paper = "https://arxiv.org/abs/2105.04906"
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
        z_a, z_b = (self.projector(self.encoder(view)) for view in batch["views"][:2])
        return dict(z_a=z_a, z_b=z_b)

    def objective(self, z_a, z_b):
        return vicreg(gather(z_a), gather(z_b), self.invariance, self.variance, self.covariance)
