"""Masked autoencoder of series: reconstruct the values of hidden patches from a few visible ones."""

from keras import ops

from sslzoo.layers import masking
from sslzoo.layers.steps import patches_of
from sslzoo.layers.transformer import Predictor, kept, parts, picked, token_width
from sslzoo.losses import patch_mse
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class MaskedSeries(SSLModel):
    """Minimizes the mean squared error of the normalized values of hidden patches, MAE (arXiv 2111.06377) for series.

    The encoder receives the visible patches alone. The values are those after its normalization; steps by which a
    series is padded to whole patches do not count. The decoder is smaller than MAE's, as patch_series is. PatchTST
    (arXiv 2211.14730) hides 40 % of patches of 12 steps, sets them to zero and has a linear decoder. Of the views the
    first is trained on.

    Args:
        encoder: patch_series, (batch, steps, channels) -> features (batch, features).
        mask_ratio: float in (0, 1), share of the patches that are hidden; 0.75 in MAE.
        decoder_dim: int, width of the decoder, which only training uses.
        decoder_depth: int, number of blocks of the decoder.
        decoder_heads: int, heads of the decoder's attention.

    Raises:
        ValueError: if the encoder has no patch tokens, the heads do not divide the width, or all patches or none would
            be hidden.
    """

    paper = "https://arxiv.org/abs/2111.06377"
    use = "long series, and transformers that are fine-tuned afterwards"
    batch = 16
    views = "whole"
    default_encoder = "patch_series"
    kinds = ("series",)
    micro_batches = False

    def __init__(
        self,
        encoder,
        mask_ratio: float = 0.75,
        decoder_dim: int = 64,
        decoder_depth: int = 2,
        decoder_heads: int = 4,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.mask_ratio = mask_ratio
        self.decoder_dim = decoder_dim
        self.decoder_depth = decoder_depth
        self.decoder_heads = decoder_heads
        self.stem, self.place, self.trunk = parts(encoder)
        self.extra = encoder.get_layer("tokens").extra
        (self.patch,) = encoder.get_layer("patches").kernel_size
        width, values = token_width(encoder), self.patch * encoder.input_shape[-1]
        self.decoder = Predictor(width, decoder_dim, decoder_depth, decoder_heads, values, name="decoder")

    def call(self, batch, training=None):
        series = batch["views"][0]
        tokens = self.place(self.stem(series))
        target, real = patches_of(self.encoder.get_layer("normalize")(series), self.patch)
        visible, hidden = self._mask(ops.shape(series)[0], target.shape[1], training)
        seen = self.trunk(kept(tokens, visible, self.extra))
        prediction = self.decoder(seen, visible, hidden, grid=(1, target.shape[1]))
        inside = ops.take(real, hidden, axis=0)
        return dict(prediction=prediction * inside, target=picked(target, hidden), share=ops.mean(inside, axis=(1, 2)))

    def objective(self, prediction, target, share):
        return ops.mean(gather(patch_mse(prediction, target) / share))

    def _mask(self, count, patches: int, training):
        """Numbers of the visible and the hidden patches of each series."""
        keep = int(patches * (1 - self.mask_ratio))
        if not 0 < keep < patches:
            raise ValueError(f"mask_ratio={self.mask_ratio} keeps {keep} of {patches} patches: choose another")
        return masking.random_keep(self.uniform((count, patches), 0, training=training), keep)
