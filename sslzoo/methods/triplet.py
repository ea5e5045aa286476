"""Triplet: the other view of an image is nearer than views of other images, by a margin."""

from sslzoo.catalog.knobs import nearest
from sslzoo.layers.heads import mlp
from sslzoo.losses import mined_triplet
from sslzoo.losses.metric import MINING
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class Triplet(SSLModel):
    """FaceNet's loss max(0, D_positive^2 - D_negative^2 + margin), with negatives mined in the global batch.

    Semi-hard negatives are the safe choice: the hardest ones of an untrained encoder collapse all embeddings to one
    point, where the loss equals the margin.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the projector's hidden layer.
        margin: float in (0, 4], between the squared distances of normalized embeddings, which are in 0..4.
        mining: negatives of an anchor: "all"; "semi-hard", the nearest beyond the positive; "hard", the nearest.

    Raises:
        ValueError: if `mining` is unknown or `margin` is outside of (0, 4].
    """

    paper = "https://arxiv.org/abs/1503.03832"
    use = "ranking and retrieval with few negatives per batch"
    batch = 32
    views = "simclr"

    def __init__(
        self,
        encoder,
        projection_dim: int = 128,
        hidden_dim: int = 2048,
        margin: float = 0.2,
        mining: str = "semi-hard",
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        if mining not in MINING:
            raise ValueError(nearest("mining", mining, MINING))
        if not 0 < margin <= 4:
            raise ValueError(f"margin must be in (0, 4], got {margin!r}: squared distances of directions go up to 4")
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.margin = margin
        self.mining = mining
        self.projector = mlp(encoder.output_shape[-1], hidden_dim, projection_dim, name="projector")

    def call(self, batch):
        z_a, z_b = self.together(batch["views"], self.embed)
        return dict(z_a=z_a, z_b=z_b)

    def objective(self, z_a, z_b):
        return mined_triplet(gather(z_a), gather(z_b), margin=self.margin, mining=self.mining)
