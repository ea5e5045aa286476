"""MoCo: contrast a query with its key of an EMA key encoder and with a queue of earlier keys."""

from keras import ops

from sslzoo.layers.heads import plain_mlp
from sslzoo.layers.memory import Queue
from sslzoo.layers.targets import Target, in_groups
from sslzoo.losses import info_nce, unit
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class MoCo(SSLModel):
    """InfoNCE of a query from one view, its key from the other view, and the queued keys of earlier batches.

    The defaults are MoCo v2; hidden_dim 0, temperature 0.07 and the preset moco_v1 give MoCo v1. Keys have BatchNorm
    statistics of small groups instead of being shuffled between devices: BatchNorm is synchronized here, and a query
    could recognize its key by common statistics. Without BatchNorm norm_groups 1 is equivalent and faster.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the projector's hidden layer; 0 for a linear projector, as in MoCo v1.
        temperature: float, divides the cosine similarities; 0.2 in v2, 0.07 in v1.
        queue_size: int, number of keys in the queue.
        ema_rate: float, share that the key encoder moves towards the encoder in a step.
        norm_groups: int, parts of a replica's batch whose keys have BatchNorm statistics of their own; 8 in the
            authors' CIFAR-10 code.

    Raises:
        ValueError: if `norm_groups` is less than 1 or does not divide the batch.
    """

    paper = "https://arxiv.org/abs/1911.05722"
    use = "small batches: negatives come from a queue; a robust first choice on one GPU"
    batch = 32
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
        query = self.embed(view_a)
        return dict(z_a=query, z_b=in_groups(self.target, view_b, self.norm_groups if training else 1))

    def objective(self, z_a, z_b):
        return info_nce(gather(z_a), ops.stop_gradient(gather(z_b)), self.queue.rows, temperature=self.temperature)

    def after_step(self, z_b, **outputs):
        self.target.update(self.ema_rate)
        self.queue.enqueue(unit(gather(z_b)))
