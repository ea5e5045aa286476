"""MAE and Pixio: reconstruct the pixels of hidden patches from a few visible ones; vision transformers only."""

from keras import ops

from sslzoo import losses
from sslzoo.layers import masking
from sslzoo.layers.patches import pictures
from sslzoo.layers.transformer import Predictor, kept, parts, picked, scattered, token_width
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class MAE(SSLModel):
    """Minimizes the mean squared error of the pixels of hidden patches; the encoder receives the visible patches alone.

    Pixio (arXiv 2512.15715) has a decoder of 32 blocks, hides cells of 4 x 4 patches (`cell=4`) and has 8 class tokens
    (`class_tokens=8`, a knob of the encoder). Its positions are learned in encoder and decoder; those of this decoder
    are fixed, as in MAE. Weight decay does not apply to class tokens and the mask token, to which the authors apply it.
    Features of masked methods are best averaged over patches (`pool="mean"`); the paper's linear probe reads the class
    token. k-NN accuracy is far below that of a linear probe, and both below fine-tuning.

    Args:
        encoder: functional vision transformer, images (batch, height, width, channels) -> features (batch, features).
        mask_ratio: float in (0, 1), share of the patches that are hidden.
        cell: int, patches on a side of the squares that are hidden or kept as a whole; 1 for single patches.
        normalize: bool, makes the target of a patch its pixels minus their mean, divided by their deviation.
        decoder_dim: int, width of the decoder, which only training uses.
        decoder_depth: int, number of blocks of the decoder; 32 in Pixio.
        decoder_heads: int, heads of the decoder's attention.

    Raises:
        ValueError: if the encoder has no patch tokens, the heads do not divide the width, all patches or none would be
            hidden, or the cells do not divide the grid.
    """

    paper = "https://arxiv.org/abs/2111.06377"
    use = "vision transformers that are fine-tuned afterwards; cheap steps, many of them"
    batch = 16
    views = "mae"
    default_encoder = "vit_tiny"
    kinds = ("image",)
    micro_batches = False

    def __init__(
        self,
        encoder,
        mask_ratio: float = 0.75,
        cell: int = 1,
        normalize: bool = True,
        decoder_dim: int = 512,
        decoder_depth: int = 8,
        decoder_heads: int = 16,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.mask_ratio = mask_ratio
        self.cell = cell
        self.normalize = normalize
        self.decoder_dim = decoder_dim
        self.decoder_depth = decoder_depth
        self.decoder_heads = decoder_heads
        self.stem, self.place, self.trunk = parts(encoder)
        self.patch = encoder.get_layer("patches").patch
        width, self.pixels = token_width(encoder), self.patch**2 * encoder.input_shape[-1]
        self.decoder = Predictor(width, decoder_dim, decoder_depth, decoder_heads, self.pixels, name="decoder")

    def call(self, batch, training=None):
        images = batch["views"][0]
        patches = self.stem(images)
        grid = tuple(patches.shape[1:3])
        visible, hidden = self._mask(ops.shape(images)[0], grid, training)
        tokens = self.place(patches)
        tokens = self.trunk(kept(tokens, visible, tokens.shape[1] - grid[0] * grid[1]))
        target = picked(losses.patch_targets(images, self.patch, normalize=self.normalize), hidden)
        return dict(prediction=self.decoder(tokens, visible, hidden, grid=grid), target=target)

    def baseline(self, batch_size):
        """The loss of a prediction of zero."""
        return (self.pixels - 1) / self.pixels if self.normalize else None

    def objective(self, prediction, target):
        return ops.mean(gather(losses.patch_mse(prediction, target)))

    def pictures(self, batch):
        images, outputs = batch["views"][0], self(batch, training=False)
        grid = tuple(side // self.patch for side in images.shape[1:3])
        visible, hidden = self._mask(ops.shape(images)[0], grid, False)
        length = grid[0] * grid[1]
        shown = ops.any(ops.one_hot(visible, length, dtype="bool"), axis=1)
        predictions = scattered(outputs["prediction"], hidden, length)
        return pictures(images, self.patch, predictions, ~shown, self.normalize)

    def _mask(self, count, grid: tuple, training):
        """Numbers of the visible and the hidden patches of each image."""
        cells = grid[0] * grid[1] // self.cell**2
        keep = int(cells * (1 - self.mask_ratio))
        if not 0 < keep < cells:
            raise ValueError(f"mask_ratio={self.mask_ratio} keeps {keep} of {cells} cells of patches: choose another")
        noise = self.uniform((count, cells), 0, training=training)
        noise = masking.cells(noise, grid, self.cell) if self.cell > 1 else noise
        return masking.random_keep(noise, keep * self.cell**2)
