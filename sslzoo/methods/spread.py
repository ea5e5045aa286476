"""Spread: supervised contrast that keeps the images of a class apart, so that its classes do not collapse."""

from keras import ops

from sslzoo.layers import decoders
from sslzoo.layers.heads import plain_mlp
from sslzoo.losses import class_conditional_info_nce, mse, sup_con
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class Spread(SSLModel):
    """(1 - spread_weight) SupCon + spread_weight class-conditional InfoNCE + a class-conditional autoencoder.

    "Perfectly balanced" (also known as Thanos). The autoencoder gives the image back from its embedding and its label,
    so that the embedding has to tell what the label does not; the paper trains it in a network of its own and joins the
    features, here it shares the encoder.

    Args:
        encoder: images (batch, height, width, channels) -> features (batch, features).
        num_classes: of the labels, 0..num_classes - 1.
        projection_dim: width of the embedding, which training alone uses.
        hidden_dim: width of the projector's hidden layer.
        temperature: 0.5 in the authors' code.
        spread_weight: of the class-conditional InfoNCE, 0..1; 0 is SupCon.
        reconstruction_weight: of the autoencoder's mean squared error; 0 leaves it out.
        input_shape: (height, width, channels) of the views, where the encoder takes any size.

    Raises:
        ValueError: a spread_weight outside of 0..1, a negative reconstruction_weight.
    """

    paper = "https://arxiv.org/abs/2204.07596"
    views = "simclr"
    supervised = True

    def __init__(
        self,
        encoder,
        num_classes: int,
        projection_dim: int = 128,
        hidden_dim: int = 2048,
        temperature: float = 0.5,
        spread_weight: float = 0.5,
        reconstruction_weight: float = 1.0,
        input_shape: tuple | None = None,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        if not 0 <= spread_weight <= 1:
            raise ValueError(f"spread_weight must be 0..1, got {spread_weight!r}: the rest weighs SupCon")
        if not reconstruction_weight >= 0:
            raise ValueError(f"reconstruction_weight must be 0 or more, got {reconstruction_weight!r}")
        self.num_classes = num_classes
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.temperature = temperature
        self.spread_weight = spread_weight
        self.reconstruction_weight = reconstruction_weight
        self.input_shape = input_shape
        self.projector = plain_mlp(encoder.output_shape[-1], hidden_dim, projection_dim, name="projector")
        self.decoder = None
        if reconstruction_weight:
            self.decoder = decoders.make("simple", encoder, projection_dim + num_classes, input_shape)

    def call(self, batch):
        z_a, z_b = self.together(batch["views"], lambda images: self.projector(self.encoder(images)))
        return dict(z_a=z_a, z_b=z_b, labels=batch["label"], errors=self.errors(batch, z_a, z_b))

    def errors(self, batch, z_a, z_b):
        """Mean squared error of both views' reconstructions, (n,)."""
        if self.decoder is None:
            return ops.zeros_like(z_a[:, 0])
        label = ops.one_hot(batch["label"], self.num_classes, dtype="float32")
        latent = [ops.concatenate([z, label], axis=1) for z in (z_a, z_b)]
        images = self.together(latent, self.decoder)
        return sum(mse(view, image) for view, image in zip(batch["views"], images, strict=True)) / 2

    def objective(self, z_a, z_b, labels, errors):
        z_a, z_b, labels = gather(z_a), gather(z_b), gather(labels)
        attract = sup_con(z_a, z_b, labels, self.temperature)
        spread = class_conditional_info_nce(z_a, z_b, labels, self.temperature)
        contrast = (1 - self.spread_weight) * attract + self.spread_weight * spread
        return contrast + self.reconstruction_weight * ops.mean(gather(errors))
