"""CAPI: predict the clusters of a teacher's features at hidden patches; vision transformers only."""

import keras
from keras import ops

from sslzoo import losses
from sslzoo.layers import masking
from sslzoo.layers.heads import Prototypes
from sslzoo.layers.self_distillation import warmed
from sslzoo.layers.targets import Target, cosine_to_zero
from sslzoo.layers.tokens import sincos
from sslzoo.layers.transformer import cross_transformer, kept, parts, picked, through, token_width
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather, own


class CAPI(SSLModel):
    """Predicts, for hidden patches, the online clusters of an EMA network's features, from a visible block of patches.

    Clusters are balanced over the batch at each place on its own, so that the place says nothing about the cluster.
    Their head has its own loss and learning rate, and its features get no gradient from it. Take at most as many as the
    batch has images. The authors' transformer has 16 registers, no class token, rotary positions and RMS norms.

    Args:
        encoder: functional vision transformer, images (batch, height, width, channels) -> features (batch, features).
        mask_ratio: float in (0, 1), share of the patches that are hidden; the visible ones are a block.
        predict_share: float in (0, 1], share of the hidden patches that are predicted, at least one.
        prototypes: int, number of clusters.
        predictor_depth: int, blocks of the predictor, in which queries see visible patches and not each other.
        predictor_heads: int, heads of its attention; None for as many as in the encoder.
        temperature: float, temperature of the student and of the cluster head.
        target_temperature: float, temperature of the balanced targets.
        cluster_rate: float in (0, 1], learning rate of the cluster head as a share of that of the step.
        ema_rate: float, share that the EMA network moves to the encoder after the warm-up; decays to 0 along a cosine.
        ema_warmup: float in 0..1, share of the training in which it rises from 0.

    Raises:
        ValueError: if the encoder has no patch tokens, or all patches or none would be hidden.
    """

    paper = "https://arxiv.org/abs/2502.08769"
    use = "vision transformers on much data without colour augmentation; large batches"
    batch = 64
    views = "capi"
    default_encoder = "vit_tiny"
    kinds = ("image",)
    micro_batches = False

    def __init__(
        self,
        encoder,
        mask_ratio: float = 0.65,
        predict_share: float = 0.05,
        prototypes: int = 16384,
        predictor_depth: int = 12,
        predictor_heads: int | None = None,
        temperature: float = 0.12,
        target_temperature: float = 0.06,
        cluster_rate: float = 0.5,
        ema_rate: float = 0.001,
        ema_warmup: float = 0.1,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.mask_ratio, self.predict_share, self.prototypes = mask_ratio, predict_share, prototypes
        self.predictor_depth, self.predictor_heads = predictor_depth, predictor_heads
        self.temperature, self.target_temperature = temperature, target_temperature
        self.cluster_rate, self.ema_rate, self.ema_warmup = cluster_rate, ema_rate, ema_warmup
        self.stem, self.place, self.trunk = parts(encoder)
        self.width, heads = token_width(encoder), predictor_heads or encoder.get_layer("block1_attention").heads
        narrow, normal = (keras.initializers.RandomNormal(stddev=deviation) for deviation in (0.02, 1.0))
        self.mask_token = self.add_weight((self.width,), initializer=narrow, name="mask_token")
        self.predictor = cross_transformer(self.width, predictor_depth, heads, name="predictor")
        self.scores = Prototypes(self.width, prototypes, weight_norm=True, name="scores")
        self.clusters = keras.layers.Dense(prototypes, kernel_initializer=normal, dtype="float32", name="clusters")
        self.clusters.build((None, self.width))
        self.target = Target(encoder)
        self.target_parts = parts(self.exported())

    def call(self, batch, training=None):
        images = batch["views"][0]
        patches = self.stem(images)
        grid = tuple(patches.shape[1:3])
        visible, asked = self._mask(ops.shape(images)[0], grid, training)
        tokens = self.place(patches)
        extra = tokens.shape[1] - grid[0] * grid[1]
        seen = self.trunk(kept(tokens, visible, extra))
        places = ops.cast(ops.reshape(sincos(*grid, self.width), (-1, self.width)), seen.dtype)
        queries = ops.cast(self.mask_token, seen.dtype) + ops.take(places, asked, axis=0)
        where = ops.pad(ops.take(places, visible, axis=0), ((0, 0), (extra, 0), (0, 0)))
        features = losses.unit(ops.stop_gradient(through(self.target_parts, images)[:, extra:]))
        student = self.scores(self.predictor([queries, seen + where]))
        return dict(student=student, clusters=self.clusters(features), asked=asked)

    def exported(self):
        return self.target.copies[0]

    def objective(self, student, clusters, asked):
        codes = losses.sinkhorn(gather(clusters), epsilon=self.target_temperature)  # at each place on its own
        codes = own(codes, ops.shape(student)[0])
        found = losses.masked_cross_entropy(student / self.temperature, picked(codes, asked))
        return ops.mean(gather(found + losses.masked_cross_entropy(clusters / self.temperature, codes)))

    def learning_rate_of(self, weight, learning_rate, peak):
        return learning_rate * (self.cluster_rate if any(weight is one for one in self.clusters.weights) else 1.0)

    def after_step(self, **outputs):
        rest = ops.maximum(self.progress - self.ema_warmup, 0.0) / max(1 - self.ema_warmup, 1e-9)
        self.target.update(warmed(0.0, 1.0, self.ema_warmup, self.progress) * cosine_to_zero(self.ema_rate, rest))

    def _mask(self, count, grid: tuple, training):
        """Numbers of the visible patches of each image, and of those that are predicted."""
        hidden = int(grid[0] * grid[1] * self.mask_ratio)
        if not 0 < hidden < grid[0] * grid[1]:
            raise ValueError(f"mask_ratio={self.mask_ratio} hides {hidden} of {grid[0] * grid[1]} patches: change it")
        noise = self.uniform((count, 5), 0, training=training)
        visible, rest = masking.inverse_block(noise, grid, grid[0] * grid[1] - hidden)
        order = ops.argsort(self.uniform((count, hidden), 1, training=training))
        asked = ops.take_along_axis(rest, order[:, : max(1, int(hidden * self.predict_share))], axis=1)
        return visible, asked
