"""Siamese: two views of an image close to each other, two images a margin apart."""

from keras import ops

from sslzoo.layers.heads import mlp
from sslzoo.losses import contrastive_pair, unit
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class Siamese(SSLModel):
    """Contrastive pair loss: D^2 of a positive pair, max(0, margin - D)^2 of a negative pair, D the Euclidean distance.

    Positive pairs are the two views of an image. Negative pairs are a view and the other view of the next images in the
    batch, which is shuffled. Both kinds have equal weight, however many they are. Embeddings are normalized, unlike in
    the paper, so that distances are in 0..2.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the projector's hidden layer.
        margin: float in (0, 2], distance from which two images no longer repel each other.
        negatives: int, other images that each image is compared with; 0 for all of the global batch.

    Raises:
        ValueError: if `margin` is outside of (0, 2] or `negatives` is negative.
    """

    paper = "https://yann.lecun.com/exdb/publis/pdf/hadsell-chopra-lecun-06.pdf"
    use = "pairs with a margin: simple, and a baseline of metric learning"
    batch = 32
    views = "simclr"

    def __init__(
        self,
        encoder,
        projection_dim: int = 128,
        hidden_dim: int = 2048,
        margin: float = 1.0,
        negatives: int = 1,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        if not 0 < margin <= 2:
            raise ValueError(f"margin must be in (0, 2], got {margin!r}: normalized embeddings are at most 2 apart")
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.margin = margin
        self.negatives = negatives
        self.projector = mlp(encoder.output_shape[-1], hidden_dim, projection_dim, name="projector")

    def call(self, batch):
        z_a, z_b = self.together(batch["views"], self.embed)
        return dict(z_a=unit(z_a), z_b=unit(z_b))

    def objective(self, z_a, z_b):
        z_a, z_b = gather(z_a), gather(z_b)
        count = ops.shape(z_a)[0]
        steps = ops.arange(1, (self.negatives or count - 1) + 1)
        other = (ops.arange(count)[:, None] + steps[None]) % count
        x = ops.repeat(z_a, ops.shape(steps)[0], axis=0)
        y = ops.take(z_b, ops.reshape(other, (-1,)), axis=0)
        like = contrastive_pair(z_a, z_b, ops.ones_like(z_a[:, 0]), margin=self.margin)
        unlike = contrastive_pair(x, y, ops.zeros_like(x[:, 0]), margin=self.margin)
        return (like + unlike) / 2
