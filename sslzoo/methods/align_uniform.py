"""Alignment and uniformity: views of an image close to each other, all images spread evenly over the sphere."""

from sslzoo.layers.heads import linear
from sslzoo.losses import align, uniformity
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class AlignUniform(SSLModel):
    """Minimizes the two properties that a contrastive loss has in the limit, directly and without a softmax.

    The embedding is linear in the features. The authors' views are those of MoCo v1 with crops from 0.08 of the area.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
        align_weight: float, weight of the alignment; 1 on STL-10.
        uniform_weight: float, weight of the uniformity, the mean over both views; 1 on STL-10.
        align_power: float, power of the distance of two views; 2 in the paper.
        uniform_t: float, scale of the Gaussian potential; 2 in the paper.

    Raises:
        ValueError: if `align_power` or `uniform_t` is not above 0.
    """

    paper = "https://arxiv.org/abs/2005.10242"
    use = "a simple contrastive method without negatives in a softmax; batches of 256 or more"
    views = "moco_v1"

    def __init__(
        self,
        encoder,
        projection_dim: int = 128,
        align_weight: float = 1.0,
        uniform_weight: float = 1.0,
        align_power: float = 2.0,
        uniform_t: float = 2.0,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.align_weight = align_weight
        self.uniform_weight = uniform_weight
        self.align_power = align_power
        self.uniform_t = uniform_t
        self.projector = linear(encoder.output_shape[-1], projection_dim, name="projector")

    def call(self, batch):
        z_a, z_b = self.together(batch["views"], self.embed)
        return dict(z_a=z_a, z_b=z_b)

    def objective(self, z_a, z_b):
        z_a, z_b = gather(z_a), gather(z_b)
        even = (uniformity(z_a, t=self.uniform_t) + uniformity(z_b, t=self.uniform_t)) / 2
        return self.align_weight * align(z_a, z_b, alpha=self.align_power) + self.uniform_weight * even
