"""CPC: predict the embeddings of patches of an image from the patches above them, contrasted with all others."""

import math

import keras
from keras import ops

from sslzoo import losses
from sslzoo.layers import patches
from sslzoo.layers.heads import causal_context, linear
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather

SCALE = 0.1  # of predictions, as CPC v2's code has it: inner products start small


class CPC(SSLModel):
    """Contrasts predictions of a causal context with the patches at all places of the global batch.

    Uses one view of an image, cut into grid x grid patches that overlap by half. `z_a` is the mean prediction of an
    image, `z_b` the mean of the predicted patches. The heads use LayerNorm, which is computed within one patch. In an
    encoder with BatchNorm the patches share statistics; conv6 has none. Patches are resized to the input size of an
    encoder that accepts only one.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        grid: int, patches on a side; the side of a patch is 2 / (grid + 1) of the view's.
        nearest_row: int, distance in rows of the first prediction; 2 is the first without common pixels.
        farthest_row: int, distance in rows of the last prediction, at most grid - 1; 5 in the paper.
        projection_dim: int, width of predictions and of the embeddings of patches; 64 in the code of CPC v2.
        hidden_dim: int, channels of the convolutions of the context network.
        context_blocks: int, blocks of the context network; each extends its context by one row.

    Raises:
        ValueError: if the grid has no such rows, or a view is too small for its patches.
    """

    paper = "https://arxiv.org/abs/1807.03748"
    use = "images whose parts predict each other, such as textures and scans; slow per image"
    batch = 16
    views = "cpc"
    kinds = ("image",)

    def __init__(
        self,
        encoder,
        grid: int = 7,
        nearest_row: int = 1,
        farthest_row: int = 5,
        projection_dim: int = 64,
        hidden_dim: int = 256,
        context_blocks: int = 5,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        if not 1 <= nearest_row <= farthest_row < grid:
            raise ValueError(
                f"a grid of {grid} has rows 1..{grid - 1} below its first: nearest_row and farthest_row must be two of "
                f"them, the nearest first, got {nearest_row} and {farthest_row}"
            )
        self.grid = grid
        self.nearest_row = nearest_row
        self.farthest_row = farthest_row
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.context_blocks = context_blocks
        self.rows = range(nearest_row, farthest_row + 1)
        features = encoder.output_shape[-1]
        self.norm = keras.layers.LayerNormalization(epsilon=1e-6, name="norm")
        self.norm.build((None, grid, grid, features))
        self.context = causal_context(grid, features, hidden_dim, context_blocks, name="context")
        self.predictor = linear(features, projection_dim * len(self.rows), name="predictor")
        # Without bias, which would add the same to all candidates.
        self.projector = keras.layers.Dense(projection_dim, use_bias=False, dtype="float32", name="projector")
        self.projector.build((None, features))

    def call(self, batch):
        images = batch["views"][0]
        stride = images.shape[1] // (self.grid + 1)
        if not stride:
            raise ValueError(f"views of {images.shape[1]} px are too small for {self.grid} x {self.grid} patches")
        cut = patches.cut(images, 2 * stride, stride)[:, : self.grid, : self.grid]
        places = self.norm(patches.encode(self.encode, cut, self.encoder.input_shape[1:3]))
        targets, predictions = self.projector(places), SCALE * self.predictor(self.context(places))
        predictions = ops.reshape(predictions, (*ops.shape(targets)[:3], len(self.rows), self.projection_dim))
        z_a = ops.mean(predictions[:, : -self.nearest_row, :, 0], axis=(1, 2))
        z_b = ops.mean(targets[:, self.nearest_row :], axis=(1, 2))
        return dict(z_a=z_a, z_b=z_b, predictions=predictions, targets=targets)

    def baseline(self, batch_size):
        return math.log(batch_size * self.grid**2)

    def objective(self, predictions, targets, **embeddings):
        return losses.cpc(gather(predictions), gather(targets), rows=self.rows)
