"""image-GPT: predict the colour of each next pixel, or of masked pixels; vision transformers only."""

import math

import keras
import numpy as np
from keras import ops

from sslzoo import losses
from sslzoo.layers import attention_masks
from sslzoo.layers.transformer import parts, through, token_width, walk
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather

PIXELS, ROUNDS = 20_000, 10  # pixels that colours are fitted to, and rounds of k-means


class IGPT(SSLModel):
    """Classifies the next pixel, or masked pixels (BERT), among colours that k-means finds in the data.

    A pixel is a patch of the encoder, reduced to its mean colour: take `patch_size` 1, and images of few pixels, since
    memory grows with the square of their number. The encoder receives the colours, so that the embedding of a colour is
    linear in it, where the authors have a table. The class token is the start of the sequence. In the exported encoder
    every pixel sees all others. The paper reads the features of a middle block: `features_after`.

    Args:
        encoder: functional vision transformer, images (batch, height, width, channels) -> features (batch, features).
        colours: int, number of colours: 512 in the paper for RGB; 16 suffice for gray images.
        bert: bool, predicts masked pixels from all others instead of the next pixel from earlier ones.
        mask_ratio: float in 0..1, probability that BERT masks a pixel.

    Raises:
        ValueError: if the encoder has no patch tokens.
    """

    paper = "https://proceedings.mlr.press/v119/chen20s.html"
    use = "small images; a generative model as representation, read at a middle block"
    batch = 16
    views = "igpt"
    default_encoder = "vit_tiny"
    kinds = ("image",)
    micro_batches = False

    def __init__(self, encoder, colours: int = 512, bert: bool = False, mask_ratio: float = 0.15, **kwargs):
        super().__init__(encoder, **kwargs)
        self.colours = colours
        self.bert = bert
        self.mask_ratio = mask_ratio
        self.parts, self.width = parts(encoder), token_width(encoder)
        self.patch, self.extra = encoder.get_layer("patches").patch, encoder.get_layer("tokens").extra
        drawn = keras.initializers.RandomUniform(0.0, 1.0, seed=0)
        self.centres = self.add_state("centres", (colours, encoder.input_shape[-1]), drawn)
        zeros = dict(kernel_initializer="zeros", use_bias=False, dtype="float32")
        self.decoder = keras.layers.Dense(colours, **zeros, name="decoder")
        self.decoder.build((None, None, self.width))

    def adapt(self, images):
        """Fits the colours to pixels of images by k-means."""
        pixels = np.concatenate([ops.convert_to_numpy(self._pixels(part)) for part in images])
        pixels = pixels.reshape(-1, pixels.shape[-1])
        pixels = pixels[np.random.default_rng(0).permutation(len(pixels))[:PIXELS]]
        known = np.unique(pixels, axis=0)
        centres = ops.convert_to_numpy(self.centres).copy()
        few = known[np.unique(np.linspace(0, len(known) - 1, self.colours).astype(int))]
        centres[: len(few)] = few
        for _ in range(ROUNDS):
            nearest = ops.convert_to_numpy(_nearest(pixels, centres))
            for colour in np.unique(nearest):
                centres[colour] = pixels[nearest == colour].mean(axis=0)
        self.centres.assign(centres)

    def call(self, batch, training=None):
        pixels = self._pixels(batch["views"][0])
        grid = tuple(pixels.shape[1:3])
        ids, length = _nearest(pixels, self.centres), grid[0] * grid[1]
        images = ops.take(ops.convert_to_tensor(self.centres), ids, axis=0)
        images = ops.repeat(ops.repeat(images, self.patch, axis=1), self.patch, axis=2)
        mask = self.uniform((ops.shape(images)[0], *grid), 0, training=training) < self.mask_ratio
        if self.bert:
            tokens = through(self.parts, images, mask, ops.zeros((self.width,)))[:, self.extra :]
        else:
            stem, place, trunk = self.parts
            order = attention_masks.with_extra(
                attention_masks.causal(length), ops.zeros((1, length), "bool"), self.extra
            )
            tokens, _ = walk(trunk, place(stem(images)), order)
            tokens = ops.concatenate([tokens[:, :1], tokens[:, self.extra : -1]], axis=1)
            mask = ops.ones_like(mask)
        ids, mask = (ops.reshape(x, (-1, length)) for x in (ids, mask))
        return dict(logits=self.decoder(tokens), ids=ids, mask=mask)

    def baseline(self, batch_size):
        """The loss of uniform probabilities."""
        return math.log(self.colours)

    def objective(self, logits, ids, mask):
        return ops.mean(gather(losses.class_cross_entropy(logits, ids, weights=mask)))

    def _pixels(self, images):
        """The mean colour of each patch, (n, rows, columns, channels)."""
        pixels = ops.average_pool(ops.cast(images, "float32"), self.patch, self.patch)
        return ops.stop_gradient(pixels)


def _nearest(pixels, centres):
    """Numbers of the nearest colours: pixels (..., channels), centres (colours, channels) -> int32 (...)."""
    centres = ops.cast(ops.convert_to_tensor(centres), "float32")
    apart = ops.sum(centres**2, axis=-1) - 2 * ops.matmul(ops.cast(pixels, "float32"), ops.transpose(centres))
    return ops.cast(ops.argmin(apart, axis=-1), "int32")
