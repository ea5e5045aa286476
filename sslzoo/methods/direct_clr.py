"""DirectCLR: contrast the first features themselves, without a projector."""

from keras import ops

from sslzoo.losses import cross_view_info_nce
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class DirectCLR(SSLModel):
    """InfoNCE between the views, both ways, over a part of the features; the others learn through shortcuts alone.

    Made for a ResNet, whose residual connections carry the gradient to the features that the loss does not see; an
    encoder without them leaves those as they were. The views pass one by one: BatchNorm knows each apart.

    Args:
        encoder: images (batch, height, width, channels) -> features (batch, features).
        projection_dim: how many of the features are the embedding, the first ones; 360 of a ResNet-50's 2048.
        temperature: divides the cosine similarities.

    Raises:
        ValueError: more than the encoder has.
    """

    paper = "https://arxiv.org/abs/2110.09348"
    views = "byol"

    def __init__(self, encoder, projection_dim: int = 360, temperature: float = 0.1, **kwargs):
        super().__init__(encoder, **kwargs)
        features = encoder.output_shape[-1]
        if not 1 <= projection_dim <= features:
            raise ValueError(f"projection_dim must be 1..{features}, the encoder's features, got {projection_dim}")
        self.projection_dim = projection_dim
        self.temperature = temperature

    def call(self, batch):
        z_a, z_b = (self.encoder(view)[:, : self.projection_dim] for view in batch["views"])
        return dict(z_a=ops.cast(z_a, "float32"), z_b=ops.cast(z_b, "float32"))

    def objective(self, z_a, z_b):
        z_a, z_b = gather(z_a), gather(z_b)
        both = cross_view_info_nce(z_a, z_b, self.temperature) + cross_view_info_nce(z_b, z_a, self.temperature)
        return both / 2
