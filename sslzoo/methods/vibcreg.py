"""VIbCReg: VICReg with correlations in place of covariances, on embeddings that a last layer whitens."""

import keras

from sslzoo.layers.heads import norm_mlp
from sslzoo.layers.whitening import IterNorm
from sslzoo.losses import vibcreg
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class VIbCReg(SSLModel):
    """Minimizes the weighted sum of an invariance, a variance and a correlation term over the global batch.

    The terms are better conditioned than VICReg's: correlations do not depend on the scale of the embeddings, and
    IterNorm keeps it near 1. The views pass through the networks one by one, with statistics of their own.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the projector's two hidden layers.
        whitening_groups: int, groups of features that IterNorm whitens; divides projection_dim. 0 omits IterNorm.
        invariance: float, weight of the mean squared difference of the views.
        variance: float, weight of the variance term.
        covariance: float, weight of the squared correlations between features.

    Raises:
        ValueError: if `whitening_groups` does not divide `projection_dim`.
    """

    paper = "https://arxiv.org/abs/2109.00783"
    use = "as VICReg, made for time series; a wide projector"
    batch = 128
    views = "byol"

    def __init__(
        self,
        encoder,
        projection_dim: int = 2048,
        hidden_dim: int = 2048,
        whitening_groups: int = 64,
        invariance: float = 25.0,
        variance: float = 25.0,
        covariance: float = 200.0,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.whitening_groups = whitening_groups
        self.invariance = invariance
        self.variance = variance
        self.covariance = covariance
        options = dict(hidden_layers=2, last_norm=False, last_bias=True, activation="gelu")
        mlp = norm_mlp(encoder.output_shape[-1], hidden_dim, projection_dim, **options)
        last = [IterNorm(projection_dim, whitening_groups, name="whitening")] if whitening_groups else []
        self.projector = keras.Sequential([keras.Input(encoder.output_shape[1:]), *mlp.layers, *last], name="projector")

    def call(self, batch):
        z_a, z_b = (self.embed(view) for view in batch["views"][:2])
        return dict(z_a=z_a, z_b=z_b)

    def objective(self, z_a, z_b):
        weights = dict(invariance=self.invariance, variance=self.variance, covariance=self.covariance)
        return vibcreg(gather(z_a), gather(z_b), **weights)
