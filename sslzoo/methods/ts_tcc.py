"""TS-TCC: the context of one view predicts the next steps of the other, and contexts of a series agree."""

import keras
from keras import ops

from sslzoo.layers.context import Context
from sslzoo.layers.heads import linear, norm_mlp
from sslzoo.layers.steps import steps_of
from sslzoo.losses import cross_view_prediction, nt_xent, unit
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class TSTCC(SSLModel):
    """Minimizes `temporal_weight` times the temporal contrast of both directions + `context_weight` times NT-Xent.

    The context of a view contains its steps up to a random one, drawn once for a batch and direction. The views are a
    weak and a strong one, drawn in each step; the authors draw them once before the training. Use conv_pool_1d, the
    authors' encoder, or another one that pools steps; steps of series are those of its last convolution. The authors
    train with Adam, a learning rate of 3e-4, beta_1 of 0.9 and batches of 128.

    Args:
        encoder: encoder such as conv_pool_1d, (batch, steps, channels) -> features (batch, features).
        horizon: int, number of next steps that are predicted; 6 in the paper for HAR, 50 for sleep, 10 for epilepsy.
        projection_dim: int, width of the embedding of a context.
        hidden_dim: int, width of the hidden layer before it.
        temperature: float, divides the cosine similarities of NT-Xent.
        temporal_weight: float, weight of the temporal contrast.
        context_weight: float, weight of NT-Xent.
        context_dim: int, width of a context.
        context_depth: int, number of blocks of the transformer that computes it.
        context_heads: int, heads of its attention.

    Raises:
        ValueError: if the encoder does not pool steps, has no more of them than are predicted, or the heads do not
            divide the width.
    """

    paper = "https://arxiv.org/abs/2106.14112"
    use = "series whose next steps can be predicted, such as movements and signals of the body"
    batch = 128
    views = "ts_tcc"
    default_encoder = "conv_pool_1d"
    kinds = ("series",)
    micro_batches = False

    def __init__(
        self,
        encoder,
        horizon: int = 6,
        projection_dim: int = 32,
        hidden_dim: int = 64,
        temperature: float = 0.2,
        temporal_weight: float = 1.0,
        context_weight: float = 0.7,
        context_dim: int = 100,
        context_depth: int = 4,
        context_heads: int = 4,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.horizon = horizon
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.temperature = temperature
        self.temporal_weight = temporal_weight
        self.context_weight = context_weight
        self.context_dim = context_dim
        self.context_depth = context_depth
        self.context_heads = context_heads
        self.steps = keras.Model(encoder.input, steps_of(encoder, "ts_tcc"))
        self.width = self.steps.output_shape[-1]
        self.context = Context(self.width, context_dim, context_depth, context_heads, name="context")
        self.predictor = linear(context_dim, horizon * self.width, name="predictor")
        widths = context_dim, hidden_dim, projection_dim
        self.context_head = norm_mlp(*widths, last_norm=False, last_bias=True, name="context_head")

    def call(self, batch, training=None):
        a, b = (unit(self.steps(view)) for view in batch["views"][:2])  # apart: each with its BatchNorm statistics
        count = a.shape[1] - self.horizon
        if count < 1:
            raise ValueError(
                f"horizon={self.horizon} must be below the {a.shape[1]} steps that {self.encoder.name} pools"
            )
        noise = self.uniform((2,), 0, everywhere=True, training=training)
        # Without a training, the longest contexts.
        last = ops.cast(ops.floor(noise * count), "int32") if training else ops.full((2,), count - 1, "int32")
        from_a, from_b = self.context(a, last=last[0]), self.context(b, last=last[1])
        return dict(
            predicted_b=self._predicted(from_a),
            predicted_a=self._predicted(from_b),
            next_b=b[:, last[0] + 1 : last[0] + 1 + self.horizon],
            next_a=a[:, last[1] + 1 : last[1] + 1 + self.horizon],
            z_a=self.context_head(from_a),
            z_b=self.context_head(from_b),
        )

    def _predicted(self, context):
        return ops.reshape(self.predictor(context), (-1, self.horizon, self.width))

    def objective(self, predicted_b, predicted_a, next_b, next_a, z_a, z_b):
        temporal = cross_view_prediction(gather(predicted_b), gather(next_b))
        temporal += cross_view_prediction(gather(predicted_a), gather(next_a))
        context = nt_xent(gather(z_a), gather(z_b), temperature=self.temperature)
        return self.temporal_weight * temporal + self.context_weight * context
