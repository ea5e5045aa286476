"""Parallel autoencoder: reconstruct two views of an image from embeddings that attract each other."""

from keras import ops

from sslzoo import losses
from sslzoo.catalog.knobs import nearest
from sslzoo.layers import decoders
from sslzoo.layers.heads import linear
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather

# Of order one at any latent_dim: a sum over the dimensions is divided by it.
EMBEDDING_LOSSES = {
    "mse": lambda z_a, z_b, _: losses.mse(z_a, z_b),
    "l1": lambda z_a, z_b, _: losses.l1(z_a, z_b),
    "cosine": lambda z_a, z_b, _: losses.cosine(z_a, z_b),
    "nt_xent": lambda z_a, z_b, method: losses.nt_xent(z_a, z_b, temperature=method.temperature),
    "barlow_twins": lambda z_a, z_b, method: losses.barlow_twins(z_a, z_b) / method.latent_dim,
}


class ParallelAutoencoder(SSLModel):
    """Minimizes MSE(d(z_a), target_a) + MSE(d(z_b), target_b) + alpha E(z_a, z_b), d the decoder, z the latent vectors.

    The architecture of the founding notebook, with the network of Tang, Yang and Amit. The target of a view is the view
    itself; with denoising, the target of both is the clean image, the third view. E is a mean over images, and over
    dimensions for mse, l1 and barlow_twins (a sum in its paper); cosine and nt_xent do not depend on latent_dim. For
    equal views mse, l1 and cosine are 0; nt_xent and barlow_twins are not.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        alpha: float, 0 or more, weight of E.
        embedding_loss: str, E: "mse", "l1", "cosine", "nt_xent" or "barlow_twins".
        denoising: bool, makes the clean image the target of both views.
        latent_dim: int, width of the latent vector, which only training uses.
        decoder: "simple", or "symmetric" to the encoder, which layer-wise training needs.
        temperature: float, temperature of nt_xent.
        input_shape: (height, width, channels) of the views, needed if the encoder accepts any size.

    Raises:
        ValueError: if `alpha` is negative, or `embedding_loss` is unknown; if the decoder is unknown or does not fit
            the encoder, or `denoising` has no clean image.
    """

    paper = "https://arxiv.org/abs/2109.15089"
    use = "a study of reconstruction with an embedding term, not a first choice"
    batch = 16
    views = "notebook"
    kinds = ("image",)

    def __init__(
        self,
        encoder,
        alpha: float = 0.1,
        embedding_loss: str = "mse",
        denoising: bool = False,
        latent_dim: int = 64,
        decoder: str = "simple",
        temperature: float = 0.5,
        input_shape: tuple | None = None,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        if embedding_loss not in EMBEDDING_LOSSES:
            raise ValueError(nearest("embedding_loss", embedding_loss, EMBEDDING_LOSSES))
        self.alpha = alpha
        self.embedding_loss = embedding_loss
        self.denoising = denoising
        self.latent_dim = latent_dim
        self.decoder = decoder
        self.temperature = temperature
        self.input_shape = input_shape
        self.bottleneck = linear(encoder.output_shape[-1], latent_dim, name="bottleneck")
        self.decoder_network = decoders.make(decoder, encoder, latent_dim, input_shape)

    def call(self, batch):
        views, clean = batch["views"][:2], batch["views"][2:]
        if self.denoising and not clean:
            raise ValueError("denoising needs the clean image as third view: take the preset notebook")
        z_a, z_b = self.together(views, self.embed)
        reconstruction_a, reconstruction_b = self.together((z_a, z_b), self.decoder_network)
        target_a, target_b = 2 * clean if self.denoising else views
        return dict(
            z_a=z_a,
            z_b=z_b,
            reconstruction_a=reconstruction_a,
            reconstruction_b=reconstruction_b,
            target_a=target_a,
            target_b=target_b,
        )

    def embed(self, inputs):
        return self.bottleneck(self.encode(inputs))

    def objective(self, z_a, z_b, reconstruction_a, reconstruction_b, target_a, target_b):
        errors = losses.mse(reconstruction_a, target_a) + losses.mse(reconstruction_b, target_b)
        apart = EMBEDDING_LOSSES[self.embedding_loss](gather(z_a), gather(z_b), self)
        return ops.mean(gather(errors)) + self.alpha * ops.mean(apart)
