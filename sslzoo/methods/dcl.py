"""DCL: SimCLR without the positive in the denominator, which makes small batches sufficient."""

from sslzoo.layers.heads import mlp
from sslzoo.losses import dcl, dclw
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class DCL(SSLModel):
    """Contrasts each image with all others of the global batch, with attraction and repulsion decoupled.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the projector's hidden layer.
        temperature: float, divides the cosine similarities.
        sigma: float, 0 for DCL; above 0 DCLW, in which distant positives count more: 0.5 in the paper.

    Raises:
        ValueError: if `sigma` is negative.
    """

    paper = "https://arxiv.org/abs/2110.06848"
    use = "contrastive learning with small batches, from 64 on"
    batch = 64
    views = "simclr"

    def __init__(
        self,
        encoder,
        projection_dim: int = 128,
        hidden_dim: int = 2048,
        temperature: float = 0.1,
        sigma: float = 0.0,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.temperature = temperature
        self.sigma = sigma
        self.projector = mlp(encoder.output_shape[-1], hidden_dim, projection_dim, name="projector")

    def call(self, batch):
        z_a, z_b = self.together(batch["views"], self.embed)
        return dict(z_a=z_a, z_b=z_b)

    def objective(self, z_a, z_b):
        if self.sigma:
            return dclw(gather(z_a), gather(z_b), temperature=self.temperature, sigma=self.sigma)
        return dcl(gather(z_a), gather(z_b), temperature=self.temperature)
