"""TiCo: agree with the EMA target's embedding of the other view, and avoid frequent directions."""

from keras import ops

from sslzoo.layers.heads import byol_mlp
from sslzoo.layers.targets import Target, cosine_to_zero
from sslzoo.losses import tico, tico_covariance
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class TiCo(SSLModel):
    """Minimizes 1 - cos(z_a, z_b) + rho z_a' C z_a, z_a online, z_b the target's, C the running covariance of z_a.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the projector's hidden layer.
        ema_rate: float, share that the target network moves towards the online network in a step at the start; decays
            to 0 along a cosine.
        covariance_rate: float, share that the covariance moves in a step: 1 - beta of the paper.
        covariance_weight: float, rho of the paper.
    """

    paper = "https://arxiv.org/abs/2206.10698"
    use = "small batches: a moving covariance replaces negatives"
    batch = 64
    views = "byol"

    def __init__(
        self,
        encoder,
        projection_dim: int = 256,
        hidden_dim: int = 4096,
        ema_rate: float = 0.01,
        covariance_rate: float = 0.1,
        covariance_weight: float = 8.0,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.ema_rate = ema_rate
        self.covariance_rate = covariance_rate
        self.covariance_weight = covariance_weight
        self.projector = byol_mlp(encoder.output_shape[-1], hidden_dim, projection_dim, name="projector")
        self.target = Target(encoder, self.projector)
        # Read in half precision within `call` under a mixed policy, as by version 0.1.
        self.covariance = self.add_state("covariance", (projection_dim, projection_dim), autocast=True)

    def call(self, batch):
        view_a, view_b = batch["views"][:2]
        z_a = self.embed(view_a)
        z_b = ops.stop_gradient(self.target(view_b))
        covariance = tico_covariance(gather(z_a), self.covariance, rate=self.covariance_rate)
        return dict(z_a=z_a, z_b=z_b, covariance=covariance)

    def objective(self, z_a, z_b, covariance):
        return tico(gather(z_a), gather(z_b), covariance, covariance_weight=self.covariance_weight)

    def after_step(self, covariance, **embeddings):
        self.covariance.assign(covariance)
        self.target.update(cosine_to_zero(self.ema_rate, self.progress_before))
