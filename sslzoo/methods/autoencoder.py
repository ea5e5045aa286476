"""Autoencoder: give an image back from a few numbers, or the clean image from a distorted one."""

from keras import ops

from sslzoo.layers import decoders
from sslzoo.layers.heads import linear
from sslzoo.losses import mse
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class Autoencoder(SSLModel):
    """Minimizes the mean squared error between an image and what the decoder makes of its latent vector.

    Plain, the first view is its own target (its distortions serve as more data); denoising (Vincent et al., JMLR 11,
    2010), the target is the clean image, the third of the views.

    Args:
        encoder: images (batch, height, width, channels) -> features (batch, features).
        latent_dim: width of the latent vector, which training alone uses.
        denoising: the target is the clean image.
        decoder: "simple", or "symmetric" to the encoder, as layer-wise training wants it.
        input_shape: (height, width, channels) of the views, where the encoder takes any size.

    Raises:
        ValueError: an unknown decoder, or one that does not fit the encoder; denoising without a clean image.
    """

    paper = "https://www.jmlr.org/papers/v11/vincent10a.html"
    views = "notebook"

    def __init__(
        self,
        encoder,
        latent_dim: int = 64,
        denoising: bool = False,
        decoder: str = "simple",
        input_shape: tuple | None = None,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.latent_dim = latent_dim
        self.denoising = denoising
        self.decoder = decoder
        self.input_shape = input_shape
        self.bottleneck = linear(encoder.output_shape[-1], latent_dim, name="bottleneck")
        self.decoder_network = decoders.make(decoder, encoder, latent_dim, input_shape)

    def call(self, batch):
        view_a, view_b, *clean = batch["views"]
        if self.denoising and not clean:
            raise ValueError("denoising needs the clean image as third view: take the preset notebook")
        z_a = self.bottleneck(self.encoder(view_a))
        reconstruction = self.decoder_network(z_a)
        # For the monitors alone: in inference mode it leaves no trace, and a training step's graph drops it. It comes
        # last, since Keras hands `training` on to whatever is called later.
        z_b = self.bottleneck(self.encoder(view_b, training=False))
        return dict(z_a=z_a, z_b=z_b, reconstruction=reconstruction, target=clean[0] if self.denoising else view_a)

    def objective(self, reconstruction, target, **embeddings):
        return ops.mean(gather(mse(target, reconstruction)))
