"""EMP-SSL: many small crops of an image agree with their mean, and the embeddings of each crop fill the space."""

from keras import ops

from sslzoo.layers.heads import norm_mlp
from sslzoo.losses import emp_ssl, unit
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class EMPSSL(SSLModel):
    """Minimizes -invariance cos(crop, mean of the crops) - total coding rate of each crop over the global batch.

    With 20 to 200 crops of an image few epochs are sufficient: the paper reports results after one. All crops pass
    through the networks together. Embeddings have norm 1.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the projector's two hidden layers.
        invariance: float, weight of the cosines.
        distortion: float, above 0, epsilon^2 of the coding rate.
    """

    paper = "https://arxiv.org/abs/2304.03977"
    use = "trainings of few epochs; 20 or more crops per image, small batches"
    batch = 64
    views = "emp_ssl"

    def __init__(
        self,
        encoder,
        projection_dim: int = 1024,
        hidden_dim: int = 4096,
        invariance: float = 200.0,
        distortion: float = 0.2,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.invariance = invariance
        self.distortion = distortion
        widths = encoder.output_shape[-1], hidden_dim, projection_dim
        self.projector = norm_mlp(*widths, hidden_layers=2, last_norm=False, last_bias=True, name="projector")

    def call(self, batch):
        z = ops.stack(self.together(batch["views"], self.embed), axis=1)
        return dict(z_a=z[:, 0], z_b=z[:, 1], z=z)

    def embed(self, inputs):
        return unit(self.projector(self.encode(inputs)))

    def objective(self, z, **embeddings):
        z = ops.swapaxes(gather(z), 0, 1)
        return emp_ssl(z, invariance=self.invariance, distortion=self.distortion)
