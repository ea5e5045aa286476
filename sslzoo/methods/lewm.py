"""LeWM: predict the embeddings of the next frames from frames and actions, and keep embeddings normally distributed."""

import keras
from keras import ops

from sslzoo.layers.dynamics import HEAD, conditional_transformer
from sslzoo.layers.heads import norm_mlp
from sslzoo.layers.regions import each
from sslzoo.losses import latent_error, normal, sigreg
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class LeWM(SSLModel):
    """LeWorldModel: minimizes the squared error of predicted embeddings + sigreg_weight SIGReg, and nothing else.

    A causal transformer predicts the embedding of each frame of a window from the frames before it in the window and
    the actions at these. There is no target network and no stopped gradient. SIGReg, as in LeJEPA, is the mean over the
    places of a window; it grows with the batch. Windows across the end of an episode are left out. The exported model
    ends with the embedding, which the predictor continues.

    The defaults are those of the authors' code, which trains a ViT-Tiny on frames of 224 px. Its frames are 5 steps
    apart, and it standardizes actions; here windows and actions are those of the data. Its predictor also drops
    attention weights. It clips the gradient at a norm of 1.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        horizon: int, number of next frames in a window; as many frames are the history of the last one.
        projection_dim: int, width of the embedding.
        hidden_dim: int, width of the hidden layers of projector and predictor.
        sigreg_weight: float in 0..1, lambda of the paper.
        predictor_depth: int, blocks of the predictor.
        predictor_heads: int, heads of its attention, of width 64; None for as many as the embedding is wide.
        predictor_dropout: float in 0..0.99, share of the numbers that its blocks drop in training.
        directions: int, number of random lines of SIGReg.
        knots: int, points of its quadrature, at least 2.
        reach: float, end of the quadrature's interval.
        action_dim: int, width of the actions, as pretraining finds it.
    """

    paper = "https://arxiv.org/abs/2603.19312"
    use = "frames of episodes with actions: an embedding in which actions can be planned"
    batch = 64
    views = "frames"
    relation = "following"
    kinds = ("image",)

    def __init__(
        self,
        encoder,
        horizon: int = 3,
        projection_dim: int = 192,
        hidden_dim: int = 2048,
        sigreg_weight: float = 0.09,
        predictor_depth: int = 6,
        predictor_heads: int | None = 16,
        predictor_dropout: float = 0.1,
        directions: int = 1024,
        knots: int = 17,
        reach: float = 3.0,
        action_dim: int = 0,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.horizon, self.projection_dim, self.hidden_dim = horizon, projection_dim, hidden_dim
        self.predictor_depth, self.predictor_heads = predictor_depth, predictor_heads
        self.predictor_dropout, self.action_dim = predictor_dropout, action_dim
        self.sigreg_weight, self.directions, self.knots, self.reach = sigreg_weight, directions, knots, reach
        head = dict(last_norm=False, last_bias=True, activation="gelu")
        self.projector = norm_mlp(encoder.output_shape[-1], hidden_dim, projection_dim, **head, name="projector")
        heads = predictor_heads or max(1, projection_dim // HEAD)
        blocks = hidden_dim, predictor_depth, heads, predictor_dropout
        self.predictor = conditional_transformer(horizon, projection_dim, action_dim, *blocks, name="predictor")
        self.predictor_head = norm_mlp(projection_dim, hidden_dim, projection_dim, **head, name="predictor_head")

    def call(self, batch):
        z = ops.stack(self.together(batch["views"], self.embed), axis=1)
        p = each(self.predictor_head, self.predictor([z[:, :-1], batch["action"][:, :-1]]))
        return dict(z_a=z[:, 0], z_b=z[:, 1], z=z, p=p, valid=ops.min(batch["valid"], axis=1))

    def objective(self, z, p, valid, **embeddings):
        z, p, valid = map(gather, (z, p, valid))
        lines = normal(self.uniform((self.projection_dim, self.directions), 0, everywhere=True))
        spread = sigreg(ops.swapaxes(z, 0, 1), lines, valid, knots=self.knots, reach=self.reach)
        return latent_error(p, z[:, 1:], valid) + self.sigreg_weight * spread

    def of_images(self, network):
        # A copy of the projector: networks that are kept do not change with training.
        head = type(self.projector).from_config(self.projector.get_config() | {"name": "embedding"})
        head.set_weights(self.projector.get_weights())
        images = keras.Input(network.input_shape[1:])
        return keras.Model(images, head(network(images)), name=network.name)
