"""LeJEPA: views agree with the mean of the large ones, and embeddings are normally distributed along random lines."""

from keras import ops

from sslzoo.layers.heads import norm_mlp
from sslzoo.losses import invariance, normal, sigreg
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class LeJEPA(SSLModel):
    """Minimizes (1 - sigreg_weight) invariance + sigreg_weight SIGReg over the global batch, and nothing else.

    There is no target network, no predictor, no stopped gradient and no schedule. Embeddings are not normalized. SIGReg
    grows with the batch, so that the weights of other codes, which omit this factor, do not apply. New directions are
    drawn at each step. Views of a size pass through the networks together.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses; 16 to 128 in the paper.
        hidden_dim: int, width of the projector's two hidden layers.
        sigreg_weight: float in 0..1, lambda of the paper.
        centres: int, number of views, the first ones, whose mean all views approach; 2 with small crops.
        directions: int, number of random lines.
        knots: int, points of the quadrature, at least 2.
        reach: float, end of the quadrature's interval.
    """

    paper = "https://arxiv.org/abs/2511.08544"
    use = "few settings to tune: no target network, no schedule; any encoder"
    batch = 64
    views = "lejepa"

    def __init__(
        self,
        encoder,
        projection_dim: int = 64,
        hidden_dim: int = 2048,
        sigreg_weight: float = 0.05,
        centres: int = 2,
        directions: int = 1024,
        knots: int = 17,
        reach: float = 3.0,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.sigreg_weight = sigreg_weight
        self.centres = centres
        self.directions = directions
        self.knots = knots
        self.reach = reach
        widths = encoder.output_shape[-1], hidden_dim, projection_dim
        self.projector = norm_mlp(*widths, hidden_layers=2, last_norm=False, last_bias=True, name="projector")

    def call(self, batch):
        z = ops.stack(self.together(batch["views"], self.embed), axis=1)
        return dict(z_a=z[:, 0], z_b=z[:, 1], z=z)

    def objective(self, z, **embeddings):
        z = ops.swapaxes(gather(z), 0, 1)
        lines = normal(self.uniform((self.projection_dim, self.directions), 0, everywhere=True))
        far = invariance(z, centres=self.centres)
        return (1 - self.sigreg_weight) * far + self.sigreg_weight * sigreg(
            z, lines, knots=self.knots, reach=self.reach
        )
