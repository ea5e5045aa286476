"""MMCR: the mean directions of images span as large a space as possible, which requires that their views agree."""

import math

from keras import ops

from sslzoo.layers.heads import norm_mlp
from sslzoo.losses import mmcr
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class MMCR(SSLModel):
    """Maximizes the nuclear norm of the matrix of mean directions, one for each image of the global batch.

    The more views, the better their mean: the paper uses 2 to 8 on ImageNet, and 40 of 32 images on CIFAR-10. All views
    pass through the networks together.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses; 128 on CIFAR-10.
        hidden_dim: int, width of the projector's hidden layers; 512 on CIFAR-10.
        hidden_layers: int, hidden layers of the projector; 1 on CIFAR-10.
        local_weight: float, weight of the mean nuclear norm of an image's views.
    """

    paper = "https://arxiv.org/abs/2303.03307"
    use = "several views per image; no negatives, no target network"
    batch = 32
    views = "mmcr"

    def __init__(
        self,
        encoder,
        projection_dim: int = 512,
        hidden_dim: int = 8192,
        hidden_layers: int = 2,
        local_weight: float = 0.0,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.hidden_layers = hidden_layers
        self.local_weight = local_weight
        widths = encoder.output_shape[-1], hidden_dim, projection_dim
        self.projector = norm_mlp(*widths, hidden_layers=hidden_layers, last_norm=False, name="projector")

    def call(self, batch):
        z = ops.stack(self.together(batch["views"], self.embed), axis=1)
        return dict(z_a=z[:, 0], z_b=z[:, 1], z=z)

    def objective(self, z, **embeddings):
        return mmcr(ops.swapaxes(gather(z), 0, 1), local_weight=self.local_weight)

    def lowest(self, batch_size: int) -> float:
        """The lower bound of the objective without `local_weight`; that of collapsed embeddings is -sqrt(batch)."""
        return -math.sqrt(batch_size * min(batch_size, self.projection_dim))
