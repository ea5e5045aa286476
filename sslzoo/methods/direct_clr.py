"""DirectCLR: contrast the first features themselves, without a projector."""

from keras import ops

from sslzoo.losses import cross_view_info_nce
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class DirectCLR(SSLModel):
    """InfoNCE between the views, in both directions, over a part of the features.

    Made for a ResNet, whose residual connections pass the gradient on to the features outside of the loss. In an
    encoder without them these features change only if they share weights with the first ones, as the places of a
    flattened feature map do. The views pass through the networks one by one, with BatchNorm statistics of their own.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, number of features that are the embedding, the first ones; 360 of a ResNet-50's 2048.
        temperature: float, divides the cosine similarities.

    Raises:
        ValueError: if the encoder has fewer features.
    """

    paper = "https://arxiv.org/abs/2110.09348"
    use = "residual encoders and flattened feature maps, to train without a projector"
    views = "byol"

    def __init__(self, encoder, projection_dim: int = 360, temperature: float = 0.1, **kwargs):
        super().__init__(encoder, **kwargs)
        features = encoder.output_shape[-1]
        if not 1 <= projection_dim <= features:
            raise ValueError(f"projection_dim must be 1..{features}, the encoder's features, got {projection_dim}")
        self.projection_dim = projection_dim
        self.temperature = temperature

    def call(self, batch):
        z_a, z_b = map(self.embed, batch["views"])
        return dict(z_a=z_a, z_b=z_b)

    def embed(self, inputs):
        return ops.cast(self.encode(inputs)[:, : self.projection_dim], "float32")

    def objective(self, z_a, z_b):
        z_a, z_b = gather(z_a), gather(z_b)
        pairs = (z_a, z_b), (z_b, z_a)
        return sum(cross_view_info_nce(*pair, temperature=self.temperature) for pair in pairs) / 2
