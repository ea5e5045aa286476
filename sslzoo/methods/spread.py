"""Spread: supervised contrast that also separates the images of a class, so that classes do not collapse."""

from keras import ops

from sslzoo.layers import decoders
from sslzoo.layers.heads import plain_mlp
from sslzoo.losses import class_conditional_info_nce, mse, sup_con
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class Spread(SSLModel):
    """(1 - spread_weight) L_attract + spread_weight class-conditional InfoNCE + a class-conditional autoencoder.

    Also known as Thanos ("Perfectly balanced"). L_attract is SupCon whose denominators contain one positive each, as in
    the authors' code. The autoencoder reconstructs the image from its embedding and its
    label, so that the embedding contains what the label does not. The paper trains it as a separate network and
    concatenates the features; here it shares the encoder.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        num_classes: int, number of classes; labels are 0..num_classes - 1.
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the projector's hidden layer.
        temperature: float, divides the cosine similarities; 0.5 in the authors' code.
        spread_weight: float in 0..1, weight of the class-conditional InfoNCE; 0 is L_attract.
        reconstruction_weight: float, weight of the autoencoder's mean squared error; 0 omits it.
        input_shape: (height, width, channels) of the views, needed if the encoder accepts any size.

    Raises:
        ValueError: if `spread_weight` is outside of 0..1 or `reconstruction_weight` is negative.
    """

    paper = "https://arxiv.org/abs/2204.07596"
    use = "labelled data, to keep differences within classes"
    views = "simclr"
    kinds = ("image",)
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
        z_a, z_b = self.together(batch["views"], self.embed)
        return dict(z_a=z_a, z_b=z_b, labels=batch["label"], errors=self.errors(batch, z_a, z_b))

    def errors(self, batch, z_a, z_b):
        """Mean squared error of the reconstructions of both views, (n,)."""
        if self.decoder is None:
            return ops.zeros_like(z_a[:, 0])
        label = ops.one_hot(batch["label"], self.num_classes, dtype="float32")
        latent = [ops.concatenate([z, label], axis=1) for z in (z_a, z_b)]
        images = self.together(latent, self.decoder)
        return sum(mse(image, view) for view, image in zip(batch["views"], images, strict=True)) / 2

    def objective(self, z_a, z_b, labels, errors):
        z_a, z_b, labels = gather(z_a), gather(z_b), gather(labels)
        attract = sup_con(z_a, z_b, labels, temperature=self.temperature, positives_in_denominator=False)
        spread = class_conditional_info_nce(z_a, z_b, labels, temperature=self.temperature)
        contrast = (1 - self.spread_weight) * attract + self.spread_weight * spread
        return contrast + self.reconstruction_weight * ops.mean(gather(errors))
