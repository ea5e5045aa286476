"""SimMIM: predict the pixels of masked patches by one linear layer on the encoder; vision transformers only."""

import math

import keras
from keras import ops

from sslzoo import losses
from sslzoo.layers import masking
from sslzoo.layers.patches import pictures
from sslzoo.layers.transformer import dense, parts, through, token_width
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class SimMIM(SSLModel):
    """Minimizes the mean absolute error of masked pixels; the encoder receives all patches, masked ones as one token.

    The target is the image in [-1, 1], where the authors use the mean and deviation of ImageNet. Their transformer has
    relative positions, layer scale, a drop path of 0.1 and no absolute positions; this one is as the encoder is made. A
    short training ends far below MAE in linear probes and k-NN.

    Args:
        encoder: functional vision transformer, images (batch, height, width, channels) -> features (batch, features).
        mask_ratio: float in (0, 1], share of the units that are masked, rounded up.
        mask_unit: int, patches on a side of the squares that are masked as a whole: 32 px in the paper.

    Raises:
        ValueError: if the encoder has no patch tokens, no patch would be masked, or the units do not divide the grid.
    """

    paper = "https://arxiv.org/abs/2111.09886"
    use = "transformers that are fine-tuned afterwards; a masked method without decoder"
    batch = 16
    views = "sim_mim"
    default_encoder = "vit_tiny"
    kinds = ("image",)
    micro_batches = False

    def __init__(self, encoder, mask_ratio: float = 0.6, mask_unit: int = 2, **kwargs):
        super().__init__(encoder, **kwargs)
        self.mask_ratio = mask_ratio
        self.mask_unit = mask_unit
        self.parts = parts(encoder)
        self.patch, width = encoder.get_layer("patches").patch, token_width(encoder)
        narrow = keras.initializers.TruncatedNormal(stddev=0.02)
        # A vector: weight decay does not apply to it, as in the authors' code.
        self.mask_token = self.add_weight((width,), initializer=narrow, name="mask_token")
        self.decoder = dense(self.patch**2 * encoder.input_shape[-1], "decoder", dtype="float32")
        self.decoder.build((None, None, width))

    def call(self, batch, training=None):
        images = batch["views"][0]
        grid = tuple(side // self.patch for side in images.shape[1:3])
        mask = self._mask(ops.shape(images)[0], grid, training)
        tokens = through(self.parts, images, mask, self.mask_token)[:, -grid[0] * grid[1] :]
        target = losses.patch_targets(2 * images - 1, self.patch, normalize=False)
        return dict(prediction=self.decoder(tokens), target=target, mask=ops.reshape(mask, (-1, target.shape[1])))

    def objective(self, prediction, target, mask):
        return ops.mean(gather(losses.patch_l1(prediction, target, weights=mask)))

    def pictures(self, batch):
        outputs = self(batch, training=False)
        predictions = (outputs["prediction"] + 1) / 2
        return pictures(batch["views"][0], self.patch, predictions, outputs["mask"], normalized=False)

    def _mask(self, count, grid: tuple, training):
        """Masked patches, bool (n, rows, columns); as many in every image."""
        units = grid[0] * grid[1] // self.mask_unit**2
        masked = math.ceil(units * self.mask_ratio)
        if not masked:
            raise ValueError(f"mask_ratio={self.mask_ratio} masks none of {units} units of patches: choose another")
        rank = masking.cells(self.uniform((count, units), 0, training=training), grid, self.mask_unit)
        return ops.reshape(rank < masked, (-1, *grid))
