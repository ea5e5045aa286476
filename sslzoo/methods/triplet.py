"""Triplet: the other view of an image nearer than the views of other images, by a margin."""

from sslzoo.catalog.knobs import nearest
from sslzoo.layers.heads import mlp
from sslzoo.losses import mined_triplet
from sslzoo.losses.metric import MINING
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class Triplet(SSLModel):
    """FaceNet's loss, max(0, D_positive^2 - D_negative^2 + margin), with negatives mined in the global batch.

    Start with semi-hard negatives: the hardest of an untrained encoder draw all embeddings into one point, where the
    loss is the margin.

    Args:
        encoder: images (batch, height, width, channels) -> features (batch, features).
        projection_dim: width of the embedding, which training alone uses.
        hidden_dim: width of the projector's hidden layer.
        margin: between the squared distances of normalized embeddings, which go from 0 to 4.
        mining: negatives of an anchor: "all"; "semi-hard", the nearest beyond the positive; "hard", the nearest.

    Raises:
        ValueError: another mining, a margin outside of (0, 4].
    """

    paper = "https://arxiv.org/abs/1503.03832"
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
        z_a, z_b = self.together(batch["views"], lambda images: self.projector(self.encoder(images)))
        return dict(z_a=z_a, z_b=z_b)

    def objective(self, z_a, z_b):
        return mined_triplet(gather(z_a), gather(z_b), self.margin, self.mining)
