"""MoCHi: MoCo with harder negatives, mixed from the hardest queued keys and the query itself."""

from keras import ops

from sslzoo.layers.heads import plain_mlp
from sslzoo.layers.memory import Queue
from sslzoo.layers.targets import Target, in_groups
from sslzoo.losses import hardest_negatives, info_nce, mixed_negatives, unit
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class MoCHi(SSLModel):
    """MoCo v2 with further, synthetic negatives for each query.

    Some are points between two of the hardest negatives, others between the query and one of them. Keys have BatchNorm
    statistics of small groups, as in MoCo.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the projector's hidden layer; 0 for a linear projector.
        temperature: float, divides the cosine similarities.
        queue_size: int, number of keys in the queue.
        ema_rate: float, share that the key encoder moves towards the encoder in a step.
        norm_groups: int, parts of a replica's batch whose keys have BatchNorm statistics of their own.
        hardest: int, queued keys nearest to a query, from which negatives are mixed.
        mixed: int, synthetic negatives of a query between two of those keys.
        query_mixed: int, synthetic negatives between the query and one of those keys, with a share of the query below
            one half.
        mixing_start: float, share of the training without synthetic negatives, at the start.

    Raises:
        ValueError: if `hardest` exceeds the queue, or a number of synthetic negatives is negative.
    """

    paper = "https://arxiv.org/abs/2010.01028"
    use = "as MoCo, with harder negatives; for longer trainings"
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
        hardest: int = 1024,
        mixed: int = 1024,
        query_mixed: int = 128,
        mixing_start: float = 0.075,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        if not 1 <= hardest <= queue_size:
            raise ValueError(f"hardest must be 1..{queue_size}, the queue_size, got {hardest}")
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
        query = self.embed(view_a)
        return dict(z_a=query, z_b=in_groups(self.target, view_b, self.norm_groups if training else 1))

    def objective(self, z_a, z_b):
        query, key = gather(z_a), ops.stop_gradient(gather(z_b))
        plain = info_nce(query, key, self.queue.rows, temperature=self.temperature)
        harder = info_nce(query, key, self.queue.rows, self.synthetic(query), temperature=self.temperature)
        # Where the length of the training is not known, progress stays 0 and there is no start to wait for.
        start = self.mixing_start if self.total_steps else 0.0
        return ops.where(self.progress < start, plain, harder)

    def synthetic(self, query):
        """Negatives of each query (n, dim): (n, mixed + query_mixed, dim), of norm 1, without a gradient."""
        hard = hardest_negatives(query, self.queue.rows, count=self.hardest)
        first, second = self.pick(hard, self.mixed, 0), self.pick(hard, self.mixed, 1)
        between = mixed_negatives(first, second, share=self.uniform(ops.shape(first)[:2], 2, everywhere=True))
        third = self.pick(hard, self.query_mixed, 3)
        share = self.uniform(ops.shape(third)[:2], 4, everywhere=True) / 2  # less than half of the query
        towards = mixed_negatives(query[:, None], third, share=share)
        return ops.concatenate([between, towards], axis=1)

    def pick(self, hard, count, draw):
        """Random ones of each query's hardest keys: rows of the queue, int (n, hardest) -> keys (n, count, dim)."""
        ranks = self.uniform((ops.shape(hard)[0], count), draw, everywhere=True)
        ranks = ops.cast(ranks * self.hardest, "int32")
        return ops.take(self.queue.rows, ops.take_along_axis(hard, ranks, axis=1), axis=0)

    def after_step(self, z_b, **outputs):
        self.target.update(self.ema_rate)
        self.queue.enqueue(unit(gather(z_b)))
