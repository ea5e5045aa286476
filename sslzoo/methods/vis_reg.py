"""VISReg: views agree, and scale, shape and centre of the embeddings are those of a standard normal distribution."""

from keras import ops

from sslzoo.layers.heads import norm_mlp
from sslzoo.losses import invariance, normal, visreg
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class VISReg(SSLModel):
    """Minimizes (1 - regularizer_weight) invariance + regularizer_weight (scale + shape + centre) of the global batch.

    As LeJEPA, with a sliced Wasserstein distance in place of the test of characteristic functions. Views of a size pass
    through the networks together.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the projector's two hidden layers.
        regularizer_weight: float in 0..1, lambda of the paper: 0.9 on ImageNet-1k, 0.6 on Imagenette.
        centres: int, number of views, the first ones, whose mean all views approach.
        directions: int, number of random lines, drawn at each step.
    """

    paper = "https://arxiv.org/abs/2606.02572"
    use = "as LeJEPA; its weights do not depend on the batch size"
    batch = 64
    views = "vis_reg"

    def __init__(
        self,
        encoder,
        projection_dim: int = 256,
        hidden_dim: int = 2048,
        regularizer_weight: float = 0.9,
        centres: int = 4,
        directions: int = 4096,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.regularizer_weight = regularizer_weight
        self.centres = centres
        self.directions = directions
        options = dict(hidden_layers=2, last_norm=False, last_bias=True, activation="gelu", name="projector")
        self.projector = norm_mlp(encoder.output_shape[-1], hidden_dim, projection_dim, **options)

    def call(self, batch):
        z = ops.stack(self.together(batch["views"], self.embed), axis=1)
        return dict(z_a=z[:, 0], z_b=z[:, 1], z=z)

    def objective(self, z, **embeddings):
        z = ops.swapaxes(gather(z), 0, 1)
        lines = normal(self.uniform((self.projection_dim, self.directions), 0, everywhere=True))
        far = invariance(z, centres=self.centres)
        return (1 - self.regularizer_weight) * far + self.regularizer_weight * visreg(z, lines)
