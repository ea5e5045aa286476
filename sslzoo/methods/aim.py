"""AIM: predict the pixels of each next patch from the patches before it; vision transformers only."""

import keras
from keras import ops

from sslzoo import losses
from sslzoo.layers import attention_masks
from sslzoo.layers.patches import pictures
from sslzoo.layers.transformer import dense, feed_forward, parts, token_width, walk
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class AIM(SSLModel):
    """Minimizes the mean squared error of the normalized pixels of the next patch, in the order of rows.

    A patch sees the patches before it, and all patches of a prefix of random length, whose targets do not count; the
    exported encoder sees all. Class tokens are seen by all and see themselves and the prefix. The authors' transformer
    has no class token, no biases, and a norm after the patch embedding; the average over patches (`pool="mean"`) is the
    feature to export, of the last block here and of the last six in the paper.

    Args:
        encoder: functional vision transformer, images (batch, height, width, channels) -> features (batch, features).
        head_dim: int, width of the head, which only training uses.
        head_depth: int, residual blocks of the head, each of two dense layers without attention.
        normalize: bool, makes the target of a patch its pixels minus their mean, divided by their deviation.

    Raises:
        ValueError: if the encoder has no patch tokens.
    """

    paper = "https://arxiv.org/abs/2401.08541"
    use = "large transformers on much data, read with attentive probes; weak when small"
    batch = 16
    views = "aim"
    default_encoder = "vit_tiny"
    kinds = ("image",)
    micro_batches = False

    def __init__(self, encoder, head_dim: int = 2048, head_depth: int = 12, normalize: bool = True, **kwargs):
        super().__init__(encoder, **kwargs)
        self.head_dim = head_dim
        self.head_depth = head_depth
        self.normalize = normalize
        self.stem, self.place, self.trunk = parts(encoder)
        self.patch, self.extra = encoder.get_layer("patches").patch, encoder.get_layer("tokens").extra
        self.pixels = self.patch**2 * encoder.input_shape[-1]
        x = tokens = keras.Input((None, token_width(encoder)))
        x = dense(head_dim, "entrance")(x)
        for number in range(head_depth):
            x = keras.layers.Add(name=f"mlp{number + 1}")([x, feed_forward(x, head_dim, f"mlp{number + 1}")])
        x = keras.layers.LayerNormalization(epsilon=1e-6, name="norm")(x)
        self.decoder = keras.Model(tokens, dense(self.pixels, "output", dtype="float32")(x), name="decoder")

    def call(self, batch, training=None):
        images = batch["views"][0]
        tokens = self.place(self.stem(images))
        length = tokens.shape[1] - self.extra
        noise = self.uniform((ops.shape(images)[0],), 0, training=training)
        allowed, hidden = attention_masks.prefix(noise, length)
        tokens, _ = walk(self.trunk, tokens, attention_masks.with_extra(allowed, ~hidden, self.extra))
        target = losses.patch_targets(images, self.patch, normalize=self.normalize)
        prediction = self.decoder(tokens[:, self.extra : -1])
        return dict(prediction=prediction, target=target[:, 1:], mask=hidden[:, 1:])

    def baseline(self, batch_size):
        """The loss of a prediction of zero."""
        return (self.pixels - 1) / self.pixels if self.normalize else None

    def pictures(self, batch):
        outputs = self(batch, training=False)
        prediction = ops.pad(outputs["prediction"], ((0, 0), (1, 0), (0, 0)))  # nothing predicts the first patch
        hidden = ops.pad(outputs["mask"], ((0, 0), (1, 0)))
        return pictures(batch["views"][0], self.patch, prediction, hidden, self.normalize)

    def objective(self, prediction, target, mask):
        counts = ops.sum(ops.cast(mask, "float32"), axis=1)
        errors = losses.patch_mse(prediction, target, weights=mask) * counts
        return ops.sum(gather(errors)) / ops.sum(gather(counts))
