"""Jigsaw: recognize by which permutation the parts of an image are shuffled."""

import math

import keras
from keras import ops

from sslzoo.layers import patches
from sslzoo.layers.heads import linear, norm_mlp
from sslzoo.layers.permutations import distant
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class Jigsaw(SSLModel):
    """Classifies random permutations of the parts of an image, from a fixed set of distant ones.

    The first view is divided into cells, and a patch is taken from a random position in each, so that gaps hide edges
    that continue; every patch is standardized and encoded once for all permutations. Patches are resized to the input
    size of an encoder that accepts only one. The second view serves monitors. The loss may stay at log(permutations)
    for some hundred steps.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding of a part, which only training uses.
        hidden_dim: int, width of the classifier's hidden layer.
        grid: int, parts on a side, 2 or 3.
        permutations: int, classes, at most 24 for 2 x 2 parts.
        samples: int, permutations of each image in a step.
        patch_share: float in (0, 1], side of a patch as a share of the cell's; 64 of 85 px in the paper.

    Raises:
        ValueError: if the grid has fewer permutations.
    """

    paper = "https://arxiv.org/abs/1603.09246"
    use = "objects made of parts; each image costs four or nine patches"
    batch = 16
    views = "puzzle"
    kinds = ("image",)

    def __init__(
        self,
        encoder,
        projection_dim: int = 1000,
        hidden_dim: int = 4096,
        grid: int = 3,
        permutations: int = 100,
        samples: int = 8,
        patch_share: float = 0.75,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.grid = grid
        self.permutations = permutations
        self.samples = samples
        self.patch_share = patch_share
        self.orders = self.add_state("orders", (permutations, grid**2), dtype="int32")
        self.orders.assign(distant(grid**2, permutations))
        self.projector = linear(encoder.output_shape[-1], projection_dim, name="projector")
        widths = grid**2 * projection_dim, hidden_dim, permutations
        self.head = norm_mlp(*widths, last_norm=False, last_bias=True, name="head")

    def call(self, batch, training=None):
        images = batch["views"][0]
        count, size, parts = ops.shape(images)[0], images.shape[1], self.grid**2
        side = max(1, round(self.patch_share * (size // self.grid)))
        places = patches.corners(size, self.grid, side, self.uniform((count, 2, parts), 0, training=training))
        cut = patches.standardized(patches.at(images, *places, side))
        z = self.projector(patches.encode(self.encode, cut, self.encoder.input_shape[1:3])[:, 0])
        drawn = self.uniform((count, self.samples), 1, training=training)
        classes = ops.cast(ops.floor(drawn * self.permutations), "int32")
        order = ops.reshape(ops.take(self.orders, classes, axis=0), (-1, self.samples * parts, 1))
        shuffled = ops.reshape(ops.take_along_axis(z, order, axis=1), (-1, parts * self.projection_dim))
        logits = self.head(shuffled)
        errors = keras.losses.sparse_categorical_crossentropy(ops.reshape(classes, (-1,)), logits, from_logits=True)
        return dict(errors=ops.mean(ops.reshape(errors, (-1, self.samples)), axis=1))

    def baseline(self, batch_size):
        return math.log(self.permutations)

    def objective(self, errors):
        return ops.mean(gather(errors))

    def embed(self, inputs):
        return ops.cast(self.encode(inputs), "float32")
