"""data2vec: predict the features of several layers of a teacher at masked patches; vision transformers only."""

import math

import keras
from keras import ops

from sslzoo import losses
from sslzoo.layers import masking
from sslzoo.layers.targets import Target, ema_update
from sslzoo.layers.transformer import parts, through, token_width, walk
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class Data2Vec(SSLModel):
    """Predicts, at masked patches, the mean output of the last blocks of an EMA network that receives the whole image.

    The first version of data2vec. The EMA network shares patch embedding and class token with the encoder; the
    prediction is the encoder's output itself. The error is smooth L1, summed over features and divided by the root of
    their number, as in the authors' code. Their transformer has relative positions, `layer_scale=1e-4` and
    `drop_path=0.25`.

    Args:
        encoder: functional vision transformer, images (batch, height, width, channels) -> features (batch, features).
        mask_ratio: float in 0..1, share of the patches that are masked, in blocks as in BEiT; some masks fall short.
        top_blocks: int, number of last blocks whose outputs are averaged; all if the encoder has fewer.
        beta: float, error above which it grows linearly.
        ema_rate: float, share that the target network moves towards the encoder in a step at the start.
        ema_rate_end: float, share at the end, reached linearly.

    Raises:
        ValueError: if the encoder has no patch tokens.
    """

    paper = "https://arxiv.org/abs/2202.03555"
    use = "vision transformers that are fine-tuned afterwards; long trainings"
    batch = 32
    views = "data2vec"
    default_encoder = "vit_tiny"
    kinds = ("image",)
    micro_batches = False

    def __init__(
        self,
        encoder,
        mask_ratio: float = 0.6,
        top_blocks: int = 6,
        beta: float = 2.0,
        ema_rate: float = 0.001,
        ema_rate_end: float = 0.0002,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.mask_ratio = mask_ratio
        self.top_blocks = top_blocks
        self.beta = beta
        self.ema_rate = ema_rate
        self.ema_rate_end = ema_rate_end
        self.parts, self.width = parts(encoder), token_width(encoder)
        self.patch = encoder.get_layer("patches").patch
        narrow = keras.initializers.TruncatedNormal(stddev=0.02)
        self.mask_token = self.add_weight((self.width,), initializer=narrow, name="mask_token")
        self.target = Target(encoder)
        self.target_parts = parts(self.exported())

    def call(self, batch, training=None):
        images = batch["views"][0]
        grid = tuple(side // self.patch for side in images.shape[1:3])
        mask, patches = self._mask(ops.shape(images)[0], grid, training), grid[0] * grid[1]
        prediction = through(self.parts, images, mask, self.mask_token)[:, -patches:]
        stem, place, _ = self.parts
        _, blocks = walk(self.target_parts[-1], ops.stop_gradient(place(stem(images))))
        target = sum(ops.cast(x, "float32") for x in blocks[-self.top_blocks :]) / len(blocks[-self.top_blocks :])
        target = ops.stop_gradient(losses.standardized(target[:, -patches:]))
        return dict(prediction=ops.cast(prediction, "float32"), target=target, mask=ops.reshape(mask, (-1, patches)))

    def exported(self):
        return self.target.copies[0]

    def objective(self, prediction, target, mask):
        counts = ops.sum(ops.cast(mask, "float32"), axis=1)
        errors = losses.smooth_l1(prediction, target, beta=self.beta, weights=mask) * counts
        # A mean over all masked patches of the batch, of which images have different numbers.
        return ops.sum(gather(errors)) / ops.maximum(ops.sum(gather(counts)), 1) * math.sqrt(self.width)

    def after_step(self, **outputs):
        self.target.update(self.ema_rate + (self.ema_rate_end - self.ema_rate) * self.progress)
        for target, online in zip(self.target_parts[:-1], self.parts[:-1], strict=True):
            ema_update(target, online, 1.0)  # shared

    def _mask(self, count, grid: tuple, training):
        """Masked patches, bool (count, rows, columns)."""
        patches = grid[0] * grid[1]
        noise = self.uniform((count, masking.TRIES, 4), 0, training=training)
        least = max(1, round(patches * 16 / 196))  # BEiT's smallest block
        return masking.blocks(noise, grid, int(patches * self.mask_ratio), least)
