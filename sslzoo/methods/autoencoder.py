"""Autoencoder: reconstruct an image from a low-dimensional embedding, or the clean image from a distorted one."""

from keras import ops

from sslzoo.layers import decoders
from sslzoo.layers.heads import linear
from sslzoo.losses import mse
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class Autoencoder(SSLModel):
    """Minimizes the mean squared error of an image reconstructed from its latent vector.

    Without denoising the target is the first view, so that distortions act as further data. With denoising (Vincent et
    al., JMLR 11, 2010) the target is the clean image, the third view.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        latent_dim: int, width of the latent vector, which only training uses.
        denoising: bool, makes the clean image the target.
        decoder: "simple", or "symmetric" to the encoder, which layer-wise training needs.
        input_shape: (height, width, channels) of the views, needed if the encoder accepts any size.

    Raises:
        ValueError: if the decoder is unknown or does not fit the encoder, or `denoising` has no clean image.
    """

    paper = "https://www.jmlr.org/papers/v11/vincent10a.html"
    use = "a baseline: reconstruction keeps pixel detail, and seldom improves classification"
    batch = 16
    views = "notebook"
    kinds = ("image",)

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
        view_a, _, *clean = batch["views"]
        if self.denoising and not clean:
            raise ValueError("denoising needs the clean image as third view: take the preset notebook")
        z_a = self.embed(view_a)
        return dict(z_a=z_a, reconstruction=self.decoder_network(z_a), target=clean[0] if self.denoising else view_a)

    def embed(self, inputs):
        return self.bottleneck(self.encode(inputs))

    def objective(self, z_a, reconstruction, target):
        return ops.mean(gather(mse(reconstruction, target)))
