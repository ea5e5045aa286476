"""MoCo: tell the key of an image from a queue of earlier keys, made by a slowly following copy of oneself."""

from keras import ops

from sslzoo.layers.heads import plain_mlp
from sslzoo.layers.queues import Queue
from sslzoo.layers.targets import Target, in_groups
from sslzoo.losses import info_nce
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class MoCo(SSLModel):
    """InfoNCE of a query from one view, its key from the other, and the queued keys of earlier batches.

    As it stands it is MoCo v2; hidden_dim 0, temperature 0.07 and the preset moco_v1 make MoCo v1. Keys have BatchNorm
    statistics of small groups, in place of shuffling images between devices: BatchNorm is synchronized here, and a
    query would know its key by statistics that they share. Without BatchNorm norm_groups 1 does the same, faster.

    Args:
        encoder: images (batch, height, width, channels) -> features (batch, features).
        projection_dim: width of the embedding, which training alone uses.
        hidden_dim: width of the projector's hidden layer; 0 for a linear projector, MoCo v1's.
        temperature: 0.2 in v2, 0.07 in v1.
        queue_size: number of keys to compare with.
        ema_rate: the fraction that the key encoder moves in a step.
        norm_groups: parts of a replica's batch whose keys are normalized apart, 8 in the authors' CIFAR-10 code.

    Raises:
        ValueError: fewer than one group, or a batch that the groups do not divide.
    """

    paper = "https://arxiv.org/abs/1911.05722"
    views = "moco_v2"

    def __init__(
        self,
        encoder,
        projection_dim: int = 128,
        hidden_dim: int = 2048,
        temperature: float = 0.2,
        queue_size: int = 65536,
        ema_rate: float = 0.001,
        norm_groups: int = 8,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        if norm_groups < 1:
            raise ValueError(f"norm_groups must be 1 or more, got {norm_groups}")
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.temperature = temperature
        self.queue_size = queue_size
        self.ema_rate = ema_rate
        self.norm_groups = norm_groups
        self.projector = plain_mlp(encoder.output_shape[-1], hidden_dim, projection_dim, name="projector")
        self.target = Target(encoder, self.projector)
        self.queue = Queue(queue_size, projection_dim, name="queue")

    def call(self, batch, training=False):
        view_a, view_b = batch["views"]
        query = self.projector(self.encoder(view_a))
        return dict(z_a=query, z_b=in_groups(self.target, view_b, self.norm_groups if training else 1))

    def objective(self, z_a, z_b):
        return info_nce(gather(z_a), ops.stop_gradient(gather(z_b)), self.queue.rows, self.temperature)

    def after_step(self, z_b, **outputs):
        self.target.follow(self.ema_rate)
        self.queue.enqueue(ops.normalize(gather(z_b)))
