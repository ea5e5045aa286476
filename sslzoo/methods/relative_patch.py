"""Relative patch location: recognize in which direction one patch of an image lies from the central one."""

import math

import keras
from keras import ops

from sslzoo.layers import patches
from sslzoo.layers.heads import norm_mlp
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather

CELLS = 3  # a centre and its eight neighbours
CENTRE = CELLS**2 // 2


class RelativePatch(SSLModel):
    """Classifies the eight neighbours of the central patch of an image by their direction.

    The first view is divided into 3 x 3 cells, and a patch is taken from a random position in each. The gaps between
    patches hide edges that continue; every patch is standardized. Patches are resized to the input size of an encoder
    that accepts only one. The second view serves monitors. Without the paper's dropout in the classifier.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        hidden_dim: int, width of the classifier's hidden layer.
        patch_share: float in (0, 1], side of a patch as a share of the cell's; 64 of 85 px in later work.
    """

    paper = "https://arxiv.org/abs/1505.05192"
    use = "objects made of parts; each image costs nine patches"
    batch = 16
    views = "puzzle"
    kinds = ("image",)

    def __init__(self, encoder, hidden_dim: int = 4096, patch_share: float = 0.75, **kwargs):
        super().__init__(encoder, **kwargs)
        self.hidden_dim = hidden_dim
        self.patch_share = patch_share
        widths = 2 * encoder.output_shape[-1], hidden_dim, 8
        self.head = norm_mlp(*widths, last_norm=False, last_bias=True, name="head")

    def call(self, batch, training=None):
        images = batch["views"][0]
        count, size = ops.shape(images)[0], images.shape[1]
        side = max(1, round(self.patch_share * (size // CELLS)))
        places = patches.corners(size, CELLS, side, self.uniform((count, 2, CELLS**2), 0, training=training))
        cut = patches.standardized(patches.at(images, *places, side))
        features = patches.encode(self.encode, cut, self.encoder.input_shape[1:3])[:, 0]
        centre, around = features[:, CENTRE : CENTRE + 1], [*range(CENTRE), *range(CENTRE + 1, CELLS**2)]
        around = ops.take(features, around, axis=1)
        pairs = ops.concatenate([ops.broadcast_to(centre, ops.shape(around)), around], axis=-1)
        logits = self.head(ops.reshape(pairs, (-1, pairs.shape[-1])))
        directions = ops.tile(ops.arange(8), (count,))
        errors = keras.losses.sparse_categorical_crossentropy(directions, logits, from_logits=True)
        return dict(errors=ops.mean(ops.reshape(errors, (-1, 8)), axis=1))

    def baseline(self, batch_size):
        return math.log(8)

    def objective(self, errors):
        return ops.mean(gather(errors))
