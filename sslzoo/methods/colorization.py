"""Colorization: predict the colours of an image from its lightness, as classes of the ab plane."""

import math

import keras
from keras import layers, ops

from sslzoo.layers import colours, maps
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather

GRAY = 5.0  # largest |a| and |b| of images without colour, which do not count
STRIDE = 4  # pixels of a place whose colour is predicted


class Colorization(SSLModel):
    """Minimizes the cross-entropy of each place's distribution over colours; rare colours count more.

    The encoder sees the lightness in all three channels; the exported network computes it itself. A decoder predicts a
    quarter of the resolution from the last feature map. Colours are soft classes of the 10 nearest of 261 bins. A pass
    over the data counts them before the first step. Unlike in the authors' code the loss is weighted too, not only its
    gradient. Gray images are skipped. The second view serves monitors.

    Args:
        encoder: functional or sequential model, images (batch, height, width, 3) -> features (batch, features).
        hidden_dim: int, channels of the decoder.
        uniform_share: float in 0..1, share of the uniform distribution in the weights of colours; 1 weighs all alike.

    Raises:
        ValueError: if the encoder has no feature map, or takes other than three channels.
    """

    paper = "https://arxiv.org/abs/1603.08511"
    use = "colour photographs of objects with typical colours"
    batch = 16
    views = "crop_flip"
    kinds = ("image",)
    micro_batches = False

    def __init__(self, encoder, hidden_dim: int = 256, uniform_share: float = 0.5, **kwargs):
        super().__init__(encoder, **kwargs)
        if encoder.input_shape[-1] != 3:
            raise ValueError(f"colorization needs RGB images, {encoder.name} takes {encoder.input_shape[-1]} channels")
        self.hidden_dim = hidden_dim
        self.uniform_share = uniform_share
        self.lightness = colours.Lightness(name="lightness")
        self.encoder_with_map = maps.with_map(encoder)
        self.bins = colours.ab_bins()
        self.counts = self.add_state("counts", (len(self.bins),))
        channels = self.encoder_with_map.output_shape[0][-1]
        self.decoder = keras.Sequential(
            [
                keras.Input((None, None, channels)),
                layers.Conv2D(hidden_dim, 3, padding="same", activation="relu"),
                layers.Conv2D(len(self.bins), 1),
                layers.Activation("linear", dtype="float32"),
            ],
            name="decoder",
        )

    def prepare(self, batch):
        soft, coloured = self._targets(batch["views"][0])
        counted = gather(ops.sum(ops.sum(soft, axis=1) * coloured[:, None], axis=0)[None])
        self.counts.assign(self.counts + ops.sum(counted, axis=0))

    def call(self, batch):
        view = batch["views"][0]
        feature_map, _ = self.encoder_with_map(self.lightness(view))
        soft, coloured = self._targets(view)
        size = view.shape[1] // STRIDE
        logits = self.decoder(ops.image.resize(ops.cast(feature_map, "float32"), (size, size)))
        logs = ops.log_softmax(ops.reshape(logits, (-1, size**2, len(self.bins))))
        weights = ops.take(self._weights(), ops.argmax(soft, axis=-1), axis=0)
        errors = -ops.mean(weights * ops.sum(soft * logs, axis=-1), axis=1)
        return dict(errors=errors * coloured, coloured=coloured)

    def embed(self, inputs):
        return ops.cast(self.encode(self.lightness(inputs)), "float32")

    def of_images(self, network):
        images = keras.Input(network.input_shape[1:])
        return keras.Model(images, network(colours.Lightness(name="lightness")(images)), name=network.name)

    def _targets(self, view):
        """Soft colours of the places (n, places, bins), and 1 for images with a colour, (n,)."""
        size = view.shape[1] // STRIDE
        ab = colours.to_lab(ops.image.resize(view, (size, size), antialias=True))[..., 1:]
        coloured = ops.cast(ops.max(ops.abs(ab), axis=(1, 2, 3)) > GRAY, "float32")
        soft = colours.soft_bins(ops.reshape(ab, (-1, 2)), self.bins)
        return ops.reshape(soft, (-1, size**2, len(self.bins))), coloured

    def _weights(self):
        counts = ops.convert_to_tensor(self.counts) + 1e-6  # equal before any colour is counted
        return colours.rebalancing(counts / ops.sum(counts), uniform=self.uniform_share)

    def baseline(self, batch_size):
        return math.log(len(self.bins))

    def objective(self, errors, coloured):
        return ops.sum(gather(errors)) / ops.maximum(ops.sum(gather(coloured)), 1)
