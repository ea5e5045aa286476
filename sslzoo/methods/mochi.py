"""MoCHi: MoCo with negatives made harder, mixed from the hardest queued keys and the query itself."""

import tensorflow as tf
from keras import ops

from sslzoo.layers.heads import plain_mlp
from sslzoo.layers.queues import Queue
from sslzoo.layers.targets import Target, in_groups
from sslzoo.losses import hardest_negatives, info_nce, mixed_negatives
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class MoCHi(SSLModel):
    """MoCo v2 whose queries have synthetic negatives of their own beside the queue.

    Some are points between two of the hardest negatives, some between the query and one of them. Keys have BatchNorm
    statistics of small groups, as in MoCo.

    Args:
        encoder: images (batch, height, width, channels) -> features (batch, features).
        projection_dim: width of the embedding, which training alone uses.
        hidden_dim: width of the projector's hidden layer; 0 for a linear projector.
        temperature: divides the cosine similarities.
        queue_size: number of keys to compare with.
        ema_rate: the fraction that the key encoder moves in a step.
        norm_groups: parts of a replica's batch whose keys are normalized apart.
        hardest: how many queued keys, the nearest to a query, are mixed.
        mixed: synthetic negatives of a query between two of those.
        query_mixed: synthetic negatives between the query and one of those, with less than half of the query.
        mixing_start: share of the training before any are made.

    Raises:
        ValueError: more hardest negatives than the queue has, or a negative number of synthetic ones.
    """

    paper = "https://arxiv.org/abs/2010.01028"
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
        hardest: int = 1024,
        mixed: int = 1024,
        query_mixed: int = 128,
        mixing_start: float = 0.075,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        if not 1 <= hardest <= queue_size:
            raise ValueError(f"hardest must be 1..{queue_size}, the queue_size, got {hardest}")
        if min(mixed, query_mixed) < 0:
            raise ValueError(f"mixed and query_mixed must be 0 or more, got {mixed} and {query_mixed}")
        if norm_groups < 1:
            raise ValueError(f"norm_groups must be 1 or more, got {norm_groups}")
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.temperature = temperature
        self.queue_size = queue_size
        self.ema_rate = ema_rate
        self.norm_groups = norm_groups
        self.hardest = hardest
        self.mixed = mixed
        self.query_mixed = query_mixed
        self.mixing_start = mixing_start
        self.projector = plain_mlp(encoder.output_shape[-1], hidden_dim, projection_dim, name="projector")
        self.target = Target(encoder, self.projector)
        self.queue = Queue(queue_size, projection_dim, name="queue")

    def call(self, batch, training=False):
        view_a, view_b = batch["views"]
        query = self.projector(self.encoder(view_a))
        return dict(z_a=query, z_b=in_groups(self.target, view_b, self.norm_groups if training else 1))

    def objective(self, z_a, z_b):
        query, key = gather(z_a), ops.stop_gradient(gather(z_b))
        plain = info_nce(query, key, self.queue.rows, self.temperature)
        harder = info_nce(query, key, self.queue.rows, self.temperature, self.synthetic(query))
        # Where the length of the training is not known, progress stays 0 and there is no start to wait for.
        start = self.mixing_start if self.total_steps else 0.0
        return ops.where(self.progress < start, plain, harder)

    def synthetic(self, query):
        """Negatives of each query (n, dim) alone: (n, mixed + query_mixed, dim) of norm 1, without a gradient."""
        hard = hardest_negatives(query, self.queue.rows, self.hardest)
        first, second = self.pick(hard, self.mixed, 0), self.pick(hard, self.mixed, 1)
        between = mixed_negatives(first, second, self.uniform(ops.shape(first)[:2], 2))
        third = self.pick(hard, self.query_mixed, 3)
        towards = mixed_negatives(query[:, None], third, self.uniform(ops.shape(third)[:2], 4) / 2)
        return ops.concatenate([between, towards], axis=1)

    def pick(self, hard, count, draw):
        """`count` random ones of each query's hardest keys: rows of the queue (n, hardest) -> keys (n, count, dim)."""
        ranks = ops.cast(self.uniform((ops.shape(hard)[0], count), draw) * self.hardest, "int32")
        return ops.take(self.queue.rows, ops.take_along_axis(hard, ranks, axis=1), axis=0)

    def uniform(self, shape, draw):
        """Numbers in [0, 1) for the global batch, one `draw` of a step after the other, equal on all replicas."""
        step = ops.cast(self.optimizer.iterations, "int32")
        return tf.random.stateless_uniform(shape, ops.stack([step, draw]), alg="philox")

    def after_step(self, z_b, **outputs):
        self.target.follow(self.ema_rate)
        self.queue.enqueue(ops.normalize(gather(z_b)))
